//! The first part of a POP3 session: greeting, capabilities, STLS, sign-in.
//!
//! What a server says before TLS counts no longer after it (RFC 2595 section 4).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mailsonde_proto::{Fact, FaultClass};

use super::Talk;
use super::reply::{Capabilities, Reply, SIGN_IN, not_pop3, refused};
use crate::mail::dial::{Dial, PhaseNames};
use crate::mail::endpoint::{Endpoint, Login, Tls};
use crate::mail::failure::Failure;
use crate::mail::sasl::{Exchange, SaslError};
use crate::mail::wire::WireError;
use crate::net::TlsFacts;
use crate::secret::Secret;
use crate::stopwatch::Stopwatch;

/// The most lines of capabilities.
const MOST_CAPABILITIES: usize = 64;
/// The most challenges of one authentication.
const MOST_CHALLENGES: usize = 8;
/// A command has 255 octets at most, its end included (RFC 2449 section 4); a longer first answer waits
/// for an empty challenge (RFC 5034 section 4).
const LONGEST_COMMAND: usize = 253;
const AWAITED: &str = "the answer to the sign-in";

/// A connection after its sign-in.
pub(super) struct Entered {
    pub(super) talk: Talk,
    pub(super) tls: Option<TlsFacts>,
    pub(super) capabilities: Capabilities,
    pub(super) facts: Vec<Fact>,
}

/// From the greeting to the end of the sign-in.
pub(super) async fn enter(
    dial: Dial<'_>,
    endpoint: &Endpoint,
    (mut talk, known): (Talk, Option<Capabilities>),
    watch: &mut Stopwatch,
) -> Result<Entered, Failure> {
    let names = dial.names;
    let mut facts = vec![Fact::new("pop3.greeting", greeting(&mut talk, names).await?)];
    let starts = matches!(endpoint.tls, Tls::StartTls | Tls::Opportunistic);
    let mut capabilities = match &known {
        Some(known) => known.clone(),
        None => capabilities(&mut talk, names.greeting).await?,
    };
    watch.lap(names.greeting);
    let mut tls = None;
    if starts {
        // Of what is known, only what was said inside TLS is kept: STLS is not.
        if known.is_none() && !capabilities.may_have("STLS") {
            return Err(Failure::new(
                names.tls,
                FaultClass::Protocol,
                "the server does not offer STLS, and without TLS nothing goes on: tls = \
                 \"starttls\" is configured",
            ));
        }
        let begun = talk.ask(names.tls, "STLS", "the answer to STLS").await?;
        begun.map_err(|text| refused(names.tls, "start of TLS", &text))?;
        let (wire, secured) = dial.secure(talk.wire, endpoint).await?;
        talk = Talk { wire, ..talk };
        tls = Some(secured);
        if known.is_none() {
            capabilities = self::capabilities(&mut talk, names.tls).await?;
        }
        watch.lap(names.tls);
    }
    if let Some(login) = &endpoint.login {
        talk.wire.set_secret(true);
        let done = sign_in(&mut talk, names.auth, login, &capabilities).await;
        talk.wire.set_secret(false);
        facts.push(Fact::new("pop3.auth", done?));
        watch.lap(names.auth);
    }
    Ok(Entered { talk, tls, capabilities, facts })
}

/// What the server says first.
async fn greeting(talk: &mut Talk, names: PhaseNames) -> Result<String, Failure> {
    let line = talk.patience.wait(names.greeting, "its greeting", talk.wire.line()).await?;
    let line = talk.wire.record().redact(&line);
    match Reply::parse(&line) {
        Some(Reply::Ok(text)) => Ok(text),
        Some(Reply::Err(text)) => Err(Failure::new(
            names.greeting,
            FaultClass::Temporary,
            "the server refused the session: it is not available or has too many connections",
        )
        .with_reply(None, None, text)),
        _ => Err(Failure::wire(names.greeting, "a POP3 greeting", &not_pop3(&line))),
    }
}

