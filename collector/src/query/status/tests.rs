//! States by what was judged and how long ago.

use mailsonde_proto::{Verdict, WallTime};

use super::samples::{
    NOW, check, failing, refused, run, series, silent, status, up, vantage, void,
};
use super::{State, state_of};

/// The state of a check after these runs, given in minutes ago, and since how many minutes.
fn state(runs: &[(u64, Verdict)]) -> (State, Option<u64>) {
    let reading = series(runs.iter().cloned());
    let (state, since) = state_of(&check(), &reading.state, NOW);
    (state, since.map(|since: WallTime| NOW.since(since).as_secs() / 60))
}

#[test]
fn unknown_is_never_up() {
    let pass = Verdict::Pass;
    for (runs, expected) in [
        (vec![], (State::Unknown, None)),
        (vec![(0, void())], (State::Unknown, None)),
        (vec![(1, pass.clone())], (State::Up, None)),
        (vec![(2, pass.clone())], (State::Up, None)),
        (vec![(3, pass.clone())], (State::Late, Some(3))),
        (vec![(4, pass.clone())], (State::Late, Some(4))),
        (vec![(5, pass.clone())], (State::Unknown, Some(5))),
        (vec![(5, pass.clone()), (1, void()), (0, void())], (State::Unknown, Some(5))),
        (vec![(2, pass.clone()), (1, void()), (0, void())], (State::Up, None)),
        (vec![(3, refused()), (1, refused())], (State::Failing, Some(3))),
        (vec![(3, refused()), (1, void())], (State::Late, Some(3))),
        (vec![(9, refused())], (State::Unknown, Some(9))),
        (vec![(3, refused()), (2, pass.clone()), (1, pass.clone())], (State::Up, Some(2))),
    ] {
        assert_eq!(state(&runs), expected, "{runs:?}");
    }
}

#[test]
fn a_lost_agent_makes_its_vantage_point_unknown_and_never_down() {
    let s = |s| NOW.minus(std::time::Duration::from_secs(s));
    for (reading, connected, heard, expected) in [
        (up(), true, Some(s(100)), State::Up),
        (up(), false, Some(s(29)), State::Up),
        (up(), false, Some(s(30)), State::Unknown),
        (up(), false, None, State::Unknown),
        (failing(), false, Some(s(29)), State::Failing),
        (failing(), false, Some(s(30)), State::Unknown),
    ] {
        let mut hq = vantage("hq", Some(reading));
        hq.presence.last_heard = heard;
        hq.presence.connected_since = connected.then(|| s(9_000));
        let told = status(vec![hq]).vantage_points.remove(0);
        assert_eq!(told.state, expected, "{connected} {heard:?}");
        let is_lost = !connected && heard.is_none_or(|heard| NOW.since(heard).as_secs() >= 30);
        assert_eq!(told.lost_since.is_some(), is_lost, "{connected} {heard:?}");
    }
    // one without a check has nothing to lose
    assert_eq!(status(vec![vantage("new", None)]).vantage_points[0].lost_since, None);
}

#[test]
fn up_since_is_known_only_as_far_as_runs_are_kept() {
    let mut runs: Vec<_> = (0..90).map(|ago| (ago, Verdict::Pass)).collect();
    runs.push((100, refused()));
    runs.reverse();
    // The pass at 89 minutes is no longer kept: not before the failure, at least.
    assert_eq!(state(&runs), (State::Up, Some(100)));
}

#[test]
fn a_vantage_point_is_as_bad_as_its_worst_check() {
    let mut both = vantage("hq", Some(up()));
    both.checks.push((check(), silent()));
    for (vantage_point, expected) in [
        (vantage("hq", None), State::Unknown),
        (vantage("hq", Some(up())), State::Up),
        (both, State::Unknown),
    ] {
        let answer = status(vec![vantage_point]);
        assert_eq!((answer.state, answer.vantage_points[0].state), (expected, expected));
        assert_eq!(answer.working, usize::from(expected == State::Up));
    }
    assert_eq!(status(vec![]).state, State::Unknown);
}

#[test]
fn what_was_heard_last_counts_runs_too() {
    let answer = status(vec![vantage("hq", Some(up()))]);
    let last_run = run(0, Verdict::Pass).scheduled_for.timestamp();
    assert_eq!(answer.vantage_points[0].last_heard_at, Some(last_run));
}
