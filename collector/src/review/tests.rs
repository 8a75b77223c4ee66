use jiff::Timestamp;

use super::{html, markdown};
use crate::judge::diagnosis::diagnose;
use crate::judge::followup::Progress;
use crate::judge::incident::figures::{
    Course, Figures, Ran, ServiceFigures, SiteCourse, SiteFigures, Spent,
};
use crate::judge::incident::sample::{minute, outage_over};
use crate::judge::review::{Told, lessons, reviewed};
use crate::judge::timeline::folded;
use crate::query::{ActionItemAnswer, ReviewAnswer};

fn figures() -> Figures {
    let spent = |objective: &str, unit: &str, spent, allowed| Spent {
        objective: objective.into(),
        target: "99.9%".parse().unwrap(),
        window: "rolling 30 d".into(),
        unit: unit.into(),
        spent,
        allowed,
    };
    let course = |site: &str, failed: &[Option<u64>]| SiteCourse {
        site: site.into(),
        failed: failed.to_vec(),
        median_us: failed.iter().map(|it| it.filter(|it| *it == 0).map(|_| 812_000)).collect(),
    };
    let ran = |pass, fail, void| Ran { pass, fail, void };
    Figures {
        services: vec![ServiceFigures {
            service: "mail-kzn".into(),
            title: "Mail in KwaZulu".into(),
            down_minutes: 33,
            unknown_minutes: 1,
            up_minutes: 0,
            budgets: vec![spent("uptime", "minutes", 33, 43), spent("delivery", "runs", 66, 1_728)],
        }],
        runs: ran(40, 68, 2),
        round_trips: ran(40, 66, 2),
        sites: vec![
            SiteFigures { site: "durban".into(), runs: ran(2, 34, 2) },
            SiteFigures { site: "<i>richards-bay</i>".into(), runs: ran(3, 34, 0) },
            SiteFigures { site: "cape".into(), runs: ran(35, 0, 0) },
        ],
        is_by_hour: false,
        course: Course {
            from: Some(minute(-10, 0)),
            step_s: 600,
            sites: vec![
                course("durban", &[Some(0), Some(8), Some(10), None, Some(10), Some(6), Some(0)]),
                course(
                    "<i>richards-bay</i>",
                    &[Some(0), Some(8), Some(10), Some(10), Some(6), None, Some(0)],
                ),
                course("cape", &[Some(0); 7]),
            ],
        },
    }
}

