//! The first part of an IMAP session, line by line: greeting, capabilities, STARTTLS, sign-in.
//!
//! No password is sent without TLS unless the configuration says `tls = "none"`. What a server says
//! before TLS counts no longer after it (RFC 3501 section 6.2.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mailsonde_proto::FaultClass;

use crate::mail::dial::{Dial, Patience, PhaseNames};
use crate::mail::endpoint::{Endpoint, Login, Tls};
use crate::mail::failure::Failure;
use crate::mail::sasl::{Exchange, SaslError};
use crate::mail::wire::{Wire, WireError};
use crate::net::TlsFacts;
use crate::secret::Secret;
use crate::stopwatch::Stopwatch;

/// The most lines of one answer.
const MOST_LINES: usize = 64;
/// The most challenges of one authentication.
const MOST_CHALLENGES: usize = 8;

/// A signed-in connection.
pub(super) struct Entered {
    pub(super) wire: Wire,
    pub(super) tls: Option<TlsFacts>,
    pub(super) capabilities: Vec<String>,
}

/// From the greeting to the end of the sign-in.
pub(super) async fn enter(
    dial: Dial<'_>,
    endpoint: &Endpoint,
    wire: Wire,
    watch: &mut Stopwatch,
) -> Result<Entered, Failure> {
    let names = dial.names;
    let mut lines = Lines { wire, patience: dial.patience, names, last_tag: 0 };
    let signed_in = lines.greeting().await?;
    let mut capabilities = lines.capabilities(names.greeting).await?;
    watch.lap(names.greeting);
    let mut tls = None;
    if matches!(endpoint.tls, Tls::StartTls | Tls::Opportunistic) {
        if !capabilities.iter().any(|c| c == "STARTTLS") {
            return Err(Failure::new(
                names.tls,
                FaultClass::Protocol,
                "the server does not offer STARTTLS, and without TLS nothing goes on: tls = \
                 \"starttls\" is configured",
            ));
        }
        lines.command(names.tls, "STARTTLS", "STARTTLS").await?;
        let (wire, facts) = dial.secure(lines.wire, endpoint).await?;
        lines = Lines { wire, ..lines };
        tls = Some(facts);
        capabilities = lines.capabilities(names.tls).await?;
        watch.lap(names.tls);
    }
    if let (Some(login), false) = (&endpoint.login, signed_in) {
        lines.wire.set_secret(true);
        let done = lines.sign_in(login, &capabilities).await;
        lines.wire.set_secret(false);
        done?;
        capabilities = lines.capabilities(names.auth).await?;
        watch.lap(names.auth);
    }
    Ok(Entered { wire: lines.wire, tls, capabilities })
}

struct Lines {
    wire: Wire,
    patience: Patience,
    names: PhaseNames,
    last_tag: u32,
}

impl Lines {
    /// Whether the server says that the client is signed in already.
    async fn greeting(&mut self) -> Result<bool, Failure> {
        let line = self.line(self.names.greeting, "its greeting").await?;
        match line.strip_prefix("* ").map(first_word).as_deref() {
            Some("OK") => Ok(false),
            Some("PREAUTH") => Ok(true),
            Some("BYE") => Err(Failure::new(
                self.names.greeting,
                FaultClass::Temporary,
                "the server refused the session: it is not available or has too many connections",
            )
            .with_reply(None, None, line)),
            _ => {
                let said = line.chars().take(80).collect();
                let error = WireError::NotTheProtocol { said };
                Err(Failure::wire(self.names.greeting, "an IMAP greeting", &error))
            }
        }
    }

    async fn capabilities(&mut self, phase: &'static str) -> Result<Vec<String>, Failure> {
        let lines = self.command(phase, "CAPABILITY", "list of capabilities").await?;
        let listed = lines.iter().filter_map(|line| line.strip_prefix("* CAPABILITY "));
        Ok(listed.flat_map(str::split_whitespace).map(str::to_ascii_uppercase).collect())
    }

