//! A POP3 server: sign-in, how many messages wait there, and how old they are.
//!
//! Nothing is removed, and no message is read but for its header; no flag of theirs changes, but some
//! servers forget at a sign-in which ones are recent. While it looks, nobody else can: a POP3 mailbox is
//! open to one session at a time (RFC 1939 section 4).

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mail_parser::MessageParser;
use mailsonde_proto::{Clock, Fact, WallTime};

use super::page::{self, Page, Part};
use super::stock::{self, Bounds, LIST, Stock};
use super::{Kind, Outcome, Probe, Run, Section, Setting, Surroundings};
use crate::config::server::{self, Protocol, settings};
use crate::mail::dial::{Dial, Patience, PhaseNames};
use crate::mail::endpoint::Endpoint;
use crate::mail::failure::Failure;
use crate::mail::mailbox::{Mailbox, STEP};
use crate::mail::pop3::{Capabilities, Session};
use crate::net::Net;
use crate::stopwatch::Stopwatch;

/// Of a mailbox with more messages, the headers of so many first and as many last ones are read.
const MOST_HEADERS: u32 = 10;

/// For the book.
const ABOUT: &str = "Signs in and looks how many messages wait there, and how old they are. Nothing is removed, \
    and of messages only headers are read; but some servers forget at a sign-in which ones are \
    recent, and a POP3 mailbox is open to one session at a time (RFC 1939 section 4): while this \
    looks, nobody else can.";
/// A check, for the book.
const EXAMPLE: &str = r#"[[check]]
name = "waiting"
kind = "pop3"
host = "pop.example.org"
login = "queue@example.org"
password = { file = "queue.password" }
max_age = "10m"                         # an older message means that nobody fetches them
every = "5m"
"#;

const PHASES: &[Part] = &[
    page::TOKEN,
    page::RESOLVE,
    page::CONNECT,
    page::TLS,
    page::GREETING,
    page::AUTH,
    Part::new(LIST, "messages are counted and dated"),
];

/// The kind `pop3`.
pub(super) struct Pop3Kind;

impl Kind for Pop3Kind {
    fn name(&self) -> &'static str {
        "pop3"
    }

    fn summary(&self) -> &'static str {
        "signs in to a POP3 server and looks how many messages wait there, and how old they are"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn page(&self) -> Page {
        Page { about: ABOUT, example: EXAMPLE, phases: PHASES.to_vec(), rules: Vec::new() }
    }

    fn configure(
        &self,
        section: &mut Section<'_>,
        surroundings: &Surroundings,
    ) -> Option<Arc<dyn Probe>> {
        let of_mailbox = |mailbox: &Mailbox| mailbox.settings().pop3().cloned();
        let endpoint = server::of_check(section, surroundings, Protocol::Pop3, of_mailbox);
        let expect_capabilities = section.texts("expect_capabilities");
        let bounds = Bounds::read(section);
        stock::needs_login(section, endpoint.as_ref(), NEED_LOGIN);
        let Surroundings { net, clock, .. } = surroundings;
        let endpoint = endpoint.filter(|_| section.is_clean())?;
        let (net, clock) = (net.clone(), *clock);
        Some(Arc::new(Pop3 { endpoint, expect_capabilities, bounds, net, clock }))
    }
}

/// Keys that mean nothing where nobody signs in.
const NEED_LOGIN: &[&str] = &["max_messages", "min_messages", "max_age", "max_newest_age"];

const SETTINGS: &[Setting] = &[
    settings::MAILBOX,
    settings::HOST,
    settings::READING_TLS,
    Setting::new("port", "number", Some("995 or 110, by tls"), "its port"),
    settings::CA_FILE,
    settings::LOGIN,
    settings::PASSWORD,
    settings::PASSWORD_FILE,
    settings::PASSWORD_ENV,
    settings::GRANT,
    settings::TENANT,
    settings::TOKEN_URL,
    settings::SCOPE,
    settings::CLIENT_ID,
    settings::CLIENT_SECRET_ENV,
    settings::REFRESH_TOKEN_ENV,
    settings::KEY_FILE,
    settings::MECHANISM,
    Setting::new(
        "expect_capabilities",
        "list of texts",
        Some("none"),
        "what the server must offer, such as UIDL or \"SASL PLAIN\"",
    ),
    stock::MAX_MESSAGES,
    stock::MIN_MESSAGES,
    stock::MAX_AGE,
    stock::MAX_NEWEST_AGE,
];

