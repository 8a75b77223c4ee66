//! DNSSEC: secure, insecure and bogus told apart by hickory's validator (RFC 4035 section 5), over the
//! resolvers that were asked in the first place.
//!
//! The chain is looked up with CD set, so that a resolver hands on what it finds bad. A link that could
//! not be looked up makes an answer indeterminate, never bogus: a lost datagram is no forgery.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{self, Stream, StreamExt};
use hickory_resolver::net::dnssec::DnssecDnsHandle;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::net::{DnsError, NetError as HickoryError};
use hickory_resolver::proto::dnssec::Proof;
use hickory_resolver::proto::op::{
    DnsRequest, DnsRequestOptions, DnsResponse, Query, ResponseCode,
};
use hickory_resolver::proto::rr::{Name, Record, RecordType};
use tokio::sync::OnceCell;

use super::anchors::Anchors;
use super::why::why;
use super::wire::{Heard, Wire, shown};
use crate::dns::{AskError, Security};

/// One run's validator.
pub(super) struct Validator {
    anchors: Arc<Anchors>,
    chain: OnceCell<Chain>,
}

/// What the chain of trust begins with.
enum Chain {
    /// The anchor's own zone shows the anchor's key.
    Anchored { handle: DnssecDnsHandle<Upstream>, broken: Broken },
    /// The resolver hands on no signatures, not even of the anchor's zone.
    Stripped,
    /// The anchor's zone could not be asked, or has other keys.
    Adrift(String),
}

/// Names whose part of the chain could not be looked up.
type Broken = Arc<Mutex<Vec<(Name, String)>>>;

impl Validator {
    pub(super) fn new(anchors: Arc<Anchors>) -> Self {
        Self { anchors, chain: OnceCell::new() }
    }

    /// Whether an answer is genuine.
    pub(super) async fn judge(
        &self,
        wire: &Arc<Wire>,
        name: &Name,
        kind: RecordType,
        heard: &Arc<Heard>,
    ) -> Result<Security, AskError> {
        let indeterminate =
            |detail: String| AskError::Indeterminate { name: shown(name, kind), detail };
        let (handle, broken) = match self.chain.get_or_init(|| self.begin(wire)).await {
            Chain::Anchored { handle, broken } => (handle, broken),
            Chain::Stripped => return Ok(Security::Unchecked),
            Chain::Adrift(detail) => return Err(indeterminate(detail.clone())),
        };
        wire.remember(name, kind, heard);
        let query = Query::query(name.clone(), kind);
        let mut options = DnsRequestOptions::default();
        options.use_edns = true;
        options.edns_set_dnssec_ok = true;
        let validated = handle.lookup(query, options).first_answer().await;
        let proof = match &validated {
            Ok(response) => proof_of(response, kind),
            Err(HickoryError::Dns(DnsError::Nsec { proof, .. })) => *proof,
            Err(error) => return Err(indeterminate(error.to_string())),
        };
        match proof {
            Proof::Secure => Ok(Security::Secure),
            Proof::Insecure => Ok(Security::Insecure),
            Proof::Indeterminate => Err(indeterminate("its chain of trust has a gap".to_owned())),
            Proof::Bogus => match missing_link(broken, name, heard) {
                Some(detail) => Err(indeterminate(detail)),
                None => {
                    let why = Some(why(wire, name, kind, heard).await);
                    Err(AskError::Bogus { name: shown(name, kind), why })
                }
            },
        }
    }

    /// Looks at the zones of the anchors.
    async fn begin(&self, wire: &Arc<Wire>) -> Chain {
        let mut answers = Vec::new();
        for zone in self.anchors.zones() {
            match wire.resolve(zone, RecordType::DNSKEY, true).await {
                Ok(heard) => answers.push(heard.message.clone()),
                Err(error) => return Chain::Adrift(error.to_string()),
            }
        }
        let mut records = answers.iter().flat_map(|answer| &answer.answers);
        if !records.any(|record| record.record_type() == RecordType::RRSIG) {
            return Chain::Stripped;
        }
        let keys = self.anchors.keys(&answers);
        if !Anchors::are_met(&keys, &answers) {
            return Chain::Adrift(
                "the zone of the trust anchor has other keys than the anchor's; a network with a \
                 root of its own needs trust_anchor"
                    .to_owned(),
            );
        }
        let broken = Broken::default();
        let upstream = Upstream { wire: Arc::clone(wire), broken: Arc::clone(&broken) };
        Chain::Anchored {
            handle: DnssecDnsHandle::with_trust_anchor(upstream, Arc::new(keys)),
            broken,
        }
    }
}

/// The least that is proven of what answers the question: of the answer section, or, where that has no
/// record of the type, of the authority section too, which proves that there is none.
fn proof_of(response: &DnsResponse, kind: RecordType) -> Proof {
    let is_void = !response.answers.iter().any(|record| record.record_type() == kind);
    let negative = response.authorities.iter().filter(|_| is_void);
    let relevant = response.answers.iter().chain(negative);
    let proofs: Vec<Proof> = relevant
        .filter(|record: &&Record| record.record_type() != RecordType::RRSIG)
        .map(|record| record.proof)
        .collect();
    let has = |proof| proofs.contains(&proof);
    if has(Proof::Bogus) {
        Proof::Bogus
    } else if has(Proof::Indeterminate) {
        Proof::Indeterminate
    } else if proofs.is_empty() || has(Proof::Insecure) {
        // Without any record the validator has proven that the name's zone is not signed.
        Proof::Insecure
    } else {
        Proof::Secure
    }
}

/// The link of a name's chain that could not be looked up, if any.
fn missing_link(broken: &Broken, name: &Name, heard: &Heard) -> Option<String> {
    let broken = broken.lock().unwrap_or_else(PoisonError::into_inner);
    let mut names: Vec<&Name> = heard.message.answers.iter().map(|record| &record.name).collect();
    names.push(name);
    let found = broken.iter().find(|(link, _)| names.iter().any(|name| link.zone_of(name)));
    found.map(|(_, detail)| detail.clone())
}

/// The resolvers, as hickory's validator asks them.
#[derive(Clone)]
struct Upstream {
    wire: Arc<Wire>,
    broken: Broken,
}

impl Upstream {
    async fn look_up(self, query: Query) -> Result<DnsResponse, HickoryError> {
        let heard = self.wire.resolve(&query.name, query.query_type, true).await;
        let detail = match heard {
            Ok(heard) => match heard.message.metadata.response_code {
                ResponseCode::NoError | ResponseCode::NXDomain => {
                    return DnsResponse::from_message(heard.message.clone())
                        .map_err(HickoryError::from);
                }
                code => {
                    let question = shown(&query.name, query.query_type);
                    format!("the DNS server answered {} to {question}", super::code_word(code))
                }
            },
            Err(error) => error.to_string(),
        };
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.push((query.name, detail.clone()));
        Err(HickoryError::from(detail))
    }
}

impl DnsHandle for Upstream {
    type Response = Pin<Box<dyn Stream<Item = Result<DnsResponse, HickoryError>> + Send>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let Some(query) = request.queries.first().cloned() else {
            return stream::empty().boxed();
        };
        let looked_up: BoxFuture<'static, _> = self.clone().look_up(query).boxed();
        stream::once(looked_up).boxed()
    }
}
