//! Channels that answer as a script says; tokio's paused clock.

use std::collections::VecDeque;

use futures_util::future::BoxFuture;
use mailsonde_proto::WallTime;

use super::*;
use crate::control::{ControlNext, ControlRecord};
use crate::judge::draft::Audience;
use crate::judge::message::Occasion;
use crate::judge::telling::{Notice, canary};
use crate::notifier::{Channel, Named};

const NOW: WallTime = WallTime::from_s(1_796_000_000);

/// What it is asked, and what it answers.
#[derive(Debug, Default)]
struct Scripted {
    answers: Mutex<VecDeque<Outcome>>,
    got: Mutex<Vec<(String, Option<String>)>>,
    /// It never answers while there is no script.
    hangs: bool,
}

impl Channel for Scripted {
    fn send<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let earlier = post.earlier.map(|handle| handle.0.clone());
            self.got.lock().unwrap().push((post.message.id.clone(), earlier));
            let answer = self.answers.lock().unwrap().pop_front();
            match answer {
                Some(answer) => answer,
                None if self.hangs => std::future::pending().await,
                None => sent(None),
            }
        })
    }

    fn kind(&self) -> &'static str {
        "scripted"
    }

    fn destination(&self) -> String {
        "nowhere".into()
    }
}

fn sent(handle: Option<&str>) -> Outcome {
    let handle = handle.map(|it| Handle(it.to_owned()));
    Outcome::Sent { handle, confirmed: true, said: "ok".into() }
}

fn later(after_s: Option<u64>) -> Outcome {
    let after = after_s.map(Duration::from_secs);
    Outcome::Later { after, why: "500".into(), may_have_arrived: false }
}

