//! Thunderbird's autoconfig ("Thunderbird:Autoconfiguration:ConfigFileFormat", Mozilla; draft-ietf-mailmaint-autoconfig).

use std::fmt::Write;

use url::Url;

use super::{path, xml};
use crate::config::status_page::{
    MailClientConfig, MailProtocol, MailServerConfig, SignIn, TlsBegins,
};

/// The document for some users; the page that explains it is under `base`.
pub(super) fn document(client: &MailClientConfig, base: &Url) -> String {
    let id = client.domains.first().map(String::as_str).unwrap_or_default();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<clientConfig version=\"1.1\">\n\
         <emailProvider id=\"{}\">\n",
        xml::text(id)
    );
    for domain in &client.domains {
        xml.push_str(&xml::element("domain", domain));
    }
    xml.push_str(&xml::element("displayName", &client.name));
    xml.push_str(&xml::element("displayShortName", &client.name));
    // incoming ones first, as the format has them
    let (incoming, outgoing): (Vec<_>, Vec<_>) =
        client.servers.iter().partition(|server| server.protocol.is_incoming());
    for server in incoming {
        xml.push_str(&element("incomingServer", server, &client.user));
    }
    for server in outgoing {
        xml.push_str(&element("outgoingServer", server, &client.user));
    }
    let page = base.join(path::SETUP).map(String::from).unwrap_or_default();
    // a string that takes all
    writeln!(
        xml,
        "<documentation url=\"{}\">\n<descr lang=\"en\">How to set up a mail program</descr>\n</documentation>",
        xml::text(&page)
    )
    .ok();
    xml.push_str("</emailProvider>\n</clientConfig>\n");
    xml
}

fn element(name: &str, server: &MailServerConfig, user: &str) -> String {
    let kind = match server.protocol {
        MailProtocol::Imap => "imap",
        MailProtocol::Pop3 => "pop3",
        MailProtocol::Submission => "smtp",
    };
    let socket = match server.tls {
        TlsBegins::Implicit => "SSL",
        TlsBegins::StartTls => "STARTTLS",
    };
    let sign_in = match server.sign_in {
        SignIn::Password => "password-cleartext",
        SignIn::OAuth2 => "OAuth2",
    };
    let inner = [
        ("hostname", server.host.as_str()),
        ("port", &server.port.to_string()),
        ("socketType", socket),
        ("username", user),
        ("authentication", sign_in),
    ]
    .map(|(name, text)| xml::element(name, text))
    .concat();
    format!("<{name} type=\"{kind}\">\n{inner}</{name}>\n")
}
