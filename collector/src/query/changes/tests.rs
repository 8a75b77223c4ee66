//! Changes from a ledger with small segments, so that they stand within and between them.

use bytes::Bytes;
use mailsonde_proto::convert::observation_to_bytes;
use mailsonde_proto::{Epoch, Fact, Verdict, VoidReason};
use proptest::prelude::*;

use super::*;
use crate::query::status::samples::{NOW, run};
use crate::store::ledger::{LedgerOptions, Source};

const NORTH: Source = Source { agent: AgentId([1; 16]), epoch: Epoch(1) };
const COAST: Source = Source { agent: AgentId([2; 16]), epoch: Epoch(1) };

/// A run of so many minutes ago that saw these records: `mx=10 a.`.
fn seen(minutes_ago: u32, records: &[&str]) -> Bytes {
    let mut observation = run(minutes_ago.into(), Verdict::Pass);
    for record in records {
        let (name, text) = record.split_once('=').unwrap();
        observation.facts.push(Fact::new(format!("record.{name}.digest"), format!("#{text}")));
        observation.facts.push(Fact::new(format!("record.{name}"), text));
    }
    observation_to_bytes(&observation)
}

fn void(minutes_ago: u32) -> Bytes {
    let verdict = Verdict::void(VoidReason::LocalNetwork, "no route");
    observation_to_bytes(&run(minutes_ago.into(), verdict))
}

struct Site {
    ledger: Ledger,
    _folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = LedgerOptions { segment_bytes: 2_000 };
        let opened = Ledger::open(folder.path(), options, Clock::starting_at(NOW)).unwrap();
        Self { ledger: opened.ledger, _folder: folder }
    }

    async fn keep(&self, source: Source, runs: Vec<Bytes>) {
        for (sequence, run) in (1..).zip(runs) {
            self.ledger.append(source, sequence, vec![run]).await.unwrap();
        }
    }

    fn changes(&self, wanted: &ChangesWanted) -> ChangesAnswer {
        let folder = tempfile::tempdir().unwrap();
        let control = crate::control::ControlJournal::open(folder.path()).unwrap().0;
        let registry = Registry::new(control.into()).unwrap();
        answer(&self.ledger, &registry, wanted, Clock::starting_at(NOW)).unwrap()
    }

    fn told(&self, wanted: &ChangesWanted) -> Vec<String> {
        let told = |change: &ChangeAnswer| {
            let ago = |at: Timestamp| (NOW.timestamp() - at).total(jiff::Unit::Minute).unwrap();
            format!(
                "{} {} -> {} {} min ago, before {} by {}",
                change.record,
                change.from,
                change.to,
                ago(change.first_seen),
                ago(change.last_seen_before),
                change.seen_by.len()
            )
        };
        self.changes(wanted).changes.iter().map(told).collect()
    }
}

#[tokio::test]
async fn a_change_has_from_to_and_when_and_void_runs_are_none() {
    let site = Site::new();
    let runs = vec![
        seen(60, &["mx=10 a.", "txt=v=spf1 -all"]),
        void(59),
        seen(58, &["txt=v=spf1 -all"]),
        seen(57, &["mx=10 b.", "txt=v=spf1 -all"]),
        seen(56, &["mx=10 b.", "txt=v=spf1 ~all"]),
        seen(55, &["mx=10 a.", "txt=v=spf1 ~all"]),
    ];
    site.keep(NORTH, runs).await;
    let all = [
        "mx 10 b. -> 10 a. 55 min ago, before 56 by 1",
        "txt v=spf1 -all -> v=spf1 ~all 56 min ago, before 57 by 1",
        "mx 10 a. -> 10 b. 57 min ago, before 60 by 1",
    ];
    assert_eq!(site.told(&ChangesWanted::default()), all);
    let wanted = |record: &str| ChangesWanted { record: Some(record.into()), ..Default::default() };
    assert_eq!(site.told(&wanted("txt")), all[1..2]);
    assert_eq!(site.told(&wanted("m")), Vec::<String>::new());
    let two = ChangesWanted { limit: Some(2), ..Default::default() };
    assert_eq!(site.told(&two), all[..2]);
    let check = ChangesWanted { check: Some("other".into()), ..Default::default() };
    assert_eq!(site.told(&check), Vec::<String>::new());
    let later = ChangesWanted { since: "2200-01-01T00:00Z".parse().ok(), ..Default::default() };
    assert_eq!(site.told(&later), Vec::<String>::new());
}

#[tokio::test]
async fn agents_that_agree_saw_one_change() {
    let site = Site::new();
    site.keep(NORTH, vec![seen(60, &["mx=10 a."]), seen(50, &["mx=10 b."])]).await;
    site.keep(COAST, vec![seen(59, &["mx=10 a."]), seen(49, &["mx=10 b."])]).await;
    let answer = site.changes(&ChangesWanted::default());
    let witnesses: Vec<_> = answer.changes[0].seen_by.iter().map(|w| w.agent.clone()).collect();
    assert_eq!(witnesses, [NORTH.agent.to_string(), COAST.agent.to_string()]);
    assert_eq!(answer.changes.len(), 1);
    assert!(!answer.is_partial && answer.looked_back_to.is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// However runs lie in segments, each change of a run to the one before that has the record is found.
    #[test]
    fn no_change_is_lost_between_segments(states in prop::collection::vec(0_u8..4, 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (found, expected) = runtime.block_on(async {
            let site = Site::new();
            let mut expected = Vec::new();
            let mut last = None;
            let mut runs = Vec::new();
            for (ago, state) in (0..u32::try_from(states.len()).unwrap()).rev().zip(&states) {
                // 3 is a run that could not look it up.
                if *state == 3 {
                    runs.push(void(ago));
                    continue;
                }
                runs.push(seen(ago, &[&format!("mx={state}")]));
                if let Some(last) = last.replace(state) && last != state {
                    expected.push(format!("{last}{state}"));
                }
            }
            site.keep(NORTH, runs).await;
            let found = site.changes(&ChangesWanted { limit: Some(1_000), ..Default::default() });
            (found.changes, expected)
        });
        let mut found: Vec<_> = found.iter().map(|c| format!("{}{}", c.from, c.to)).collect();
        found.reverse();
        prop_assert_eq!(found, expected);
    }
}
