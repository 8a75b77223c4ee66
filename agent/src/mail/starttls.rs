//! From a server's greeting to the point where TLS begins, in each protocol, and no further: for whoever
//! looks at the certificate and at nothing else.

use std::net::{IpAddr, Ipv4Addr};

use lettre::transport::smtp::commands::{Ehlo, Starttls};
use lettre::transport::smtp::extension::ClientId;
use mailsonde_proto::FaultClass;
use mailsonde_proto::phase::name;

use super::dial::{Dial, Patience};
use super::endpoint::Endpoint;
use super::failure::Failure;
use super::smtp::{Reply, read_reply};
use super::wire::{Record, Wire};
use crate::net::{InspectOptions, Inspection};
use crate::stopwatch::Stopwatch;

/// The most untagged lines of an IMAP server before the answer to STARTTLS.
const MOST_LINES: usize = 100;

/// What is spoken before TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prelude {
    /// Nothing: TLS begins at once (RFC 8314 section 3).
    Nothing,
    /// EHLO and STARTTLS (RFC 3207).
    Smtp,
    /// STARTTLS (RFC 9051 section 6.2.1).
    Imap,
    /// STLS (RFC 2595 section 4).
    Pop3,
}

/// What is to be looked at.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// What is spoken before TLS.
    pub prelude: Prelude,
    /// The name that the certificate is to be for.
    pub server_name: &'a str,
    /// What is offered in the handshake.
    pub options: &'a InspectOptions,
}

/// Looks up, connects, gets to TLS and inspects the server's certificate, which `endpoint.trust` judges:
/// resolve, connect, greeting, tls. Nothing secret can be said on the wire after a bad one.
///
/// # Errors
/// The phase that failed, and why; never the certificate.
pub async fn look(
    dial: &Dial<'_>,
    endpoint: &Endpoint,
    look: Look<'_>,
    record: Record,
    watch: &mut Stopwatch,
) -> Result<(Wire, Inspection), Failure> {
    let mut wire = dial.reach(endpoint, record, watch).await?;
    begin(&mut wire, look.prelude, &dial.patience, watch).await?;
    let inspected = dial.inspect(wire, (look.server_name, &endpoint.trust), look.options).await?;
    watch.lap(dial.names.tls);
    Ok(inspected)
}

/// Talks up to the point where TLS begins; the greeting is a lap of its own.
///
/// # Errors
/// What the server said instead, and in which phase.
pub async fn begin(
    wire: &mut Wire,
    prelude: Prelude,
    patience: &Patience,
    watch: &mut Stopwatch,
) -> Result<(), Failure> {
    match prelude {
        Prelude::Nothing => Ok(()),
        Prelude::Smtp => smtp(wire, patience, watch).await,
        Prelude::Imap => imap(wire, patience, watch).await,
        Prelude::Pop3 => pop3(wire, patience, watch).await,
    }
}

async fn smtp(wire: &mut Wire, patience: &Patience, watch: &mut Stopwatch) -> Result<(), Failure> {
    reply(wire, patience, (name::GREETING, "its greeting")).await?.expect_2xx("session")?;
    let hello = Ehlo::new(address_literal(wire.local())).to_string();
    say(wire, patience, (name::GREETING, "the answer to EHLO"), &hello).await?;
    let offers = reply(wire, patience, (name::GREETING, "the answer to EHLO")).await?;
    let offers = offers.expect_2xx("EHLO")?;
    watch.lap(name::GREETING);
    if !offers.lines().iter().skip(1).any(|offer| offer.eq_ignore_ascii_case("STARTTLS")) {
        let words = "the server does not offer STARTTLS";
        return Err(Failure::new(name::TLS, FaultClass::Protocol, words));
    }
    let awaited = "the answer to STARTTLS";
    say(wire, patience, (name::TLS, awaited), &Starttls.to_string()).await?;
    reply(wire, patience, (name::TLS, awaited)).await?.expect_2xx("start of TLS")?;
    Ok(())
}

async fn imap(wire: &mut Wire, patience: &Patience, watch: &mut Stopwatch) -> Result<(), Failure> {
    let greeting = patience.wait(name::GREETING, "its greeting", wire.line()).await?;
    if !has_word(&greeting, 1, "OK") {
        return Err(refused(name::GREETING, "session", &greeting));
    }
    watch.lap(name::GREETING);
    let awaited = "the answer to STARTTLS";
    say(wire, patience, (name::TLS, awaited), "a1 STARTTLS\r\n").await?;
    for _ in 0..MOST_LINES {
        let line = patience.wait(name::TLS, awaited, wire.line()).await?;
        if has_word(&line, 0, "a1") {
            return if has_word(&line, 1, "OK") {
                Ok(())
            } else {
                Err(refused(name::TLS, "start of TLS", &line))
            };
        }
    }
    let words = "the server talks on and on instead of answering STARTTLS";
    Err(Failure::new(name::TLS, FaultClass::Protocol, words))
}

