//! The client behind [`Ask`] and [`AskServer`]: one run's questions to real servers.
//!
//! Resolvers are asked over UDP with EDNS(0) and DNSSEC OK, over TCP where the answer does not fit; one
//! that does not answer is followed by the next. Whether an answer is genuine is found out here, by
//! hickory's validator over the same resolvers, from a trust anchor on: a resolver may be anybody's, and
//! its AD bit is worth what the path to it is worth, so it is believed only where the configuration
//! says so. Absent on purpose: the hosts file, search lists, and anything that outlives the run. Within
//! the run each question is put once.

mod anchors;
pub(super) mod exchange;
mod validate;
mod why;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use mailsonde_proto::Clock;
use mailsonde_proto::time::Instant;

use super::Net;
use super::resolve::servers_of;
use crate::dns::{
    Answer, Ask, AskError, AskServer, ExtendedError, Question, Reply, Security, message,
};
use validate::Validator;
use wire::{Heard, Wire, shown};

pub use anchors::{Anchors, AnchorsError};

/// How many questions of one run are under way at once.
pub const MOST_AT_ONCE: usize = 16;
/// The most aliases of one answer that are followed.
const MOST_ALIASES: usize = 8;
/// How long one question may take, with all its tries.
pub const QUESTION_PATIENCE: Duration = Duration::from_secs(5);

/// How a run asks DNS.
#[derive(Clone, Debug)]
pub struct DnsSettings {
    /// The resolvers, in the order in which they are asked; the system's where there is none.
    pub resolvers: Vec<SocketAddr>,
    /// Who says whether an answer is genuine.
    pub validation: Validation,
    /// Where the chain of trust begins.
    pub anchors: Arc<Anchors>,
    /// How long one question may take, with all its tries.
    pub patience: Duration,
    /// How many questions are under way at once.
    pub most_at_once: usize,
}

impl Default for DnsSettings {
    fn default() -> Self {
        Self {
            resolvers: Vec::new(),
            validation: Validation::Own,
            anchors: Arc::new(Anchors::iana()),
            patience: QUESTION_PATIENCE,
            most_at_once: MOST_AT_ONCE,
        }
    }
}

/// Who says whether an answer is genuine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// We do, from the trust anchor on.
    Own,
    /// The resolver's AD bit does (RFC 4035 section 4.9.3): only for a resolver on a trusted path.
    Resolver,
    /// Nobody.
    Off,
}

/// One run's client. Cheap to clone; clones share what was asked.
#[derive(Clone)]
pub struct Dns {
    wire: Arc<Wire>,
    validator: Arc<Validator>,
    validation: Validation,
}

impl Net {
    /// A client for one run, which is over at the deadline.
    ///
    /// # Errors
    /// When no resolver is given and the system has none.
    pub fn dns(
        &self,
        settings: &DnsSettings,
        clock: Clock,
        deadline: Instant,
    ) -> Result<Dns, AskError> {
        let resolvers = match settings.resolvers.as_slice() {
            [] => system_resolvers()?,
            given => given.to_vec(),
        };
        let wire = Arc::new(Wire::new(self.clone(), (clock, deadline), resolvers, settings));
        let validator = Arc::new(Validator::new(Arc::clone(&settings.anchors)));
        Ok(Dns { wire, validator, validation: settings.validation })
    }
}

/// The DNS servers that this machine's own configuration names, at least one.
///
/// # Errors
/// When it names none, or cannot be read.
pub fn system_resolvers() -> Result<Vec<SocketAddr>, AskError> {
    let none = |detail: String| AskError::NotAsked {
        detail: format!("this machine cannot reach any DNS server: its resolv.conf {detail}"),
        is_local: true,
    };
    let (config, _) = read_system_conf().map_err(|e| none(format!("cannot be read: {e}")))?;
    let servers = servers_of(&config);
    if servers.is_empty() {
        return Err(none("names none".to_owned()));
    }
    Ok(servers)
}

impl Dns {
    /// The resolvers that are asked.
    pub fn resolvers(&self) -> &[SocketAddr] {
        self.wire.resolvers()
    }

    /// What was asked so far and what came, one line a question, for people.
    pub fn transcript(&self) -> String {
        self.wire.transcript()
    }

