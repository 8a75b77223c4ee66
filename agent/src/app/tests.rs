//! A whole agent in one process, with a scripted kind of probe and a double of the collector.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use mailsonde_proto::convert::observation_from_bytes;

use super::*;
use crate::config::section::Section;
use crate::probe::{Kind, Outcome, Probe, Run, Setting, Surroundings};
use crate::uplink::tests::SOON;
use crate::uplink::tests::double::{Double, Manners};

struct Passing;

impl Kind for Passing {
    fn name(&self) -> &'static str {
        "passing"
    }

    fn summary(&self) -> &'static str {
        "passes"
    }

    fn settings(&self) -> &'static [Setting] {
        &[]
    }

    fn configure(&self, _: &mut Section<'_>, _: &Surroundings) -> Option<Arc<dyn Probe>> {
        Some(Arc::new(Self))
    }
}

impl Probe for Passing {
    fn run(&self, run: Run) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            // The slow ones are under way when the agent ends.
            if run.check.starts_with("slow") {
                std::future::pending::<()>().await;
            }
            let (phases, facts, findings) = (Vec::new(), Vec::new(), Vec::new());
            let (verdict, transcript) = (Verdict::Pass, String::new());
            Outcome { verdict, total_us: 5, phases, facts, findings, transcript }
        })
    }
}

fn kinds() -> Kinds {
    Kinds::default().with(Arc::new(Passing))
}

fn write_config(folder: &std::path::Path, double: &Double, checks: &[&str]) -> PathBuf {
    let collector = double.config();
    let mut text = format!(
        "data = \"data\"\n[collector]\naddress = \"{}\"\nserver_name = \"{}\"\nca = {:?}\n\
         certificate = {:?}\nkey = {:?}\n[vantage_point]\nname = \"hq\"\n",
        collector.address,
        collector.server_name,
        collector.ca,
        collector.certificate,
        collector.key,
    );
    for check in checks {
        text.push_str(&format!(
            "[[check]]\nname = \"{check}\"\nkind = \"passing\"\nevery = \"200ms\"\ntimeout = \"60s\"\n"
        ));
    }
    let file = folder.join("agent.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// Runs the agent's loop until the double has seen what it should.
async fn work_until(agent: &mut Agent, double: &Double, check: &str, verdict: &str) {
    let clock = Clock::system();
    let begun = clock.monotonic();
    loop {
        let seen = double.seen().observations.into_values().any(|bytes| {
            let observation = observation_from_bytes(&bytes).unwrap();
            observation.check == check && observation.verdict.as_str() == verdict
        });
        if seen {
            return;
        }
        assert!(clock.monotonic() - begun < SOON, "no {verdict} of {check}");
        tokio::select! {
            () = sleep(agent.until_next_slot()) => agent.begin_due(),
            Some(over) = agent.runs.join_next() => agent.over(over.ok()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_works_reloads_survives_a_bad_file_and_ends_cleanly() {
    let double = Double::start(Manners::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = write_config(folder.path(), &double, &["first", "slow"]);
    let config = AgentConfig::load(&file, &kinds()).unwrap().config;
    let mut agent = Agent::start(config, kinds()).await.unwrap();
    work_until(&mut agent, &double, "first", "pass").await;
    // The slow one's next slots come up while it runs.
    work_until(&mut agent, &double, "slow", "void").await;

    std::fs::write(&file, "nonsense = ").unwrap();
    agent.reload().await;
    assert_eq!(agent.checks.by_name.len(), 2);

    write_config(folder.path(), &double, &["second", "slow"]);
    agent.reload().await;
    work_until(&mut agent, &double, "second", "pass").await;
    double.until("hello again", |seen| seen.hellos.len() >= 2).await;
    let names: Vec<_> =
        double.seen().hellos.last().unwrap().checks.iter().map(|c| c.name.clone()).collect();
    assert_eq!(names, ["second", "slow"]);

    let data = agent.config.data.clone();
    timeout(SOON, agent.end()).await.unwrap();
    let interrupted = double.seen().observations.into_values().any(|bytes| {
        let observation = observation_from_bytes(&bytes).unwrap();
        observation.check == "slow"
            && matches!(observation.verdict, Verdict::Void { reason: VoidReason::Interrupted, .. })
    });
    assert!(interrupted, "the slow run was told before the end");
    // Nothing is left over: the next start has no run to declare interrupted.
    let (outbox, _keeper) = Outbox::open(&data, Limits::default(), Clock::system()).unwrap();
    let produced = outbox.accounts().produced;
    assert_eq!(produced, u64::try_from(double.seen().observations.len()).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_is_watched_for_others_only_where_it_receives_and_their_key_is_known() {
    use std::os::unix::fs::PermissionsExt;

    use mailsonde_proto::convert::{Expect, UnreadyReason};
    use mailsonde_proto::{Epoch, RunId, SenderKey};

    let double = Double::start(Manners::default()).await;
    let imap = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = write_config(folder.path(), &double, &[]);
    let known = SenderKey([7; 32]);
    let mut text = std::fs::read_to_string(&file).unwrap();
    for (name, receive) in [("main", "receive = true"), ("own", "")] {
        let port = imap.local_addr().unwrap().port();
        text += &format!(
            "[[mailbox]]\nname = \"{name}\"\naddress = \"{name}@b.test\"\npassword = \"x\"\n{receive}\n[mailbox.smtp]\n\
             host = \"127.0.0.1\"\nport = {port}\ntls = \"starttls\"\n[mailbox.imap]\nhost = \"127.0.0.1\"\n\
             port = {port}\ntls = \"implicit\"\n"
        );
    }
    std::fs::write(&file, text).unwrap();
    let policy = folder.path().join(crate::config::policy::FILE);
    let sender = format!("[[sender]]\nname = \"a\"\nkey = \"{known}\"\n");
    std::fs::write(&policy, format!("[targets]\nnetworks = [\"127.0.0.0/8\"]\n{sender}")).unwrap();
    std::fs::set_permissions(&policy, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = AgentConfig::load(&file, &kinds()).unwrap().config;
    let mut agent = Agent::start(config, kinds()).await.unwrap();
    double.until("hello", |seen| !seen.hellos.is_empty()).await;
    let hello = double.seen().hellos.pop().unwrap();
    let announced: Vec<_> = hello.mailboxes.iter().map(|it| it.address.as_str()).collect();
    assert_eq!(announced, ["main@b.test"]);
    assert_eq!(hello.signing_key, Some(agent.guests.signing_key()));

    let mut asked = |intent, mailbox: &str, signing_key| {
        let within = Duration::from_secs(60);
        let expect = Expect { signing_key, mailbox: mailbox.into(), within, bytes: 900 };
        let run = RunId { epoch: Epoch(1), intent };
        agent.expect(AgentId([9; 16]), run, expect).map_err(|why| why.reason)
    };
    for (mailbox, key, expected) in [
        ("own", known, UnreadyReason::Mailbox),
        ("other", known, UnreadyReason::Mailbox),
        ("main", SenderKey([8; 32]), UnreadyReason::UnknownKey),
    ] {
        assert_eq!(asked(1, mailbox, key), Err(expected), "{mailbox}");
    }
    assert!(imap.accept().now_or_never().is_none(), "nothing was touched");
    for intent in 0..64 {
        assert_eq!(asked(intent, "main", known), Ok(()));
    }
    assert_eq!(asked(64, "main", known), Err(UnreadyReason::Busy));
    timeout(SOON, imap.accept()).await.unwrap().unwrap();
    timeout(SOON, agent.end()).await.unwrap();
}