async fn pop3(wire: &mut Wire, patience: &Patience, watch: &mut Stopwatch) -> Result<(), Failure> {
    let greeting = patience.wait(name::GREETING, "its greeting", wire.line()).await?;
    if !has_word(&greeting, 0, "+OK") {
        return Err(refused(name::GREETING, "session", &greeting));
    }
    watch.lap(name::GREETING);
    say(wire, patience, (name::TLS, "the answer to STLS"), "STLS\r\n").await?;
    let line = patience.wait(name::TLS, "the answer to STLS", wire.line()).await?;
    if has_word(&line, 0, "+OK") { Ok(()) } else { Err(refused(name::TLS, "start of TLS", &line)) }
}

/// Who has no name says its address (RFC 5321 section 4.1.4).
pub(crate) fn address_literal(local: Option<IpAddr>) -> ClientId {
    match local {
        Some(IpAddr::V4(address)) => ClientId::Ipv4(address),
        Some(IpAddr::V6(address)) => ClientId::Ipv6(address),
        None => ClientId::Ipv4(Ipv4Addr::LOCALHOST),
    }
}

async fn say(
    wire: &mut Wire,
    patience: &Patience,
    (phase, awaited): (&'static str, &str),
    command: &str,
) -> Result<(), Failure> {
    patience.wait(phase, awaited, wire.write(command.as_bytes())).await
}

async fn reply(
    wire: &mut Wire,
    patience: &Patience,
    (phase, awaited): (&'static str, &str),
) -> Result<Reply, Failure> {
    let (code, lines) = patience.wait(phase, awaited, read_reply(wire)).await?;
    Ok(Reply::new(phase, code, lines))
}

fn has_word(line: &str, at: usize, word: &str) -> bool {
    line.split_whitespace().nth(at).is_some_and(|found| found.eq_ignore_ascii_case(word))
}

fn refused(phase: &str, what: &str, line: &str) -> Failure {
    let said: String = line.chars().filter(|c| !c.is_control()).take(200).collect();
    let words = format!("the server refuses the {what}: {said}");
    Failure::new(phase, FaultClass::Permanent, words).with_reply(None, None, said)
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::Clock;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::mail::sandbox::patience;
    use crate::mail::wire::Record;
    use crate::transcript::Transcript;

    /// What the server says all at once, what begins, and what it heard.
    async fn talk(prelude: Prelude, server: &str) -> (Result<(), String>, String) {
        let (ours, mut theirs) = duplex(1 << 16);
        theirs.write_all(server.as_bytes()).await.unwrap();
        let clock = Clock::system();
        let record = Record::new(Transcript::start(clock, Vec::new()));
        let mut wire = Wire::new(ours, record);
        let mut watch = Stopwatch::start(clock);
        let begun = begin(&mut wire, prelude, &patience(200), &mut watch).await;
        drop(wire);
        let mut heard = String::new();
        theirs.read_to_string(&mut heard).await.unwrap();
        (begun.map_err(|failure| failure.fault.to_string()), heard)
    }

    #[tokio::test]
    async fn each_protocol_gets_to_the_point_where_tls_begins() {
        for (prelude, server, said) in [
            (Prelude::Nothing, "", ""),
            (
                Prelude::Smtp,
                "220 a ESMTP\r\n250-a\r\n250 STARTTLS\r\n220 go\r\n",
                "EHLO [127.0.0.1]\r\nSTARTTLS\r\n",
            ),
            (Prelude::Imap, "* OK a\r\n* CAPABILITY X\r\na1 ok go\r\n", "a1 STARTTLS\r\n"),
            (Prelude::Pop3, "+OK a\r\n+OK go\r\n", "STLS\r\n"),
        ] {
            let (begun, heard) = talk(prelude, server).await;
            assert_eq!((begun, heard.as_str()), (Ok(()), said), "{prelude:?}");
        }
    }

    #[tokio::test]
    async fn what_a_server_says_instead_is_told() {
        for (prelude, server, words) in [
            (Prelude::Smtp, "554 5.7.1 go away\r\n", "greeting: permanent 554 5.7.1"),
            (
                Prelude::Smtp,
                "220 a\r\n250 a\r\n",
                "tls: protocol: the server does not offer STARTTLS",
            ),
            (
                Prelude::Smtp,
                "220 a\r\n250-a\r\n250 STARTTLS\r\n454 later\r\n",
                "tls: temporary 454",
            ),
            (Prelude::Imap, "* BYE a\r\n", "greeting: permanent: the server refuses the session"),
            (Prelude::Imap, "* OK a\r\na1 BAD no\r\n", "refuses the start of TLS: a1 BAD no"),
            (
                Prelude::Pop3,
                "-ERR\r\n",
                "greeting: permanent: the server refuses the session: -ERR",
            ),
            (Prelude::Pop3, "+OK\r\n-ERR no\r\n", "tls: permanent: the server refuses the start"),
            (Prelude::Pop3, "+OK\r\n", "tls: timeout: the server did not send the answer to STLS"),
        ] {
            let (begun, _) = talk(prelude, server).await;
            let told = begun.unwrap_err();
            assert!(told.contains(words), "{told}");
        }
    }
}