    async fn answer(&self, name: &Name, kind: RecordType) -> Result<Answer, AskError> {
        let heard = self.wire.resolve(name, kind, false).await?;
        match heard.message.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => {
                let security = self.security(name, kind, &heard).await?;
                Ok(answer_of(&heard, security))
            }
            ResponseCode::ServFail if self.validation != Validation::Off => {
                Err(self.second_opinion(name, kind, &heard).await)
            }
            _ => Err(failed(name, kind, &heard)),
        }
    }

    async fn security(
        &self,
        name: &Name,
        kind: RecordType,
        heard: &Arc<Heard>,
    ) -> Result<Security, AskError> {
        match self.validation {
            Validation::Off => Ok(Security::Unchecked),
            Validation::Resolver if heard.message.metadata.authentic_data => Ok(Security::Secure),
            Validation::Resolver => Ok(Security::Insecure),
            Validation::Own => self.proven(name, kind, heard).await,
        }
    }

    /// What our validator proves. It does not follow an alias to where there is no such record, and takes
    /// some aliases within a zone for bogus, so such a chain is proven link by link, each as a question of
    /// its own; the chain is as secure as its weakest link (as RFC 4035 section 3.2.3 has it for the AD
    /// bit), and where it ends, the records must be those that were answered.
    async fn proven(
        &self,
        name: &Name,
        kind: RecordType,
        heard: &Arc<Heard>,
    ) -> Result<Security, AskError> {
        let links = aliases(&heard.message.answers, name);
        let found = data_of(heard, kind);
        let end = links.last().map(|(_, target)| target.clone());
        if !found.is_empty() || end.is_none() {
            let judged = self.validator.judge(&self.wire, name, kind, heard).await;
            if end.is_none() || !matches!(judged, Err(AskError::Bogus { .. })) {
                return judged;
            }
        }
        let mut questions: Vec<(Name, RecordType)> =
            links.into_iter().map(|(alias, _)| (alias, RecordType::CNAME)).collect();
        questions.extend(end.map(|end| (end, kind)));
        let mut least = Security::Secure;
        for (link, asked) in questions {
            let heard = self.wire.resolve(&link, asked, true).await?;
            match self.validator.judge(&self.wire, &link, asked, &heard).await? {
                Security::Secure => {}
                weaker => least = weaker,
            }
            if asked == kind && data_of(&heard, kind) != found {
                return Err(AskError::Bogus { name: shown(name, kind), why: None });
            }
        }
        Ok(least)
    }

    /// A validating resolver says SERVFAIL to what is bogus (RFC 4035 section 5.5), and to much else.
    /// Asked not to check (CD, section 3.2.2) it hands on what it has: if that is proven wrong, or the
    /// resolver itself says so by an extended error, the answer is bogus, else the resolver has failed.
    async fn second_opinion(
        &self,
        name: &Name,
        kind: RecordType,
        refusal: &Arc<Heard>,
    ) -> AskError {
        let failure = failed(name, kind, refusal);
        let Ok(unchecked) = self.wire.resolve(name, kind, true).await else { return failure };
        let code = unchecked.message.metadata.response_code;
        if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
            return failure;
        }
        let said = message::extended(&refusal.message).into_iter().find(ExtendedError::is_bogus);
        match (self.validation, said) {
            (_, Some(said)) => {
                let why = why::precise(&self.wire, (name, kind), &unchecked, said).await;
                AskError::Bogus { name: shown(name, kind), why: Some(why) }
            }
            (Validation::Resolver, None) => AskError::Bogus { name: shown(name, kind), why: None },
            (_, None) => match self.security(name, kind, &unchecked).await {
                Err(error @ AskError::Bogus { .. }) => error,
                _ => failure,
            },
        }
    }
}

/// The data of the records of a type, in an order of its own.
fn data_of(heard: &Heard, kind: RecordType) -> Vec<String> {
    let records = heard.message.answers.iter().filter(|record| record.record_type() == kind);
    let mut data: Vec<String> = records.map(|record| record.data.to_string()).collect();
    data.sort_unstable();
    data
}

/// The aliases by which an answer leads away from a name, each with its target, in order.
fn aliases(answers: &[Record], name: &Name) -> Vec<(Name, Name)> {
    let mut links = Vec::new();
    let mut here = name.to_lowercase();
    while links.len() < MOST_ALIASES {
        let target = answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name.to_lowercase() == here => {
                Some(target.0.to_lowercase())
            }
            _ => None,
        });
        let Some(target) = target else { break };
        links.push((std::mem::replace(&mut here, target.clone()), target));
    }
    links
}

fn failed(name: &Name, kind: RecordType, heard: &Heard) -> AskError {
    AskError::Failed {
        name: shown(name, kind),
        code: code_word(heard.message.metadata.response_code),
        extended: message::extended(&heard.message).into_iter().next(),
    }
}

/// A response code as the RFCs write it.
pub(crate) fn code_word(code: ResponseCode) -> String {
    match code {
        ResponseCode::NoError => "NOERROR".to_owned(),
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        ResponseCode::NotAuth => "NOTAUTH".to_owned(),
        ResponseCode::BADVERS => "BADVERS".to_owned(),
        other => format!("RCODE {}", u16::from(other)),
    }
}

fn answer_of(heard: &Heard, security: Security) -> Answer {
    let message = &heard.message;
    Answer {
        code: message.metadata.response_code,
        answers: message.answers.clone(),
        authorities: message.authorities.clone(),
        security,
        extended: message::extended(message),
        took: heard.took,
    }
}

impl Ask for Dns {
    fn ask<'a>(
        &'a self,
        name: &'a Name,
        kind: RecordType,
    ) -> BoxFuture<'a, Result<Answer, AskError>> {
        self.answer(name, kind).boxed()
    }

    fn silence(&self) -> Option<AskError> {
        self.wire.silence()
    }
}

impl AskServer for Dns {
    fn ask_server<'a>(
        &'a self,
        server: SocketAddr,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Reply, AskError>> {
        async move {
            let heard = self.wire.ask_one(server, question).await?;
            Ok(message::reply(heard.message, heard.took))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests;
