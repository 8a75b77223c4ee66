//! SMTP as a client (RFC 5321), one step at a time, so that each can be timed.
//!
//! AUTH is never spoken without TLS unless the configuration says `tls = "none"`. Bytes that come between
//! STARTTLS and TLS end the session. lettre writes the commands and reads the replies; the conversation
//! itself is ours, because lettre's connection bundles the steps that are to be told apart. Absent on
//! purpose: pipelining, which would hide one phase in another.

mod dots;
mod explain;
mod look;
mod offers;
mod reply;
mod step;

use std::borrow::Cow;
use std::fmt::Display;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::Address;
use lettre::transport::smtp::commands::{Data, Ehlo, Mail, Quit, Rcpt, Starttls};
use lettre::transport::smtp::extension::{ClientId, MailParameter};
use mailsonde_proto::phase::name;
use mailsonde_proto::{Fact, FaultClass};

use super::dial::{Dial, Patience, PhaseNames, tls_facts};
use super::endpoint::{Endpoint, Login, Tls};
use super::failure::Failure;
use super::sasl::{Exchange, SaslError};
use super::starttls::address_literal;
use super::wire::{Record, Wire, WireError};
use crate::net::{MailExchanger, Net};
use crate::stopwatch::Stopwatch;
use crate::transcript::Direction;
use dots::DotStuffing;

pub use offers::Offers;
pub use reply::Reply;
pub use step::Step;

/// The port between mail exchangers.
pub const MX_PORT: u16 = 25;
/// How many mail exchangers of one domain are tried at most.
const MOST_EXCHANGERS: usize = 5;
/// The most challenges of one authentication.
const MOST_CHALLENGES: usize = 8;

/// The phases before SMTP starts.
pub const PHASES: PhaseNames = PhaseNames::PLAIN;

/// One session, signed in where a login is configured.
pub struct Session {
    wire: Wire,
    patience: Patience,
    hello: Option<ClientId>,
    offers: Vec<String>,
    facts: Vec<Fact>,
    step: Step,
    size: u64,
}

impl Session {
    /// Opens a session up to and with the sign-in: resolve, connect, tls, greeting, auth.
    ///
    /// # Errors
    /// The phase that failed, and why.
    pub async fn open(
        dial: Dial<'_>,
        endpoint: &Endpoint,
        hello: Option<ClientId>,
        record: Record,
        watch: &mut Stopwatch,
    ) -> Result<Self, Failure> {
        let (wire, tls) = dial.open(endpoint, record, watch).await?;
        let mut session = Self::new(wire, dial.patience, hello);
        if let Some(tls) = &tls {
            session.facts.extend(tls_facts("smtp", tls, dial.patience.clock.wall()));
        }
        let session = session.greet(dial, endpoint, watch).await?;
        match &endpoint.login {
            Some(login) => session.sign_in(login, watch).await,
            None => Ok(session),
        }
    }

    /// Opens a session to the best mail exchanger of a domain that can be connected, or to the one at this
    /// address, with TLS where it is offered and without a sign-in.
    ///
    /// # Errors
    /// The phase that failed, and why.
    pub async fn open_exchanger(
        dial: Dial<'_>,
        (domain, port): (&str, u16),
        hello: Option<ClientId>,
        record: Record,
        watch: &mut Stopwatch,
    ) -> Result<Self, Failure> {
        let listed = if domain.parse::<std::net::IpAddr>().is_ok() {
            vec![MailExchanger { preference: 0, host: domain.to_owned() }]
        } else {
            let found = dial.net.mail_exchangers(domain, dial.patience.next()).await;
            found.map_err(|error| Failure::net(dial.names.resolve, &error))?
        };
        let mut last = None;
        for exchanger in listed.into_iter().take(MOST_EXCHANGERS) {
            let endpoint = Endpoint::exchanger(exchanger.host, port);
            let found = dial.resolve(dial.names.resolve, &endpoint.host).await;
            let addresses = match found {
                Ok(addresses) => addresses,
                Err(failure) => {
                    last = Some(failure);
                    continue;
                }
            };
            if watch.laps().is_empty() {
                watch.lap(dial.names.resolve);
            }
            match dial.connect(&endpoint, &addresses, record.clone(), watch).await {
                Ok(wire) => {
                    let mut session = Self::new(wire, dial.patience, hello);
                    session.facts.push(Fact::new("smtp.exchanger", &endpoint.host));
                    return session.greet(dial, &endpoint, watch).await;
                }
                Err(failure) => last = Some(failure),
            }
        }
        Err(last.unwrap_or_else(|| {
            let words = format!("the domain {domain} has no mail exchanger");
            Failure::new(dial.names.resolve, FaultClass::Refused, words)
        }))
    }

    /// How large the message will be: a server that limits it (RFC 1870) is told when it is large, so that
    /// it can refuse it before all of it is sent.
    pub fn announce(&mut self, bytes: u64) {
        self.size = bytes;
    }

    /// How far it has come.
    pub fn step(&self) -> Step {
        self.step
    }