    async fn sign_in(&mut self, login: &Login, capabilities: &[String]) -> Result<(), Failure> {
        let offered = capabilities.iter().filter_map(|c| c.strip_prefix("AUTH="));
        match Exchange::begin(offered, login) {
            Ok(exchange) => {
                let at_once = capabilities.iter().any(|c| c == "SASL-IR");
                self.authenticate(exchange, at_once).await
            }
            Err(SaslError::NoMechanism { .. })
                if !capabilities.iter().any(|c| c == "LOGINDISABLED") =>
            {
                match login.password() {
                    Some(password) => self.login(&login.user, password).await,
                    None => {
                        Err(ours(self.names.auth, &SaslError::NoTokens { offered: String::new() }))
                    }
                }
            }
            Err(error) => Err(ours(self.names.auth, &error)),
        }
    }

    /// AUTHENTICATE (RFC 3501 section 6.2.2), with the first answer at once by SASL-IR (RFC 4959).
    async fn authenticate(&mut self, mut exchange: Exchange, at_once: bool) -> Result<(), Failure> {
        let phase = self.names.auth;
        let tag = self.tag();
        let mechanism = exchange.mechanism();
        let mut first = exchange.first().map_err(|e| ours(phase, &e))?;
        let initial = if at_once { first.take() } else { None };
        let command = match &initial {
            Some(initial) if initial.is_empty() => format!("{tag} AUTHENTICATE {mechanism} =\r\n"),
            Some(initial) => {
                format!("{tag} AUTHENTICATE {mechanism} {}\r\n", STANDARD.encode(initial))
            }
            None => format!("{tag} AUTHENTICATE {mechanism}\r\n"),
        };
        self.say(&command).await?;
        for _ in 0..MOST_CHALLENGES {
            let line = self.tagged_or_challenge(&tag).await?;
            let Some(challenge) = line.strip_prefix('+') else {
                let now = self.patience.clock.monotonic();
                let accepted = accepted(self.names.auth, "sign-in", &line, &tag);
                accepted.map_err(|failure| exchange.refused(failure, now))?;
                if exchange.is_finished() {
                    return Ok(());
                }
                break;
            };
            let answer = match first.take() {
                Some(first) => first,
                None => {
                    let challenge = STANDARD.decode(challenge.trim()).unwrap_or_default();
                    exchange.answer(&challenge).map_err(|e| ours(phase, &e))?
                }
            };
            self.say(&format!("{}\r\n", STANDARD.encode(answer))).await?;
        }
        Err(Failure::new(
            self.names.auth,
            FaultClass::Protocol,
            "the server did not carry the sign-in through, or did not prove that it knows the password",
        ))
    }

    /// LOGIN (RFC 3501 section 6.2.3), for servers that offer nothing else.
    async fn login(&mut self, user: &str, password: &Secret) -> Result<(), Failure> {
        let tag = self.tag();
        self.say(&format!("{tag} LOGIN ")).await?;
        for (text, end) in [(user, " "), (password.expose(), "\r\n")] {
            if is_quotable(text) {
                let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
                self.say(&format!("\"{quoted}\"{end}")).await?;
                continue;
            }
            self.say(&format!("{{{}}}\r\n", text.len())).await?;
            let line = self.tagged_or_challenge(&tag).await?;
            if !line.starts_with('+') {
                accepted(self.names.auth, "sign-in", &line, &tag)?;
            }
            self.say(&format!("{text}{end}")).await?;
        }
        let line = self.tagged_or_challenge(&tag).await?;
        accepted(self.names.auth, "sign-in", &line, &tag).map(drop)
    }

    async fn command(
        &mut self,
        phase: &'static str,
        command: &str,
        what: &str,
    ) -> Result<Vec<String>, Failure> {
        let tag = self.tag();
        let awaited = format!("the {what}");
        let text = format!("{tag} {command}\r\n");
        self.patience.wait(phase, &awaited, self.wire.write(text.as_bytes())).await?;
        let mut lines = Vec::new();
        for _ in 0..MOST_LINES {
            let line = self.line(phase, &awaited).await?;
            if line.starts_with(&format!("{tag} ")) {
                accepted(phase, what, &line, &tag)?;
                return Ok(lines);
            }
            lines.push(line);
        }
        let error = WireError::ResponseTooLong { limit: MOST_LINES * 128 };
        Err(Failure::wire(phase, &awaited, &error))
    }

