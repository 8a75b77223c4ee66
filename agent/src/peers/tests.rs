//! What each word of the other end makes of a run.

use mailsonde_proto::convert::{Seen, SeenAt};
use mailsonde_proto::{Clock, Epoch, Verdict, VoidReason, WallTime};

use super::*;
use crate::offset::{Exchange, Offsets};

const THERE: AgentId = AgentId([2; 16]);

fn peer() -> Peer {
    let (name, us) = ("cape".to_owned(), "durban".to_owned());
    Peer { name, agent: THERE, mailbox: "main".into(), us }
}

struct Stage {
    peers: Peers,
    said: mpsc::Receiver<FromAgent>,
    amendments: mpsc::Sender<Amendment>,
    now: Instant,
}

impl Stage {
    fn new() -> Self {
        let (stream, said) = mpsc::channel(64);
        let peers = Peers::default();
        peers.speak_through(stream, watch::channel(None).1);
        Self { peers, said, amendments: mpsc::channel(4).0, now: Clock::system().monotonic() }
    }

    fn leave(&self, intent: u64) -> Option<Hold> {
        let run = RunId { epoch: Epoch(7), intent };
        let leaving = Leaving {
            token: Token::new(AgentId([1; 16]), run, "b@b.test", [0; 16]),
            key: SenderKey([7; 32]),
            bytes: 900,
            within: Duration::from_secs(5),
            amendments: self.amendments.clone(),
        };
        self.peers.expect(leaving, &peer())
    }

    fn hear(&self, from: AgentId, hold: &Hold, word: CrossingWord) -> Option<Amendment> {
        self.hear_of(from, hold.run, word, &Offsets::default())
    }

    fn hear_of(
        &self,
        peer: AgentId,
        run: RunId,
        word: CrossingWord,
        offsets: &Offsets,
    ) -> Option<Amendment> {
        let heard = self.peers.heard(Crossing { peer, run, word }, offsets, self.now);
        heard.map(|(_, amendment)| amendment)
    }

    fn words(&mut self) -> Vec<CrossingWord> {
        let mut words = Vec::new();
        while let Ok(FromAgent::Crossing(said)) = self.said.try_recv() {
            words.push(said.word);
        }
        words
    }
}

fn unready(reason: UnreadyReason) -> CrossingWord {
    CrossingWord::Unready(Unready { reason, detail: "login refused".into() })
}

fn seen(at: Option<SeenAt>) -> CrossingWord {
    CrossingWord::Seen(Box::new(Seen {
        at,
        place: "inbox".into(),
        folder: "INBOX".into(),
        bytes: 900,
        body: "same".into(),
        headers: Vec::new(),
    }))
}

fn words(failure: Failure) -> String {
    match failure.into_verdict() {
        Verdict::Void { reason: VoidReason::Peer, detail } => detail,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_watch_makes_a_run_void_and_says_why() {
    let mut stage = Stage::new();
    for (word, expected) in [
        (unready(UnreadyReason::Absent), "cape is not connected to the collector"),
        (unready(UnreadyReason::NoCheck), "no check in force sends from here to cape"),
        (unready(UnreadyReason::Mailbox), "cape does not watch its mailbox main: login refused"),
        (unready(UnreadyReason::Busy), "cape does not watch for it: login refused"),
        (
            unready(UnreadyReason::UnknownKey),
            "add to policy.toml at cape [[sender]] with the lines name = \"durban\" and key = \
             \"ed25519:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\"",
        ),
        (CrossingWord::Unknown, "cape did not say within 2 s that it watches"),
    ] {
        let hold = stage.leave(1).unwrap();
        // nobody else's word counts
        stage.hear(AgentId([3; 16]), &hold, CrossingWord::Ready);
        stage.hear(THERE, &hold, word);
        let told = words(hold.ready(Duration::from_secs(2)).await.unwrap_err());
        assert!(told.contains(expected), "{told}");
    }
    // what the other end ended itself it is not told to end
    let said = stage.words();
    let ends = said.iter().filter(|word| **word == CrossingWord::Over).count();
    assert_eq!((said.len(), ends), (7, 1), "but for the one that was silent: {said:?}");
    assert!(stage.leave(9).is_some());
    assert_eq!(stage.words().last(), Some(&CrossingWord::Over));
    stage.peers = Peers::default();
    assert!(stage.leave(1).is_none(), "there is no stream");
}

#[tokio::test(start_paused = true)]
async fn only_the_other_ends_word_makes_a_lost_mail_lost() {
    let stage = Stage::new();
    let hold = stage.leave(1).unwrap();
    stage.hear(THERE, &hold, CrossingWord::Ready);
    hold.ready(Duration::from_secs(2)).await.unwrap();
    assert!(words(hold.trouble().unwrap()).contains("has not been heard of since"));
    stage.hear(AgentId([3; 16]), &hold, CrossingWord::Unseen);
    assert!(hold.trouble().is_some(), "somebody else's word");
    stage.hear(THERE, &hold, CrossingWord::Unseen);
    assert_eq!(hold.trouble(), None);
}

#[tokio::test(start_paused = true)]
async fn a_mail_arrives_once_and_late_ones_amend_once() {
    let stage = Stage::new();
    let (hold, late) = (stage.leave(1).unwrap(), stage.leave(2).unwrap());
    let (run, late_run) = (hold.run, late.run);
    assert!(stage.hear(THERE, &hold, seen(None)).is_none());
    let arrival = hold.next().await;
    assert_eq!((arrival.folder.as_str(), arrival.told.unwrap().uncertainty), ("INBOX", None));
    stage.hear(THERE, &hold, seen(None));
    let again = timeout(Duration::from_secs(1), hold.next()).await;
    assert!(again.is_err(), "a replay is no arrival");
    late.accepted(stage.now);
    drop((hold, late));
    let none = Offsets::default();
    assert!(stage.hear_of(THERE, run, seen(None), &none).is_none(), "it was seen in its run");
    let amendment = stage.hear_of(THERE, late_run, seen(None), &none).unwrap();
    assert_eq!(amendment.run, late_run);
    assert!(amendment.fault.explanation.contains("arrived late"), "{amendment:?}");
    assert!(stage.hear_of(THERE, late_run, seen(None), &none).is_none(), "once");
}

#[tokio::test(start_paused = true)]
async fn when_it_was_seen_carries_the_error_of_both_clocks() {
    let stage = Stage::new();
    let mut offsets = Offsets::default();
    // the collector's clock stands at 5,000 s now, known to within 100 us
    let us = Duration::from_micros;
    let exchange = Exchange {
        sent: WallTime::from_s(1_000),
        received: WallTime::from_s(5_000).minus(us(100)),
        answered: WallTime::from_s(5_000).minus(us(100)),
        round_trip: us(200),
    };
    offsets.add(exchange, stage.now);
    let at = SeenAt {
        first_seen: WallTime::from_s(5_000).minus(us(3_000)),
        clock_error_us: 250,
        interval: us(4_000),
    };
    let hold = stage.leave(1).unwrap();
    stage.hear_of(THERE, hold.run, seen(Some(at)), &offsets);
    let arrival = hold.next().await;
    assert_eq!(stage.now - arrival.first_seen, us(3_000));
    assert_eq!(arrival.told.unwrap().uncertainty, Some(us(4_000 + 250 + 100)));
}
