//! Faults of the lab's servers, and the end of a lab: whatever happens, nothing of it stays.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use mailsonde_proto::time::Clock;
use mailsonde_tests::lab::{Host, Lab, LabOptions, MAIL, Server};

use crate::dialogue::{Dialogue, connect, send, submission};

const SMALL: LabOptions =
    LabOptions { branches: 1, probe_users: 2, queue_lifetime: Duration::from_secs(60) };

/// The inodes of a lab's network namespaces: they say which processes belong to it.
fn namespaces(lab: &Lab) -> Vec<u64> {
    [Host::Router, Host::Mail, Host::Branch(1)]
        .map(|host| {
            let mut command = lab.command(host, "stat");
            let output = command.args(["-L", "-c", "%i", "/proc/self/ns/net"]).output();
            let text = String::from_utf8(output.expect("stat runs").stdout).expect("digits");
            text.trim().parse().unwrap_or_else(|_| panic!("an inode: {text:?}"))
        })
        .to_vec()
}

/// The processes in one of these namespaces.
fn processes_in(namespaces: &[u64]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path());
    entries
        .filter(|path| {
            let network = std::fs::metadata(path.join("ns/net"));
            network.is_ok_and(|network| namespaces.contains(&network.ino()))
        })
        .collect()
}

fn wait_until_none(namespaces: &[u64], folder: &str) {
    for _ in 0..500 {
        if processes_in(namespaces).is_empty() && !PathBuf::from(folder).exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(processes_in(namespaces), Vec::<PathBuf>::new());
    assert!(!PathBuf::from(folder).exists(), "{folder} is still there");
    // no process sees a mount of it either, so that the namespaces themselves are gone
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let mounts = std::fs::read_to_string(entry.path().join("mountinfo")).unwrap_or_default();
        assert!(!mounts.contains(folder), "{} has a mount of {folder}", entry.path().display());
    }
}

#[test]
fn a_lab_starts_and_ends_quickly_and_leaves_nothing() {
    let clock = Clock::system();
    let start = clock.monotonic();
    let lab = Lab::start(SMALL).expect("a lab");
    let started = start.elapsed();
    let ours = namespaces(&lab);
    let folder = lab.folder().display().to_string();
    lab.start_filter().expect("rspamd starts");
    lab.start_greylisting(Duration::from_secs(1)).expect("postgrey starts");
    let memory_mib = lab.memory_bytes() >> 20;
    let mut agent = lab.command(Host::Branch(1), "sleep").arg("600").spawn().expect("an agent");
    assert!(processes_in(&ours).len() > 10, "the servers are there while the lab is");
    let start = clock.monotonic();
    drop(lab);
    let ended = start.elapsed();
    println!("lab: started in {started:?}, ended in {ended:?}, {memory_mib} MiB");
    agent.wait().expect("what ran in a branch has ended too");
    wait_until_none(&ours, &folder);
    assert!(started < Duration::from_secs(20), "{started:?}");
    assert!(ended < Duration::from_secs(5), "{ended:?}");
}

/// Not a test: what the next two start in a process of its own.
#[test]
#[ignore = "runs until it is killed; other tests start it"]
fn hold_a_lab() {
    let lab = Lab::start(SMALL).expect("a lab");
    let mut agent = lab.command(Host::Branch(1), "sleep").arg("600").spawn().expect("an agent");
    println!("\nheld {} {:?}", lab.folder().display(), namespaces(&lab));
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("a word, or the end");
    assert!(!line.is_empty(), "the panic that we were asked for by the end of the input");
    agent.wait().expect("the agent ends");
}

/// Starts a process with a lab, and ends it in some way.
fn end_a_process_with_a_lab(end: impl FnOnce(&mut std::process::Child)) {
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "lab_ends::hold_a_lab", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this binary starts");
    let output = BufReader::new(child.stdout.take().expect("its output"));
    let held = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("held ").map(str::to_owned))
        .expect("it holds a lab");
    let (folder, inodes) = held.split_once(' ').expect("folder and inodes");
    let ours: Vec<u64> = serde_json::from_str(inodes).expect("inodes");
    assert!(processes_in(&ours).len() > 10, "the servers are there");
    end(&mut child);
    child.wait().expect("it ends");
    wait_until_none(&ours, folder);
}

#[test]
fn a_lab_goes_with_a_process_that_is_killed() {
    end_a_process_with_a_lab(|child| child.kill().expect("it can be killed"));
}

#[test]
fn a_lab_goes_with_a_test_that_panics() {
    end_a_process_with_a_lab(|child| drop(child.stdin.take()));
}

#[test]
fn servers_can_be_stopped_killed_and_restarted() {
    let lab = Lab::start(SMALL).expect("a lab");
    let greeting = |timeout_ms| {
        let mut stream = connect(&lab, MAIL, 587)?;
        stream.set_read_timeout(Some(Duration::from_millis(timeout_ms)))?;
        stream.read(&mut [0; 3])
    };
    lab.stop(Server::Postfix);
    let error = greeting(500).expect_err("a stopped server does not greet");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    lab.resume(Server::Postfix);
    assert_eq!(greeting(5_000).expect("and then it does"), 3);

    lab.kill(Server::Postfix).expect("it can be killed");
    let error = greeting(500).expect_err("nobody is there");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    for server in [Server::Postfix, Server::Dovecot, Server::Knot, Server::Unbound] {
        lab.restart(server).expect("it comes back");
    }
    let user = lab.user("alice").expect("alice");
    let id = send(&mut submission(&lab, &user), &user.address, &user.address, "\r\nstill here")
        .expect("mail is accepted again");
    lab.wait_for_delivery(&id, Duration::from_secs(10)).expect("and delivered");
}

#[test]
fn a_branch_can_be_cut_off() {
    let lab = Lab::start(LabOptions { branches: 2, ..SMALL }).expect("a lab");
    let reach = |branch| {
        let network = lab.network(Host::Branch(branch)).expect("a branch");
        network.connect((MAIL, 587).into(), Duration::from_millis(700))
    };
    let mut before = Dialogue::new(connect(&lab, MAIL, 587).expect("branch 1 reaches it"));
    before.reply();
    lab.take_link_down(1).expect("the cable comes out");
    reach(1).expect_err("branch 1 is cut off");
    reach(2).expect("branch 2 is not");
    lab.bring_link_up(1).expect("the cable goes in");
    reach(1).expect("branch 1 is back");
    assert!(before.say("EHLO b1.lab.test").starts_with("250"), "its old connection lives");
}
