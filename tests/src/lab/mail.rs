//! Certificates and configuration of Postfix and Dovecot.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

use super::folder::Folder;
use super::users::{self, User};
use super::{LabError, hex, output_of};
use crate::certificates::{Authority, Identity, Validity};

/// The names that the good certificate is for. The exchangers of some broken domains are among them:
/// what is wrong there is something else.
pub(super) const GOOD_NAMES: [&str; 19] = [
    "mail.good.test",
    "mx1.good.test",
    "mx2.good.test",
    "imap.good.test",
    "pop.good.test",
    "smtp.good.test",
    "spare.lab.test", // proxies, which stand in for the servers
    "mx.relay.test",
    "mx.grey.test",
    "mx.filter.test",
    "mx.wrongptr.test",
    "mx.twoptr.test",
    "mx.v6.test",
    "mx.danebad.test",
    "mx.danerollover.test",
    "mx.daneta.test",
    "mx.danepkix.test",
    "mx.daneunsigned.test",
    "mx.differs.test",
];
const BAD_NAMES: [&str; 2] = ["mail.badcert.test", "mx.badcert.test"];

/// What the lab's endpoints show, by the name of the file in `tls`.
pub(super) struct Identities<'a> {
    authority: &'a Authority,
    by_name: BTreeMap<&'static str, Identity>,
}

impl Identities<'_> {
    /// SHA-256 of a public key, as in a TLSA record `3 1 1` (RFC 6698 section 2.1); of the authority's, `ca`.
    pub(super) fn key_digest(&self, name: &str) -> Option<String> {
        match name {
            "ca" => Some(sha256(&self.authority.public_key())),
            _ => self.by_name.get(name).map(|identity| sha256(&identity.public_key())),
        }
    }

    /// SHA-256 of a whole certificate, as in a TLSA record `2 0 1`.
    pub(super) fn certificate_digest(&self, name: &str) -> Option<String> {
        match name {
            "ca" => Some(sha256(self.authority.der())),
            _ => self.by_name.get(name).map(|identity| sha256(identity.der())),
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// Writes the authority's certificate and those of all endpoints.
pub(super) fn write_certificates<'a>(
    folder: &Folder,
    authority: &'a Authority,
) -> Result<Identities<'a>, LabError> {
    folder.write("tls/ca.crt", &authority.pem())?;
    let below = authority.intermediate(Validity::Current)?;
    let below_expired = authority.intermediate(Validity::Expired)?;
    let by_name = BTreeMap::from([
        ("mail", authority.issue(&GOOD_NAMES, Validity::Current)?),
        ("expired", authority.issue(&BAD_NAMES, Validity::Expired)?),
        ("selfsigned", Identity::self_signed(&BAD_NAMES)?),
        ("soon", authority.issue(&BAD_NAMES, Validity::Soon)?),
        ("notyet", authority.issue(&BAD_NAMES, Validity::Future)?),
        ("chain", below.issue(&BAD_NAMES, Validity::Current)?),
        ("missing", below.issue(&BAD_NAMES, Validity::Current)?.alone()),
        ("midexpired", below_expired.issue(&BAD_NAMES, Validity::Current)?),
        ("wronghost", authority.issue(&["other.example.test"], Validity::Current)?),
    ]);
    for (name, identity) in &by_name {
        let mut chain = identity.certificate_pem();
        if *name == "mail" {
            // the authority's own certificate goes along: a client that trusts by DANE-TA needs it
            chain.push_str(&authority.pem());
        }
        folder.write(&format!("tls/{name}.crt"), &chain)?;
        folder.write(&format!("tls/{name}.key"), &identity.key_pem())?;
    }
    Ok(Identities { authority, by_name })
}

/// Writes Dovecot's configuration and the users.
pub(super) fn prepare_dovecot(folder: &Folder, users: &[User]) -> Result<(), LabError> {
    users::write_passwords(folder, users)?;
    let text = folder.fill(include_str!("templates/dovecot.conf"), &[]);
    folder.write("dovecot/dovecot.conf", &text)?;
    let oauth = folder.fill(include_str!("templates/oauth2.conf.ext"), &[]);
    folder.write("dovecot/oauth2.conf.ext", &oauth)?;
    // Dovecot looks for a key by the token's `azp` and `kid`; ours say neither
    let key = STANDARD.encode(super::web::token::SECRET);
    folder.write("dovecot/keys/default/HS256/default", &key)?;
    folder.write("dovecot/sieve/before.sieve", include_str!("templates/before.sieve"))?;
    // compiled here, because the mail users may not write beside the script
    let mut sievec = Command::new("sievec");
    sievec.arg("-c").arg(folder.join("dovecot/dovecot.conf"));
    output_of(sievec.arg(folder.join("dovecot/sieve/before.sieve")))?;
    Ok(())
}

/// Writes Postfix's configuration and tables.
pub(super) fn prepare_postfix(
    folder: &Folder,
    users: &[User],
    queue_lifetime: Duration,
) -> Result<(), LabError> {
    let lifetime = format!("{}s", queue_lifetime.as_secs());
    let main = folder.fill(include_str!("templates/main.cf"), &[("queue_lifetime", &lifetime)]);
    folder.write("postfix/main.cf", &main)?;
    folder.write("postfix/master.cf", &folder.fill(include_str!("templates/master.cf"), &[]))?;
    for (name, text) in [
        ("aliases", include_str!("templates/aliases")),
        ("aliases.regexp", include_str!("templates/aliases.regexp")),
        ("recipient_access", include_str!("templates/recipient_access")),
        ("body_checks", include_str!("templates/body_checks")),
        ("header_checks", include_str!("templates/header_checks")),
        ("mime_header_checks", include_str!("templates/mime_header_checks")),
        ("filter_aliases.regexp", include_str!("templates/filter_aliases.regexp")),
    ] {
        folder.write(&format!("postfix/{name}"), text)?;
    }
    users::write_mailboxes(folder, users)?;
    folder.make_for("postfix-data", "postfix")
}
