use std::collections::BTreeSet;

use super::{Batch, Change, Live, MOST_VIEWERS, Missed};

fn change(more: u64) -> Change {
    Change { more, ..Change::default() }
}

async fn numbers(subscription: &mut super::Subscription) -> Result<Vec<u64>, Missed> {
    let events = subscription.next().await?;
    Ok(events.iter().map(|event| event.number).collect())
}

#[tokio::test]
async fn whoever_looks_on_hears_everything_from_then_on_in_order() {
    let live = Live::default();
    live.push(change(1));
    let mut one = live.subscribe().unwrap();
    live.push(change(2));
    live.push(change(3));
    assert_eq!(numbers(&mut one).await, Ok(vec![2, 3]));
    let waiting = numbers(&mut one);
    live.push(change(4));
    assert_eq!(waiting.await, Ok(vec![4]));
}

#[tokio::test]
async fn who_was_away_resumes_as_far_as_it_is_kept() {
    let live = Live::default();
    for more in 0..2_100 {
        live.push(change(more));
    }
    let resumed = |id: String| live.subscribe().unwrap().resume(&id);
    for (number, expected) in
        [(2_100, Ok(())), (2_000, Ok(())), (100, Ok(())), (99, Err(Missed)), (2_101, Err(Missed))]
    {
        assert_eq!(resumed(live.id(number)), expected, "{number}");
    }
    for id in ["", "7", "-", "zz-1", &Live::default().id(2_000)] {
        assert_eq!(resumed(id.to_owned()), Err(Missed), "{id}");
    }
    let mut one = live.subscribe().unwrap();
    one.resume(&live.id(2_098)).unwrap();
    assert_eq!(numbers(&mut one).await, Ok(vec![2_099, 2_100]));
}

#[tokio::test]
async fn who_is_too_slow_is_told_so() {
    let live = Live::default();
    let mut slow = live.subscribe().unwrap();
    for more in 0..3_000 {
        live.push(change(more));
    }
    assert_eq!(numbers(&mut slow).await, Err(Missed));
}

#[tokio::test]
async fn viewers_have_a_bound_and_make_room_when_they_go() {
    let live = Live::default();
    let mut held: Vec<_> = (0..MOST_VIEWERS).map(|_| live.subscribe().unwrap()).collect();
    assert!(live.subscribe().is_none());
    held.pop();
    assert!(live.subscribe().is_some());
}

#[tokio::test]
async fn what_nobody_looked_at_is_missed_and_not_kept() {
    let live = Live::default();
    assert!(!live.is_watched());
    let id = {
        let _viewer = live.subscribe().unwrap();
        live.push(change(1));
        live.id(1)
    };
    assert!(live.is_watched());
    assert_eq!(live.subscribe().unwrap().resume(&id), Ok(()));
    for _ in 0..super::FORGET {
        live.committed(Batch::default(), BTreeSet::new());
    }
    assert!(!live.is_watched());
    assert_eq!(live.subscribe().unwrap().resume(&id), Err(Missed));
}

#[test]
fn a_flood_is_counted_and_not_kept() {
    let folded = || super::Folded {
        agent: mailsonde_proto::AgentId([0; 16]),
        epoch: mailsonde_proto::Epoch(1),
        sequence: 1,
        check: String::new(),
        scheduled_for: mailsonde_proto::WallTime::from_ns(0),
        verdict: "pass",
    };
    let mut batch = Batch::default();
    (0..5_000).for_each(|_| batch.push(folded));
    let mut later = Batch::default();
    later.push(folded);
    batch.extend(later);
    assert_eq!((batch.observations.len(), batch.more), (super::MOST_NAMED, 4_001));
}
