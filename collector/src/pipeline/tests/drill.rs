//! The whole of an outage as people live it: told, passed on, taken on by a link, told how it goes on, mended, shown to
//! be over, looked back at. The document at the end is for a person to read.

use super::crashes::{minute, second, write_with};
use super::*;
use crate::judge::action::Action;
use crate::judge::definition::{Definitions, Service};
use crate::judge::draft::Audience;
use crate::judge::followup::{FollowUpAction, FollowUpPlan};
use crate::judge::incident::{IncidentAction, Severity};
use crate::judge::routing::{Recipients, Route, Step};
use crate::judge::telling::{Fate, Notified, Waiting};
use crate::review::markdown;

fn to(channel: &str) -> Recipients {
    Recipients { channels: vec![channel.to_owned()], on_call: Vec::new() }
}

fn definitions() -> Definitions {
    let step = Step { after_s: 120, to: to("head"), repeat_s: None, times: 0 };
    let route = Route {
        name: "mail".into(),
        services: vec!["*".into()],
        on: "*".into(),
        severity: Severity::Minor,
        hours: None,
        to: to("ops"),
        audience: Audience::Technical,
        updates_s: Some(300),
        steps: vec![step],
    };
    let mail = Service {
        name: "mail-durban".into(),
        title: "Mail in Durban".into(),
        users: Some(120),
        ..Service::of_check("mail", "round-trip")
    };
    Definitions {
        time_zone: Some("Africa/Johannesburg".into()),
        services: vec![mail],
        routes: vec![route],
        ..Definitions::default()
    }
}

/// What is said, and when its channel took it.
const TOLD: [(u32, &str); 10] = [
    (20, "1-1-ops"),
    (22, "1-1-head"),
    (24, "1-2-ops"),
    (24, "1-2-head"),
    (30, "1-3-ops"),
    (30, "1-3-head"),
    (35, "1-4-ops"),
    (35, "1-4-head"),
    (36, "1-5-ops"),
    (36, "1-5-head"),
];

