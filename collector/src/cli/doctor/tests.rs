use clap::Parser;

use super::*;
use crate::cli::terminal::plain;

#[tokio::test]
async fn a_folder_that_is_not_there_is_looked_at() {
    let temporary = tempfile::tempdir().unwrap();
    let report = examined(Folder::at(temporary.path().join("none")), Writer::Thread).await;
    assert!(report.has_problem());
    let state = |id: &str| report.looks.iter().find(|look| look.id == id).map(|look| look.state);
    for (id, expected) in [
        ("configuration.file", State::Problem),
        ("permissions.data", State::Problem),
        ("process.running", State::Problem),
        ("certificates.authority", State::Problem),
        ("certificates.server", State::Unknown),
        ("ports.agents", State::Unknown),
        ("agents.silent", State::Unknown),
        ("health.writable", State::Problem),
    ] {
        assert_eq!(state(id), Some(expected), "{id}");
    }
    let without_todo = |look: &&Look| look.state != State::Ok && look.todo.is_none();
    assert_eq!(report.looks.iter().find(without_todo), None);
}

#[test]
fn lines_stand_in_groups() {
    let mut looks = vec![
        Judged::warning("1 of 2 silent: b", "on it: `mailsonde-agent doctor`")
            .look("agents.silent", "agents"),
        Judged::ok("0.0.0.0:7443 answers").look("ports.agents", "for agents"),
        Judged::problem("mode 644", "`chmod 600 /d/ca.key`").look("permissions.key", "ca.key"),
    ];
    looks.sort_by_key(place);
    let report = Report::new("mailsonde-collector 0.1.0", "data in /d".into(), looks);
    insta::assert_snapshot!(shown(&report, &plain(80)), @r"
    mailsonde-collector 0.1.0, data in /d
    1 problem, 1 warning, 1 ok

    permissions
      ✗ problem    ca.key      mode 644
          → `chmod 600 /d/ca.key`

    ports
      ✓ ok         for agents  0.0.0.0:7443 answers

    agents
      ! warning    agents      1 of 2 silent: b
          → on it: `mailsonde-agent doctor`

    1 problem, 1 warning, 1 ok
    ");
}

/// Each would be waited for without end, and hide everything else.
#[tokio::test]
async fn a_pipe_hides_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::at(temporary.path());
    std::fs::write(folder.config(), "listen = '127.0.0.1:1'\nname = 'localhost'\n").unwrap();
    std::fs::create_dir(folder.channels()).unwrap();
    let channel = "[[channel]]\nname = 'a'\nkind = 'slack'\nurl_file = 'url'\n";
    std::fs::write(folder.channels().join("a.toml"), channel).unwrap();
    for name in ["url", "ca.pem", "channels.d/pipe.toml"] {
        let made = std::process::Command::new("mkfifo").arg(temporary.path().join(name)).status();
        assert!(made.unwrap().success());
    }
    let report = examined(folder, Writer::Thread).await;
    let state = |id: &str| report.looks.iter().find(|look| look.id == id).map(|look| look.state);
    for (id, expected) in [
        ("configuration.file", State::Ok),
        ("configuration.folders", State::Problem),
        ("permissions.secret", State::Problem),
        ("certificates.authority", State::Problem),
        ("health.writable", State::Ok),
    ] {
        assert_eq!(state(id), Some(expected), "{id}: {report:#?}");
    }
}

#[test]
fn another_collector_is_not_looked_at_from_here() {
    let command = |arguments: &[&str]| {
        let all = ["mailsonde-collector"].iter().chain(arguments);
        super::super::Arguments::try_parse_from(all).map(super::super::run)
    };
    let refused = command(&["--url", "https://c.test:7444", "doctor"]).unwrap().unwrap_err();
    assert!(refused.to_string().contains("--url"), "{refused}");
}
