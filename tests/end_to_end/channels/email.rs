//! E-mail by a relay: the sandbox's, which delivers, and one that misbehaves at each step.

use mailsonde_tests::hostile::{Script, Step, Trouble};
use mailsonde_tests::network::Network;
use mailsonde_tests::sandbox::{Sandbox, SandboxOptions, User};
use tokio_util::sync::CancellationToken;

use super::*;

const PASSWORD: &str = "hunter2-relay-password";

fn settings(port: u16, tls: &str, more: &str) -> String {
    format!(
        "kind = \"email\"\nrelay = \"127.0.0.1\"\nport = {port}\ntls = \"{tls}\"\n{more}\n\
         from = \"Mailsonde <sonde@sandbox.test>\"\nto = [\"ops@sandbox.test\", \"Desk <desk@sandbox.test>\"]"
    )
}

const LOGIN: &str =
    "user = \"sonde@sandbox.test\"\npassword_file = \"password\"\nauthority = \"ca.pem\"";

async fn send(folder: &tempfile::TempDir, message: &Message, earlier: Option<&Handle>) -> Outcome {
    let channels = read(folder);
    let named = channels.get("it").unwrap();
    let outcome = named.channel.send(Post { message, earlier }).await;
    assert!(!format!("{outcome:?} {named:?}").contains(PASSWORD), "{outcome:?}");
    outcome
}

