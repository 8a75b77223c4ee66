//! What an operator reads of agents.

use super::*;
use crate::cli::terminal::plain;
use crate::query::RevokedAnswer;

fn agent(name: &str) -> AgentAnswer {
    AgentAnswer {
        name: name.into(),
        agent_id: "00".repeat(16),
        labels: [("site".into(), "Durban".into())].into(),
        connected_since: None,
        address: None,
        last_heard_at: None,
        software: String::new(),
        checks: Vec::new(),
        spooled: 0,
        spooled_bytes: 0,
        clock_offset_us: None,
        clock_error_us: None,
        running_us: None,
        assigned: 0,
        has_answered: false,
        refused_checks: Vec::new(),
        malformed: 0,
        conflicting: 0,
        certificate_not_after: None,
        signing_key: None,
        receives: Vec::new(),
        clones: None,
    }
}

#[test]
fn each_state_has_its_words() {
    let here = AgentAnswer {
        connected_since: Some("2026-11-23T11:00:00Z".parse().unwrap()),
        software: "mailsonde-agent 0.1.0".into(),
        checks: vec!["mail".into()],
        clock_offset_us: Some(-1_200),
        clock_error_us: Some(350),
        running_us: Some(90_000_000_000),
        certificate_not_after: Some("2026-11-24T09:00:00Z".parse().unwrap()),
        ..agent("hq")
    };
    let gone = AgentAnswer {
        connected_since: None,
        last_heard_at: Some("2026-11-23T14:10:00Z".parse().unwrap()),
        spooled: 60_000,
        spooled_bytes: 31 << 20,
        conflicting: 3,
        clock_offset_us: Some(7_200_000_000),
        assigned: 2,
        has_answered: true,
        refused_checks: vec![RefusalAnswer {
            check: "dns".into(),
            place: "dns.toml:4".into(),
            reason: "policy: targets.hosts: a.test".into(),
        }],
        certificate_not_after: Some("2026-11-20T00:00:00Z".parse().unwrap()),
        clones: Some(["192.0.2.1:5".into(), "192.0.2.9:7".into()]),
        ..here.clone()
    };
    let gone = AgentAnswer { name: "branch-north".into(), ..gone };
    let answer = AgentsAnswer {
        now: "2026-11-23T14:14:20Z".parse().unwrap(),
        agents: vec![gone, here, agent("new")],
        revoked: vec![RevokedAnswer {
            name: "old".into(),
            agent_id: "11".repeat(16),
            revoked_at: "2026-11-22T10:00:00Z".parse().unwrap(),
        }],
    };
    insta::assert_snapshot!(shown(&answer, &plain(140)), @r"
    agent         labels       here                spooled         clock                 checks  software               certificate
    branch-north  site=Durban  no, last 4 min ago  60000 (31 MiB)  +120 min 0 s ±350 µs  mail    mailsonde-agent 0.1.0  over for 3 d
    hq            site=Durban  yes, for 3 h                     0  −1.2 ms ±350 µs       mail    mailsonde-agent 0.1.0  until 11-24 09:00
    new           site=Durban  not yet                          0  –                                                    –

    branch-north: refuses dns (dns.toml:4): policy: targets.hosts: a.test

    branch-north: its clock is +120 min 0 s ±350 µs off: set it by NTP; its times and those of other hosts do not compare

    branch-north: two machines use its key, at 192.0.2.1:5 and 192.0.2.9:7: revoke it, and enrol both anew

    branch-north: 0 observations refused as malformed and 3 as conflicting; they are kept in quarantine

    revoked: old at 2026-11-22 10:00
    ");
    insta::assert_snapshot!(shown(&AgentsAnswer { agents: vec![], ..answer }, &plain(140)), @r"no agent has been enrolled yet: `mailsonde-collector token create`");
}
