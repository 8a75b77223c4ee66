//! The outbox over crashes, damage and random histories.

mod full;

use std::collections::{BTreeMap, BTreeSet};

use mailsonde_proto::convert::observation_from_bytes;
use mailsonde_proto::{FaultClass, VoidReason};
use proptest::prelude::*;

use super::books::Entry;
use super::state::State;
use super::*;

fn clock() -> Clock {
    Clock::starting_at(WallTime::from_s(1_764_000_000))
}

fn intent(check: &str) -> Intent {
    Intent {
        check: check.into(),
        kind: "scripted".into(),
        scheduled_for: WallTime::from_s(1_764_000_000),
        written_at: WallTime::from_s(1_764_000_001),
        cause: Cause::Scheduled,
        settings_digest: SettingsDigest::of("a = 1"),
    }
}

fn observation(number: u64, verdict: Verdict) -> Observation {
    let facts = vec![mailsonde_proto::Fact { name: "padding".into(), value: "x".repeat(200) }];
    let void = books::void_of(number, &intent("mail"), VoidReason::Unknown, String::new());
    Observation { verdict, facts, ..void }
}

fn late(run: RunId) -> Amendment {
    let fault = Fault::new("arrival", FaultClass::Mismatch, "the message came 3 s late");
    Amendment { run, fault, phases: Vec::new(), facts: Vec::new(), is_found: false }
}

fn small() -> Limits {
    Limits { spool_bytes: 64 << 10, ..Limits::default() }
}

fn open(folder: &Path, limits: Limits) -> Books {
    Books::open(Arc::new(RealDisk), folder, limits, clock()).unwrap().0
}

impl Books {
    fn begin_one(&mut self) -> u64 {
        self.write_ledger(&[intent("mail")]).unwrap()[0]
    }

    fn finish_one(&mut self, number: u64, verdict: Verdict) {
        self.spool(vec![Entry::new(&observation(number, verdict))]);
    }

    fn read_spooled(&self) -> Vec<(u64, Observation)> {
        let mut reader = Reader::new(self.follow(self.state.settled + 1));
        let mut read = Vec::new();
        loop {
            match reader.read(u64::MAX, 10, 1 << 20).unwrap() {
                Spooled::Observations(first, records) => {
                    for (sequence, bytes) in (first..).zip(records) {
                        read.push((sequence, observation_from_bytes(&bytes).unwrap()));
                    }
                }
                Spooled::Gap(_) => {}
                Spooled::Nothing => return read,
            }
        }
    }

    fn accounts(&self) -> Accounts {
        let accounts = self.progress().accounts;
        let sum =
            accounts.acknowledged + accounts.spooled + accounts.tombstoned + accounts.rejected;
        assert_eq!(accounts.produced, sum, "{accounts:?}");
        accounts
    }
}

#[test]
fn a_run_without_an_observation_is_interrupted_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut books = open(folder.path(), Limits::default());
    let epoch = books.state.epoch();
    let numbers = books.write_ledger(&[intent("a"), intent("b"), intent("c")]).unwrap();
    // Its closing is never written: the start must find it in the spool.
    books.finish_one(numbers[1], Verdict::Pass);
    drop(books);
    for _ in 0..3 {
        let books = open(folder.path(), Limits::default());
        assert_eq!(books.state.epoch(), epoch);
        let read = books.read_spooled();
        let seen: Vec<_> = read.iter().map(|(_, o)| (o.intent, o.verdict.as_str())).collect();
        assert_eq!(seen, [(numbers[1], "pass"), (numbers[0], "void"), (numbers[2], "void")]);
        assert_eq!(read[1].1.check, "a");
        assert!(books.state.open.is_empty());
        assert_eq!(books.accounts().spooled, 3);
    }
}

#[test]
fn an_amendment_is_told_once_also_over_restarts_and_only_of_known_runs() {
    let folder = tempfile::tempdir().unwrap();
    let mut books = open(folder.path(), Limits::default());
    let run = RunId { epoch: books.state.epoch(), intent: books.begin_one() };
    books.finish_one(run.intent, Verdict::Pass);
    for wrong in
        [RunId { epoch: Epoch(1), ..run }, RunId { intent: 99, ..run }, RunId { intent: 0, ..run }]
    {
        assert!(books.amendment(late(wrong)).is_none(), "{wrong:?}");
    }
    let entry = books.amendment(late(run)).unwrap();
    books.spool(vec![entry]);
    let mut later = late(run);
    later.fault.explanation = "the message came 300 s late".into();
    assert!(books.amendment(later.clone()).is_none());
    drop(books);
    let mut books = open(folder.path(), Limits::default());
    assert!(books.amendment(later.clone()).is_none());
    later.fault.explanation = "the message came twice".into();
    assert!(books.amendment(later).is_some());
    let (_, told) = books.read_spooled().pop().unwrap();
    assert_eq!((told.intent, told.amends, told.check.as_str()), (0, Some(run), "mail"));
    assert_eq!(told.verdict.as_str(), "fail");
}

