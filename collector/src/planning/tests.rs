//! What operators write as times, and which zone it is meant in.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::control::ControlJournal;

const NOW: WallTime = WallTime::from_s(1_796_558_400); // 2026-12-06, noon

struct Desk {
    registry: Registry,
    _folder: tempfile::TempDir,
}

impl Desk {
    fn new(time_zone: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let control = Arc::new(ControlJournal::open(folder.path()).unwrap().0);
        let implicit = Definitions::implicit([("mail", "round-trip")]);
        let definitions = Definitions { time_zone: time_zone.map(str::to_owned), ..implicit };
        control.append(NOW, Control::Services(definitions)).unwrap();
        Self { registry: Registry::new(control).unwrap(), _folder: folder }
    }

    fn planning(&self) -> Planning<'_> {
        self.planning_at(NOW)
    }

    fn planning_at(&self, now: WallTime) -> Planning<'_> {
        let author = Author { who: "user ann".into(), from: "here".into() };
        Planning::new(&self.registry, author, now)
    }

    fn from(&self, window: u64) -> String {
        let plan = |roll: &Roll| roll.planned().window(window).unwrap().plan.from;
        self.registry.control().look(plan).to_string()
    }
}

fn wish(from: &str, said: Option<&str>, own: Option<&str>) -> WindowWish {
    WindowWish {
        title: "disks".into(),
        scope: Scope { services: vec!["mail".into()], ..Scope::default() },
        from: Some(from.into()),
        length_s: Some(3_600),
        zone: Zone { said: said.map(str::to_owned), own: own.map(str::to_owned) },
        ..WindowWish::default()
    }
}

#[test]
fn times_are_meant_in_the_zone_that_is_nearest() {
    let johannesburg = Some("Africa/Johannesburg");
    let (berlin, tokyo) = (Some("Europe/Berlin"), Some("Asia/Tokyo"));
    for (organisation, said, own, from, expected) in [
        (None, None, None, "2026-12-07 22:00", "2026-12-07T22:00:00Z"),
        (None, None, tokyo, "2026-12-07 22:00", "2026-12-07T13:00:00Z"),
        (johannesburg, None, tokyo, "2026-12-07 22:00", "2026-12-07T20:00:00Z"),
        (johannesburg, berlin, tokyo, "2026-12-07T22:00", "2026-12-07T21:00:00Z"),
        (johannesburg, None, None, "2026-12-07T22:00:00Z", "2026-12-07T22:00:00Z"),
        (johannesburg, None, None, "2026-12-07T22:00:30+05:30", "2026-12-07T16:30:30Z"),
        (johannesburg, None, None, "now", "2026-12-06T12:00:00Z"),
    ] {
        let desk = Desk::new(organisation);
        assert_eq!(desk.planning().plan(wish(from, said, own)).unwrap(), 1);
        assert_eq!(desk.from(1), expected, "{from}");
    }
}

