//! The agents' side of it: the service of `enrolment.proto`.

use std::sync::Arc;

use mailsonde_proto::Clock;
use mailsonde_proto::convert::{Certified, EnrollRequest, RenewRequest};
use mailsonde_proto::wire;
use mailsonde_proto::wire::enrolment_server::{Enrolment as Service, EnrolmentServer};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use super::{Enrolment, EnrolmentError};
use crate::accept::Peer;
use crate::control::ControlError;
use crate::identity::IdentityError;
use crate::registry::Registry;

/// Requests that are worked on at once; each costs a signature or two and, at most, a write to the disk.
const AT_ONCE: usize = 4;
/// Bytes of a request at most.
const MAX_REQUEST_BYTES: usize = 16 * 1024;

/// Answers agents that want in.
pub struct EnrolmentService {
    enrolment: Enrolment,
    registry: Arc<Registry>,
    clock: Clock,
    slots: Arc<Semaphore>,
}

impl EnrolmentService {
    /// The service, to be served beside the uplink.
    pub fn server(
        enrolment: Enrolment,
        registry: Arc<Registry>,
        clock: Clock,
    ) -> EnrolmentServer<Self> {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        EnrolmentServer::new(Self { enrolment, registry, clock, slots })
            .max_decoding_message_size(MAX_REQUEST_BYTES)
    }

    async fn work(
        &self,
        work: impl FnOnce(&Enrolment) -> Result<Certified, EnrolmentError> + Send + 'static,
    ) -> Result<Response<wire::Certified>, Status> {
        let stopping = || Status::unavailable("the collector is stopping");
        let _slot = self.slots.acquire().await.ok().ok_or_else(stopping)?;
        let enrolment = self.enrolment.clone();
        let done = tokio::task::spawn_blocking(move || work(&enrolment)).await;
        match done.ok().ok_or_else(stopping)? {
            Ok(certified) => Ok(Response::new(certified.into())),
            Err(error) => Err(status_of(&error)),
        }
    }
}

#[tonic::async_trait]
impl Service for EnrolmentService {
    async fn enroll(
        &self,
        request: Request<wire::EnrollRequest>,
    ) -> Result<Response<wire::Certified>, Status> {
        let peer = Peer::of(&request)?;
        let asked = EnrollRequest::try_from(request.into_inner()).map_err(malformed)?;
        let (now, from) = (self.clock.wall(), peer.place());
        let registry = self.registry.clone();
        self.work(move |enrolment| {
            let certified = enrolment.enroll(asked, &from, now)?;
            // whoever has its old key, on a lost disk say, is out at once
            registry.end_other_key(certified.agent);
            Ok(certified)
        })
        .await
    }

    async fn renew(
        &self,
        request: Request<wire::RenewRequest>,
    ) -> Result<Response<wire::Certified>, Status> {
        let peer = Peer::of(&request)?;
        let asked = RenewRequest::try_from(request.into_inner()).map_err(malformed)?;
        let shown = match peer.shown() {
            Ok(shown) => Some(shown),
            Err(IdentityError::NoCertificate) => None,
            Err(error) => return Err(Status::unauthenticated(error.to_string())),
        };
        let (now, from) = (self.clock.wall(), peer.place());
        self.work(move |enrolment| enrolment.renew(&asked, shown, &from, now)).await
    }
}

fn malformed(error: mailsonde_proto::convert::Malformed) -> Status {
    Status::invalid_argument(error.to_string())
}

fn status_of(error: &EnrolmentError) -> Status {
    let words = error.to_string();
    match error {
        EnrolmentError::Control(ControlError::Journal(_)) => {
            tracing::error!(%error, "an agent could not be let in");
            Status::unavailable("the collector cannot write it down: try again later")
        }
        EnrolmentError::Identity(IdentityError::Request | IdentityError::PublicKey) => {
            Status::invalid_argument(words)
        }
        EnrolmentError::Identity(_) => {
            tracing::error!(%error, "an agent could not be let in");
            Status::internal("see the collector's own log")
        }
        _ => Status::permission_denied(words),
    }
}