#[test]
fn a_full_spool_gives_up_its_oldest_and_says_what_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let mut books = open(folder.path(), small());
    let fault = || Verdict::Fail(Fault::new("auth", FaultClass::Permanent, "no"));
    for n in 0..600_u64 {
        let number = books.begin_one();
        books.finish_one(number, if n % 3 == 0 { fault() } else { Verdict::Pass });
        assert!(books.spool.index().bytes() <= small().spool_bytes);
    }
    let accounts = books.accounts();
    assert!(accounts.tombstoned > 200 && accounts.spooled > 100, "{accounts:?}");
    let buried = books.state.tombstones.clone();
    let (fail, pass): (u64, u64) = buried.iter().fold((0, 0), |(f, p), t| (f + t.fail, p + t.pass));
    assert_eq!(fail + pass, accounts.tombstoned);
    assert_eq!(fail, accounts.tombstoned.div_ceil(3));
    drop(books);
    let mut books = open(folder.path(), small());
    assert_eq!((books.accounts(), &books.state.tombstones), (accounts, &buried));
    let last = buried.last().unwrap().range.last;
    assert_eq!(books.read_spooled()[0].0, last + 1);
    books.acknowledge(last);
    assert!(books.state.tombstones.is_empty());
    assert_eq!(books.accounts().acknowledged, 0);
}

#[test]
fn a_missing_epoch_or_ledger_or_spool_begins_a_new_epoch_and_loses_no_count() {
    for gone in ["epoch", "ledger", "spool"] {
        let folder = tempfile::tempdir().unwrap();
        let mut books = open(folder.path(), Limits::default());
        let epoch = books.state.epoch();
        for _ in 0..3 {
            let number = books.begin_one();
            books.finish_one(number, Verdict::Pass);
        }
        books.write_ledger(&[]).unwrap();
        drop(books);
        let path = folder.path().join(gone);
        std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path)).unwrap();
        let mut books = open(folder.path(), Limits::default());
        assert_ne!(books.state.epoch(), epoch, "{gone}");
        let number = books.begin_one();
        books.finish_one(number, Verdict::Pass);
        assert_eq!(books.accounts().produced, 4, "{gone}");
        let progress = books.progress();
        // What was spooled is still sent under its own epoch.
        assert_eq!((progress.epoch, progress.base, progress.end), (epoch, 0, 4), "{gone}");
        assert!(progress.is_disputed);
        books.acknowledge(3);
        let progress = books.progress();
        assert_eq!((progress.epoch, progress.base, progress.end), (books.state.epoch(), 3, 5));
    }
}

#[test]
fn an_epoch_goes_on_when_everything_was_acknowledged_and_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut books = open(folder.path(), Limits::default());
    let epoch = books.state.epoch();
    let number = books.begin_one();
    books.finish_one(number, Verdict::Pass);
    for _ in 0..3 {
        drop(books);
        books = open(folder.path(), Limits::default());
        books.acknowledge(1);
        books.trim_spool();
        assert_eq!(books.read_spooled(), []);
        assert_eq!(books.state.epoch(), epoch);
    }
    books.finish_one(0, Verdict::Pass);
    assert_eq!(books.read_spooled()[0].0, 2);
    assert_eq!(books.accounts().produced, 2);
}

#[test]
fn two_agents_cannot_share_an_outbox() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path(), Limits::default());
    let second = Books::open(Arc::new(RealDisk), folder.path(), Limits::default(), clock());
    let said = second.err().unwrap().to_string();
    assert!(said.contains("another agent uses the outbox"), "{said}");
}

#[test]
fn the_key_is_kept_and_is_nobody_elses_to_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let key = |folder: &Path| {
        let (_, key) = Books::open(Arc::new(RealDisk), folder, Limits::default(), clock()).unwrap();
        *key.expose()
    };
    assert_eq!(key(folder.path()), key(folder.path()));
    let mode = std::fs::metadata(folder.path().join("token.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::write(folder.path().join("token.key"), b"short").unwrap();
    let refused = Books::open(Arc::new(RealDisk), folder.path(), Limits::default(), clock());
    assert!(matches!(refused.err(), Some(OutboxError::Key { .. })));
}

#[test]
fn damage_in_the_spool_is_given_up_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut books = open(folder.path(), small());
    for _ in 0..60 {
        let number = books.begin_one();
        books.finish_one(number, Verdict::Pass);
    }
    books.write_ledger(&[]).unwrap();
    let path = books.spool.index().segments()[0].path.clone();
    drop(books);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xFF;
    std::fs::write(&path, bytes).unwrap();
    let mut books = open(folder.path(), small());
    let mut reader = Reader::new(books.follow(1));
    let mut seen = 0;
    loop {
        match reader.read(u64::MAX, 500, 1 << 20).unwrap() {
            Spooled::Observations(_, records) => seen += records.len(),
            Spooled::Gap(range) => {
                assert!(books.give_up(range, mailsonde_proto::convert::TombstoneReason::Damaged))
            }
            Spooled::Nothing => break,
        }
    }
    let accounts = books.accounts();
    assert_eq!((seen, accounts.tombstoned, accounts.spooled), (59, 1, 59));
}

