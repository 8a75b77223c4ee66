//! How the agent comes in by a token, and gets its certificate renewed: the client of `enrolment.proto`.

use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::convert::{Certified, EnrollRequest, RenewRequest};
use mailsonde_proto::wire;
use mailsonde_proto::wire::enrolment_client::EnrolmentClient;
use mailsonde_proto::{AgentId, EnrolmentToken};
use rustls::ClientConfig;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tonic::Status;

use super::channel::{self, SOFTWARE};
use super::{UplinkError, credentials};
use crate::config::{CollectorConfig, Endpoint};
use crate::identity::{self, AgentKey, IdentityError, IdentityFiles, PinnedAuthority};
use crate::net::Net;

/// For an answer, once connected.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Bytes of an answer at most.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Why the agent did not come in, or got no new certificate.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// The collector's address in the token makes no sense.
    #[error("the token names no collector that can be dialled: get a new one")]
    Address,
    /// Key or certificate.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The collector cannot be reached, or refuses.
    #[error(transparent)]
    Uplink(#[from] UplinkError),
    /// The collector answered nonsense.
    #[error("the collector does not keep to the protocol: {0}")]
    Malformed(#[from] mailsonde_proto::convert::Malformed),
    /// A thread ended.
    #[error("the agent is ending")]
    Ending,
}

/// Comes in by a token: the agent's files are complete afterwards. The same token again gets the same answer.
///
/// # Errors
/// When the collector cannot be reached, refuses, or the files cannot be written.
pub async fn enroll(
    net: &Net,
    token: &EnrolmentToken,
    files: IdentityFiles,
    host_name: Option<String>,
) -> Result<Certified, EnrolmentError> {
    let collector = address_of(token)?;
    let (key, files) = blocking(move || Ok((AgentKey::load_or_make(&files.key)?, files))).await?;
    let request = EnrollRequest {
        secret: token.secret,
        signing_request: key.signing_request()?,
        proposed_name: host_name,
        software: SOFTWARE.to_owned(),
    };
    let tls = PinnedAuthority::client_config(token.authority)
        .map_err(credentials::CredentialsError::Tls)
        .map_err(UplinkError::Credentials)?;
    let mut client = connect(net, (&collector, &collector.host), Arc::new(tls)).await?;
    let certified: Certified =
        answered(client.enroll(wire::EnrollRequest::from(request))).await?.try_into()?;
    let kept = certified.clone();
    blocking(move || identity::keep(&files, &key, &kept, None)).await?;
    Ok(certified)
}

/// Where a token's collector is.
///
/// # Errors
/// When that is no host and port.
pub fn address_of(token: &EnrolmentToken) -> Result<Endpoint, EnrolmentError> {
    Endpoint::parse(&token.collector, None).ok_or(EnrolmentError::Address)
}

/// Gets a new certificate for the agent's key, by the old one if `tls` shows it, else by the key alone.
///
/// # Errors
/// When the collector cannot be reached, refuses, or the files cannot be written; the old certificate stays.
pub async fn renew(
    net: &Net,
    collector: &CollectorConfig,
    tls: Arc<ClientConfig>,
    agent: AgentId,
) -> Result<(), EnrolmentError> {
    let CollectorConfig { ca, certificate, key, .. } = collector.clone();
    let files = IdentityFiles { ca, certificate, key };
    let path = files.key.clone();
    let key = blocking(move || AgentKey::load(&path)).await?;
    let request =
        RenewRequest { signing_request: key.signing_request()?, software: SOFTWARE.to_owned() };
    let mut client = connect(net, (&collector.address, &collector.server_name), tls).await?;
    let certified: Certified =
        answered(client.renew(wire::RenewRequest::from(request))).await?.try_into()?;
    blocking(move || identity::keep(&files, &key, &certified, Some(agent))).await
}

async fn connect(
    net: &Net,
    (address, server_name): (&Endpoint, &str),
    tls: Arc<ClientConfig>,
) -> Result<EnrolmentClient<tonic::transport::Channel>, EnrolmentError> {
    let (channel, _) = channel::open(net, address, server_name, tls).await?;
    Ok(EnrolmentClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES))
}

async fn answered<T>(
    asked: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, EnrolmentError> {
    let answer = timeout(ANSWER_WITHIN, asked).await;
    let silent = UplinkError::Silent { what: "answer", within: ANSWER_WITHIN };
    let answer = answer.ok().ok_or(silent)?;
    Ok(answer.map_err(|status| UplinkError::of_status(&status))?.into_inner())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, IdentityError> + Send + 'static,
) -> Result<T, EnrolmentError> {
    Ok(spawn_blocking(work).await.ok().ok_or(EnrolmentError::Ending)??)
}