fn review() -> ReviewAnswer {
    let mut incident = outage_over();
    incident.act(
        &crate::judge::incident::IncidentAction::Review {
            incident: 7,
            note: "the disk must be watched ](javascript:alert(1))".into(),
            security: None,
        },
        "2026-11-24T08:00:00Z".parse().unwrap(),
        "user bob",
    );
    let (figures, added_at): (_, Timestamp) = (figures(), "2026-11-24T08:05:00Z".parse().unwrap());
    let notices = vec![Told {
        at: minute(4, 0),
        channel: "chat | #mail".into(),
        what: "Mail in KwaZulu does not work at durban and richards-bay".into(),
    }];
    let actions = vec![ActionItemAnswer {
        number: 1,
        incident: 7,
        title: "alert at 80 % of the disk | <script>alert(1)</script>".into(),
        owner: "Ann `x`".into(),
        due: "2026-12-15".parse().unwrap(),
        progress: Progress::Open,
        is_overdue: None,
        added_at,
        by: "user bob".into(),
        steps: vec![],
    }];
    ReviewAnswer {
        time_zone: "Africa/Johannesburg".into(),
        diagnosis: diagnose(&incident),
        are_final: true,
        timeline: folded(&incident.timeline),
        more_lines: 0,
        lessons: lessons(&incident, &figures, &notices),
        notices,
        actions,
        reviewed: reviewed(&incident),
        figures,
        incident,
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a whole document, to be read")]
fn a_review_is_a_document() {
    insta::assert_snapshot!(markdown(&review()), @r#"
    # Review of incident 7: Mail in KwaZulu failed

    Major outage; reviewed by user bob on 2026-11-24 10:00:00. Times of Africa/Johannesburg.

    ## Summary

    Mail in KwaZulu failed for 34 min, from 2026-11-23 14:02:00 until 2026-11-23 14:36:00, from 2 of 3 sites. What failed: mail in smtp.greeting (temporary). About 120 people use it.

    Noticed 2026-11-23 14:02:09; taken on 2026-11-23 14:05:00; mended 2026-11-23 14:36:02; shown to be over 2026-11-23 14:38:01.

    ## Impact

    | service | down | nobody knows | failed from | users |
    |---|---|---|---|---|
    | Mail in KwaZulu | 33 min | 1 min | durban and richards-bay | 120 |

    Runs while it lasted: 68 of 110 failed, 2 could not be judged. Of those, round trips: 66 of 108 failed, 2 could not be judged. By site: durban: 34 of 38 failed, 2 could not be judged; \<i\>richards-bay\</i\>: 34 of 37 failed; cape: 0 of 35 failed.

    ### Error budgets

    | service | objective | spent by this | of the budget |
    |---|---|---|---|
    | Mail in KwaZulu | uptime 99.9 %, rolling 30 d | 33 minutes | 77 % of 43 minutes |
    | Mail in KwaZulu | delivery 99.9 %, rolling 30 d | 66 runs | 4 % of 1728 runs |

    ## Timeline

    | when | what |  | by |
    |---|---|---|---|
    | 2026-11-23 14:02:09 | opened | another vantage point fails too |  |
    | 2026-11-23 14:02:09 | fails | mail fails from durban-1: smtp.greeting: temporary: 421 4.3.2: the server is not available ("\<script\>alert(1)\</script\> \[x\](javascript:alert(1)) \`a\` \| b"); mail fails from richards-bay-1 too |  |
    | 2026-11-23 14:02:11 | scope | fails from 2 of 3 sites |  |
    | 2026-11-23 14:05:00 | acknowledged | on it \| \<b\>now\</b\> | user ann |
    | 2026-11-23 14:30:00 | noted | the disk is full again \# not a heading | user ann |
    | 2026-11-23 14:36:01 | passes | mail from durban-1; mail from richards-bay-1 |  |
    | 2026-11-23 14:36:02 | resolved | runs pass from everywhere again |  |
    | 2026-11-23 14:38:01 | verified | passing runs from every vantage point that had failed |  |
    | 2026-11-24 10:00:00 | reviewed | the disk must be watched \](javascript:alert(1)) | user bob |

    ## Messages to people

    | when | through | what |
    |---|---|---|
    | 2026-11-23 14:04:00 | chat \| \#mail | Mail in KwaZulu does not work at durban and richards-bay |

    ## Diagnosis and evidence

    - it fails in smtp.greeting, as temporary: the server says 'not now'
        - the server said: 421 4.3.2 \<script\>alert(1)\</script\> \[x\](javascript:alert(1)) \`a\` \| b
        - the server is not available
    - fails from 2 of 3 sites
        - failed from: durban, richards-bay
        - works from: cape
    - something changed at the targets in the day before
        - 11 min before: smtp.greeting of mail, seen from durban-1: Postfix -\> \<b\>Postfix\</b\>
    - it has happened before
        - incident 3 of 2026-11-09, lasted 25 min: the disk was full

    ### Runs that failed, by site

    Each row is 10 min; – is where none was seen.

    | from | durban | \<i\>richards-bay\</i\> | cape |
    |---|---|---|---|
    | Nov 23 13:50 | 0 | 0 | 0 |
    | Nov 23 14:00 | 8 | 8 | 0 |
    | Nov 23 14:10 | 10 | 10 | 0 |
    | Nov 23 14:20 | – | 10 | 0 |
    | Nov 23 14:30 | 10 | 6 | 0 |
    | Nov 23 14:40 | 6 | – | 0 |
    | Nov 23 14:50 | 0 | 0 | 0 |

    ### How long runs took that passed, by site

    Each row is 10 min; – is where none was seen.

    | from | durban | \<i\>richards-bay\</i\> | cape |
    |---|---|---|---|
    | Nov 23 13:50 | 812 ms | 812 ms | 812 ms |
    | Nov 23 14:00 | – | – | 812 ms |
    | Nov 23 14:10 | – | – | 812 ms |
    | Nov 23 14:20 | – | – | 812 ms |
    | Nov 23 14:30 | – | – | 812 ms |
    | Nov 23 14:40 | – | – | 812 ms |
    | Nov 23 14:50 | 812 ms | 812 ms | 812 ms |

    ## What went well

    - it was noticed 9 s after the first run that failed
    - it was confirmed before it was told: another vantage point failed too
    - somebody took it on 3 min after it was noticed
    - people were told first 111 s after it was noticed
    - it was mended 34 min after it was noticed
    - \_\_\_\_

    ## What to improve

    - for 1 minute nobody knows how mail was: would more places to look from help?
    - something changed at the targets in the day before: was that planned, and tried first?
    - it had happened once before, last as incident 3: why did it come again?
    - \_\_\_\_

    ## Action items

    |  | what | who | by | state |
    |---|---|---|---|---|
    | A1 | alert at 80 % of the disk \| \<script\>alert(1)\</script\> | Ann \`x\` | 2026-12-15 | open |

    ## Reviewed by

    - user bob, 2026-11-24 10:00:00: the disk must be watched \](javascript:alert(1))
    "#);
}

#[test]
fn the_same_review_is_the_same_document() {
    assert_eq!((markdown(&review()), html(&review())), (markdown(&review()), html(&review())));
}

#[test]
fn what_nobody_did_yet_is_left_to_fill_in() {
    let bare = ReviewAnswer {
        notices: vec![],
        actions: vec![],
        reviewed: vec![],
        are_final: false,
        figures: Figures::default(),
        ..review()
    };
    let told = markdown(&bare);
    for line in [
        "not reviewed yet: `mailsonde-collector incidents review 7 \"what was learnt\"`",
        "Figures are preliminary",
        "None is recorded.",
        "No runs are kept of that time: there is no chart.",
        "None yet: `mailsonde-collector actions add 7 --title … --owner … --due …`",
        "Nobody yet.",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
}

/// Every element that is opened is closed in its order; attributes are quoted.
fn is_well_formed(page: &str) {
    let void = ["meta", "br", "hr", "!doctype"];
    let mut open: Vec<&str> = Vec::new();
    for piece in page.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').unwrap_or_else(|| panic!("{piece}"));
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "{tag}");
        } else if !tag.ends_with('/') && !void.contains(&name) {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

#[test]
fn the_page_is_whole_and_nothing_in_it_runs() {
    let page = html(&review());
    is_well_formed(&page);
    for bad in ["<script", "<i>", "<b>", "href", "src=", "onerror", "url(", "@import", "class="] {
        assert!(!page.contains(bad), "{bad}\n{page}");
    }
    assert_eq!(page.matches("<svg ").count(), 2);
    assert!(
        page.contains("<td>alert at 80 % of the disk | &lt;script&gt;alert(1)&lt;/script&gt;</td>"),
        "{page}"
    );
    // four columns stay four, whatever a server says
    let rows = page.split("<tr>").skip(1).map(|row| row.matches("<td").count());
    assert!(rows.filter(|cells| *cells > 0).all(|cells| (3..=5).contains(&cells)));
    // what a server said shows as it said it
    let reply = "&lt;script&gt;alert(1)&lt;/script&gt; [x](javascript:alert(1)) `a` | b";
    assert!(page.contains(reply), "{page}");
}

#[test]
fn markdown_has_no_markup_but_ours() {
    let told = markdown(&review());
    let mut links = 0;
    for event in pulldown_cmark::Parser::new_ext(&told, pulldown_cmark::Options::all()) {
        use pulldown_cmark::{Event, Tag};
        match event {
            Event::Html(_) | Event::InlineHtml(_) => panic!("{event:?}"),
            Event::Start(Tag::Link { .. } | Tag::Image { .. }) => links += 1,
            // commands that we name
            Event::Code(code) => assert!(code.starts_with("mailsonde-collector "), "{code}"),
            _ => {}
        }
    }
    assert_eq!(links, 0, "{told}");
    assert_eq!(told.lines().filter(|line| line.starts_with('#')).count(), 13, "{told}");
}
