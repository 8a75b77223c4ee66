//! Questions to the resolvers, one after another until one answers, each question once in a run.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use mailsonde_proto::Clock;
use mailsonde_proto::time::Instant;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;

use super::super::silence::Silence;
use super::super::{Net, no_route};
use super::DnsSettings;
use super::exchange::{self, Server, Trouble};
use crate::dns::{AskError, Question};

/// The most different questions of one run.
const MOST_QUESTIONS: usize = 2048;
/// A resolver gets at least so long before the next is asked, time permitting.
const LEAST_TRY: Duration = Duration::from_millis(1_000);
/// Each resolver is asked so often: a datagram may be lost.
const ROUNDS: u32 = 2;
/// Bytes of a transcript.
const LONGEST_TRANSCRIPT: usize = 16 * 1024;

/// What was heard, and how long it took.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) message: Message,
    pub(super) took: Duration,
}

type Place = Arc<OnceCell<Result<Arc<Heard>, AskError>>>;
/// Name, type, and whether the resolver was asked not to check.
type Key = (Name, RecordType, bool);

/// The sockets' side of a client.
pub(super) struct Wire {
    net: Net,
    clock: Clock,
    deadline: Instant,
    /// Of the resolvers.
    silence: Silence,
    /// The host's own configuration names them, not the check.
    are_ours: bool,
    patience: Duration,
    at_once: Semaphore,
    asked: Mutex<HashMap<Key, Place>>,
}

/// A question as it is shown: `good.test. MX`.
pub(super) fn shown(name: &Name, kind: RecordType) -> String {
    format!("{name} {kind}")
}

impl Wire {
    pub(super) fn new(
        net: Net,
        (clock, deadline): (Clock, Instant),
        resolvers: Vec<SocketAddr>,
        settings: &DnsSettings,
    ) -> Self {
        let are_ours = settings.resolvers.is_empty();
        Self {
            clock,
            deadline,
            silence: Silence::of(net.clone(), resolvers, are_ours),
            net,
            are_ours,
            patience: settings.patience,
            at_once: Semaphore::new(settings.most_at_once.max(1)),
            asked: Mutex::default(),
        }
    }

    pub(super) fn resolvers(&self) -> &[SocketAddr] {
        self.silence.servers()
    }