    /// MAIL FROM and RCPT TO.
    ///
    /// # Errors
    /// When either is refused.
    pub async fn envelope(
        &mut self,
        from: &Address,
        to: &Address,
        watch: &mut Stopwatch,
    ) -> Result<(), Failure> {
        self.step = Step::Sender;
        let mail = Mail::new(Some(from.clone()), self.parameters());
        self.ask(name::ENVELOPE, "the answer to MAIL FROM", mail).await?.expect_2xx("sender")?;
        self.step = Step::Recipient;
        let rcpt = Rcpt::new(to.clone(), Vec::new());
        let reply = self.ask(name::ENVELOPE, "the answer to RCPT TO", rcpt).await?;
        reply.expect_2xx("recipient")?;
        watch.lap(name::ENVELOPE);
        Ok(())
    }

    /// DATA, and the message piece by piece up to the server's acceptance. `sent` is called when the last
    /// byte has left: from then on the message may arrive.
    ///
    /// # Errors
    /// When the message is not accepted.
    pub async fn data<'m>(
        &mut self,
        message: impl Iterator<Item = Cow<'m, [u8]>>,
        watch: &mut Stopwatch,
        sent: impl FnOnce(),
    ) -> Result<Reply, Failure> {
        self.step = Step::Message;
        let ready = self.ask(name::DATA, "the answer to DATA", Data).await?;
        if ready.code() != 354 {
            return Err(ready.fault("message"));
        }
        let awaited = "its acceptance of the message";
        let mut dots = DotStuffing::default();
        for piece in message {
            let stuffed = dots.stuffed(&piece);
            self.patience.wait(name::DATA, awaited, self.wire.write_bulk(&stuffed)).await?;
        }
        self.patience.wait(name::DATA, awaited, self.wire.write_bulk(dots.end())).await?;
        self.wire.record().say(Direction::Note, &format!("{} bytes of the message", dots.bytes));
        sent();
        if dots.bytes > LARGE {
            // Who scans all of it takes his time (RFC 5321 section 4.5.3.2.6).
            self.patience.step = ACCEPTANCE_WITHIN;
        }
        let reply = self.reply(name::DATA, awaited).await?;
        watch.lap(name::DATA);
        if let Some(queued) = reply.lines().first() {
            self.facts.push(Fact::new("smtp.queued", queued));
        }
        reply.expect_2xx("message")
    }

    /// Takes leave; whatever the server answers, or not.
    pub async fn quit(mut self) {
        let patience = Patience { step: self.patience.step.min(QUIT_WITHIN), ..self.patience };
        let said = async {
            self.wire.write(Quit.to_string().as_bytes()).await?;
            self.wire.line().await
        };
        if patience.wait("quit", "its farewell", said).await.is_err() {
            tracing::debug!("no farewell");
        }
    }

    /// What was learnt since the last call, to be taken.
    pub fn facts(&mut self) -> &mut Vec<Fact> {
        &mut self.facts
    }

    fn new(wire: Wire, patience: Patience, hello: Option<ClientId>) -> Self {
        let (offers, facts) = (Vec::new(), Vec::new());
        Self { wire, patience, hello, offers, facts, step: Step::Opening, size: 0 }
    }

    fn parameters(&self) -> Vec<MailParameter> {
        let offered = self.offers.iter().filter_map(|offer| offer.get(..4));
        let has_size = offered.into_iter().any(|word| word.eq_ignore_ascii_case("SIZE"));
        let size = usize::try_from(self.size).ok().filter(|_| has_size && self.size > LARGE);
        size.map(MailParameter::Size).into_iter().collect()
    }

    async fn greet(
        mut self,
        dial: Dial<'_>,
        endpoint: &Endpoint,
        watch: &mut Stopwatch,
    ) -> Result<Self, Failure> {
        let greeting = self.reply(name::GREETING, "its greeting").await?;
        self.facts.push(Fact::new("smtp.greeting", greeting.text()));
        greeting.expect_2xx("session")?;
        self.ehlo(name::GREETING).await?;
        watch.lap(name::GREETING);
        let offered = self.offers.iter().any(|offer| offer.eq_ignore_ascii_case("STARTTLS"));
        match endpoint.tls {
            Tls::StartTls if !offered => Err(Failure::new(
                name::TLS,
                FaultClass::Protocol,
                "the server does not offer STARTTLS, and without TLS nothing goes on: tls = \
                 \"starttls\" is configured",
            )),
            Tls::StartTls | Tls::Opportunistic if offered => {
                self.starttls(dial, endpoint, watch).await
            }
            _ => Ok(self),
        }
    }

    async fn starttls(
        mut self,
        dial: Dial<'_>,
        endpoint: &Endpoint,
        watch: &mut Stopwatch,
    ) -> Result<Self, Failure> {
        let ready = self.ask(name::TLS, "the answer to STARTTLS", Starttls).await?;
        ready.expect_2xx("start of TLS")?;
        let (wire, tls) = dial.secure(self.wire, endpoint).await?;
        self.wire = wire;
        self.facts.extend(tls_facts("smtp", &tls, self.patience.clock.wall()));
        // What was offered before TLS counts no longer (RFC 3207 section 4.2).
        self.ehlo(name::TLS).await?;
        watch.lap(name::TLS);
        Ok(self)
    }

    async fn ehlo(&mut self, phase: &'static str) -> Result<(), Failure> {
        let hello = self.hello.clone().unwrap_or_else(|| address_literal(self.wire.local()));
        let hello = Ehlo::new(hello);
        let reply = self.ask(phase, "the answer to EHLO", hello).await?.expect_2xx("EHLO")?;
        self.offers = reply.lines().iter().skip(1).cloned().collect();
        Ok(())
    }

    async fn sign_in(mut self, login: &Login, watch: &mut Stopwatch) -> Result<Self, Failure> {
        self.wire.set_secret(true);
        let signed_in = self.authenticate(login).await;
        self.wire.set_secret(false);
        self.facts.push(Fact::new("smtp.auth", signed_in?));
        watch.lap(name::AUTH);
        Ok(self)
    }

    /// RFC 4954 section 4.
    async fn authenticate(&mut self, login: &Login) -> Result<&'static str, Failure> {
        let mechanisms = offered_mechanisms(&self.offers);
        let mut exchange = Exchange::begin(mechanisms, login).map_err(|e| ours(&e))?;
        let mechanism = exchange.mechanism();
        let command = match exchange.first().map_err(|e| ours(&e))? {
            Some(first) if first.is_empty() => format!("AUTH {mechanism} =\r\n"),
            Some(first) => format!("AUTH {mechanism} {}\r\n", STANDARD.encode(first)),
            None => format!("AUTH {mechanism}\r\n"),
        };
        let mut reply = self.ask(name::AUTH, "the answer to AUTH", command).await?;
        for _ in 0..MOST_CHALLENGES {
            if reply.code() != 334 {
                break;
            }
            let challenge = STANDARD.decode(reply.text().trim()).unwrap_or_default();
            let answer = exchange.answer(&challenge).map_err(|e| ours(&e))?;
            let line = format!("{}\r\n", STANDARD.encode(answer));
            reply = self.ask(name::AUTH, "the answer to AUTH", line).await?;
        }
        let now = self.patience.clock.monotonic();
        reply.expect_2xx("sign-in").map_err(|failure| exchange.refused(failure, now))?;
        if !exchange.is_finished() {
            return Err(Failure::new(
                name::AUTH,
                FaultClass::Protocol,
                "the server accepted the sign-in without proving that it knows the password",
            ));
        }
        Ok(mechanism)
    }

    async fn ask(
        &mut self,
        phase: &'static str,
        awaited: &str,
        command: impl Display,
    ) -> Result<Reply, Failure> {
        let command = command.to_string();
        let sent = self.wire.write(command.as_bytes());
        match self.patience.wait(phase, awaited, sent).await {
            Ok(()) => {}
            // A server that hangs up often says why just before: its last words are worth reading.
            Err(broken) => {
                let last_words = self.reply(phase, awaited).await.ok();
                return Err(last_words.map_or(broken, |reply| reply.fault("command")));
            }
        }
        self.reply(phase, awaited).await
    }

    async fn reply(&mut self, phase: &'static str, awaited: &str) -> Result<Reply, Failure> {
        let record = self.wire.record().clone();
        let reply = self.patience.wait(phase, awaited, read_reply(&mut self.wire)).await;
        match reply {
            Ok((code, lines)) => {
                let lines = lines.iter().map(|line| record.redact(line)).collect();
                Ok(Reply::new(phase, code, lines))
            }
            Err(failure) => Err(failure),
        }
    }
}