#[test]
fn what_is_no_time_says_how_to_write_one() {
    let desk = Desk::new(Some("Europe/Berlin"));
    let both = |from: &str| WindowWish { until: Some("now".into()), ..wish(from, None, None) };
    for (wish, words) in [
        (wish("tomorrow", None, None), "--from \"tomorrow\" is no time: write such as"),
        (wish("2026-13-01 22:00", None, None), "is no time"),
        (wish("2027-03-28 02:30", None, None), "is not there or twice in Europe/Berlin"),
        (wish("2027-10-31 02:30", None, None), "write it with its offset"),
        (wish("2027-10-31 02:30", Some("Mars"), None), "no time zone called Mars"),
        (both("now"), "say either how long by --for, or the end by --until"),
        (wish("2026-12-06 12:59", None, None), "cannot begin in the past, at 2026-12-06T11:59:00Z"),
    ] {
        let error = desk.planning().plan(wish).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn what_is_planned_stands_in_the_journal_with_its_author() {
    let desk = Desk::new(None);
    desk.planning().plan(wish("now", None, None)).unwrap();
    let by = ExtendWish { by_s: Some(600), ..ExtendWish::default() };
    assert_eq!(desk.planning().extend(1, by).unwrap(), 1);
    let until = |roll: &Roll| roll.planned().window(1).unwrap().next(NOW).unwrap().until;
    let until = desk.registry.control().look(until);
    assert_eq!(until, NOW.plus(Duration::from_secs(4_200)));
    let by = |roll: &Roll| roll.planned().window(1).unwrap().plan.by.clone();
    assert_eq!(desk.registry.control().look(by), "user ann");
    desk.planning().act(1, Doing::End).unwrap();
    let error = desk.planning().act(1, Doing::End).unwrap_err().to_string();
    assert!(error.contains("W1 is over"), "{error}");
    let error = desk.planning().extend(7, ExtendWish::default()).unwrap_err().to_string();
    assert!(error.contains("--by, or the end by --until"), "{error}");
}

#[test]
fn numbers_are_written_with_their_letter_or_without() {
    for (text, expected) in [
        ("W1", Some(1)),
        ("w12", Some(12)),
        ("3", Some(3)),
        ("S7", Some(7)),
        ("WW1", None),
        ("", None),
        ("W", None),
        ("W-1", None),
        ("W1x", None),
    ] {
        assert_eq!(number(text), expected, "{text}");
    }
}

#[test]
fn what_comes_again_from_now_on_begins_at_a_whole_second() {
    let desk = Desk::new(None);
    let every = Some("FREQ=DAILY;COUNT=3".to_owned());
    let wish = WindowWish { from: None, every, ..wish("", None, None) };
    let now = NOW.plus(Duration::from_millis(250));
    assert_eq!(desk.planning_at(now).plan(wish).unwrap(), 1);
    assert_eq!(desk.from(1), "2026-12-06T12:00:01Z");
    let next = |roll: &Roll| roll.planned().window(1).unwrap().next(now).unwrap().from;
    assert_eq!(desk.registry.control().look(next), NOW.plus(Duration::from_secs(1)));
}

#[test]
fn a_service_without_objectives_has_the_usual_ones() {
    let desk = Desk::new(None);
    let bare = crate::judge::definition::Service {
        objectives: Vec::new(),
        ..crate::judge::definition::Service::of_check("mail", "round-trip")
    };
    let said = Definitions { services: vec![bare], ..Definitions::default() };
    desk.registry.control().append(NOW, Control::Services(said)).unwrap();
    let names = defined(&desk.registry).services.remove(0).objectives;
    let names: Vec<&str> = names.iter().map(|objective| objective.name.as_str()).collect();
    assert_eq!(names, ["uptime", "delivery"]);
}

#[test]
fn it_is_to_work_again_at_the_next_such_time() {
    let desk = Desk::new(Some("Africa/Johannesburg")); // where it is two in the afternoon
    let at = |text: &str, said: Option<&str>| RecoveryWish::At {
        at: text.into(),
        zone: Zone { said: said.map(str::to_owned), own: None },
    };
    for (wish, expected) in [
        (RecoveryWish::In(7_200), Ok("2026-12-06T14:00:00Z")),
        (at("14:30", None), Ok("2026-12-06T12:30:00Z")),
        (at("14:00", None), Ok("2026-12-07T12:00:00Z")),
        (at("08:00", None), Ok("2026-12-07T06:00:00Z")),
        (at("14:30", Some("Europe/Berlin")), Ok("2026-12-06T13:30:00Z")),
        (at("2026-12-08 08:00", None), Ok("2026-12-08T06:00:00Z")),
        (at("2026-12-06 13:00", None), Err("2026-12-06T11:00:00Z has passed")),
        (at("soon", None), Err("--at \"soon\" is no time")),
        (at("25:00", None), Err("--at \"25:00\" is no time")),
    ] {
        let found = desk.planning().recovery(&wish).map(|(at, _)| at.unwrap().to_string());
        match (&found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(error), Err(words)) => assert!(error.to_string().starts_with(words), "{error}"),
            _ => panic!("{wish:?}: {found:?}"),
        }
    }
    let unknown = desk.planning().recovery(&RecoveryWish::Unknown).unwrap();
    assert_eq!(unknown, (None, "Africa/Johannesburg".to_owned()));
}

#[test]
fn what_is_to_be_done_has_a_number() {
    let desk = Desk::new(None);
    let wish = |title: &str| ActionItemWish {
        incident: 7,
        title: title.into(),
        owner: " Ann ".into(),
        due: "2026-12-15".parse().unwrap(),
    };
    assert_eq!(desk.planning().follow_up(wish("alert on the disk")).unwrap(), 1);
    assert_eq!(desk.planning().follow_up(wish("write to the vendor")).unwrap(), 2);
    let empty = desk.planning().follow_up(wish(" ")).unwrap_err().to_string();
    assert_eq!(empty, "--title must say something");
    let done = ProgressWish { act: ActionItemAct::Done, note: "it is on".into() };
    assert_eq!(desk.planning().progress(1, done).unwrap(), 1);
    let known = desk.registry.control().look(|roll| {
        let all = roll.follow_ups().iter();
        all.map(|it| (it.plan.owner.clone(), it.progress.as_str())).collect::<Vec<_>>()
    });
    assert_eq!(known, [("Ann".to_owned(), "done"), ("Ann".to_owned(), "open")]);
    assert_eq!((number("A12"), number("a3"), number("AB")), (Some(12), Some(3), None));
}
