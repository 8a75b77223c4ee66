//! A day of outages as both journals hold it: two checks at two sites, one of which fails for two minutes every few.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mailsonde_collector::control::{Control, ControlJournal, Enrolled};
use mailsonde_collector::judge::definition::Definitions;
use mailsonde_collector::store::ledger::{Ledger, LedgerOptions, Opened, Source};
use mailsonde_proto::convert::observation_to_bytes;
use mailsonde_proto::{
    AgentId, Cause, Check, Clock, Epoch, Fault, FaultClass, Observation, SettingsDigest, Verdict,
    WallTime,
};

const MINUTE: Duration = Duration::from_secs(60);
/// From one outage of a check to its next: what comes back sooner is the same.
const PERIOD: u32 = 14;
/// An outage begins and ends so many minutes into its period.
const OUTAGE: std::ops::Range<u32> = 1..3;

fn agent(number: u8) -> AgentId {
    AgentId([number; 16])
}

fn check(name: &str) -> Check {
    Check {
        name: name.into(),
        kind: "round-trip".into(),
        cadence: MINUTE,
        timeout: Duration::from_secs(20),
        slot_offset: Duration::ZERO,
        settings_digest: SettingsDigest::default(),
    }
}

/// Which check fails in a minute: the second half a period after the first.
fn fails(minute: u32) -> [bool; 2] {
    [minute, minute + PERIOD / 2].map(|minute| OUTAGE.contains(&(minute % PERIOD)))
}

/// Outages of so many minutes.
pub(super) fn outages(minutes: u32) -> usize {
    let begins =
        |check: usize| (1..minutes).filter(|at| fails(*at)[check] && !fails(at - 1)[check]).count();
    begins(0) + begins(1)
}

fn observation(name: &str, slot: WallTime, is_bad: bool) -> Observation {
    let fault = || Verdict::Fail(Fault::new("connect", FaultClass::Refused, "refused"));
    Observation {
        intent: 1,
        check: name.into(),
        kind: "round-trip".into(),
        scheduled_for: slot,
        started_at: slot,
        clock_error_us: None,
        cause: Cause::Scheduled,
        settings_digest: SettingsDigest::default(),
        amends: None,
        verdict: if is_bad { fault() } else { Verdict::Pass },
        total_us: 100_000,
        phases: Vec::new(),
        facts: Vec::new(),
        findings: Vec::new(),
        transcript: String::new(),
    }
}

/// Writes so many minutes up to `end`.
pub(super) async fn write(folder: &Path, definitions: Definitions, end: WallTime, minutes: u32) {
    let begin = end.minus(MINUTE * minutes);
    let clock = Clock::starting_at(begin);
    let (control, _) = ControlJournal::open(&folder.join("control")).unwrap();
    let Opened { ledger, writer, .. } =
        Ledger::open(folder, LedgerOptions::default(), clock).unwrap();
    control.go_with(ledger.index().clone());
    let control = Arc::new(control);
    for number in 1..=2_u8 {
        let enrolled = Enrolled {
            agent: agent(number),
            name: format!("site-{number}"),
            labels: [("site".to_owned(), format!("{number}"))].into(),
            key_digest: [number; 32],
            token: None,
        };
        control.append(begin, Control::Enrolled(enrolled)).unwrap();
        let checks = vec![check("one"), check("two")];
        let (signing_key, mailboxes) = (None, Vec::new());
        let defined = Control::Defined { agent: agent(number), checks, signing_key, mailboxes };
        control.append(begin, defined).unwrap();
    }
    control.append(begin, Control::Services(definitions)).unwrap();
    let mut next = 1;
    for minute in 0..minutes {
        let slot = begin.plus(MINUTE * minute);
        for number in 1..=2_u8 {
            let [one, two] = fails(minute);
            let runs = [("one", one), ("two", two)];
            let batch: Vec<Bytes> = runs
                .map(|(name, is_bad)| observation_to_bytes(&observation(name, slot, is_bad)))
                .into();
            let source = Source { agent: agent(number), epoch: Epoch(1) };
            ledger.append(source, next, batch).await.unwrap();
        }
        next += 2;
        for second in [8, 30] {
            control.append(slot.plus(Duration::from_secs(second)), Control::Tick).unwrap();
        }
    }
    drop(ledger);
    writer.join().unwrap();
}
