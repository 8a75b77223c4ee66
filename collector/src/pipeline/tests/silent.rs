//! Three of ten branches say nothing for a day: nobody takes that for good or bad.

use mailsonde_proto::convert::observation_to_bytes;
use mailsonde_proto::{Epoch, Fault, FaultClass, Observation, Verdict};

use super::*;
use crate::judge::definition::{Agreement, Definitions, Quorum, Service, Share, Sli, Window};
use crate::judge::objective::Reached;
use crate::judge::sample::observation;
use crate::store::ledger::Source;

/// Hours of October.
const MONTH: u64 = 31 * 24;
const AGENTS: u8 = 10;
const SILENT: u64 = 3;
/// 2026-10-14, from its first minute to its last.
const SILENT_DAY: u32 = 16;
const DAYS: u32 = 36;

fn mail() -> Check {
    check("mail", "round-trip", 3_600, 0)
}

fn definitions() -> Definitions {
    let service = |name: &str, down_when, agreements: &[(&str, Sli, u32)]| Service {
        name: name.into(),
        down_when,
        agreements: agreements
            .iter()
            .map(|(name, sli, target)| Agreement {
                name: (*name).into(),
                customer: String::new(),
                sli: *sli,
                target: Share::from_ppm(*target),
                window: Window::Month,
                in_hours: false,
                excludes: [].into(),
                credits: Vec::new(),
            })
            .collect(),
        ..Service::of_check("mail", "round-trip")
    };
    let three = "3".parse().unwrap();
    let any = [
        ("any", Sli::Uptime, 950_000),
        ("success", Sli::Success, 992_000),
        ("delivery", Sli::Delivery, 900_000),
        ("too much", Sli::Success, 999_000),
    ];
    Definitions {
        time_zone: None,
        services: vec![
            service("one is enough", Quorum::Any, &any),
            service("it takes three", three, &[("three", Sli::Uptime, 990_000)]),
            service("it takes half", Quorum::Half, &[("half", Sli::Uptime, 999_000)]),
        ],
        ..Definitions::default()
    }
}

/// One agent fails at times, though not on that day.
fn run(number: u8, slot: WallTime) -> Observation {
    let day_of = slot.since(BEGIN).as_secs() / 86_400;
    let is_bad = number == 1
        && day_of != u64::from(SILENT_DAY)
        && mixed(1, slot.as_ns().unsigned_abs()).is_multiple_of(25);
    let fault = || Verdict::Fail(Fault::new("auth", FaultClass::Permanent, "refused"));
    let verdict = if is_bad { fault() } else { Verdict::Pass };
    observation("mail", slot, verdict, Duration::from_millis(300))
}

async fn write(folder: &Path, is_silent: bool) {
    let (control, _) = ControlJournal::open(&folder.join("control")).unwrap();
    for days in 0..DAYS {
        let Opened { ledger, writer, .. } = ledger_at(folder, day(days + 1));
        control.go_with(ledger.index().clone());
        if days == 0 {
            for number in 1..=AGENTS {
                enrol(&control, day(0), (number, &format!("site {number}")), Some(&[mail()]));
            }
            let services = Control::Services(definitions());
            control.decide(day(0), author(), |_| Ok((services, ()))).unwrap();
        }
        for number in 1..=AGENTS {
            if is_silent && days == SILENT_DAY && u64::from(number) > u64::from(AGENTS) - SILENT {
                continue;
            }
            let slots = (0..24).map(|hour| day(days).plus(HOUR * hour));
            let batch: Vec<Bytes> =
                slots.map(|slot| observation_to_bytes(&run(number, slot))).collect();
            // nothing has a number that was not sent
            let left_out = is_silent && days > SILENT_DAY && u64::from(number) > 7;
            let first = 1 + 24 * u64::from(days - u32::from(left_out));
            let source = Source { agent: agent(number), epoch: Epoch(1) };
            ledger.append(source, first, batch).await.unwrap();
        }
        control.append(day(days + 1), Control::Tick).unwrap();
        drop(ledger);
        writer.join().unwrap();
    }
}

#[tokio::test]
async fn silence_widens_the_interval_by_just_what_is_missing() {
    let (all, some) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(all.path(), false).await;
    write(some.path(), true).await;
    let told = judge(all.path(), &all.path().join("views"), 50).agreements();
    let silent = judge(some.path(), &some.path().join("views"), 50).agreements();
    let hours = (0..MONTH).map(|hour| day(3).plus(HOUR * u32::try_from(hour).unwrap()));
    let bad = hours.filter(|slot| run(1, *slot).verdict != Verdict::Pass).count();
    let bad = u64::try_from(bad).unwrap();
    assert!(bad > 10, "{bad}");
    let runs = MONTH * u64::from(AGENTS);
    let missing = SILENT * 24;
    let minutes = MONTH * 60;
    let expected = [
        // name, of how many, bad, unknown with three silent, and what is said with and without
        ("any", minutes, bad * 60, 1_440, Reached::Met, Reached::NotProven),
        ("success", runs, bad, missing, Reached::Met, Reached::NotProven),
        ("delivery", runs, bad, missing, Reached::Met, Reached::Met),
        ("too much", runs, bad, missing, Reached::Missed, Reached::Missed),
        ("three", minutes, 0, 1_440, Reached::Met, Reached::NotProven),
        ("half", minutes, 0, 0, Reached::Met, Reached::Met),
    ];
    assert_eq!((told.len(), silent.len()), (expected.len(), expected.len()));
    for ((told, silent), (name, count, bad, unknown, before, after)) in
        told.iter().zip(&silent).zip(expected)
    {
        assert_eq!((&*told.agreement, &*silent.agreement), (name, name));
        let figures = |it: &AgreementAnswer| [it.figure.good, it.figure.bad, it.figure.unknown];
        assert_eq!(figures(told), [count - bad, bad, 0], "{name}");
        assert_eq!(figures(silent), [count - bad - unknown, bad, unknown], "{name}");
        assert_eq!((told.result, silent.result), (before, after), "{name}");
        // nothing that is missing makes it better, and all of it could have been good
        assert_eq!(silent.figure.upper, told.figure.upper, "{name}");
        assert_eq!(told.figure.lower, told.figure.upper, "{name}");
    }
}
