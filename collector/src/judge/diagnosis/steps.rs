//! What to do first, by where and how something fails.

use super::super::incident::{Incident, Kind, Scope};

type Steps = &'static [&'static str];

/// What to do about an incident, first things first.
pub(super) fn next(incident: &Incident) -> Vec<&'static str> {
    let fault = &incident.fault;
    let is_outage = matches!(incident.kind, Kind::Outage | Kind::Flapping);
    let mut steps = Vec::new();
    // a server that answered was reached: then the line is not what is to be looked at first
    if is_outage && !fault.code.is_empty() && matches!(incident.scope, Scope::Branch { .. }) {
        steps.extend(of_fault(&fault.phase, &fault.class, &fault.code));
        steps.push(
            "see what differs there: the branch's address, account or limit at the server; from elsewhere the same works",
        );
    } else {
        steps.extend(of_scope(incident));
        if is_outage {
            steps.extend(of_fault(&fault.phase, &fault.class, &fault.code));
        }
    }
    if !incident.changes.is_empty() && incident.kind != Kind::Silence {
        steps.push("look at what changed: take the latest change back, or see that it was meant");
    }
    steps
}

fn of_scope(incident: &Incident) -> Steps {
    match (incident.kind, &incident.scope) {
        (Kind::Silence, _) if incident.is_of_peer() => &[
            "ask it on its own host: `mailsonde-collector health`",
            "see whether its host is up and reachable from here, and whether its certificate is valid",
        ],
        (Kind::Silence, _) => &[
            "ask somebody there whether power and the line are up",
            "look at the agent: `systemctl status mailsonde-agent`, and its log",
        ],
        (Kind::Burn, _) => &[
            "look at what failed: `mailsonde-collector objectives`, then `observations --verdict fail`",
        ],
        (_, Scope::Branch { .. }) => {
            &["look at the branch's line, firewall and resolver: from elsewhere the same works"]
        }
        (_, Scope::OnePlace { .. }) => {
            &["try the same from elsewhere: `mailsonde-agent probe` on any machine"]
        }
        _ => &[],
    }
}

fn of_fault(phase: &str, class: &str, code: &str) -> Steps {
    let part = phase.rsplit('.').next().unwrap_or(phase);
    match (part, class) {
        ("resolve", _) => &[
            "ask the zone's own name servers: `dig +norecurse NAME @SERVER`",
            "see that the domain is paid for, its delegation is right and its signatures are not over",
        ],
        ("connect", "refused") => &[
            "see that the server's process runs and listens on that port",
            "see that no firewall refuses the port",
        ],
        ("connect" | "greeting" | "banner", "timeout") => &[
            "see whether the host answers at all, and whether its load or connection limit is reached",
            "look for a firewall that drops silently",
        ],
        ("connect" | "greeting" | "banner", _) => &["look at the server's log at that time"],
        ("tls" | "starttls" | "certificate", _) => &[
            "look at the certificate: `mailsonde-agent probe tls --set host=HOST`; renew it, or reload the server after a renewal",
            "see that the name, the chain and the clock are right",
        ],
        ("auth" | "login" | "token", "permanent") => &[
            "see whether the password or the token is over, or the account is locked",
            "see whether the directory or identity provider answers",
        ],
        ("auth" | "login" | "token", _) => {
            &["see whether the directory or identity provider answers"]
        }
        ("envelope" | "mail" | "rcpt", _) if code.contains(".2.2") => {
            &["make room in the mailbox: it is full"]
        }
        ("envelope" | "mail" | "rcpt", "permanent") => {
            &["look at why the address or sender is refused: alias, policy, reputation"]
        }
        ("data" | "submit", _) if code.contains("3.1") || code.contains("452") => {
            &["make room on the server's disk: it says that it has too little"]
        }
        ("envelope" | "mail" | "rcpt" | "data" | "submit", "temporary") => &[
            "look at the server's disk, its load and its filters (milter, greylisting): it says 'not now'",
        ],
        ("envelope" | "mail" | "rcpt" | "data" | "submit", _) => {
            &["look at the server's log for the queue id"]
        }
        ("transit" | "arrival" | "fetch" | "select" | "watch", "timeout") => &[
            "look at the mail queue: `postqueue -p`, and why it does not move",
            "see that the mail store's disk is not full and its delivery agent runs",
        ],
        ("transit" | "arrival" | "fetch" | "select" | "watch", "mismatch") => &[
            "see whether a filter files mail as junk, or changes it: its score stands in the observation's facts",
        ],
        (_, "mismatch") => &[
            "compare what was expected with what came: `mailsonde-collector observations --verdict fail`",
        ],
        _ => &["look at the transcript: `mailsonde-collector observations --verdict fail`"],
    }
}
