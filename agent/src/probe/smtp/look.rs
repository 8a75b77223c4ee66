//! The conversation: what there is to see, in the order in which it is seen.

use mailsonde_proto::FaultClass;
use mailsonde_proto::phase::name;

use super::super::tls::Accept;
use super::settings::Settings;
use crate::mail::dial::Dial;
use crate::mail::endpoint::Tls;
use crate::mail::failure::Failure;
use crate::mail::smtp::{Offers, Reply, Session};
use crate::mail::wire::Record;
use crate::net::{InspectOptions, Inspection};
use crate::stopwatch::Stopwatch;

/// What was seen before the conversation ended.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) greeting: Option<String>,
    /// Offered without TLS; `None` when nothing was said without it.
    pub(super) before_tls: Option<Offers>,
    /// Offered under TLS.
    pub(super) after_tls: Option<Offers>,
    pub(super) inspection: Option<Inspection>,
    /// The answer about the address outside.
    pub(super) relay: Option<Reply>,
    /// The answers about each recipient.
    pub(super) recipients: Vec<(String, Reply)>,
    pub(super) has_signed_in: bool,
}

impl Seen {
    /// What is offered in the end.
    pub(super) fn offers(&self) -> Option<&Offers> {
        self.after_tls.as_ref().or(self.before_tls.as_ref())
    }

    /// Sees everything; what was seen stays, also when the conversation ends early.
    pub(super) async fn all(
        &mut self,
        settings: &Settings,
        dial: Dial<'_>,
        record: &Record,
        watch: &mut Stopwatch,
    ) -> Result<(), Failure> {
        let envelope = &settings.envelope;
        // Before anything is opened: also a server that only answers may look for whom it is asked about.
        for recipient in envelope.relay_to.iter().chain(&envelope.taken).chain(&envelope.refused) {
            let allowed = dial.net.may_write_to(recipient);
            allowed.map_err(|refusal| Failure::policy(name::ENVELOPE, &refusal))?;
        }
        let session = self.opening(settings, dial, record, watch).await?;
        let mut session = self.security(session, settings, dial, watch).await?;
        if let Some(outside) = &envelope.relay_to {
            self.relay = self.asked(&mut session, &envelope.from, outside).await?;
            watch.lap(name::ENVELOPE);
        }
        let login = settings.endpoint.login.as_ref();
        if let Some(login) = login.filter(|_| self.may_sign_in(settings)) {
            session = session.prove(login, watch).await?;
            self.has_signed_in = true;
        }
        let all = envelope.taken.iter().chain(&envelope.refused);
        for recipient in all.clone() {
            if let Some(reply) = self.asked(&mut session, &envelope.from, recipient).await? {
                self.recipients.push((recipient.clone(), reply));
            }
        }
        if all.count() > 0 {
            watch.lap(name::ENVELOPE);
        }
        session.quit().await;
        Ok(())
    }

    /// After a bad certificate nobody signs in. Where the run fails for the certificate, that is said; where
    /// it would pass with it, it fails for the sign-in, which [`Session::prove`] refuses.
    fn may_sign_in(&self, settings: &Settings) -> bool {
        let is_refused = |inspection: &Inspection| inspection.refusal.is_some();
        settings.terms.accept != Accept::Trusted
            || !self.inspection.as_ref().is_some_and(is_refused)
    }

    async fn opening(
        &mut self,
        settings: &Settings,
        dial: Dial<'_>,
        record: &Record,
        watch: &mut Stopwatch,
    ) -> Result<Session, Failure> {
        let endpoint = &settings.endpoint;
        let mut wire = dial.reach(endpoint, record.clone(), watch).await?;
        if endpoint.tls == Tls::Implicit {
            let certificate = (endpoint.host.as_str(), &endpoint.trust);
            let (inspected, inspection) =
                dial.inspect(wire, certificate, &InspectOptions::default()).await?;
            watch.lap(name::TLS);
            self.inspection = Some(inspection);
            wire = inspected;
        }
        let mut session = Session::over(wire, dial.patience, settings.hello.clone());
        self.greeting = Some(session.greeting().await?.text());
        let offers = Some(session.hail(name::GREETING).await?);
        watch.lap(name::GREETING);
        if self.inspection.is_some() {
            self.after_tls = offers;
        } else {
            self.before_tls = offers;
        }
        Ok(session)
    }

    async fn security(
        &mut self,
        session: Session,
        settings: &Settings,
        dial: Dial<'_>,
        watch: &mut Stopwatch,
    ) -> Result<Session, Failure> {
        let endpoint = &settings.endpoint;
        let offers = |offers: &Offers| offers.has("STARTTLS");
        let is_offered = self.before_tls.as_ref().is_some_and(offers);
        match endpoint.tls {
            Tls::Implicit | Tls::None => return Ok(session),
            Tls::Opportunistic if !is_offered => return Ok(session),
            Tls::StartTls if !is_offered => {
                let words = "the server does not offer STARTTLS";
                return Err(Failure::new(name::TLS, FaultClass::Protocol, words));
            }
            Tls::StartTls | Tls::Opportunistic => {}
        }
        let certificate = (endpoint.host.as_str(), &endpoint.trust);
        let (mut session, inspection) = session.upgrade(dial, certificate).await?;
        self.inspection = Some(inspection);
        self.after_tls = Some(session.hail(name::TLS).await?);
        watch.lap(name::TLS);
        Ok(session)
    }

    /// MAIL FROM, RCPT TO, RSET: the answer to the second; never DATA. A sender that is refused is a fault,
    /// because nothing can be asked then.
    async fn asked(
        &self,
        session: &mut Session,
        from: &str,
        to: &str,
    ) -> Result<Option<Reply>, Failure> {
        session.say(&format!("MAIL FROM:<{from}>")).await?.expect_2xx("sender")?;
        let reply = session.say(&format!("RCPT TO:<{to}>")).await?;
        if session.say("RSET").await?.code() != 250 {
            let words = "the server does not take back an envelope: RSET is refused";
            return Err(Failure::new(name::ENVELOPE, FaultClass::Protocol, words));
        }
        Ok(Some(reply))
    }
}
