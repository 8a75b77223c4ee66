//! What to do about a fault: one sentence for each place where mail breaks.

use mailsonde_proto::phase::name as phase;
use mailsonde_proto::{Fault, FaultClass};

/// What to do next, as a sentence without a full stop.
pub(crate) fn advice(fault: &Fault, has_transcript: bool) -> &'static str {
    // Phases of the mailbox's own connection are named like those of the submission.
    let of_mailbox = ["imap.", "pop3."].iter().find_map(|own| fault.phase.strip_prefix(own));
    let place = of_mailbox.unwrap_or(&fault.phase);
    match (place, fault.class) {
        (_, FaultClass::Temporary) if place != phase::RESOLVE => {
            "the server asks to come back later: try again in a few minutes, then look at its log"
        }
        (phase::RESOLVE, FaultClass::Timeout) => {
            "no name server answered: check this machine's DNS"
        }
        (phase::RESOLVE, _) => "check the spelling of host, and this machine's DNS",
        (phase::CONNECT, FaultClass::Timeout) => {
            "nothing answered: look for a firewall in between, and check host and port"
        }
        (phase::CONNECT, _) => "check that the server runs and listens on this port",
        (phase::TLS, FaultClass::Timeout) => {
            "the handshake hangs: check that the port and tls fit together (465 and 993 are implicit)"
        }
        (phase::TLS, FaultClass::Permanent) => {
            "the server offers no STARTTLS here: set tls to what it offers, or turn STARTTLS on there"
        }
        (phase::TLS, _) => {
            "check the server's certificate: its names, its dates, and its authority (ca_file)"
        }
        (phase::GREETING, _) => {
            "check that a mail server listens on this port, and that tls fits it (465 and 993 are implicit)"
        }
        (phase::AUTH, FaultClass::Timeout) => {
            "the sign-in hangs: look at the server's user database"
        }
        (phase::AUTH, _) => {
            "check login and password of this mailbox, and that it may sign in this way"
        }
        (phase::ENVELOPE, _) => {
            "check that the address exists, and that this server takes mail for it from here"
        }
        (phase::DATA, FaultClass::Timeout) => {
            "the server took the message and did not confirm it: look at its filters and its disk"
        }
        (phase::DATA, _) => "read the server's words: its filter or a limit refused the message",
        (phase::ARRIVAL | phase::TRANSIT, FaultClass::Timeout) => {
            "the mail was accepted and did not come: look at the server's queue and log"
        }
        (phase::ARRIVAL | phase::TRANSIT, FaultClass::Mismatch) => {
            "the mail came otherwise than it was sent: look at filters and rules on its way"
        }
        _ if of_mailbox.is_some() => {
            "check that the mailbox can be read over IMAP or POP3 with these settings"
        }
        ("select", _) => "check the folder's name, and that this login may read it",
        ("list", FaultClass::Mismatch) => {
            "look who should empty this folder, and what should have come into it"
        }
        ("posture", _) => "read the findings: each says what is wrong, and what to do",
        _ if has_transcript => "the transcript below shows where it broke off",
        _ => "read what is said above; with --json every fact of the run is shown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_advice_for_every_place() {
        for (phase, class, word) in [
            ("auth", FaultClass::Permanent, "password"),
            ("imap.auth", FaultClass::Permanent, "password"),
            ("imap.select", FaultClass::Permanent, "IMAP"),
            ("pop3.auth", FaultClass::Permanent, "password"),
            ("pop3.list", FaultClass::Permanent, "POP3"),
            ("select", FaultClass::Permanent, "folder's name"),
            ("list", FaultClass::Mismatch, "empty this folder"),
            ("connect", FaultClass::Refused, "listens"),
            ("envelope", FaultClass::Temporary, "later"),
            ("arrival", FaultClass::Timeout, "queue"),
            ("bounce", FaultClass::Permanent, "transcript"),
        ] {
            let advice = advice(&Fault::new(phase, class, ""), true);
            assert!(advice.contains(word), "{phase}: {advice}");
        }
        let silent = Fault::new("bounce", FaultClass::Permanent, "");
        assert!(!advice(&silent, false).contains("transcript"));
    }
}
