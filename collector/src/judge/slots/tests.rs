use mailsonde_proto::{AgentId, Check, Fault, FaultClass, Verdict, VoidReason};
use proptest::prelude::*;

use super::*;
use crate::judge::definition::{Definitions, Quorum};

/// 2026-10-31T22:00:00Z.
const HOUR: u32 = 498_190;

fn start() -> WallTime {
    WallTime::from_s(i64::from(HOUR) * 3_600)
}

fn check(cadence_s: u64) -> Check {
    Check {
        name: "mail".into(),
        kind: "round-trip".into(),
        cadence: Duration::from_secs(cadence_s),
        timeout: Duration::from_secs(30),
        slot_offset: Duration::from_secs(5),
        settings_digest: Default::default(),
    }
}

/// One service over agents that are a site each, all running one check.
fn chronicle(agents: u8, cadence_s: u64, quorum: Quorum) -> Chronicle {
    let mut chronicle = Chronicle::default();
    for agent in 0..agents {
        let labels = [("site".to_owned(), format!("site-{agent}"))].into();
        let long_ago = start().minus(Duration::from_secs(90_000));
        chronicle.name(long_ago, AgentId([agent; 16]), format!("agent-{agent}"), labels);
        chronicle.announce(long_ago, AgentId([agent; 16]), &[check(cadence_s)]);
    }
    let service = Service { down_when: quorum, ..Service::of_check("mail", "round-trip") };
    chronicle.define(start(), Definitions { services: vec![service], ..Definitions::default() });
    chronicle
}

fn counts(text: &str) -> Counts {
    let mut counts = Counts::default();
    for letter in text.chars() {
        counts.add(&match letter {
            'p' => Verdict::Pass,
            'f' => Verdict::Fail(Fault::new("auth", FaultClass::Permanent, "no")),
            _ => Verdict::void(VoidReason::LocalNetwork, ""),
        });
    }
    counts
}

/// Words for a few minutes: `p`, `f`, `v` are runs, `.` is none; minutes are parted by spaces.
fn seen(agents: &[(&str, u32)]) -> Seen {
    let mut seen = Seen::default();
    for (agent, (words, first)) in (0_u8..).zip(agents) {
        let series = SeriesId::of(AgentId([agent; 16]), "mail");
        for (minute, word) in (HOUR * 60 + first..).zip(words.split(' ')) {
            seen.insert(series, minute, &counts(word.trim_matches('.')));
        }
    }
    seen
}

fn judged(chronicle: &Chronicle, now_s: u64, seen: &Seen) -> String {
    let hour = hour(chronicle, HOUR, start().plus(Duration::from_secs(now_s)), seen);
    let slots = hour.services.get(&ServiceId::of("mail")).cloned().unwrap_or_default();
    let letter = |state: &Option<Voiced>| match state {
        None => '-',
        Some(Voiced::Up) => 'u',
        Some(Voiced::Down) => 'd',
        Some(Voiced::Unknown) => '?',
    };
    slots.iter().map(letter).collect()
}

#[test]
fn a_member_is_judged_by_its_newest_minute() {
    // now: the 7th minute's runs must have come
    let now_s = 7 * 60 + 60;
    for (words, cadence_s, expected) in [
        ("p p f . v p p", 60, "uud??uu"),
        ("pf ppf pff vf v p p", 30, "dudd?uu"),
        // every second minute: the minute between is as the run before it
        ("p . f . . . p", 120, "uudd??u"),
        ("p . . . . f .", 300, "uuuuudd"),
        // no run yet in this hour
        (". . . . . . .", 60, "???????"),
    ] {
        let chronicle = chronicle(1, cadence_s, Quorum::Any);
        let found = judged(&chronicle, now_s, &seen(&[(words, 0)]));
        assert_eq!(found, format!("{expected:-<60}"), "{words}");
    }
}

#[test]
fn a_quorum_judges_the_voices() {
    let agents = [("p f f f v", 0), ("p p f f f", 0), ("p p p f .", 0)];
    for (quorum, expected) in [
        (Quorum::Any, "uddd" /* a voice fails */),
        (Quorum::AtLeast(2), "uudd"),
        (Quorum::All, "uuud"),
    ] {
        let found = judged(&chronicle(3, 60, quorum), 5 * 60 + 60, &seen(&agents));
        // in the fifth minute one fails and nothing is known of two
        let last = if quorum == Quorum::Any { "d" } else { "?" };
        assert_eq!(found, format!("{:-<60}", format!("{expected}{last}")), "{quorum}");
    }
}

#[test]
fn what_is_not_over_yet_is_not_counted_and_what_had_no_member_neither() {
    let mut chronicle = chronicle(1, 60, Quorum::Any);
    let all = "p ".repeat(60);
    let all = seen(&[(all.trim(), 0)]);
    assert_eq!(judged(&chronicle, 60, &all), "-".repeat(60));
    assert_eq!(judged(&chronicle, 125, &all), format!("{:-<60}", "u"));
    let later = start().plus(Duration::from_secs(7_200));
    assert!(hour(&chronicle, HOUR, later, &all).is_whole);
    assert!(!hour(&chronicle, HOUR, start().plus(Duration::from_secs(3_650)), &all).is_whole);
    // revoked in the tenth minute, whose first moment it still belonged to
    chronicle.revoke(start().plus(Duration::from_secs(9 * 60 + 30)), AgentId([0; 16]));
    assert_eq!(judged(&chronicle, 7_200, &all), format!("{:-<60}", "u".repeat(10)));
}

#[test]
fn a_run_speaks_for_the_minutes_of_a_cadence() {
    for (cadence_ms, minutes) in [(1, 1), (60_000, 1), (60_001, 2), (90_000, 2), (3_600_000, 60)] {
        assert_eq!(look_back(Duration::from_millis(cadence_ms)), minutes);
    }
    assert_eq!(look_back(Duration::from_secs(40 * 86_400)), LOOK_BACK_MINUTES);
}

proptest! {
    /// Minutes of which nothing is known make a service unknown exactly where they could make it down.
    #[test]
    fn silence_is_never_up(silent in 0..=10_usize, needed in 1..=10_u32) {
        let chronicle = chronicle(10, 60, Quorum::AtLeast(needed));
        let words: Vec<(&str, u32)> = (0..10).map(|agent| (if agent < silent { "." } else { "p" }, 0)).collect();
        let found = judged(&chronicle, 125, &seen(&words));
        let expected = if silent >= usize::try_from(needed).unwrap() { "?" } else { "u" };
        prop_assert_eq!(found, format!("{expected:-<60}"));
    }
}
