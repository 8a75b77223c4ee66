//! A kind and a file for tests.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::section::Section;
use super::{AgentConfig, Loaded};
use crate::probe::{Kind, Kinds, Outcome, Probe, Run, Setting, Surroundings};

/// Stands in for the round trip: reads a mailbox and a duration.
struct Stand;

impl Kind for Stand {
    fn name(&self) -> &'static str {
        "round-trip"
    }

    fn summary(&self) -> &'static str {
        "stands in"
    }

    fn settings(&self) -> &'static [Setting] {
        &[
            Setting {
                name: "mailbox",
                form: "name of a mailbox",
                default: None,
                help: "where the mail goes",
            },
            Setting {
                name: "late",
                form: "duration",
                default: Some("5s"),
                help: "when it is late",
            },
        ]
    }

    fn configure(
        &self,
        section: &mut Section<'_>,
        surroundings: &Surroundings,
    ) -> Option<Arc<dyn Probe>> {
        section.one_of("mailbox", "mailbox", &surroundings.mailboxes);
        section.duration("late", Duration::from_secs(5));
        let ready: Arc<dyn Probe> = Arc::new(Ready);
        section.is_clean().then_some(ready)
    }
}

struct Ready;

impl Probe for Ready {
    fn run(&self, _run: Run) -> BoxFuture<'_, Outcome> {
        unreachable!("nothing is run here")
    }
}

pub(crate) fn kinds() -> Kinds {
    Kinds::default().with(Arc::new(Stand))
}

pub(crate) const HEAD: &str = r#"
[collector]
address = "collector.example.org"
ca = "ca.pem"
certificate = "agent.pem"
key = "agent.key"

[vantage_point]
name = "branch-north"
labels = { site = "north" }
"#;

pub(crate) const REST: &str = r#"
[[mailbox]]
name = "main"
address = "probe@good.test"
password = { file = "password" }
[mailbox.smtp]
host = "mx.good.test"
[mailbox.imap]
host = "mx.good.test"

[[check]]
name = "mail"
kind = "round-trip"
"#;

/// A folder with the files that `HEAD` and `REST` name.
pub(crate) fn folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in
        [("ca.pem", ""), ("agent.pem", ""), ("agent.key", ""), ("password", "hunter2\n")]
    {
        let path = folder.path().join(file);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

/// `HEAD` and `REST`, loaded.
pub(crate) fn loaded() -> Loaded {
    let folder = folder();
    AgentConfig::parse(&folder.path().join("agent.toml"), &format!("{HEAD}{REST}"), &kinds())
        .unwrap()
}