/// CAPA (RFC 2449 section 5). A server that is older than it says `-ERR`.
async fn capabilities(talk: &mut Talk, phase: &str) -> Result<Capabilities, Failure> {
    let awaited = "the list of capabilities";
    if talk.ask(phase, "CAPA", awaited).await?.is_err() {
        return Ok(Capabilities::unknown());
    }
    let lines = async {
        let mut lines = Vec::new();
        loop {
            let line = talk.wire.line().await?;
            if line == "." {
                return Ok(lines);
            }
            if lines.len() == MOST_CAPABILITIES {
                return Err(WireError::ResponseTooLong { limit: MOST_CAPABILITIES * 512 });
            }
            lines.push(line);
        }
    };
    let lines = talk.patience.wait(phase, awaited, lines).await?;
    let record = talk.wire.record();
    Ok(Capabilities::listed(lines.iter().map(|line| record.redact(line)).collect()))
}

/// AUTH where it is offered, else USER and PASS. The mechanism's name.
async fn sign_in(
    talk: &mut Talk,
    phase: &str,
    login: &Login,
    capabilities: &Capabilities,
) -> Result<&'static str, Failure> {
    let offered = capabilities.parameters("SASL").into_iter().flatten();
    match Exchange::begin(offered, login) {
        Ok(exchange) => authenticate(talk, phase, exchange).await,
        Err(SaslError::NoMechanism { .. }) if capabilities.may_have("USER") => {
            match login.password() {
                Some(password) => user_and_pass(talk, phase, (&login.user, password)).await,
                None => Err(ours(phase, &SaslError::NoTokens { offered: String::new() })),
            }
        }
        Err(error) => Err(ours(phase, &error)),
    }
}

/// AUTH (RFC 5034 section 4).
async fn authenticate(
    talk: &mut Talk,
    phase: &str,
    mut exchange: Exchange,
) -> Result<&'static str, Failure> {
    let mechanism = exchange.mechanism();
    let mut first = exchange.first().map_err(|e| ours(phase, &e))?;
    let encoded = first.as_ref().map(|first| STANDARD.encode(first));
    let mut command = match encoded.as_deref() {
        Some("") => format!("AUTH {mechanism} ="),
        Some(encoded) => format!("AUTH {mechanism} {encoded}"),
        None => format!("AUTH {mechanism}"),
    };
    if command.len() > LONGEST_COMMAND {
        command = format!("AUTH {mechanism}");
    } else {
        first = None;
    }
    talk.say(phase, &command, AWAITED).await?;
    for _ in 0..MOST_CHALLENGES {
        let challenge = match talk.reply(phase, AWAITED).await? {
            Reply::Challenge(challenge) => challenge,
            Reply::Err(text) => {
                let now = talk.patience.clock.monotonic();
                return Err(exchange.refused(refused(phase, SIGN_IN, &text), now));
            }
            Reply::Ok(_) if exchange.is_finished() => return Ok(mechanism),
            Reply::Ok(_) => break,
        };
        let answer = match first.take() {
            Some(first) => first,
            None => {
                let challenge = STANDARD.decode(challenge.trim()).unwrap_or_default();
                exchange.answer(&challenge).map_err(|e| ours(phase, &e))?
            }
        };
        talk.say(phase, &STANDARD.encode(answer), AWAITED).await?;
    }
    Err(Failure::new(
        phase,
        FaultClass::Protocol,
        "the server did not carry the sign-in through, or did not prove that it knows the password",
    ))
}

/// USER and PASS (RFC 1939 section 7). A space in the password is part of it.
async fn user_and_pass(
    talk: &mut Talk,
    phase: &str,
    (user, password): (&str, &Secret),
) -> Result<&'static str, Failure> {
    for command in [format!("USER {user}"), format!("PASS {}", password.expose())] {
        let answer = talk.ask(phase, &command, AWAITED).await?;
        answer.map_err(|text| refused(phase, SIGN_IN, &text))?;
    }
    Ok("USER")
}

fn ours(phase: &str, error: &SaslError) -> Failure {
    Failure::new(phase, FaultClass::Protocol, error.to_string())
}
