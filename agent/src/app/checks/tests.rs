//! Whose a check is decides what binds it, and a new policy binds what is there already.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use mailsonde_proto::{AgentId, Cause, Epoch, RunId};
use tokio::sync::mpsc;

use super::*;
use crate::config::policy::FILE;
use crate::config::samples::{HEAD, folder};
use crate::mail::token::TokenKey;
use crate::probe::Run;

fn load(folder: &Path, checks: &str) -> AgentConfig {
    let file = folder.join("agent.toml");
    AgentConfig::parse(&file, &format!("{HEAD}{checks}"), &Kinds::standard()).unwrap().config
}

fn check(name: &str, host: &str, port: u16) -> String {
    format!(
        "[[check]]\nname = \"{name}\"\nkind = \"tcp\"\nhost = \"{host}\"\nport = {port}\nwait = \"0s\"\n"
    )
}

/// What a run of a check comes to: `pass`, or why not.
async fn told(ready: &Ready) -> String {
    let clock = Clock::system();
    let run = Run {
        id: RunId { epoch: Epoch(1), intent: 1 },
        agent: AgentId([1; 16]),
        check: ready.check.name.clone(),
        cause: Cause::OnDemand,
        scheduled_for: clock.wall(),
        deadline: clock.monotonic() + Duration::from_secs(10),
        token_key: Arc::new(TokenKey::from_bytes([5; 32])),
        amendments: mpsc::channel(1).0,
    };
    match ready.probe.run(run).await.verdict {
        mailsonde_proto::Verdict::Void { reason, detail } => {
            format!("{}: {}", reason.as_str(), detail.split(": ").next().unwrap_or_default())
        }
        other => other.as_str().to_owned(),
    }
}

#[tokio::test]
async fn checks_of_the_collector_touch_only_what_the_agents_own_configuration_names() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (kinds, clock, folder) = (Kinds::standard(), Clock::system(), folder());
    let text = check("home", "127.0.0.1", port) + &check("localhost", "localhost", port);
    let everything = load(folder.path(), &text);
    let pushed = |config: &AgentConfig| {
        let mut pushed = config.checks.clone();
        for check in &mut pushed {
            check.origin = Origin::Collector;
            check.check.name.push_str("-pushed");
        }
        pushed
    };
    // Its own checks name the port of this host: the collector's may touch it as well.
    let mut config = everything.clone();
    config.checks.extend(pushed(&everything));
    let mut checks = Checks::ready(&config, &kinds, (clock, &Peers::default())).unwrap();
    assert_eq!(told(&checks.by_name["home"]).await, "pass");
    assert_eq!(told(&checks.by_name["home-pushed"]).await, "pass");
    // Whoever writes `localhost` means its addresses too.
    assert_eq!(told(&checks.by_name["localhost-pushed"]).await, "pass");

    // Nothing here names it: the agent's own checks go where they go, the collector's do not.
    let mut config = load(folder.path(), &check("other", "192.0.2.1", port));
    config.checks.extend(pushed(&everything));
    config.checks.extend(everything.checks.clone());
    checks.replace(&config, &kinds, clock).unwrap();
    assert_eq!(told(&checks.by_name["home"]).await, "pass");
    for name in ["home-pushed", "localhost-pushed"] {
        assert_eq!(told(&checks.by_name[name]).await, "policy: targets.networks", "{name}");
    }
}

#[tokio::test]
async fn a_new_policy_binds_what_is_there_already() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (kinds, clock, folder) = (Kinds::standard(), Clock::system(), folder());
    let text = check("home", "127.0.0.1", port);
    let mut checks =
        Checks::ready(&load(folder.path(), &text), &kinds, (clock, &Peers::default())).unwrap();
    let before = checks.by_name["home"].clone();
    assert_eq!(told(&before).await, "pass");
    let policy = folder.path().join(FILE);
    std::fs::write(&policy, "[targets]\nhosts = [\"mail.good.test\"]\n").unwrap();
    std::fs::set_permissions(&policy, Permissions::from_mode(0o600)).unwrap();
    checks.replace(&load(folder.path(), &text), &kinds, clock).unwrap();
    assert_eq!(told(&checks.by_name["home"]).await, "policy: targets.networks");
    assert_eq!(told(&before).await, "policy: targets.networks", "a run under way is bound too");
    let text = format!("{text}[limits]\nconcurrent_runs = 3\n");
    std::fs::write(&policy, format!("[targets]\nhosts = [\"127.0.0.1:{port}\"]\n")).unwrap();
    checks.replace(&load(folder.path(), &text), &kinds, clock).unwrap();
    assert_eq!(told(&before).await, "pass");
}

#[test]
fn a_check_of_the_collector_reads_no_secrets_of_this_host() {
    let (kinds, clock, folder) = (Kinds::standard(), Clock::system(), folder());
    for secret in [
        "password = { file = \"password\" }",
        "password = { env = \"PATH\" }",
        "password = \"inline\"",
        "oauth2 = { grant = \"refresh_token\", token_url = \"https://a.test/\", client_id = \"a\", \
         refresh_token = { file = \"password\" } }",
    ] {
        let text = format!(
            "[[check]]\nname = \"look\"\nkind = \"imap\"\nhost = \"a.test\"\nlogin = \"a\"\n{secret}\n"
        );
        let mut config = load(folder.path(), &text);
        let surroundings = config.surroundings(config.policy.nets(clock).local, clock);
        assert!(config.checks[0].probe(&kinds, &surroundings).is_ok(), "{secret}");
        config.checks[0].origin = Origin::Collector;
        let told = config.checks[0].probe(&kinds, &surroundings).err().unwrap().to_string();
        assert!(told.contains("a check of the collector has no secrets"), "{secret}: {told}");
        assert!(!told.contains("hunter2") && !told.contains("inline"), "{told}");
    }
}