    /// That no resolver answers anything (any more), where that is certain.
    pub(super) fn silence(&self) -> Option<AskError> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        // One that people know by name.
        let is_named = |kind: &RecordType| !matches!(kind, RecordType::Unknown(_));
        let (name, kind, _) = asked.keys().find(|(_, kind, _)| is_named(kind))?;
        let is_certain = self.silence.is_certain();
        is_certain.then(|| self.silent(&shown(name, *kind), &Trouble::Timeout))
    }

    /// The wall time in seconds, as signatures count them (RFC 4034 section 3.1.5).
    pub(super) fn now_s(&self) -> u32 {
        let s = self.clock.wall().as_ns().div_euclid(1_000_000_000).rem_euclid(1 << 32);
        u32::try_from(s).unwrap_or_default()
    }

    /// Asks the resolvers, or says again what they said before. A response code that says "I could not"
    /// is what was heard when no resolver says better.
    pub(super) async fn resolve(
        &self,
        name: &Name,
        kind: RecordType,
        is_unchecked: bool,
    ) -> Result<Arc<Heard>, AskError> {
        let place = self.place(name, kind, is_unchecked)?;
        let asked = place.get_or_init(async || {
            let left = self.deadline.saturating_duration_since(self.clock.monotonic());
            let (within, before) = (self.patience.min(left), self.silence.heard());
            let heard = tokio::select! {
                heard = self.resolve_now(name, kind, is_unchecked) => heard,
                never = self.silence.watch(within, before) => match never {},
            };
            match heard {
                Ok(heard) => Ok(heard),
                Err(trouble) => {
                    Err(self.told(&shown(name, kind), &trouble, (within, before)).await)
                }
            }
        });
        asked.await.clone()
    }

    /// What was heard of a question that was put with checking, for the same question without.
    pub(super) fn remember(&self, name: &Name, kind: RecordType, heard: &Arc<Heard>) {
        if let Ok(place) = self.place(name, kind, true) {
            // Somebody may have been quicker; both heard the same servers.
            place.set(Ok(Arc::clone(heard))).ok();
        }
    }

    /// One line a question, in the order of the names; bounded.
    pub(super) fn transcript(&self) -> String {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines: Vec<String> = asked
            .iter()
            .filter_map(|((name, kind, is_unchecked), place)| {
                let said = match place.get()? {
                    Ok(heard) => format!(
                        "{}, {} answers, {:.1?}",
                        super::code_word(heard.message.metadata.response_code),
                        heard.message.answers.len(),
                        heard.took
                    ),
                    Err(error) => error.to_string(),
                };
                let how = if *is_unchecked { " unchecked" } else { "" };
                Some(format!("{}{how}: {said}\n", shown(name, *kind)))
            })
            .collect();
        lines.sort_unstable();
        let mut text = String::new();
        for line in lines {
            if text.len() + line.len() > LONGEST_TRANSCRIPT {
                text.push_str("… and more\n");
                break;
            }
            text.push_str(&line);
        }
        text
    }

    /// Asks one server once.
    pub(super) async fn ask_one(
        &self,
        server: SocketAddr,
        question: &Question,
    ) -> Result<Heard, AskError> {
        let permit = self.at_once.acquire().await;
        let began = self.clock.monotonic();
        let address = server;
        let server = Server { address, is_ours: false };
        let asking = exchange::ask(&self.net, server, question, false, false);
        let said = match timeout(self.patience, asking).await {
            Ok(said) => said,
            Err(_) => Err(Trouble::Timeout),
        };
        let took = self.clock.monotonic().duration_since(began);
        drop(permit);
        match said {
            Ok(message) => Ok(Heard { message, took }),
            Err(trouble) => {
                Err(told(&shown(&question.name, question.kind), &trouble, &[address]).await)
            }
        }
    }

    fn place(&self, name: &Name, kind: RecordType, is_unchecked: bool) -> Result<Place, AskError> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name.to_lowercase(), kind, is_unchecked);
        if asked.len() >= MOST_QUESTIONS && !asked.contains_key(&key) {
            return Err(AskError::NotAsked {
                detail: format!("one run asks DNS {MOST_QUESTIONS} different questions at most"),
                is_local: false,
            });
        }
        Ok(Arc::clone(asked.entry(key).or_default()))
    }

    async fn resolve_now(
        &self,
        name: &Name,
        kind: RecordType,
        is_unchecked: bool,
    ) -> Result<Arc<Heard>, Trouble> {
        let permit = self.at_once.acquire().await;
        let began = self.clock.monotonic();
        let question = Question {
            name: name.clone(),
            kind,
            is_recursive: true,
            has_edns: true,
            over_tcp: false,
        };
        let mut refusal = None;
        let mut trouble = Trouble::Timeout;
        let tries = u32::try_from(self.resolvers().len()).unwrap_or(u32::MAX).max(1) * ROUNDS;
        let share = (self.patience / tries).max(LEAST_TRY);
        'rounds: for _ in 0..ROUNDS {
            for server in self.resolvers() {
                let tried_at = self.clock.monotonic();
                let left = self.patience.saturating_sub(tried_at.duration_since(began));
                if left.is_zero() {
                    break 'rounds;
                }
                let asking = self.ask_resolver(*server, &question, is_unchecked);
                let took = || self.clock.monotonic().duration_since(tried_at);
                match timeout(share.min(left), asking).await {
                    Ok(Ok(message)) => {
                        self.silence.broken();
                        let code = message.metadata.response_code;
                        let heard = Arc::new(Heard { message, took: took() });
                        if matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
                            return Ok(heard);
                        }
                        refusal.get_or_insert(heard);
                    }
                    Ok(Err(error @ Trouble::Forbidden(_))) => {
                        trouble = error;
                        break 'rounds;
                    }
                    Ok(Err(error)) => {
                        if matches!(error, Trouble::Malformed(_)) {
                            self.silence.broken();
                        }
                        trouble = error;
                    }
                    Err(_) => trouble = Trouble::Timeout,
                }
            }
            if refusal.is_some() {
                break;
            }
        }
        drop(permit);
        refusal.ok_or(trouble)
    }

    /// Why the resolvers gave no answer.
    async fn told(
        &self,
        name: &str,
        trouble: &Trouble,
        (within, before): (Duration, u64),
    ) -> AskError {
        let is_of_name = matches!(trouble, Trouble::Forbidden(_) | Trouble::Malformed(_));
        let error = told(name, trouble, self.resolvers()).await;
        let is_local = matches!(error, AskError::NotAsked { is_local: true, .. });
        if is_of_name || is_local || !self.silence.holds(within, before).await {
            return error;
        }
        self.silent(name, trouble)
    }

    fn silent(&self, name: &str, trouble: &Trouble) -> AskError {
        let servers: Vec<String> = self.resolvers().iter().map(ToString::to_string).collect();
        let (why, is_refused) = match trouble {
            Trouble::Io(words) => (words.clone(), true),
            _ => ("nothing came in time".to_owned(), false),
        };
        let (name, servers) = (name.to_owned(), servers.join(", "));
        AskError::Silent { name, servers, why, is_refused, are_ours: self.are_ours }
    }

    /// A resolver that does not know EDNS(0) says FORMERR or NOTIMP to it (RFC 6891 section 7), and
    /// is asked again without.
    async fn ask_resolver(
        &self,
        address: SocketAddr,
        question: &Question,
        is_unchecked: bool,
    ) -> Result<Message, Trouble> {
        let server = Server { address, is_ours: self.are_ours };
        let message = exchange::ask(&self.net, server, question, is_unchecked, true).await?;
        let code = message.metadata.response_code;
        let is_plain = message.edns.is_none();
        if is_plain && matches!(code, ResponseCode::FormErr | ResponseCode::NotImp) {
            let plain = Question { has_edns: false, ..question.clone() };
            return exchange::ask(&self.net, server, &plain, is_unchecked, true).await;
        }
        Ok(message)
    }
}

/// A trouble in words; that this machine has no way to any of the servers is certain only by its own
/// routing table.
async fn told(name: &str, trouble: &Trouble, servers: &[SocketAddr]) -> AskError {
    let addresses: Vec<IpAddr> = servers.iter().map(SocketAddr::ip).collect();
    let name = name.to_owned();
    match trouble {
        Trouble::Timeout => AskError::Timeout { name },
        Trouble::Malformed(detail) => AskError::Malformed { name, detail: detail.clone() },
        Trouble::Forbidden(refusal) => AskError::Forbidden(refusal.clone()),
        Trouble::Io(..) if no_route(&addresses, exchange::PORT).await => AskError::NotAsked {
            detail: "this machine cannot reach any DNS server: there is no route to any of them"
                .to_owned(),
            is_local: true,
        },
        Trouble::Io(words) => {
            let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
            AskError::NotAsked {
                detail: format!(
                    "the DNS server {} cannot be asked for {name}: {words}",
                    servers.join(", ")
                ),
                is_local: false,
            }
        }
    }
}