/// What a random history does to an outbox.
#[derive(Clone, Debug)]
enum Op {
    Begin,
    Finish(usize),
    Acknowledge(u64),
    Reject(u64, u64),
    GiveUp(u64, u64),
    Dispute,
    Reopen,
    Snapshot,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => Just(Op::Begin),
        4 => any::<usize>().prop_map(Op::Finish),
        2 => (0_u64..60).prop_map(Op::Acknowledge),
        1 => (1_u64..60, 0_u64..5).prop_map(|(first, more)| Op::Reject(first, first + more)),
        1 => (1_u64..60, 0_u64..5).prop_map(|(first, more)| Op::GiveUp(first, first + more)),
        1 => Just(Op::Dispute),
        1 => Just(Op::Reopen),
        1 => Just(Op::Snapshot),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn produced_is_always_the_sum_of_what_became_of_it(ops in proptest::collection::vec(op(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let mut books = open(folder.path(), Limits::default());
        let (mut running, mut produced) = (Vec::new(), 0);
        let mut numbers = BTreeSet::new();
        for op in ops {
            match op {
                Op::Begin => {
                    let number = books.begin_one();
                    prop_assert!(numbers.insert(number), "{} was given out before", number);
                    running.push(number);
                }
                Op::Finish(which) if !running.is_empty() => {
                    let number = running.swap_remove(which % running.len());
                    books.finish_one(number, Verdict::Pass);
                    produced += 1;
                }
                Op::Finish(_) => {}
                Op::Acknowledge(through) => books.acknowledge(through),
                Op::Reject(first, last) => books.reject(&[SequenceRange { first, last }]),
                Op::GiveUp(first, last) if last <= produced => {
                    let reason = mailsonde_proto::convert::TombstoneReason::Damaged;
                    let given_up = books.give_up(SequenceRange { first, last }, reason);
                    prop_assert!(given_up);
                }
                Op::GiveUp(..) => {}
                Op::Dispute => { books.dispute(books.state.epoch()); }
                Op::Reopen => {
                    drop(books);
                    books = open(folder.path(), Limits::default());
                    // Every run under way was interrupted, once.
                    produced += u64::try_from(running.len()).unwrap();
                    running.clear();
                }
                Op::Snapshot => {
                    books.write_ledger(&[]).unwrap();
                    let (before, next) = (books.state.accounts(produced + 1), produced + 1);
                    prop_assert_eq!(State::from_note(&books.state.to_note()).accounts(next), before);
                }
            }
            prop_assert_eq!(books.accounts().produced, produced);
        }
        let spooled: BTreeMap<_, _> = books.read_spooled().into_iter().collect();
        prop_assert!(u64::try_from(spooled.len()).unwrap() >= books.accounts().spooled);
    }
}

/// A message that is found at a start is news of a run that missed it, and of no other.
#[test]
fn a_found_message_is_news_only_where_its_run_did_not_see_it() {
    let folder = tempfile::tempdir().unwrap();
    let missed = Verdict::Fail(Fault::new("arrival", FaultClass::Timeout, "it did not arrive"));
    let mut books = open(folder.path(), Limits::default());
    let [passed, failed, seen, told, cut] = [(); 5].map(|()| books.begin_one());
    books.finish_one(passed, Verdict::Pass);
    books.finish_one(failed, missed.clone());
    let mut junk = observation(seen, missed.clone());
    let phase = mailsonde_proto::Phase {
        name: "arrival".into(),
        start_us: 0,
        duration_us: 1,
        uncertainty_us: 0,
    };
    junk.phases.push(phase);
    books.spool(vec![Entry::new(&junk)]);
    books.finish_one(told, missed);
    let epoch = books.state.epoch();
    let run = |intent| RunId { epoch, intent };
    let amended = books.amendment(late(run(told))).unwrap();
    books.spool(vec![amended]);
    let found = |intent| Amendment { is_found: true, ..late(run(intent)) };
    for _ in 0..2 {
        for (intent, is_news) in [(passed, false), (failed, true), (seen, false), (told, false)] {
            assert_eq!(books.amendment(found(intent)).is_some(), is_news, "{intent}");
        }
        // What was closed is read back from the spool, then from the ledger.
        drop(books);
        books = open(folder.path(), Limits::default());
        assert!(books.amendment(found(cut)).is_some(), "the run was interrupted");
        books.begin_one();
    }
}
