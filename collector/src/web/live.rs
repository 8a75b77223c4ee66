//! Pages that follow what happens: whoever looks at a page is sent the parts of it that changed.
//!
//! All who look at the same address, with the same role and zone, are one audience: its page is made once for all of them,
//! when the views have changed, and only the parts that are other than before are sent. Invariants: what making pages
//! costs is bounded, however many look at whatever ([`pause`]); an audience ends with its last viewer; a viewer who reads
//! too slowly is cut off, and comes back with what they have. Absent on purpose: HTTP.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Address, Page, Viewer};

/// Viewers at once.
const MOST_VIEWERS: usize = 600;
/// Audiences at once.
const MOST_AUDIENCES: usize = 150;
/// Parts that a viewer may be behind.
const BEHIND: usize = 64;
/// A page is looked at anew this often although nothing changed: time alone makes things late.
const AT_LEAST: Duration = Duration::from_secs(5);
/// And at most so often.
const AT_MOST: Duration = Duration::from_millis(300);
/// Whether the views changed is asked this often.
const GLANCE: Duration = Duration::from_millis(100);
/// Making pages takes at most one part in so many of one core.
const SHARE: u32 = 4;

/// Who sees the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Audience {
    /// What they look at.
    pub address: Address,
    /// Their role's word.
    pub role: &'static str,
    /// Their zone's name; empty: the organisation's.
    pub zone: String,
}

impl Audience {
    /// Of a viewer of an address.
    pub fn of(address: Address, viewer: &Viewer) -> Self {
        let zone = viewer.zone.as_ref().and_then(|zone| zone.iana_name()).unwrap_or_default();
        Self { address, role: viewer.role.as_str(), zone: zone.to_owned() }
    }
}

/// A part as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// Of which part.
    pub id: &'static str,
    /// Of what is in it.
    pub hash: String,
    /// What is in it.
    pub html: String,
}

/// What viewers are sent.
#[derive(Clone, Debug)]
pub enum News {
    /// A part changed.
    Part(Arc<Sent>),
    /// The page is there, and stands as it was.
    Fine,
    /// There is no such page any more.
    Gone,
}

/// Makes the page of an audience; `None` when there is none.
pub trait Maker: Send + Sync + 'static {
    /// It waits for the disk: not for a runtime's thread.
    fn make(&self, audience: &Audience) -> Option<Page>;
    /// The number of the last commit of the views.
    fn commit(&self) -> u64;
    /// A clock that only rises.
    fn now(&self) -> mailsonde_proto::time::Instant;
}

/// All who look.
#[derive(Clone)]
pub struct Viewers(Arc<Mutex<Audiences>>);

struct Audiences {
    of: HashMap<Audience, Kept>,
    viewers: usize,
    tasks: JoinSet<()>,
    shutdown: CancellationToken,
}

#[derive(Clone)]
struct Kept {
    news: Sender<News>,
    parts: Arc<Mutex<Vec<Arc<Sent>>>>,
}

/// One viewer; they leave when it is dropped.
pub struct Seat {
    viewers: Viewers,
    /// What changed of their page since.
    pub news: Receiver<News>,
    /// What it is now, as far as it was made.
    pub parts: Vec<Arc<Sent>>,
}

impl Viewers {
    /// Nobody looks yet.
    pub fn new(shutdown: CancellationToken) -> Self {
        Self(Arc::new(Mutex::new(Audiences {
            of: HashMap::new(),
            viewers: 0,
            tasks: JoinSet::new(),
            shutdown,
        })))
    }

    /// One more viewer; `None` when there are too many.
    pub fn join(&self, audience: Audience, maker: &Arc<impl Maker>) -> Option<Seat> {
        let mut all = self.lock();
        while all.tasks.try_join_next().is_some() {}
        if all.viewers >= MOST_VIEWERS {
            return None;
        }
        if !all.of.contains_key(&audience) {
            if all.of.len() >= MOST_AUDIENCES || all.shutdown.is_cancelled() {
                return None;
            }
            let (news, _) = broadcast::channel(BEHIND);
            let kept = Kept { news, parts: Arc::default() };
            let following = follow(self.clone(), audience.clone(), kept.clone(), maker.clone());
            let shutdown = all.shutdown.clone();
            all.tasks.spawn(async move {
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = following => {}
                }
            });
            all.of.insert(audience.clone(), kept);
        }
        all.viewers += 1;
        let kept = all.of.get(&audience)?;
        let news = kept.news.subscribe();
        let parts = kept.parts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        drop(all);
        Some(Seat { viewers: self.clone(), news, parts })
    }

    /// How many look, and at how many pages.
    pub fn count(&self) -> (usize, usize) {
        let all = self.lock();
        (all.viewers, all.of.len())
    }

    /// Each change is one step: a panic leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, Audiences> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets an audience without viewers; says whether it did.
    fn forget(&self, audience: &Audience) -> bool {
        let mut all = self.lock();
        let is_empty = all.of.get(audience).is_none_or(|kept| kept.news.receiver_count() == 0);
        if is_empty {
            all.of.remove(audience);
        }
        is_empty
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut all = self.viewers.lock();
        all.viewers = all.viewers.saturating_sub(1);
    }
}