fn also(minutes: u32, control: &ControlJournal) {
    if minutes == 0 {
        let services = Control::Services(definitions());
        control.decide(minute(0), author(), |_| Ok((services, ()))).unwrap();
    }
    for (_, id) in TOLD.iter().filter(|(at, _)| *at == minutes) {
        let fate = Fate::Sent { handle: None, is_confirmed: true, said: "ok".into() };
        let notified = Notified { id: (*id).into(), fate, attempts: 1, instead: None };
        control.append(second(minutes, 55), Control::Notified(notified)).unwrap();
    }
    let act = |action| {
        control.decide(second(minutes, 58), author(), |_| Ok((action, ()))).unwrap();
    };
    match minutes {
        50 => {
            let plan = FollowUpPlan {
                incident: 1,
                title: "Renew the service password before it ends".into(),
                owner: "Ann".into(),
                due: "2026-10-12".parse().unwrap(),
                by: "ann".into(),
            };
            act(Control::Acted(Action::FollowUp(FollowUpAction::Added(plan))));
        }
        55 => {
            let (incident, security) = (1, Some(false));
            let note = "a password that ends must be told of a week before".into();
            act(Control::Acted(Action::Incident(IncidentAction::Review {
                incident,
                note,
                security,
            })));
        }
        _ => {}
    }
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "the document is here for a person to read")]
async fn an_outage_from_its_first_message_to_its_review() {
    let folder = tempfile::tempdir().unwrap();
    write_with(folder.path(), &also).await;
    let mut opened = opened(folder.path(), &folder.path().join("views"));
    let mut said: Vec<String> = Vec::new();
    let mut known = std::collections::BTreeSet::new();
    while opened.pipeline.read().unwrap() {
        for Waiting { notice, .. } in opened.pipeline.rollups.pending_notices() {
            if known.insert(notice.message.id.clone()) {
                let at = notice.not_before.strftime("%H:%M:%S");
                let (channel, message) = (&notice.channel, &notice.message);
                let occasion = message.occasion.as_str();
                said.push(format!("{at} {channel}: {occasion}: {}\n", message.title));
            }
        }
    }
    insta::assert_snapshot!(said.concat(), @r#"
    00:20:20 ops: opened: Mail in Durban: auth: permanent: refused
    00:22:20 head: escalated: Nobody has taken this on: Mail in Durban: auth: permanent: refused
    00:24:50 ops: acknowledged: test takes care of this: Mail in Durban: auth: permanent: refused
    00:24:50 head: acknowledged: test takes care of this: Mail in Durban: auth: permanent: refused
    00:30:01 ops: update: Still: Mail in Durban: auth: permanent: refused
    00:30:01 head: update: Still: Mail in Durban: auth: permanent: refused
    00:35:01 ops: update: Still: Mail in Durban: auth: permanent: refused
    00:35:01 head: update: Still: Mail in Durban: auth: permanent: refused
    00:35:12 ops: over: Over after 15 min: Mail in Durban: auth: permanent: refused
    00:35:12 head: over: Over after 15 min: Mail in Durban: auth: permanent: refused
    "#);
    assert_eq!(known, TOLD.iter().map(|(_, id)| (*id).to_owned()).collect());
    opened.pipeline.maintain().unwrap();
    opened.pipeline.rollups.make_all_slots().unwrap();
    let told = opened.query.told_of(1).unwrap();
    let review = opened.query.review(1, told).unwrap();
    insta::assert_snapshot!(markdown(&review), @r#"
    # Review of incident 1: Mail in Durban failed

    Critical outage; reviewed by test on 2026-09-28 02:55:58. Times of Africa/Johannesburg.

    ## Summary

    Mail in Durban failed for 15 min, from 2026-09-28 02:20:10 until 2026-09-28 02:35:10, from all 3 sites. What failed: mail in auth (permanent). About 120 people use it.

    Noticed 2026-09-28 02:20:12; taken on 2026-09-28 02:24:50; mended 2026-09-28 02:35:12; shown to be over 2026-09-28 02:35:12.

    ## Impact

    Figures are preliminary: runs that come late may still change them for some minutes.

    | service | down | nobody knows | failed from | users |
    |---|---|---|---|---|
    | Mail in Durban | 15 min | 0 min | site-1, site-2 and site-3 | 120 |

    Runs while it lasted: 45 of 48 failed. Of those, round trips: 45 of 48 failed. By site: site-1: 15 of 16 failed; site-2: 15 of 16 failed; site-3: 15 of 16 failed.

    ### Error budgets

    | service | objective | spent by this | of the budget |
    |---|---|---|---|
    | Mail in Durban | uptime 99.9 %, rolling 30 d | 15 minutes | 35 % of 43 minutes |
    | Mail in Durban | delivery 98 %, rolling 30 d | 45 runs | 2 % of 2592 runs |

    ## Timeline

    | when | what |  | by |
    |---|---|---|---|
    | 2026-09-28 02:20:12 | opened | a second run from the same vantage point failed |  |
    | 2026-09-28 02:20:12 | fails | mail fails from site-1-1: auth: permanent: refused; mail fails from site-2-2 too; mail fails from site-3-3 too |  |
    | 2026-09-28 02:20:12 | scope | fails from 2 sites; others have yet to tell; fails from all 3 sites: the trouble is the target's |  |
    | 2026-09-28 02:24:50 | acknowledged | looking | test |
    | 2026-09-28 02:27:50 | noted | the password expired | test |
    | 2026-09-28 02:33:50 | resolved | a new one | test |
    | 2026-09-28 02:34:12 | fails again | mail from site-1-1 |  |
    | 2026-09-28 02:35:12 | passes | mail from site-1-1; mail from site-2-2; mail from site-3-3 |  |
    | 2026-09-28 02:35:12 | resolved | runs pass from everywhere again |  |
    | 2026-09-28 02:35:12 | verified | passing runs from every vantage point that had failed |  |
    | 2026-09-28 02:55:58 | reviewed | a password that ends must be told of a week before | test |

    ## Messages to people

    | when | through | what |
    |---|---|---|
    | 2026-09-28 02:20:55 | ops | Mail in Durban: auth: permanent: refused |
    | 2026-09-28 02:22:55 | head | Nobody has taken this on: Mail in Durban: auth: permanent: refused |
    | 2026-09-28 02:24:55 | ops | test takes care of this: Mail in Durban: auth: permanent: refused |
    | 2026-09-28 02:24:55 | head | test takes care of this: Mail in Durban: auth: permanent: refused |
    | 2026-09-28 02:30:55 | ops | Still: Mail in Durban: auth: permanent: refused |
    | 2026-09-28 02:30:55 | head | Still: Mail in Durban: auth: permanent: refused |
    | 2026-09-28 02:35:55 | ops | Still: Mail in Durban: auth: permanent: refused |
    | 2026-09-28 02:35:55 | head | Still: Mail in Durban: auth: permanent: refused |
    | 2026-09-28 02:36:55 | ops | Over after 15 min: Mail in Durban: auth: permanent: refused |
    | 2026-09-28 02:36:55 | head | Over after 15 min: Mail in Durban: auth: permanent: refused |

    ## Diagnosis and evidence

    - it fails in auth, as permanent: the server says 'never'
        - refused
    - fails from all 3 sites: the trouble is the target's
        - failed from: site-1, site-2, site-3
        - works from: site-1, site-2, site-3
    - nothing that targets tell of themselves changed in the day before

    ### Runs that failed, by site

    Each row is 3 min; – is where none was seen.

    | from | site-1 | site-2 | site-3 |
    |---|---|---|---|
    | Sep 28 02:05 | 0 | 0 | 0 |
    | Sep 28 02:08 | 0 | 0 | 0 |
    | Sep 28 02:11 | 0 | 0 | 0 |
    | Sep 28 02:14 | 0 | 0 | 0 |
    | Sep 28 02:17 | 0 | 0 | 0 |
    | Sep 28 02:20 | 3 | 3 | 3 |
    | Sep 28 02:23 | 3 | 3 | 3 |
    | Sep 28 02:26 | 3 | 3 | 3 |
    | Sep 28 02:29 | 3 | 3 | 3 |
    | Sep 28 02:32 | 3 | 3 | 3 |
    | Sep 28 02:35 | 0 | 0 | 0 |
    | Sep 28 02:38 | 0 | 0 | 0 |
    | Sep 28 02:41 | 0 | 0 | 0 |
    | Sep 28 02:44 | 0 | 0 | 0 |
    | Sep 28 02:47 | 0 | 0 | 0 |
    | Sep 28 02:50 | 0 | 0 | 0 |

    ### How long runs took that passed, by site

    Each row is 3 min; – is where none was seen.

    | from | site-1 | site-2 | site-3 |
    |---|---|---|---|
    | Sep 28 02:05 | 301 ms | 301 ms | 301 ms |
    | Sep 28 02:08 | 301 ms | 301 ms | 301 ms |
    | Sep 28 02:11 | 301 ms | 301 ms | 301 ms |
    | Sep 28 02:14 | 301 ms | 301 ms | 301 ms |
    | Sep 28 02:17 | 301 ms | 301 ms | 301 ms |
    | Sep 28 02:20 | – | – | – |
    | Sep 28 02:23 | – | – | – |
    | Sep 28 02:26 | – | – | – |
    | Sep 28 02:29 | – | – | – |
    | Sep 28 02:32 | – | – | – |
    | Sep 28 02:35 | 301 ms | 301 ms | 301 ms |
    | Sep 28 02:38 | 301 ms | 301 ms | 301 ms |
    | Sep 28 02:41 | 301 ms | 301 ms | 301 ms |
    | Sep 28 02:44 | 301 ms | 301 ms | 301 ms |
    | Sep 28 02:47 | 301 ms | 301 ms | 301 ms |
    | Sep 28 02:50 | 301 ms | 301 ms | 301 ms |

    ## What went well

    - it was noticed 2 s after the first run that failed
    - it was confirmed before it was told: a second run failed too
    - somebody took it on 5 min after it was noticed
    - people were told first 42 s after it was noticed
    - it was mended 15 min after it was noticed
    - \_\_\_\_

    ## What to improve

    - \_\_\_\_

    ## Action items

    |  | what | who | by | state |
    |---|---|---|---|---|
    | A1 | Renew the service password before it ends | Ann | 2026-10-12 | open |

    ## Reviewed by

    - test, 2026-09-28 02:55:58: a password that ends must be told of a week before
    "#);
    opened.killed();
}
