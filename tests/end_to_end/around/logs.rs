//! Logs where journald is absent: logrotate cuts what a supervisor appends to.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use super::deployed;
use crate::api::well;
use crate::site::{PATIENCE, Site, wait_until};

#[test]
fn a_log_is_rotated_while_the_collector_writes_to_it() {
    let mut site = Site::new();
    site.start_collector();
    site.wait_for_operators();
    // a process of these tests appends its standard error to a file, as OpenRC's error_log does
    let log = site.folder().join("collector.log");
    let written = |words: &str| fs::read_to_string(&log).unwrap().contains(words);
    wait_until("it has said that it is there", PATIENCE, || written("accepting agents"));
    let shipped = deployed("logrotate/mailsonde");
    let here = shipped.replace("/var/log/mailsonde/*.log", log.to_str().unwrap());
    assert_ne!(here, shipped);
    let config = site.folder().join("logrotate.conf");
    fs::write(&config, here).unwrap();
    let state = site.folder().join("logrotate.state");
    let logrotate = |mode: &str| {
        well(Command::new("logrotate").arg("--state").arg(&state).arg(mode).arg(&config))
    };
    let said = logrotate("--debug");
    assert!(!said.contains("error:"), "{said}");
    logrotate("--force");
    assert!(!written("accepting agents"), "what was written is put aside");
    let aside = fs::read_dir(site.folder()).unwrap().filter_map(|entry| entry.ok());
    let aside: Vec<_> =
        aside.filter(|it| it.file_name().to_string_lossy().starts_with("collector.log-")).collect();
    let [kept] = aside.as_slice() else { panic!("{aside:?}") };
    assert!(fs::read_to_string(kept.path()).unwrap().contains("accepting agents"));
    site.collector.as_ref().unwrap().signal(Signal::HUP);
    wait_until("it writes on", PATIENCE, || fs::metadata(&log).unwrap().len() > 0);
    // from the beginning of the file: no hole where the old lines were
    assert!(!fs::read(&log).unwrap().contains(&0));
}