struct Room {
    delivery: Delivery,
    channels: Vec<(&'static str, Arc<Scripted>)>,
    control: Arc<ControlJournal>,
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

impl Room {
    fn new(channels: Vec<(&'static str, Scripted)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let control = Arc::new(ControlJournal::open(folder.path()).unwrap().0);
        let channels: Vec<_> =
            channels.into_iter().map(|(name, it)| (name, Arc::new(it))).collect();
        let named = channels.iter().map(|(name, channel)| Named {
            name: (*name).to_owned(),
            channel: channel.clone(),
            instead: None,
            is_enabled: true,
        });
        let all = Channels::of(named);
        let clock = Clock::starting_at(NOW);
        let delivery =
            Delivery::new(control.clone(), all, Arc::new(|notice| notice.message.clone()), clock);
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(delivery.clone().run(shutdown.clone()));
        Self { delivery, channels, control, shutdown, tasks, _folder: folder }
    }

    fn got(&self, name: &str) -> Vec<(String, Option<String>)> {
        let channel = self.channels.iter().find(|(known, _)| *known == name).unwrap();
        channel.1.got.lock().unwrap().clone()
    }

    /// What stands in the journal of what became of messages.
    fn fates(&self) -> Vec<Notified> {
        let mut records = self.control.follow(1);
        let mut fates = Vec::new();
        loop {
            match records.read().unwrap() {
                ControlNext::Record { record, .. } => {
                    let ControlRecord { control, .. } = record;
                    fates.extend(match control {
                        Control::Notified(notified) => Some(notified),
                        _ => None,
                    });
                }
                ControlNext::Gap { .. } => {}
                ControlNext::CaughtUp => return fates,
            }
        }
    }

    /// Waits until so many fates are written.
    async fn fates_are(&self, count: usize) -> Vec<Notified> {
        for _ in 0..2_000 {
            let fates = self.fates();
            if fates.len() >= count {
                return fates;
            }
            // the journal is written by a thread of its own, of which the paused clock knows nothing
            tokio::time::sleep(Duration::from_millis(200)).await;
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("{:?}", self.fates());
    }

    async fn end(mut self) {
        self.shutdown.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

fn waiting(number: u64, channel: &str, conversation: &str) -> Waiting {
    let mut message = canary(channel, 1, NOW.timestamp());
    message.id = format!("{number}-{channel}");
    message.occasion = Occasion::Opened;
    message.conversation = conversation.into();
    let notice = Notice {
        number,
        channel: channel.into(),
        audience: Audience::Technical,
        not_before: NOW.timestamp(),
        message,
        fate: None,
        attempts: 0,
        settled_at: None,
    };
    Waiting { notice, handle: None }
}

fn ids(got: &[(String, Option<String>)]) -> Vec<&str> {
    got.iter().map(|(id, _)| id.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_conversation_comes_in_order_and_joined() {
    let script = [sent(Some("thread")), later(None), sent(Some("other"))].into();
    let room =
        Room::new(vec![("ops", Scripted { answers: Mutex::new(script), ..Scripted::default() })]);
    let all: Vec<Waiting> = (1..=3).map(|it| waiting(it, "ops", "incident-1")).collect();
    room.delivery.offer(all.clone());
    let fates = room.fates_are(3).await;
    assert_eq!(ids(&room.got("ops")), ["1-ops", "2-ops", "2-ops", "3-ops"]);
    assert!(room.got("ops")[1..].iter().all(|(_, earlier)| earlier.as_deref() == Some("thread")));
    assert_eq!(fates.iter().map(|it| it.attempts).collect::<Vec<_>>(), [1, 2, 1]);
    // the pipeline may not have read it yet, and offers the same
    room.delivery.offer(all);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(room.got("ops").len(), 4);
    assert_eq!(room.delivery.health(), Ok(()));
    room.end().await;
}

#[tokio::test(start_paused = true)]
async fn one_slow_channel_delays_no_other_and_one_message_no_other_conversation() {
    let slow = Scripted { hangs: true, ..Scripted::default() };
    let half = Scripted { answers: Mutex::new([later(None)].into()), ..Scripted::default() };
    let room = Room::new(vec![("slow", slow), ("half", half), ("fast", Scripted::default())]);
    room.delivery.offer(vec![
        waiting(1, "slow", "incident-1"),
        waiting(2, "half", "incident-1"),
        waiting(3, "half", "incident-1"),
        waiting(4, "half", "incident-2"),
        waiting(5, "fast", "incident-1"),
    ]);
    let fates = room.fates_are(4).await;
    let first: BTreeSet<&str> = fates[..2].iter().map(|it| it.id.as_str()).collect();
    assert_eq!(first, ["4-half", "5-fast"].into());
    assert_eq!((&*fates[2].id, &*fates[3].id), ("2-half", "3-half"));
    assert_eq!(ids(&room.got("half")), ["2-half", "4-half", "2-half", "3-half"]);
    // attempts that hang end and are made again
    tokio::time::sleep(Duration::from_secs(500)).await;
    assert!(room.got("slow").len() >= 3);
    tokio::time::sleep(UNWELL).await;
    let words = room.delivery.health().unwrap_err();
    assert!(words.contains("slow") && words.contains("not done within 150 s"), "{words}");
    room.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_wants_rest_has_it() {
    let ops = Scripted { answers: Mutex::new([later(Some(300))].into()), ..Scripted::default() };
    let room = Room::new(vec![("ops", ops)]);
    room.delivery.offer(vec![waiting(1, "ops", "incident-1"), waiting(2, "ops", "incident-2")]);
    tokio::time::sleep(Duration::from_secs(290)).await;
    assert_eq!(ids(&room.got("ops")), ["1-ops"]);
    room.fates_are(2).await;
    assert_eq!(ids(&room.got("ops")), ["1-ops", "1-ops", "2-ops"]);
    room.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_is_given_up_at_last_and_another_channel_tells() {
    let refused = Outcome::Refused { why: "404".into() };
    let bad = Scripted { answers: Mutex::new([refused].into()), ..Scripted::default() };
    let down = Scripted {
        answers: Mutex::new((0..2_000).map(|_| later(None)).collect()),
        ..Scripted::default()
    };
    let room = Room::new(vec![("bad", bad), ("down", down)]);
    room.delivery.offer(vec![waiting(1, "bad", "incident-1"), waiting(2, "down", "incident-1")]);
    let fates = room.fates_are(1).await;
    assert_eq!(fates[0].fate, Fate::Failed { why: "404".into() });
    assert_eq!(fates[0].instead.as_deref(), Some("down"));
    tokio::time::sleep(Duration::from_secs(23 * 3_600)).await;
    assert_eq!(room.fates().len(), 1, "it is tried for a day");
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let fates = room.fates_are(2).await;
    let Fate::Failed { why } = &fates[1].fate else { panic!("{fates:?}") };
    assert_eq!(why, "not within a day; at last: 500");
    // at first every second, at last every five minutes
    assert!((290..310).contains(&fates[1].attempts), "{}", fates[1].attempts);
    room.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_refuses_is_not_well_until_it_takes_something() {
    let refused = Outcome::Refused { why: "401: the token was revoked".into() };
    let ops = Scripted { answers: Mutex::new([refused].into()), ..Scripted::default() };
    let room = Room::new(vec![("ops", ops)]);
    room.delivery.offer(vec![waiting(1, "ops", "incident-1")]);
    room.fates_are(1).await;
    let words = room.delivery.health().unwrap_err();
    assert_eq!(words, "ops takes no messages: 401: the token was revoked");
    room.delivery.test("ops", "ann").await.unwrap();
    assert_eq!(room.delivery.health(), Ok(()));
    room.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_a_day_old_before_it_was_tried_is_not_sent() {
    let room = Room::new(vec![("ops", Scripted::default()), ("mail", Scripted::default())]);
    let mut old = waiting(1, "ops", "incident-1");
    let day = jiff::SignedDuration::from_hours(25);
    (old.notice.message.at, old.notice.not_before) = (NOW.timestamp() - day, NOW.timestamp() - day);
    room.delivery.offer(vec![old]);
    let fates = room.fates_are(1).await;
    assert!(matches!(&fates[0].fate, Fate::Failed { why } if why.contains("a day old")));
    assert!(room.got("ops").is_empty());
    room.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_not_there_is_waited_for() {
    let room = Room::new(vec![("ops", Scripted::default())]);
    room.delivery.offer(vec![waiting(1, "new", "incident-1")]);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(room.delivery.held()[0].why.contains("there is no channel new in channels.d"));
    assert!(room.delivery.test("new", "ann").await.unwrap_err().contains("channels.d has ops"));
    let new = Arc::new(Scripted::default());
    let named = Named { name: "new".into(), channel: new.clone(), instead: None, is_enabled: true };
    room.delivery.use_channels(Channels::of([named]));
    room.fates_are(1).await;
    assert_eq!(ids(&new.got.lock().unwrap()), ["1-new"]);
    assert!(matches!(room.delivery.test("new", "ann").await, Ok(Outcome::Sent { .. })));
    room.end().await;
}
