//! A configuration profile for Apple's devices (developer.apple.com, "Configuration Profile Reference", `com.apple.mail.managed`).
//!
//! It is not signed, and devices say so; address, user name and password are asked for when it is put on a device, so that
//! one profile is for all. The same configuration is the same bytes: its UUIDs are made of it. Absent on purpose: sign-in
//! at a provider's page, which this payload cannot say.

use ring::digest::{SHA256, digest};
use url::Url;

use super::xml;
use crate::config::status_page::{MailClientConfig, MailProtocol, MailServerConfig, SignIn};

/// The profile for some users; `None` where it cannot say how they sign in.
pub(super) fn profile(client: &MailClientConfig, title: &str, base: &Url) -> Option<String> {
    let by_password = |is_incoming: bool| {
        let mut all = client.servers.iter();
        all.find(|it| it.protocol.is_incoming() == is_incoming && it.sign_in == SignIn::Password)
    };
    let (incoming, outgoing) = (by_password(true)?, by_password(false)?);
    let domain = client.domains.first()?;
    let host = base.host_str().unwrap_or("mailsonde");
    let reversed: Vec<&str> = host.rsplit('.').collect();
    let identifier = format!("{}.mailsonde.{domain}", reversed.join("."));
    let account = account(client, incoming, outgoing, &identifier);
    let mut profile = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n<dict>\n<key>PayloadContent</key>\n<array>\n",
    );
    profile.push_str(&account);
    profile.push_str("</array>\n");
    profile.push_str(&strings(&[
        ("PayloadDescription", "Sets up e-mail. You are asked for your address and password."),
        ("PayloadDisplayName", &format!("{title}: {}", client.name)),
        ("PayloadIdentifier", &identifier),
        ("PayloadOrganization", title),
        ("PayloadType", "Configuration"),
        ("PayloadUUID", &uuid(&["profile", &identifier, &account])),
    ]));
    profile.push_str("<key>PayloadRemovalDisallowed</key>\n<false/>\n");
    profile.push_str("<key>PayloadVersion</key>\n<integer>1</integer>\n</dict>\n</plist>\n");
    Some(profile)
}

fn account(
    client: &MailClientConfig,
    incoming: &MailServerConfig,
    outgoing: &MailServerConfig,
    identifier: &str,
) -> String {
    let kind = match incoming.protocol {
        MailProtocol::Pop3 => "EmailTypePOP",
        _ => "EmailTypeIMAP",
    };
    let identifier = format!("{identifier}.mail");
    let mut account = String::from("<dict>\n");
    account.push_str(&strings(&[
        ("EmailAccountDescription", &client.name),
        ("EmailAccountType", kind),
        ("IncomingMailServerAuthentication", "EmailAuthPassword"),
        ("IncomingMailServerHostName", &incoming.host),
    ]));
    account.push_str(&port("Incoming", incoming));
    account.push_str(&strings(&[
        ("OutgoingMailServerAuthentication", "EmailAuthPassword"),
        ("OutgoingMailServerHostName", &outgoing.host),
    ]));
    account.push_str(&port("Outgoing", outgoing));
    account.push_str("<key>OutgoingPasswordSameAsIncomingPassword</key>\n<true/>\n");
    let uuid = uuid(&["mail", &identifier, &account]);
    account.push_str(&strings(&[
        ("PayloadDisplayName", &client.name),
        ("PayloadIdentifier", &identifier),
        ("PayloadType", "com.apple.mail.managed"),
        ("PayloadUUID", &uuid),
    ]));
    account.push_str("<key>PayloadVersion</key>\n<integer>1</integer>\n</dict>\n");
    account
}

/// TLS is always on; whether it begins at once or by a command the device finds by the port.
fn port(which: &str, server: &MailServerConfig) -> String {
    format!(
        "<key>{which}MailServerPortNumber</key>\n<integer>{}</integer>\n\
         <key>{which}MailServerUseSSL</key>\n<true/>\n",
        server.port
    )
}

fn strings(pairs: &[(&str, &str)]) -> String {
    let pair = |(key, value): &(&str, &str)| {
        format!("{}{}", xml::element("key", key), xml::element("string", value))
    };
    pairs.iter().map(pair).collect()
}

/// The same for the same parts (RFC 9562 section 5.8).
fn uuid(parts: &[&str]) -> String {
    let digest = digest(&SHA256, parts.join("\n").as_bytes());
    let mut bytes: Vec<u8> = digest.as_ref().iter().copied().take(16).collect();
    for (at, keep, set) in [(6, 0x0f, 0x80), (8, 0x3f, 0x80)] {
        if let Some(byte) = bytes.get_mut(at) {
            *byte = *byte & keep | set;
        }
    }
    let hex = hex::encode_upper(bytes);
    let part = |from: usize, until: usize| hex.get(from..until).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}