/// One check of the kind `pop3`.
struct Pop3 {
    endpoint: Endpoint,
    expect_capabilities: Vec<String>,
    bounds: Bounds,
    net: Net,
    clock: Clock,
}

impl Pop3 {
    async fn look(&self, run: &Run) -> Outcome {
        let deadline = run.deadline.checked_sub(stock::MARGIN).unwrap_or(run.deadline);
        let patience = Patience { clock: self.clock, step: STEP, deadline };
        let dial = Dial { net: &self.net, patience, names: PhaseNames::PLAIN };
        let record = dial.record(&self.endpoint);
        let mut watch = Stopwatch::start(self.clock);
        let mut facts = Vec::new();
        let session = Session::open(dial, &self.endpoint, None, record.clone(), &mut watch).await;
        let mut session = match session {
            Ok(session) => session,
            Err(failure) => return Outcome::of(Err(failure), &watch, &record),
        };
        let ended = self.look_at(&mut session, &mut watch, &mut facts).await;
        let outcome = Outcome::of(ended, &watch, &record);
        session.leave().await;
        outcome.with(facts, Vec::new())
    }

    async fn look_at(
        &self,
        session: &mut Session,
        watch: &mut Stopwatch,
        facts: &mut Vec<Fact>,
    ) -> Result<(), Failure> {
        facts.extend(session.facts().iter().map(|fact| stock::fact(&fact.name, &fact.value)));
        let able = session.capabilities();
        let told = if able.is_known() { able.lines().join(", ") } else { "not told".to_owned() };
        facts.push(stock::fact("pop3.capabilities", &told));
        let judged = stock::missing(&self.expect_capabilities, |word| offers(able, word));
        if self.endpoint.login.is_none() {
            return judged;
        }
        let stat = session.stat(LIST).await?;
        let dates = dates(session, stat.messages).await?;
        watch.lap(LIST);
        facts.push(Fact::new("pop3.bytes", stat.bytes.to_string()));
        let stock = Stock { messages: stat.messages, unread: None, dates };
        let now = self.clock.wall();
        facts.extend(stock.facts("pop3", now));
        judged.and_then(|()| stock.judge(&self.bounds, now))
    }
}

/// A capability by its name, or with one of its parameters.
fn offers(able: &Capabilities, wanted: &str) -> bool {
    let mut words = wanted.split_ascii_whitespace();
    let Some(parameters) = words.next().and_then(|name| able.parameters(name)) else {
        return false;
    };
    let parameters: Vec<&str> = parameters.collect();
    words.all(|word| parameters.iter().any(|parameter| parameter.eq_ignore_ascii_case(word)))
}

/// When the messages came, by what is at the top of their headers: of all of them, or of the first and the
/// last ones.
async fn dates(session: &mut Session, messages: u32) -> Result<Vec<WallTime>, Failure> {
    let numbers: Vec<u32> = match messages {
        few if few <= 2 * MOST_HEADERS => (1..=few).collect(),
        many => (1..=MOST_HEADERS).chain(many - MOST_HEADERS + 1..=many).collect(),
    };
    let mut dates = Vec::new();
    for number in numbers {
        dates.extend(date_of(&session.header(LIST, number).await?));
    }
    Ok(dates)
}

/// The date of the topmost Received header, which the last server on the way wrote (RFC 5321 section 4.4),
/// else the sender's Date.
pub(crate) fn date_of(header: &[u8]) -> Option<WallTime> {
    let message = MessageParser::default().parse_headers(header)?;
    let received = message.received_all().next().and_then(|received| received.date());
    let date = received.or_else(|| message.date().copied())?;
    date.is_valid().then(|| WallTime::from_s(date.to_timestamp()))
}

impl Probe for Pop3 {
    fn run(&self, run: Run) -> BoxFuture<'_, Outcome> {
        async move { self.look(&run).await }.boxed()
    }
}

#[cfg(test)]
mod tests;
