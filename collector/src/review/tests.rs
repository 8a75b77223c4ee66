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
fn a_review_is_a_document() {
    insta::assert_snapshot!(markdown(&review()), @"");
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
    let mut open: Vec<String> = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let end = rest[at..].find('>').unwrap_or_else(|| panic!("{}", &rest[at..]));
        let tag = &rest[at + 1..at + end];
        rest = &rest[at + end + 1..];
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap().to_owned();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed), "{tag}");
        } else if !tag.ends_with('/') && !void.contains(&name.as_str()) {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<String>::new());
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
