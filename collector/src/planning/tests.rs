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
