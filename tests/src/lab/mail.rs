//! Certificates and configuration of Postfix and Dovecot.

use std::process::Command;
use std::time::Duration;

use super::folder::Folder;
use super::users::{self, User};
use super::{LabError, output_of};
use crate::certificates::{Authority, Identity, Validity};

/// The names that the good certificate is for; the last for proxies, which stand in for the servers.
pub(super) const GOOD_NAMES: [&str; 5] =
    ["mail.good.test", "mx1.good.test", "imap.good.test", "smtp.good.test", "spare.lab.test"];
const BAD_NAMES: [&str; 2] = ["mail.badcert.test", "mx.badcert.test"];

/// Writes the authority's certificate and those of all endpoints.
pub(super) fn write_certificates(folder: &Folder, authority: &Authority) -> Result<(), LabError> {
    folder.write("tls/ca.crt", &authority.pem())?;
    let identities = [
        ("mail", authority.issue(&GOOD_NAMES, Validity::Current)?),
        ("expired", authority.issue(&BAD_NAMES, Validity::Expired)?),
        ("selfsigned", Identity::self_signed(&BAD_NAMES)?),
        ("wronghost", authority.issue(&["other.example.test"], Validity::Current)?),
    ];
    for (name, identity) in identities {
        folder.write(&format!("tls/{name}.crt"), &identity.certificate_pem())?;
        folder.write(&format!("tls/{name}.key"), &identity.key_pem())?;
    }
    Ok(())
}

/// Writes Dovecot's configuration and the users.
pub(super) fn prepare_dovecot(folder: &Folder, users: &[User]) -> Result<(), LabError> {
    users::write_passwords(folder, users)?;
    let text = folder.fill(include_str!("templates/dovecot.conf"), &[]);
    folder.write("dovecot/dovecot.conf", &text)?;
    folder.write("dovecot/sieve/before.sieve", include_str!("templates/before.sieve"))?;
    // compiled here, because the mail users may not write beside the script
    output_of(Command::new("sievec").arg(folder.join("dovecot/sieve/before.sieve")))?;
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
    ] {
        folder.write(&format!("postfix/{name}"), text)?;
    }
    users::write_mailboxes(folder, users)?;
    folder.make_for("postfix-data", "postfix")
}
