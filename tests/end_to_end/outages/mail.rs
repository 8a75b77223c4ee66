//! Servers that are there, and do not do what they should.

use mailsonde_tests::certificates::Validity;
use mailsonde_tests::lab::Lab;

use super::{Company, everywhere};

/// Room for the mailboxes of three agents.
const MAIL_STORE_KIB: u32 = 4_096;

#[test]
fn mail_that_is_taken_and_does_not_arrive_as_it_should() {
    let company = Company::prepared(|lab| lab.use_small_mail_store(MAIL_STORE_KIB).unwrap());

    let scenario = company.scenario("junk", &["mail"]);
    let is_it = everywhere(&["arrival"]);
    let opened = scenario.breaks(|lab| lab.file_all_as_junk().unwrap(), "all is junk", is_it);
    assert_eq!(opened.fault.class, "mismatch");
    scenario.is_mended(|lab| lab.file_as_ever().unwrap(), opened.number);

    let scenario = company.scenario("queue", &["mail"]);
    let is_it = everywhere(&["arrival"]);
    let opened = scenario.breaks(|lab| lab.hold_the_queue().unwrap(), "the queue is stuck", is_it);
    assert_eq!(opened.fault.class, "timeout");
    scenario.is_mended(|lab| lab.let_the_queue_go().unwrap(), opened.number);

    let scenario = company.scenario("certificate", &["mail", "tls"]);
    let expires = |lab: &Lab| lab.show_certificate(Validity::Expired).unwrap();
    let opened = scenario.breaks(expires, "the certificate is refused", everywhere(&["tls"]));
    assert!(opened.is_security);
    let renewed = |lab: &Lab| lab.show_certificate(Validity::Current).unwrap();
    scenario.is_mended(renewed, opened.number);

    let scenario = company.scenario("disk", &["mail"]);
    let is_it = everywhere(&["arrival", "imap.select", "select"]);
    let opened = scenario.breaks(|lab| lab.fill_mail_store().unwrap(), "the disk is full", is_it);
    scenario.is_mended(|lab| lab.empty_mail_store().unwrap(), opened.number);
}