    async fn tagged_or_challenge(&mut self, tag: &str) -> Result<String, Failure> {
        for _ in 0..MOST_LINES {
            let line = self.line(self.names.auth, "the answer to the sign-in").await?;
            if line.starts_with('+') || line.starts_with(&format!("{tag} ")) {
                return Ok(line);
            }
        }
        let error = WireError::ResponseTooLong { limit: MOST_LINES * 128 };
        Err(Failure::wire(self.names.auth, "the answer to the sign-in", &error))
    }

    async fn say(&mut self, text: &str) -> Result<(), Failure> {
        let said = self.wire.write(text.as_bytes());
        self.patience.wait(self.names.auth, "the answer to the sign-in", said).await
    }

    async fn line(&mut self, phase: &'static str, awaited: &str) -> Result<String, Failure> {
        let record = self.wire.record().clone();
        let line = self.patience.wait(phase, awaited, self.wire.line()).await?;
        Ok(record.redact(&line))
    }

    fn tag(&mut self) -> String {
        self.last_tag += 1;
        format!("L{}", self.last_tag)
    }
}

fn is_quotable(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, 0x20..=0x7e))
}

fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase()
}

/// Whether a tagged line says OK; else the failure that it is, in words of its code (RFC 5530).
fn accepted(phase: &str, what: &str, line: &str, tag: &str) -> Result<(), Failure> {
    let said = line.strip_prefix(tag).unwrap_or(line).trim_start();
    let word = first_word(said);
    if word == "OK" {
        return Ok(());
    }
    let reply = said.split_once(' ').map_or("", |(_, reply)| reply).to_owned();
    let code = reply.strip_prefix('[').and_then(|r| r.split([']', ' ']).next()).unwrap_or_default();
    let (class, meaning) = match code.to_ascii_uppercase().as_str() {
        "AUTHENTICATIONFAILED" => (FaultClass::Permanent, "wrong login or password"),
        "UNAVAILABLE" => (FaultClass::Temporary, "it cannot check passwords just now"),
        "EXPIRED" => (FaultClass::Permanent, "the password has expired"),
        "PRIVACYREQUIRED" => (FaultClass::Permanent, "it wants TLS first"),
        "AUTHORIZATIONFAILED" => (FaultClass::Permanent, "this login may not use the mailbox"),
        "LIMIT" => (FaultClass::Temporary, "it has too many connections"),
        // Exchange: the token is good, but not for this mailbox.
        _ if reply.contains("authenticated but not connected") => {
            (FaultClass::Permanent, "it lets the user in, but not into this mailbox")
        }
        _ if word == "BAD" => (FaultClass::Protocol, "it did not understand the command"),
        _ if what == "sign-in" => (FaultClass::Permanent, "wrong login or password, most likely"),
        _ => (FaultClass::Permanent, "it says no"),
    };
    let words = format!("the server refused the {what}: {meaning}");
    Err(Failure::new(phase, class, words).with_reply(None, None, reply))
}

fn ours(phase: &str, error: &SaslError) -> Failure {
    Failure::new(phase, FaultClass::Protocol, error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_tagged_line_panics_and_only_ok_is_accepted(
            said in prop_oneof!["(OK|NO|BAD|ok)( \\[[A-Z ]{0,12}\\]?)?\\PC{0,80}", "\\PC{0,200}"]
        ) {
            let line = format!("L1 {said}");
            match accepted("auth", "sign-in", &line, "L1") {
                Ok(()) => prop_assert_eq!(first_word(&said), "OK"),
                Err(failure) => prop_assert!(line.ends_with(&failure.fault.reply)),
            }
        }
    }
}
