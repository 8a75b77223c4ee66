//! A session step by step, for whoever looks at the server and hands in no message.

use lettre::transport::smtp::commands::{Ehlo, Starttls};
use lettre::transport::smtp::extension::ClientId;
use mailsonde_proto::FaultClass;
use mailsonde_proto::phase::name;

use super::{Offers, Reply, Session};
use crate::mail::dial::{Dial, Patience};
use crate::mail::endpoint::Login;
use crate::mail::failure::Failure;
use crate::mail::starttls::address_literal;
use crate::mail::wire::Wire;
use crate::net::{InspectOptions, Inspection, TlsTrust};
use crate::stopwatch::Stopwatch;

impl Session {
    /// Over a connected wire on which nothing was said.
    pub(crate) fn over(wire: Wire, patience: Patience, hello: Option<ClientId>) -> Self {
        Self::new(wire, patience, hello)
    }

    /// The server's first words.
    pub(crate) async fn greeting(&mut self) -> Result<Reply, Failure> {
        self.reply(name::GREETING, "its greeting").await?.expect_2xx("session")
    }

    /// Says EHLO, in this phase; what is offered from now on.
    pub(crate) async fn hail(&mut self, phase: &'static str) -> Result<Offers, Failure> {
        let hello = self.hello.clone().unwrap_or_else(|| address_literal(self.wire.local()));
        let reply = self.ask(phase, "the answer to EHLO", Ehlo::new(hello)).await?;
        let reply = reply.expect_2xx("EHLO")?;
        self.offers = reply.lines().iter().skip(1).cloned().collect();
        Ok(Offers::read(reply.lines()))
    }

    /// Begins TLS by STARTTLS and goes on whatever the certificate is; what was offered counts no longer
    /// (RFC 3207 section 4.2).
    pub(crate) async fn upgrade(
        mut self,
        dial: Dial<'_>,
        certificate: (&str, &TlsTrust),
    ) -> Result<(Self, Inspection), Failure> {
        let ready = self.ask(name::TLS, "the answer to STARTTLS", Starttls).await?;
        ready.expect_2xx("start of TLS")?;
        let options = InspectOptions::default();
        let (wire, inspection) = dial.inspect(self.wire, certificate, &options).await?;
        self.wire = wire;
        self.offers.clear();
        Ok((self, inspection))
    }

    /// Signs in, unless the server's certificate is not accepted: then no password leaves.
    pub(crate) async fn prove(self, login: &Login, watch: &mut Stopwatch) -> Result<Self, Failure> {
        if let Some(why) = self.wire.distrust() {
            return Err(Failure::new(name::AUTH, FaultClass::Mismatch, why));
        }
        self.sign_in(login, watch).await
    }

    /// One command of the envelope, and the answer whatever it is.
    pub(crate) async fn say(&mut self, command: &str) -> Result<Reply, Failure> {
        let verb = command.split([':', ' ']).take(2).collect::<Vec<_>>().join(" ");
        let awaited = format!("the answer to {verb}");
        self.ask(name::ENVELOPE, &awaited, format!("{command}\r\n")).await
    }
}
