//! The probe `tls` against servers that send certificates and OCSP responses as they should not.

use super::probe;
use crate::agent::in_company;

#[test]
fn what_is_sent_along_is_judged_too() {
    let _company = in_company();
    let see = |host: &str| {
        let host = format!("{host}.web.lab.test");
        probe("tls", &host, 443, &[("scan", "none")])
    };
    let stranger = see("stranger");
    stranger.assert_fault("tls", "mismatch", "not trusted here");
    assert_eq!(stranger.severe_rules(), ["tls.unknown_root critical"], "{stranger:#?}");
    let words = "the chain ends with CN=Nobody's Root CA";
    assert_eq!(stranger.evidence("tls.unknown_root"), words);

    let disorder = see("disorder");
    disorder.assert_pass();
    assert_eq!(disorder.severe_rules(), [""; 0], "it is a notice only: {disorder:#?}");
    let words = "sent were: CN=disorder.web.lab.test; CN=Mailsonde Lab Root CA; \
                 CN=Mailsonde Lab Intermediate CA";
    assert_eq!(disorder.evidence("tls.chain_order"), words);

    let rubbish = see("rubbish");
    rubbish.assert_pass();
    assert_eq!(rubbish.severe_rules(), ["tls.unreadable_certificate warning"], "{rubbish:#?}");
    assert_eq!(rubbish.fact("tls.chain"), "1");
}

#[test]
fn nothing_is_told_of_a_servers_own_certificate_that_cannot_be_read() {
    let _company = in_company();
    let seen = probe("tls", "rubbishleaf.web.lab.test", 443, &[("scan", "none")]);
    seen.assert_fault("tls", "mismatch", "is not accepted");
    let rules = ["tls.not_accepted critical", "tls.unreadable_certificate warning"];
    assert_eq!(seen.severe_rules(), rules, "{seen:#?}");
    let words = seen.evidence("tls.unreadable_certificate");
    assert!(words.contains("the server's own among them"), "{words}");
    // Not those of the authority, which was sent behind it.
    assert_eq!(seen.fact("tls.chain"), "0");
    assert!(seen.facts.iter().all(|fact| fact.name != "tls.names"), "{seen:#?}");
}

#[test]
fn stapled_answers_are_read() {
    let _company = in_company();
    for (host, ocsp, rule) in [
        ("ocspgood.web.lab.test", "good", ""),
        ("ocsprevoked.web.lab.test", "revoked", "tls.ocsp_revoked critical"),
        ("ocspstale.web.lab.test", "good", "tls.ocsp_stale warning"),
        ("ocspunknown.web.lab.test", "unknown", "tls.ocsp_unknown warning"),
        ("ocspother.web.lab.test", "invalid", "tls.ocsp_invalid warning"),
        ("ocsprubbish.web.lab.test", "invalid", "tls.ocsp_invalid warning"),
        ("chain.web.lab.test", "none", ""),
    ] {
        let seen = probe("tls", host, 443, &[("scan", "none")]);
        assert_eq!(seen.fact("tls.ocsp"), ocsp, "{host}");
        assert_eq!(seen.severe_rules().join(", "), rule, "{host}: {seen:#?}");
        if ocsp == "revoked" {
            seen.assert_fault("tls", "mismatch", "it is revoked");
        } else {
            seen.assert_pass();
        }
    }
    for (host, words) in [
        ("ocspother.web.lab.test", "it is about another certificate"),
        ("ocsprubbish.web.lab.test", "it is not an OCSP response"),
    ] {
        let seen = probe("tls", host, 443, &[("scan", "none")]);
        assert_eq!(seen.evidence("tls.ocsp_invalid"), words);
    }
    let required = [("scan", "none"), ("require_staple", "true")];
    probe("tls", "ocspgood.web.lab.test", 443, &required).assert_pass();
    let seen = probe("tls", "chain.web.lab.test", 443, &required);
    seen.assert_fault("tls", "mismatch", "staples no OCSP response");
}