/// Makes the page of one audience whenever the views have changed, until nobody looks.
async fn follow<M: Maker>(
    all: Viewers,
    audience: Audience,
    Kept { news, parts }: Kept,
    maker: Arc<M>,
) {
    let mut seen = None;
    let mut made_at = maker.now();
    let mut wait = Duration::ZERO;
    loop {
        tokio::time::sleep(wait.max(GLANCE)).await;
        if news.receiver_count() == 0 && all.forget(&audience) {
            return;
        }
        let commit = maker.commit();
        let is_old = maker.now().duration_since(made_at) >= AT_LEAST;
        if seen == Some(commit) && !is_old {
            wait = GLANCE;
            continue;
        }
        let begun = maker.now();
        let (maker_of, of) = (maker.clone(), audience.clone());
        let made = tokio::task::spawn_blocking(move || maker_of.make(&of)).await;
        made_at = maker.now();
        seen = Some(commit);
        wait = pause(made_at.duration_since(begun), all.count().1);
        match made {
            Ok(Some(page)) => tell(&page, &news, &parts),
            // nobody hears it where nobody listens
            Ok(None) => drop(news.send(News::Gone)),
            Err(error) => tracing::error!(%error, "a page ended by a panic"),
        }
    }
}

/// How long an audience waits after its page was made: all together take one part in [`SHARE`] of a core at most.
fn pause(took: Duration, audiences: usize) -> Duration {
    let audiences = u32::try_from(audiences).unwrap_or(u32::MAX).max(1);
    took.saturating_mul(SHARE).saturating_mul(audiences).max(AT_MOST)
}

/// Sends the parts that are other than before.
fn tell(page: &Page, news: &Sender<News>, parts: &Mutex<Vec<Arc<Sent>>>) {
    let mut known = parts.lock().unwrap_or_else(PoisonError::into_inner);
    let mut now = Vec::new();
    for part in page.parts.iter().filter(|part| part.is_live) {
        let hash = part.hash();
        let before = known.iter().find(|sent| sent.id == part.id && sent.hash == hash);
        match before {
            Some(same) => now.push(same.clone()),
            None => {
                let sent = Arc::new(Sent { id: part.id, hash, html: part.html.clone() });
                // nobody hears it where nobody listens
                news.send(News::Part(sent.clone())).ok();
                now.push(sent);
            }
        }
    }
    *known = now;
    drop(known);
    news.send(News::Fine).ok();
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use mailsonde_proto::Clock;
    use mailsonde_proto::time::Instant;

    use super::*;
    use crate::control::Role;
    use crate::web::Part;
    use crate::web::address::What;

    struct Counter {
        clock: Clock,
        commit: AtomicU64,
        made: AtomicU64,
    }

    impl Maker for Counter {
        fn make(&self, _: &Audience) -> Option<Page> {
            self.made.fetch_add(1, Ordering::Relaxed);
            let commit = self.commit();
            let part = |id, html: String| Part { id, html, is_live: true };
            Some(Page {
                title: String::new(),
                under: "",
                crumbs: Vec::new(),
                parts: vec![part("same", "as ever".into()), part("commit", commit.to_string())],
            })
        }

        fn commit(&self) -> u64 {
            self.commit.load(Ordering::Relaxed)
        }

        fn now(&self) -> Instant {
            self.clock.monotonic()
        }
    }

    fn audience() -> Audience {
        let viewer =
            Viewer { name: String::new(), role: Role::Viewer, zone: None, csrf: String::new() };
        Audience::of(Address::of(What::Overview), &viewer)
    }

    async fn part(seat: &mut Seat) -> Arc<Sent> {
        loop {
            if let News::Part(sent) = seat.news.recv().await.unwrap() {
                return sent;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_look_at_one_page_are_sent_what_changed_and_it_is_made_once() {
        let counter = Arc::new(Counter {
            clock: Clock::system(),
            commit: AtomicU64::new(1),
            made: AtomicU64::new(0),
        });
        let live = Viewers::new(CancellationToken::new());
        let mut seats: Vec<Seat> =
            (0..50).map(|_| live.join(audience(), &counter).unwrap()).collect();
        assert_eq!(live.count(), (50, 1));
        for seat in &mut seats {
            assert_eq!(part(seat).await.id, "same");
            assert_eq!(part(seat).await.html, "1");
        }
        counter.commit.store(2, Ordering::Relaxed);
        for seat in &mut seats {
            let sent = part(seat).await;
            assert_eq!((sent.id, sent.html.as_str()), ("commit", "2"));
        }
        assert_eq!(counter.made.load(Ordering::Relaxed), 2);
        // who comes later finds it made
        assert_eq!(live.join(audience(), &counter).unwrap().parts.len(), 2);
        drop(seats);
        tokio::time::sleep(AT_LEAST * 2).await;
        assert_eq!(live.count(), (0, 0));
        let made = counter.made.load(Ordering::Relaxed);
        tokio::time::sleep(AT_LEAST * 4).await;
        assert_eq!(counter.made.load(Ordering::Relaxed), made);
    }

    #[test]
    fn what_pages_cost_is_bounded() {
        let ms = Duration::from_millis;
        for (took, audiences, expected) in
            [(ms(1), 1, AT_MOST), (ms(100), 1, ms(400)), (ms(100), 100, ms(40_000))]
        {
            assert_eq!(pause(took, audiences), expected);
        }
    }
}
