//! An inspecting handshake: the verdict on the certificate is written down, and the handshake goes on.
//!
//! What comes of it is two things: the [`Inspection`], which describes, and the stream as [`Unproven`], which
//! remembers the verdict. After a bad one the stream can be had only for talk without secrets: whoever
//! wants to sign in asks [`Unproven::trusted`], and gets the error that an ordinary handshake would have
//! given.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CipherSuite, ClientConfig, SupportedCipherSuite};
use tokio_rustls::client::TlsStream;
use webpki::EndEntityCert;

use super::certificate::Certificate;
use super::verifier::{Noted, Reason, Recorder, Refusal};
use super::{TlsFacts, TlsTrust, TrustError};
use crate::net::NetError;

/// The most certificates of one chain that are looked at.
const LONGEST_CHAIN: usize = 16;

/// What is offered in an inspecting handshake.
#[derive(Clone, Debug, Default)]
pub struct InspectOptions {
    /// Application protocols, best first (RFC 7301), such as `h2`; none are offered when it is empty.
    pub alpn: Vec<Vec<u8>>,
    /// Only these cipher suites, and with them only their versions; all when it is empty.
    pub suites: Vec<CipherSuite>,
}

/// What an inspecting handshake saw.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The name that the certificate was to be for.
    pub server_name: String,
    /// Why the certificate is not accepted; `None` when it is, by the trust that was given.
    pub refusal: Option<Refusal>,
    /// Why nothing proves that the server has the certificate's key (RFC 8446 section 4.4.3); `None` when
    /// its signature over the handshake stands.
    pub proof: Option<Refusal>,
    /// Whether the certificate is for the name (RFC 9525 section 6), whatever else is wrong with it.
    pub is_for_name: bool,
    /// Whether the chain leads to somebody who is trusted, whatever the day.
    pub completeness: Completeness,
    /// Such as `TLSv1.3`.
    pub version: String,
    /// Such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The application protocol that the server chose.
    pub alpn: Option<Vec<u8>>,
    /// The certificates as they were presented, the server's own first; at most 16. Those that cannot be
    /// read are left out; where the server's own is among them, there are none.
    pub chain: Vec<Certificate>,
    /// How many certificates of the chain cannot be read.
    pub unreadable: usize,
    /// The stapled OCSP response, where there is one (RFC 6066 section 8), as it came.
    pub staple: Option<Vec<u8>>,
}

/// How far the presented certificates lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// To a root that is trusted.
    Complete,
    /// Nowhere: the server's certificate is signed by itself.
    SelfSigned,
    /// To a root that was presented and is not trusted.
    UnknownRoot {
        /// Its subject.
        root: String,
    },
    /// To a certificate whose issuer was neither presented nor is trusted. Where the certificate says where
    /// its issuer's is to be fetched, that is most likely an intermediate that the server should send;
    /// otherwise it can as well be a root that is not trusted here.
    IssuerMissing {
        /// Who that issuer is.
        issuer: String,
        /// Where its certificate can be fetched; empty when the last one does not say.
        url: String,
    },
    /// Nobody can say: the trust was anybody, or the certificate cannot be read.
    Unknown,
}

