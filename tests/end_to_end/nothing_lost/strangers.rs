//! Agents that are not who they say they are.

use std::fs;
use std::time::Duration;

use super::recount::Both;
use crate::site::{AGENT, Site, wait_until};

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let (mut site, other) = (Site::new(), Site::new());
    for name in ["agent.pem", "agent.key"] {
        fs::copy(other.identity_folder().join(name), site.identity_folder().join(name)).unwrap();
    }
    expect_refused(&mut site, "the collector does not accept this agent's certificate");
}

#[test]
fn the_name_of_another_agent_is_refused() {
    let mut site = Site::new();
    site.start_collector();
    site.wait_for_operators();
    site.enrol("other").unwrap();
    site.stop_collector();
    site.rename_agent("other");
    expect_refused(
        &mut site,
        &format!("this agent is enrolled as \"{AGENT}\", but its agent.toml says \"other\""),
    );
}

/// The agent says why it is refused, in these words, and goes on keeping; the collector stores nothing.
fn expect_refused(site: &mut Site, words: &str) {
    site.set_checks(5, "20ms");
    site.start_collector();
    site.wait_for_collector();
    site.start_agent();
    wait_until(&format!("the agent says: {words}"), Duration::from_secs(15), || {
        site.agent.as_mut().unwrap().expect_alive();
        site.log("agent").contains(words)
    });
    std::thread::sleep(Duration::from_secs(1)); // another try or two
    site.stop_agent();
    let accounts = site.accounts();
    assert!(accounts.produced > 10, "{accounts:?}");
    assert_eq!(accounts.spooled, accounts.produced, "{accounts:?}");
    let both = Both::settled(site, Duration::from_secs(10));
    assert_eq!(both.ledger.total(), 0);
    assert_eq!(both.ledger.gaps, []);
}
