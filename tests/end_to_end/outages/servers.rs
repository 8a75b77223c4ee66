//! Servers that end, and one that hangs.

use mailsonde_collector::judge::incident::Severity;
use mailsonde_tests::lab::Server;

use super::{Company, everywhere};

#[test]
fn servers_that_end_and_servers_that_hang() {
    let company = Company::running();

    let scenario = company.scenario("ended", &["mail"]);
    let ends = |lab: &super::Lab| lab.kill(Server::Postfix).unwrap();
    let opened = scenario.breaks(ends, "mail is refused", everywhere(&["connect", "greeting"]));
    assert_eq!(opened.severity, Severity::Critical);
    let comes_back = |lab: &super::Lab| lab.restart(Server::Postfix).unwrap();
    let over = scenario.is_mended(comes_back, opened.number);
    assert!(over.services["mail"].was_down && over.services["mail"].sites.len() == 3);

    let scenario = company.scenario("hangs", &["mail"]);
    let hangs = |lab: &super::Lab| lab.stop(Server::Postfix);
    let opened = scenario.breaks(hangs, "it says nothing", everywhere(&["greeting"]));
    scenario.is_mended(|lab| lab.resume(Server::Postfix), opened.number);

    let scenario = company.scenario("mailboxes", &["mail", "imap"]);
    let ends = |lab: &super::Lab| lab.kill(Server::Dovecot).unwrap();
    let is_it = everywhere(&["connect", "imap.connect", "auth"]);
    let opened = scenario.breaks(ends, "mailboxes are refused", is_it);
    scenario.is_mended(|lab| lab.restart(Server::Dovecot).unwrap(), opened.number);

    // what mail makes of it is no verdict: its own resolver may be its own network's trouble
    let scenario = company.scenario("names", &["dns", "mail"]);
    let ends = |lab: &super::Lab| lab.kill(Server::Unbound).unwrap();
    let opened = scenario.breaks(ends, "no name is found", everywhere(&["resolve", "dns.lookup"]));
    assert_eq!(opened.root.as_deref(), Some("names"));
    scenario.is_mended(|lab| lab.restart(Server::Unbound).unwrap(), opened.number);
}