#[tokio::test]
async fn mail_is_delivered_by_starttls_and_by_tls_and_stays_together() {
    let user =
        |name: &str| User { address: format!("{name}@sandbox.test"), password: PASSWORD.into() };
    let users = vec![user("sonde"), user("ops"), user("desk")];
    let shutdown = CancellationToken::new();
    let options = SandboxOptions { users, ..SandboxOptions::named("relay.test") };
    let sandbox = Sandbox::start(options, shutdown.clone()).await.unwrap();
    let _end = shutdown.drop_guard();
    let addresses = sandbox.addresses();

    let mut first = None;
    for (port, tls, occasion) in [
        (addresses.smtp.port(), "starttls", Occasion::Opened),
        (addresses.smtps.port(), "implicit", Occasion::Over),
    ] {
        let files = [("password", PASSWORD), ("ca.pem", sandbox.ca_pem())];
        let folder = folder(&settings(port, tls, LOGIN), &files);
        let outcome = send(&folder, &message(occasion), first.as_ref()).await;
        let Outcome::Sent { handle, confirmed: false, .. } = outcome else { panic!("{outcome:?}") };
        first = first.or(handle);
    }
    assert_eq!(first, Some(Handle("<incident-17-opened@sandbox.test>".into())));
    for address in ["ops@sandbox.test", "desk@sandbox.test"] {
        let mut messages = Vec::new();
        for _ in 0..500 {
            messages = sandbox.messages(address);
            if messages.len() == 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let [opened, over] = &messages[..] else { panic!("{messages:?}") };
        assert!(opened.contains("\r\nAuto-Submitted: auto-generated\r\n"), "{opened}");
        assert!(!opened.contains("In-Reply-To"), "{opened}");
        assert!(over.contains("\r\nIn-Reply-To: <incident-17-opened@sandbox.test>\r\n"), "{over}");
        assert!(over.contains("\r\nReferences: <incident-17-opened@sandbox.test>\r\n"), "{over}");
    }

    // whom the relay does not know is told, and the others have it
    let known = settings(addresses.smtp.port(), "starttls", LOGIN);
    let files = [("password", PASSWORD), ("ca.pem", sandbox.ca_pem())];
    let folder_of = |settings: String| folder(&settings, &files);
    let some = folder_of(known.replace("Desk <desk@", "Nobody <nobody@"));
    let outcome = send(&some, &message(Occasion::Update), None).await;
    let Outcome::Sent { said, .. } = outcome else { panic!("{outcome:?}") };
    assert!(said.contains("not for nobody@sandbox.test (550"), "{said}");
    let none = known.replace("ops@sandbox", "none@sandbox").replace("desk@sandbox", "nil@sandbox");
    let outcome = send(&folder_of(none), &message(Occasion::Update), None).await;
    assert_eq!(told(&outcome), "refused", "{outcome:?}");
}

#[tokio::test]
async fn every_step_that_goes_wrong_says_whether_it_may_have_arrived() {
    let script = Script::smtp;
    let answer = |step, line: &str| script().answer_at(step, line);
    for (script, expected) in [
        (script(), "sent"),
        (script().hang_at(Step::Greeting), "later"),
        (script().close_at(Step::Ehlo), "later"),
        (script().hang_at(Step::Mail), "later"),
        (script().close_at(Step::Data), "later"),
        (script().hang_at(Step::Text), "perhaps"),
        (script().close_at(Step::Text), "perhaps"),
        (script().hang_at(Step::Quit), "sent"),
        (script().close_at(Step::Quit), "sent"),
        (answer(Step::Greeting, "554 5.7.1 not you"), "later"),
        (answer(Step::Mail, "421 4.3.2 closing"), "later"),
        (answer(Step::Mail, "550 5.7.1 not you"), "refused"),
        (answer(Step::Rcpt, "452 4.2.2 full"), "later"),
        (answer(Step::Rcpt, "550 5.1.1 unknown"), "refused"),
        (answer(Step::Data, "451 4.3.0 later"), "later"),
        (answer(Step::Text, "452 4.3.1 disk full"), "later"),
        (answer(Step::Text, "554 5.6.0 spam"), "refused"),
        (answer(Step::Rcpt, "no smtp at all"), "later"),
    ] {
        let server = script.clone().start(&Network::here(), ([127, 0, 0, 1], 0).into()).unwrap();
        let folder = folder(&settings(server.address().port(), "none", ""), &[]);
        let outcome = send(&folder, &message(Occasion::Opened), None).await;
        assert_eq!(told(&outcome), expected, "{script:?} {outcome:?}");
    }
}

#[tokio::test]
async fn nothing_is_said_to_a_relay_that_is_not_who_it_should_be() {
    let authority = Authority::new().unwrap();
    let good = authority.issue(&["127.0.0.1"], Validity::Current).unwrap();
    let other = Authority::new().unwrap().issue(&["127.0.0.1"], Validity::Current).unwrap();
    let login = "user = \"u\"\npassword_file = \"password\"\nauthority = \"ca.pem\"";
    let injected = Trouble::Inject("250 injected\r\n".into());
    for (script, expected) in [
        (Script::smtp().starttls(&good).unwrap(), "sent"),
        (
            Script::smtp().starttls(&good).unwrap().answer_at(Step::Auth, "535 5.7.8 wrong"),
            "refused",
        ),
        (Script::smtp().starttls(&good).unwrap().answer_at(Step::Auth, "454 4.7.0 later"), "later"),
        (Script::smtp().starttls(&good).unwrap().at(Step::StartTls, injected), "later"),
        (Script::smtp().starttls(&other).unwrap(), "later"),
        (Script::smtp(), "later"),
    ] {
        let server = script.clone().start(&Network::here(), ([127, 0, 0, 1], 0).into()).unwrap();
        let files = [("password", PASSWORD), ("ca.pem", &authority.pem())];
        let folder = folder(&settings(server.address().port(), "starttls", login), &files);
        let outcome = send(&folder, &message(Occasion::Opened), None).await;
        assert_eq!(told(&outcome), expected, "{script:?} {outcome:?}");
        let commands = server.commands();
        let is_signed_in = commands.iter().any(|line| line.starts_with("AUTH"));
        assert!(
            !is_signed_in || expected != "later" || outcome_is_of_auth(&outcome),
            "{commands:?}"
        );
    }
}

fn outcome_is_of_auth(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Later { why, .. } if why.contains("the sign-in"))
}
