use futures_util::future::BoxFuture;

use super::*;
use crate::config::samples::kinds;

fn refusal(pairs: &[&str]) -> String {
    let kinds = kinds();
    let pairs: Vec<String> = pairs.iter().map(ToString::to_string).collect();
    match from_settings((&pairs, None), kinds.get("round-trip").unwrap().as_ref(), None) {
        Ok(_) => String::new(),
        Err(refusal) => {
            let told: Vec<_> = refusal.mistakes.iter().map(ToString::to_string).collect();
            told.join("\n")
        }
    }
}

#[test]
fn settings_make_a_mailbox_and_a_check() {
    let told = refusal(&[
        "address=probe@good.test",
        "password_env=PATH",
        "smtp.host=mx.good.test",
        "imap.host=mx.good.test",
        "late=9s",
        "timeout=30s",
    ]);
    assert_eq!(told, "");
}

#[test]
fn mistakes_in_settings_name_the_key() {
    insta::assert_snapshot!(refusal(&["smtp.hots=x", "late=5", "adress=y", "imap.tls=ssl", "z"]), @r#"
    --set: imap.host is missing: add --set imap.host=…
    --set: password is missing: an IMAP server wants one
    --set adress: adress is not known here, did you mean "address"?
    --set imap.tls: must be one of "starttls", "implicit", "none", not "ssl"
    --set late: needs a unit: write "5s" for seconds, "5m" for minutes
    --set smtp.hots: smtp.hots is not known here, did you mean "host"?
    --set z: write it as z=value
    "#);
}

enum Misbehaved {
    Hangs,
    Panics,
}

impl Probe for Misbehaved {
    fn run(&self, _run: Run) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            match self {
                Self::Hangs => std::future::pending().await,
                Self::Panics => panic!("as planned"),
            }
        })
    }
}

async fn verdict_of(probe: Misbehaved) -> Verdict {
    let subject = Subject {
        check: "mail".into(),
        kind: "x".into(),
        timeout: Duration::from_secs(60),
        probe: Arc::new(probe),
        mailboxes: Vec::new(),
        warnings: Vec::new(),
    };
    run(subject).await.outcome.verdict
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_hangs_or_breaks_down_is_void() {
    for (probe, word) in [(Misbehaved::Hangs, "deadline"), (Misbehaved::Panics, "broke down")] {
        let verdict = verdict_of(probe).await;
        let Verdict::Void { reason: VoidReason::Internal, detail } = verdict else {
            panic!("{verdict:?}")
        };
        assert!(detail.contains(word), "{detail}");
    }
}
