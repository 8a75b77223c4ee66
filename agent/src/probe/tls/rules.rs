//! The rules about certificates and handshakes.

use mailsonde_proto::Severity::{Critical, Notice, Warning};

use crate::posture::Rule;

pub(super) const EXPIRED: Rule = Rule {
    name: "tls.certificate_expired",
    severity: Critical,
    source: "RFC 5280 section 4.1.2.5",
    advice: "renew the certificate and reload the server; see why the renewal did not run",
};
pub(super) const NOT_YET_VALID: Rule = Rule {
    name: "tls.certificate_not_yet_valid",
    severity: Critical,
    source: "RFC 5280 section 4.1.2.5",
    advice: "set the clock of the machine that signs, or wait until the certificate is valid",
};
pub(super) const EXPIRES_SOON: Rule = Rule {
    name: "tls.certificate_expires_soon",
    severity: Warning,
    source: "RFC 5280 section 4.1.2.5",
    advice: "renew the certificate now; if renewal is automatic, see why it did not run",
};
pub(super) const NAME_MISMATCH: Rule = Rule {
    name: "tls.name_mismatch",
    severity: Critical,
    source: "RFC 9525 section 6",
    advice: "get a certificate that lists this name, or give clients a name that it lists",
};
pub(super) const SELF_SIGNED: Rule = Rule {
    name: "tls.self_signed",
    severity: Critical,
    source: "RFC 5280 section 6.1",
    advice: "get a certificate from an authority that clients trust",
};
pub(super) const UNKNOWN_ROOT: Rule = Rule {
    name: "tls.unknown_root",
    severity: Critical,
    source: "RFC 5280 section 6.1",
    advice: "get a certificate from an authority that clients trust, or name the authority in ca_file",
};
pub(super) const CHAIN_INCOMPLETE: Rule = Rule {
    name: "tls.chain_incomplete",
    severity: Critical,
    source: "RFC 8446 section 4.4.2",
    advice: "send the intermediate certificates along (the authority's 'full chain' file); if the issuer \
             is a private root, name it in ca_file",
};
pub(super) const NOT_ACCEPTED: Rule = Rule {
    name: "tls.not_accepted",
    severity: Critical,
    source: "RFC 5280 section 6",
    advice: "replace the certificate",
};
pub(super) const UNREADABLE: Rule = Rule {
    name: "tls.unreadable_certificate",
    severity: Warning,
    source: "RFC 5280 section 4.1",
    advice: "take the certificate that cannot be read out of the chain",
};
pub(super) const CHAIN_ORDER: Rule = Rule {
    name: "tls.chain_order",
    severity: Notice,
    source: "RFC 5246 section 7.4.2, RFC 8446 section 4.4.2",
    advice: "send the server's certificate first, then each issuer in turn, and nothing else",
};
pub(super) const WEAK_KEY: Rule = Rule {
    name: "tls.weak_key",
    severity: Warning,
    source: "RFC 9325 section 4.5, CA/Browser Forum Baseline Requirements section 6.1.5",
    advice: "make a new key: RSA of 2048 bits at least, or a curve such as P-256",
};
pub(super) const WEAK_SIGNATURE: Rule = Rule {
    name: "tls.weak_signature",
    severity: Warning,
    source: "RFC 9155 section 2, RFC 9325 section 4.5",
    advice: "have the certificate signed anew, with SHA-256 or better",
};
pub(super) const OLD_VERSION: Rule = Rule {
    name: "tls.old_version",
    severity: Warning,
    source: "RFC 8996 section 4, RFC 7568 section 3",
    advice: "turn SSL 3.0, TLS 1.0 and TLS 1.1 off",
};
pub(super) const NO_VERSION_13: Rule = Rule {
    name: "tls.no_version_1_3",
    severity: Notice,
    source: "RFC 9325 section 3.1.1",
    advice: "turn TLS 1.3 on",
};
pub(super) const WEAK_SUITE: Rule = Rule {
    name: "tls.weak_suite",
    severity: Warning,
    source: "RFC 9325 section 4.1, RFC 7465 section 2",
    advice: "take these suites out of the server's list",
};
pub(super) const ANONYMOUS_SUITE: Rule = Rule {
    name: "tls.anonymous_suite",
    severity: Notice,
    source: "RFC 9325 section 4.1, RFC 7435 section 3",
    advice: "take suites without authentication out of the server's list; between mail exchangers they \
             do no harm",
};
pub(super) const NO_FORWARD_SECRECY: Rule = Rule {
    name: "tls.no_forward_secrecy",
    severity: Notice,
    source: "RFC 9325 section 4.1",
    advice: "take suites with RSA or static (EC)DH key transport out of the server's list",
};
pub(super) const OCSP_REVOKED: Rule = Rule {
    name: "tls.ocsp_revoked",
    severity: Critical,
    source: "RFC 6960 section 2.2, RFC 6066 section 8",
    advice: "replace the certificate, and its key if that was the reason",
};
pub(super) const OCSP_UNKNOWN: Rule = Rule {
    name: "tls.ocsp_unknown",
    severity: Warning,
    source: "RFC 6960 section 2.2",
    advice: "ask the authority why its responder does not know the certificate",
};
pub(super) const OCSP_STALE: Rule = Rule {
    name: "tls.ocsp_stale",
    severity: Warning,
    source: "RFC 6960 section 4.2.2.1, RFC 5019 section 4",
    advice: "see why the server does not fetch a newer OCSP response (its way to the responder, its clock)",
};
pub(super) const OCSP_INVALID: Rule = Rule {
    name: "tls.ocsp_invalid",
    severity: Warning,
    source: "RFC 6960 section 3.2, RFC 6066 section 8",
    advice: "have the server fetch a new OCSP response, or staple none",
};
pub(super) const MUST_STAPLE: Rule = Rule {
    name: "tls.must_staple",
    severity: Warning,
    source: "RFC 7633 section 4.2.3.1",
    advice: "turn OCSP stapling on, or get a certificate that does not demand it",
};

/// What is found of a certificate, whatever kind looks at it.
pub(in crate::probe) const OF_CERTIFICATE: &[&Rule] = &[
    &EXPIRED,
    &NOT_YET_VALID,
    &EXPIRES_SOON,
    &NAME_MISMATCH,
    &SELF_SIGNED,
    &UNKNOWN_ROOT,
    &CHAIN_INCOMPLETE,
    &NOT_ACCEPTED,
    &UNREADABLE,
    &CHAIN_ORDER,
    &WEAK_KEY,
    &WEAK_SIGNATURE,
];
/// What only the kind `tls` looks at: versions, suites, the stapled response.
pub(super) const OF_SERVER: &[&Rule] = &[
    &OLD_VERSION,
    &NO_VERSION_13,
    &WEAK_SUITE,
    &ANONYMOUS_SUITE,
    &NO_FORWARD_SECRECY,
    &OCSP_REVOKED,
    &OCSP_UNKNOWN,
    &OCSP_STALE,
    &OCSP_INVALID,
    &MUST_STAPLE,
];
