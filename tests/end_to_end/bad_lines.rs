//! A bad line between agent and server: what it does shows up in the phase in which it does it.

use std::net::SocketAddr;
use std::time::Duration;

use mailsonde_tests::lab::{Host, MAIL, SPARE};
use mailsonde_tests::proxy::Proxy;

use crate::agent::{Settings, alone, in_company, lab, somebody};

/// A proxy before a port of the mail host, at the same port of `spare.lab.test` or any.
fn proxy(port: u16, target: u16) -> Proxy {
    let network = lab().network(Host::Mail).expect("the mail host");
    let listen = SocketAddr::from((SPARE, port));
    Proxy::start_in(&network, listen, (MAIL, target).into()).expect("a proxy")
}

fn submission_by(proxy: &Proxy, settings: Settings) -> Settings {
    settings.with("smtp.host", "spare.lab.test").with("smtp.port", proxy.address().port())
}

#[test]
fn forty_milliseconds_each_way_show_in_every_phase_that_waits() {
    let _alone = alone();
    let (_, settings) = somebody();
    let proxy = proxy(0, 587);
    proxy.delay(Duration::from_millis(40));
    let told = submission_by(&proxy, settings).probe();
    told.assert_pass();
    // answers awaited in each phase (SCRAM has three); the greeting itself comes one way only, and the proxy connects
    // without a delay
    for (phase, ways) in [("greeting", 3), ("tls", 6), ("auth", 6), ("envelope", 4), ("data", 4)] {
        let us = told.phase(phase).us;
        println!("{phase}: {us} us for {ways} ways of 40 ms");
        assert!(us >= ways * 40_000, "{phase}: {told:#?}");
        assert!(us < ways * 40_000 + 80_000, "{phase}: {told:#?}");
    }
    assert!(told.phase("connect").us < 40_000, "{told:#?}");
}

#[test]
fn a_line_that_is_cut_in_the_middle_of_the_message_fails_in_data() {
    let _company = in_company();
    let (_, settings) = somebody();
    // without TLS the proxy sees where the message is; at port 25 nobody signs in
    let proxy = proxy(25, 25);
    proxy.cut_at("It removes the message itself");
    let told = submission_by(&proxy, settings.with("smtp.tls", "none")).probe();
    let fault = told.assert_fault("data", "refused", "its acceptance of the message");
    assert!(fault.explanation.contains("connection"), "{fault:#?}");
    assert!(told.phases.iter().all(|phase| phase.name != "arrival"), "{told:#?}");
}

#[test]
fn a_black_hole_is_a_timeout_where_the_answers_stop() {
    let _company = in_company();
    let (_, settings) = somebody();
    let settings = settings.with("timeout", "3s");
    let submission = proxy(0, 587);
    submission.blackhole();
    let told = submission_by(&submission, settings.clone()).probe();
    told.assert_fault("greeting", "timeout", "the server did not send its greeting within");

    let imap = proxy(0, 993);
    imap.blackhole();
    let told = settings
        .with("imap.host", "spare.lab.test")
        .with("imap.port", imap.address().port())
        .probe();
    told.assert_fault("imap.tls", "timeout", "its part of the TLS handshake");
}