const QUIT_WITHIN: Duration = Duration::from_secs(1);
/// From this size on, in bytes, a message is announced, and may be looked at for long.
const LARGE: u64 = 64 * 1024;
/// How long a large message may be looked at.
const ACCEPTANCE_WITHIN: Duration = Duration::from_secs(600);

impl Endpoint {
    fn exchanger(host: String, port: u16) -> Self {
        let trust = crate::net::TlsTrust::anybody();
        Self { host, port, tls: Tls::Opportunistic, trust, login: None }
    }
}

/// Dials for SMTP.
pub fn dial(net: &Net, patience: Patience) -> Dial<'_> {
    Dial { net, patience, names: PHASES }
}

/// Reads one reply, of one or more lines: its code, and its lines without it.
pub(super) async fn read_reply(wire: &mut Wire) -> Result<(u16, Vec<String>), WireError> {
    reply::read(wire).await
}

fn offered_mechanisms(offers: &[String]) -> Vec<&str> {
    // `AUTH=` is how servers older than RFC 4954 said it.
    offers
        .iter()
        .filter_map(|offer| offer.split_at_checked(5))
        .filter(|(word, _)| {
            word.eq_ignore_ascii_case("AUTH ") || word.eq_ignore_ascii_case("AUTH=")
        })
        .flat_map(|(_, mechanisms)| mechanisms.split_whitespace())
        .collect()
}

fn ours(error: &SaslError) -> Failure {
    Failure::new(name::AUTH, FaultClass::Protocol, error.to_string())
}

#[cfg(test)]
mod tests;
