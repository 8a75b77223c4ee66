//! Canaries: every secret of a branch is a word that can be looked for, and after a day's work it is found where it was
//! written and nowhere else: in no log at its most talkative, no file of the outbox, nothing that came over the stream.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailsonde_proto::convert::{AssignedCheck, Assignment, FromAgent, observation_from_bytes};
use mailsonde_proto::file::{PRIVATE, replace};
use mailsonde_tests::captured::Captured;
use mailsonde_tests::lab::{Host, User};

use crate::agent::{DEMO, in_company, lab, somebody};
use crate::process::{Process, files_with, now};

const PATIENCE: Duration = Duration::from_secs(90);
/// Each check has run so often before it is looked.
const RUNS: usize = 2;
const WRONG: &str = "canary-wrong-password";
const CLIENT: &str = "canary-client-secret";
const REFRESH: &str = "canary-refresh-token";
const WEB: &str = "canary-web-password";

/// A branch with three mailboxes: a good one, one with a wrong password, one whose token endpoint refuses.
fn configuration(folder: &Path, user: &User, port: u16) -> String {
    let secret = |name: &str, text: &str| {
        let path = folder.join(name);
        replace(&path, format!("{text}\n").as_bytes(), PRIVATE).unwrap();
        path.display().to_string()
    };
    let ca = lab().ca_file().display().to_string();
    let servers = format!(
        "[mailbox.smtp]\nhost = \"mail.good.test\"\nca_file = {ca:?}\n\
         [mailbox.imap]\nhost = \"imap.good.test\"\nca_file = {ca:?}\n"
    );
    let mailbox = |name: &str, login: &str| {
        format!("[[mailbox]]\nname = {name:?}\naddress = {:?}\n{login}\n{servers}", user.address)
    };
    let file = |name: &str, text: &str| format!("{{ file = {:?} }}", secret(name, text));
    let oauth = format!(
        "oauth2 = {{ grant = \"refresh_token\", token_url = \"https://web.lab.test/token\", client_id = \"probe\", \
         client_secret = {}, refresh_token = {} }}",
        file("client", CLIENT),
        file("refresh", REFRESH)
    );
    let check = |name: &str, rest: &str| {
        format!("[[check]]\nname = {name:?}\nevery = \"3s\"\ntimeout = \"2s\"\n{rest}\n")
    };
    let round_trip =
        |mailbox: &str| check(mailbox, &format!("kind = \"round-trip\"\nmailbox = {mailbox:?}"));
    let imap = format!(
        "kind = \"imap\"\nhost = \"imap.good.test\"\nca_file = {ca:?}\nlogin = {:?}\npassword = {WRONG:?}",
        user.address
    );
    let web = format!(
        "kind = \"http\"\nurl = \"https://webmail.good.test/\"\nca_file = {ca:?}\nlogin = \"probe\"\npassword = {}",
        file("web", WEB)
    );
    [
        format!("data = \"data\"\n[collector]\naddress = \"127.0.0.1:{port}\"\nserver_name = \"localhost\"\n"),
        "[vantage_point]\nname = \"b1\"\n".to_owned(),
        mailbox("good", &format!("password = {}", file("good", &user.password))),
        mailbox("wrong", &format!("password = {WRONG:?}")),
        mailbox("oauth", &oauth),
        ["good", "wrong", "oauth"].map(round_trip).concat(),
        check("look", &imap),
        check("web", &web),
    ]
    .concat()
}

/// A secret as it may come along: as it is, and as SASL has it on the wire (RFC 4616, and LOGIN).
fn disguises(secret: &str, user: &User) -> Vec<String> {
    let plain = format!("\0{}\0{secret}", user.address);
    vec![secret.to_owned(), STANDARD.encode(secret), STANDARD.encode(plain)]
}

#[test]
fn a_secret_stands_where_it_was_written_and_nowhere_else() {
    let _company = in_company();
    let (user, _) = somebody();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let network = lab().network(Host::Branch(1)).unwrap();
    let at = (Ipv4Addr::LOCALHOST, 0).into();
    let captured =
        Captured::start(&network, at, (&folder.path().join("collector"), &data)).unwrap();
    let text = configuration(folder.path(), &user, captured.address().port());
    let config = folder.path().join("agent.toml");
    replace(&config, text.as_bytes(), PRIVATE).unwrap();
    let mut command = lab().command(Host::Branch(1), DEMO);
    command.args(["agent", "--log", "trace", "run", "--config"]).arg(&config);
    let mut agent = Process::spawn("agent", command, folder.path());
    // the collector wants to know too
    let settings = "name = \"theirs\"\nkind = \"round-trip\"\nmailbox = \"wrong\"\nevery = \"3s\"\ntimeout = \"2s\"\n";
    let theirs = AssignedCheck { name: "theirs".into(), settings: settings.into() };
    captured.assign(Assignment::new(vec![theirs]));

    let (mut said, mut runs) = (String::new(), BTreeMap::<String, usize>::new());
    let deadline = now() + PATIENCE;
    while runs.len() < 6 || runs.values().any(|many| *many < RUNS) {
        assert!(now() < deadline, "{runs:?}\n{}", agent.log());
        agent.expect_alive();
        let Some(heard) = captured.hear(Duration::from_millis(200)) else { continue };
        if let FromAgent::Batch(batch) = &heard {
            for bytes in &batch.observations {
                let observation = observation_from_bytes(bytes).unwrap();
                said.push_str(&format!("{observation:?}\n"));
                *runs.entry(observation.check).or_default() += 1;
            }
        }
        said.push_str(&format!("{heard:?}\n"));
    }
    agent.stop();

    let log = fs::read_to_string(folder.path().join("agent.log")).unwrap();
    assert!(log.contains(" TRACE "), "the log says everything");
    assert!(
        log.contains(&user.address) && said.contains(&user.address),
        "what is no secret is found"
    );
    for secret in [user.password.as_str(), WRONG, CLIENT, REFRESH, WEB] {
        for disguise in disguises(secret, &user) {
            assert!(!log.contains(&disguise), "{secret} stands in the log");
            assert!(!said.contains(&disguise), "{secret} came over the stream");
            let found = files_with(&data, disguise.as_bytes());
            assert!(found.is_empty(), "{secret} stands in {found:?}");
        }
    }
    let key = fs::read_to_string(data.join("identity/agent.key")).unwrap();
    let line = key.lines().nth(1).unwrap();
    assert_eq!(files_with(&data, line.as_bytes()), [data.join("identity/agent.key")]);
    assert!(!log.contains(line) && !said.contains(line), "the agent's key");
}
