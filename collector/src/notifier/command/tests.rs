use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::super::samples::opened;
use super::*;

async fn run(script: &str, limit: Duration) -> (Outcome, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    fs::write(&path, format!("#!/bin/sh\ncd \"$1\"\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let run = Run {
        program: path.to_string_lossy().into_owned(),
        arguments: vec![folder.path().to_string_lossy().into_owned()],
        limit,
    };
    let message = opened();
    (run.send(Post { message: &message, earlier: None }).await, folder)
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_exit_code_says_what_came_of_it() {
    for (script, expected) in [
        ("echo ok; exit 0", "sent: exit code 0: ok"),
        ("exit 0", "sent: exit code 0"),
        ("echo busy >&2; exit 75", "later: exit code 75: busy"),
        ("exit 1", "refused: exit code 1"),
        ("exec 0<&-; exit 3", "refused: exit code 3"),
        ("kill -9 $$", "perhaps: ended by signal 9"),
        ("yes | head -c 9000000; exit 1", "refused: exit code 1: y"),
    ] {
        let (outcome, _folder) = run(script, LONG).await;
        let told = match outcome {
            Outcome::Sent { said, confirmed: false, handle: None } => format!("sent: {said}"),
            Outcome::Later { why, may_have_arrived: false, .. } => format!("later: {why}"),
            Outcome::Later { why, .. } => format!("perhaps: {why}"),
            Outcome::Refused { why } => format!("refused: {why}"),
            other => panic!("{other:?}"),
        };
        assert_eq!(told, expected, "{script}");
    }
}

#[tokio::test]
async fn it_reads_the_message_and_knows_nothing_else() {
    let (outcome, folder) = run("cat > got; env | sort > env", LONG).await;
    assert!(matches!(outcome, Outcome::Sent { .. }), "{outcome:?}");
    assert_eq!(fs::read(folder.path().join("got")).unwrap(), body(&opened()));
    let env = fs::read_to_string(folder.path().join("env")).unwrap();
    let names: Vec<_> = env.lines().filter_map(|line| line.split('=').next()).collect();
    assert!(names.iter().all(|name| ["PATH", "PWD", "OLDPWD", "_"].contains(name)), "{env}");
}

#[tokio::test]
async fn at_the_deadline_all_that_it_started_is_killed() {
    let script = "sleep 1000 & echo $! > child; wait";
    let (outcome, folder) = run(script, Duration::from_secs(2)).await;
    let Outcome::Later { why, may_have_arrived: true, .. } = outcome else { panic!("{outcome:?}") };
    assert!(why.ends_with("did not end within 2 s and was killed"), "{why}");
    let child = fs::read_to_string(folder.path().join("child")).unwrap();
    let is_there = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
        // a zombie is gone, whoever is to bury it
        !stat.is_empty() && !stat.contains(") Z ")
    };
    for _ in 0..1_000 {
        if !is_there() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{child} lives on");
}

#[tokio::test]
async fn what_it_leaves_behind_is_not_waited_for() {
    let (outcome, _folder) = run("sleep 7 & exit 0", LONG).await;
    assert!(matches!(outcome, Outcome::Sent { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_refused() {
    let run = Run { program: "/nowhere/at/all".into(), arguments: vec![], limit: LONG };
    let outcome = run.attempt(Vec::new()).await;
    assert!(
        matches!(&outcome, Outcome::Refused { why } if why.contains("cannot be started")),
        "{outcome:?}"
    );
}