impl Inspection {
    /// The server's own certificate, when it can be read.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.chain.first()
    }

    /// Its facts in short, as those of an ordinary handshake.
    pub fn facts(&self) -> TlsFacts {
        TlsFacts {
            version: self.version.clone(),
            cipher: self.cipher.clone(),
            expires: self.leaf().map(|leaf| leaf.not_after),
        }
    }

    /// The error that an ordinary handshake would have ended with.
    pub fn error(&self) -> Option<NetError> {
        let refusal = self.refusal.as_ref()?;
        Some(NetError::Certificate {
            server_name: self.server_name.clone(),
            words: refusal.words.clone(),
        })
    }

    /// The certificates that lead from the server's own up, as far as they were presented: by names, each
    /// followed by its issuer, whatever the order was and whatever else was sent.
    pub fn path(&self) -> Vec<&Certificate> {
        let mut path: Vec<&Certificate> = self.chain.iter().take(1).collect();
        while let Some(last) = path.last().filter(|last| !last.is_self_signed) {
            let is_next = |next: &&Certificate| {
                last.names_as_issuer(next) && !path.iter().any(|seen| seen.sha256 == next.sha256)
            };
            match self.chain.iter().find(is_next) {
                Some(next) => path.push(next),
                None => break,
            }
        }
        path
    }

    pub(in crate::net) fn of<S>(
        stream: &TlsStream<S>,
        recorder: &Recorder,
        (name, trust): (&ServerName<'_>, &TlsTrust),
    ) -> Self {
        let (_, session) = stream.get_ref();
        let noted = recorder.noted();
        let presented = session.peer_certificates().unwrap_or_default();
        let read = presented.iter().take(LONGEST_CHAIN);
        let read: Vec<_> = read.map(|der| Certificate::read(der)).collect();
        let TlsFacts { version, cipher, .. } = TlsFacts::of(stream);
        let Noted { refusal, proof, is_anchored, staple } = noted;
        let mut inspection = Self {
            server_name: name.to_str().into_owned(),
            refusal: refusal.or_else(|| proof.clone()),
            proof,
            is_for_name: presented.first().is_some_and(|leaf| is_for_name(leaf, name)),
            completeness: Completeness::Unknown,
            version,
            cipher,
            alpn: session.alpn_protocol().map(<[u8]>::to_vec),
            unreadable: read.iter().filter(|read| read.is_none()).count(),
            chain: match read.first() {
                Some(None) => Vec::new(),
                _ => read.into_iter().flatten().collect(),
            },
            staple: Some(staple).filter(|staple| !staple.is_empty()),
        };
        if !trust.is_anybody() {
            inspection.completeness = inspection.completeness(is_anchored);
        }
        inspection
    }

    fn completeness(&self, is_anchored: bool) -> Completeness {
        let path = self.path();
        match path.last() {
            _ if is_anchored => Completeness::Complete,
            None => Completeness::Unknown,
            Some(last) if last.is_self_signed && path.len() == 1 => Completeness::SelfSigned,
            Some(last) if last.is_self_signed => {
                Completeness::UnknownRoot { root: last.subject.clone() }
            }
            Some(last) => Completeness::IssuerMissing {
                issuer: last.issuer.clone(),
                url: last.issuer_url.clone(),
            },
        }
    }
}

/// A TLS stream whose certificate may not be accepted.
#[derive(Debug)]
pub struct Unproven<S> {
    stream: TlsStream<S>,
    error: Option<NetError>,
}

impl<S> Unproven<S> {
    pub(in crate::net) fn new(stream: TlsStream<S>, inspection: &Inspection) -> Self {
        Self { stream, error: inspection.error() }
    }

    /// The stream, for anything.
    ///
    /// # Errors
    /// What an ordinary handshake would have said: the certificate is not accepted.
    pub fn trusted(self) -> Result<TlsStream<S>, NetError> {
        match self.error {
            None => Ok(self.stream),
            Some(error) => Err(error),
        }
    }

    /// The stream whatever the certificate is, and why it is not accepted. Over it no secret may be said:
    /// hand it to [`Wire::unproven`](crate::mail::wire::Wire::unproven), which sees to that.
    pub(crate) fn without_secrets(self) -> (TlsStream<S>, Option<String>) {
        (self.stream, self.error.map(|error| error.to_string()))
    }
}

impl TlsTrust {
    /// A configuration whose verifier records and goes on.
    pub(in crate::net) fn inspecting_config(
        &self,
        options: &InspectOptions,
    ) -> Result<(Arc<ClientConfig>, Arc<Recorder>), TrustError> {
        let mut provider = rustls::crypto::ring::default_provider();
        let is_wanted = |suite: &SupportedCipherSuite| options.suites.contains(&suite.suite());
        if !options.suites.is_empty() {
            provider.cipher_suites.retain(is_wanted);
        }
        let provider = Arc::new(provider);
        let recorder = Arc::new(Recorder::new(self.verifier(&provider)?));
        let verifier = Arc::clone(&recorder);
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(super::VERSIONS)
            .map_err(TrustError::Provider)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols.clone_from(&options.alpn);
        Ok((Arc::new(config), recorder))
    }
}

fn is_for_name(leaf: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    EndEntityCert::try_from(leaf)
        .is_ok_and(|leaf| leaf.verify_is_valid_for_subject_name(name).is_ok())
}

impl Refusal {
    /// Whether it is for one of these reasons.
    pub fn is_for(&self, reasons: &[Reason]) -> bool {
        reasons.contains(&self.reason)
    }
}
