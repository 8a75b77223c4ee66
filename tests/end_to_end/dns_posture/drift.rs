//! A zone is changed while an agent looks at it: the collector tells who saw what, from, to, and when.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use mailsonde_collector::query::{ChangeAnswer, ChangesAnswer};
use mailsonde_proto::Clock;
use mailsonde_tests::enrolment::enrol;
use mailsonde_tests::lab::Host;

use crate::agent::{DEMO, bounded, in_company, lab, output_of};

const PATIENCE: Duration = Duration::from_secs(40);

/// Killed when dropped.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A collector and an agent in branch 1.
struct Site {
    folder: tempfile::TempDir,
    _running: Vec<Started>,
}

impl Site {
    fn start(check: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut site = Self { folder, _running: Vec::new() };
        let out = site.path("agent");
        site.collector(&["init", "--listen", "127.0.0.1:7443", "--name", "localhost"]);
        let collector = site.start_one(&[
            Path::new("collector"),
            Path::new("--data"),
            &site.path("collector"),
            Path::new("serve"),
        ]);
        site.wait_for_collector();
        let program = || lab().command(Host::Branch(1), DEMO);
        enrol(program, (&site.path("collector"), &out), &["--name", "b1"]).expect("it is let in");
        let config = out.join("agent.toml");
        let mut text = fs::read_to_string(&config).expect("the agent's configuration");
        text.push_str(check);
        fs::write(&config, text).expect("the agent's configuration");
        let agent =
            site.start_one(&[Path::new("agent"), Path::new("run"), Path::new("--config"), &config]);
        site._running = vec![agent, collector];
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start_one(&self, arguments: &[&Path]) -> Started {
        let mut command = lab().command(Host::Branch(1), DEMO);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        let log = fs::File::options().create(true).append(true).open(self.path("log"));
        Started(command.stderr(log.expect("a log")).spawn().expect("it starts"))
    }

    fn wait_for_collector(&self) {
        let socket = self.path("collector").join("operators.sock");
        self.wait_for("the collector answers", || {
            std::os::unix::net::UnixStream::connect(&socket).ok()
        });
    }

    fn collector(&self, arguments: &[&str]) -> String {
        let mut command = bounded(&[]);
        command.arg("collector").arg("--data").arg(self.path("collector")).args(arguments);
        let (exit, output, errors) = output_of(&mut command);
        assert_eq!(exit, 0, "{arguments:?}: {errors}");
        output
    }

    fn changes(&self, arguments: &[&str]) -> Vec<ChangeAnswer> {
        let output = self.collector(&[&["changes", "--json"], arguments].concat());
        let answer: ChangesAnswer = serde_json::from_str(&output).expect("an answer");
        answer.changes
    }

    /// Waits until the observations or changes hold what they should.
    fn wait_for<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let begun = Clock::system().monotonic();
        while Clock::system().monotonic() - begun < PATIENCE {
            if let Some(found) = look() {
                return found;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        panic!("not in time: {what}\n{log}");
    }
}

#[test]
fn a_change_is_seen_with_who_what_from_to_and_when() {
    let _company = in_company();
    let site = Site::start(&format!(
        "\n[[check]]\nname = \"posture\"\nkind = \"dns\"\ndomain = \"drift.test\"\nevery = \"1s\"\n\
         timeout = \"900ms\"\nrules = [\"mx\", \"servers\"]\nown_networks = [\"198.18.0.0/15\"]\n\
         trust_anchor = \"{}\"\n",
        lab().trust_anchor().display()
    ));
    let is_seen = || {
        let seen = site.path("collector").join("operators.sock").exists();
        let output = seen.then(|| {
            let mut command = bounded(&[]);
            command.arg("collector").arg("--data").arg(site.path("collector"));
            output_of(command.args(["observations", "--json", "--check", "posture"])).1
        });
        output.filter(|output| output.contains("record.mx.digest"))
    };
    site.wait_for("the first observation", is_seen);
    assert_eq!(site.changes(&[]), []);
    let before = Clock::system().wall().timestamp();
    lab()
        .update_zone(
            "drift.test",
            &["del drift.test. MX", "add drift.test. 1 MX 10 mx2.good.test."],
        )
        .expect("Knot takes it");
    let change = site.wait_for("the change", || {
        site.changes(&["--check", "posture", "--record", "mx"]).into_iter().next()
    });
    assert_eq!(
        (change.record.as_str(), change.from.as_str(), change.to.as_str()),
        ("mx", "10 mx1.good.test.", "10 mx2.good.test.")
    );
    assert_eq!(change.seen_by.len(), 1);
    assert_eq!(change.seen_by[0].agent, "b1");
    assert!(
        change.last_seen_before < change.first_seen
            && change.first_seen >= before - jiff::Span::new().seconds(2)
    );
    let words = site.collector(&["changes", "--vantage-point", "b1", "--record", "mx"]);
    assert!(words.contains("10 mx1.good.test.") && words.contains("10 mx2.good.test."), "{words}");
    let back = ["del drift.test. MX", "add drift.test. 1 MX 10 mx1.good.test."];
    lab().update_zone("drift.test", &back).expect("Knot takes it");
    site.wait_for("the change back", || {
        let changes = site.changes(&["--record", "mx"]);
        changes.first().filter(|newest| newest.to == "10 mx1.good.test.").cloned()
    });
}
