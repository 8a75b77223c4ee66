use mailsonde_proto::doctor::Judged;

use super::*;

#[test]
fn the_same_command_again_with_more_rights() {
    assert_eq!(DoctorArguments::default().as_root(), "sudo mailsonde-agent doctor");
    let arguments = DoctorArguments {
        config: Some("/etc/a.toml".into()),
        data: Some("/var/lib/a".into()),
        ..DoctorArguments::default()
    };
    assert_eq!(
        arguments.as_root(),
        "sudo mailsonde-agent doctor --config /etc/a.toml --data /var/lib/a"
    );
    let arguments = DoctorArguments { data: Some("/a b;c".into()), ..DoctorArguments::default() };
    assert_eq!(arguments.as_root(), "sudo mailsonde-agent doctor --data '/a b;c'");
}

#[test]
fn lines_stand_in_groups_and_colours_do_not_stand_alone() {
    let mut looks = vec![
        Judged::ok("412 GiB free of 500 GiB").look("disk.space", "space"),
        Judged::problem("mode 644", "`chmod 600 /p`").look("permissions.secret", "p").of("/p"),
        Judged::ok("1 check").look("configuration.file", "agent.toml"),
        Judged::unknown("nobody tells", "ask").look("clock.synchronised", "time service"),
    ];
    looks.sort_by_key(place);
    let report = Report::new("mailsonde-agent 0.1.0", "data in /d".into(), looks);
    let terminal = Terminal { width: 80, colours: false };
    insta::assert_snapshot!(shown(&report, &terminal), @r"
    mailsonde-agent 0.1.0, data in /d
    1 problem, 1 not known, 2 ok

    permissions
      ✗ problem    p             mode 644
          → `chmod 600 /p`

    configuration
      ✓ ok         agent.toml    1 check

    clock
      ? not known  time service  nobody tells
          → ask

    disk
      ✓ ok         space         412 GiB free of 500 GiB

    1 problem, 1 not known, 2 ok
    ");
    let coloured = shown(&report, &Terminal { width: 80, colours: true });
    assert!(coloured.contains("\x1b[1;31m✗ problem  \x1b[0m"), "{coloured}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["state"], "problem");
    let secret = serde_json::json!({
        "id": "permissions.secret", "of": "/p", "title": "p", "state": "problem",
        "says": "mode 644", "todo": "`chmod 600 /p`",
    });
    assert_eq!(json["looks"][1], secret);
    assert_eq!(json["looks"][2]["state"], "unknown");
}

/// Whatever is broken: it ends, and says something about everything.
#[tokio::test]
async fn an_empty_folder_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = DoctorArguments {
        config: Some(folder.path().join("none.toml")),
        data: Some(folder.path().join("none")),
        ..DoctorArguments::default()
    };
    let report = examined(arguments, Kinds::standard(), Writer::Thread).await;
    assert!(report.has_problem());
    let state = |id: &str| report.looks.iter().find(|look| look.id == id).map(|look| look.state);
    for (id, expected) in [
        ("configuration.file", State::Problem),
        ("identity.certificate", State::Problem),
        // none of these is to be mended by itself
        ("permissions.data", State::Unknown),
        ("process.running", State::Unknown),
        ("ports.collector", State::Unknown),
        ("disk.writable", State::Unknown),
        ("clock.steady", State::Ok),
    ] {
        assert_eq!(state(id), Some(expected), "{id}");
    }
    let without_todo = |look: &&Look| look.state != State::Ok && look.todo.is_none();
    assert_eq!(report.looks.iter().find(without_todo), None);
}

#[tokio::test]
async fn a_configuration_that_is_no_text_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("agent.toml");
    for bytes in [&b"\xff\xfe"[..], b"[[[", b"", b"data = 7"] {
        std::fs::write(&file, bytes).unwrap();
        let arguments =
            DoctorArguments { data: Some(folder.path().into()), ..DoctorArguments::default() };
        let report = examined(arguments, Kinds::standard(), Writer::Thread).await;
        let look = report.looks.iter().find(|look| look.id == "configuration.file").unwrap();
        assert_eq!(look.state, State::Problem, "{bytes:?}: {}", look.says);
    }
}

/// Each would be waited for without end, and hide everything else.
#[tokio::test]
async fn a_pipe_hides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = "[[mailbox]]\nname = 'm'\naddress = 'a@b.test'\npassword = { file = 'password' }\n\
                smtp = { host = '127.0.0.1' }\nimap = { host = '127.0.0.1' }\n";
    std::fs::write(at("agent.toml"), text).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(at("password")).status().unwrap().success());
    let arguments =
        DoctorArguments { data: Some(folder.path().into()), ..DoctorArguments::default() };
    let report = examined(arguments, Kinds::standard(), Writer::Thread).await;
    let state = |id: &str| report.looks.iter().find(|look| look.id == id).map(|look| look.state);
    for (id, expected) in [
        ("configuration.file", State::Problem),
        ("permissions.secret", State::Problem),
        ("disk.writable", State::Ok),
    ] {
        assert_eq!(state(id), Some(expected), "{id}: {report:#?}");
    }
}
