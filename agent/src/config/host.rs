//! Names of hosts and mail domains, and mail addresses, as people write them: the one place that reads them.
//!
//! A name may be in letters beyond ASCII; what comes of it is in A-labels (RFC 5890), as DNS, TLS and SMTP
//! have it. What comes out can be asked for and said in a command; whether it exists is for DNS to say.
//! Absent on purpose: SMTPUTF8 (RFC 6531), without which a local part is ASCII.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_resolver::proto::rr::Name;
use lettre::Address;

use crate::posture::shown;

/// RFC 1035 section 2.3.4, without the final dot.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// Why a text is no such name; in the words that follow `must be …, not "a..b": `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAName {
    /// `mail..example.org`, `.example.org`.
    #[error("there is nothing between two of its dots")]
    EmptyLabel,
    /// A part of more than 63 bytes, or more than 253 in all.
    #[error("a name has 63 characters at most between two dots, and 253 in all")]
    TooLong,
    /// `[::1]`.
    #[error("leave the brackets out: \"{0}\"")]
    Brackets(IpAddr),
    /// `192.0.2.1` where mail has a domain.
    #[error("that is an address, and a domain is wanted")]
    Address,
    /// `1.2.3`, `192.0.2.256` (RFC 3696 section 2: the last label is never of digits alone).
    #[error("no domain ends in a number, and it is no IP address")]
    Number,
    /// `https://mail.example.org/`.
    #[error("leave out everything but the name")]
    Url,
    /// `mail.example.org:25`.
    #[error("the port has a key of its own")]
    Port,
    /// `probe@example.org`.
    #[error("leave out what stands before the @, and the @")]
    MailAddress,
    /// `-a.example.org` (RFC 1123 section 2.1).
    #[error("no part of a name begins or ends with a dash")]
    Dash,
    /// A space, a slash, a quote.
    #[error("a name consists of letters, digits, \"-\", \"_\" and dots")]
    Character,
}

/// The host that a text names: an IP address, or a name in A-labels.
///
/// # Errors
/// What is wrong with it.
pub fn host(text: &str) -> Result<String, NotAName> {
    match text.parse::<IpAddr>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Ok(match domain(text)? {
            _ if text.is_ascii() => text.to_owned(),
            name => shown(&name),
        }),
    }
}

/// The domain that a text names; absolute and in lower case.
///
/// # Errors
/// What is wrong with it.
pub fn domain(text: &str) -> Result<Name, NotAName> {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = bracketed.and_then(|bare| bare.parse().ok()) {
        return Err(NotAName::Brackets(address));
    }
    let bare = text.strip_suffix('.').unwrap_or(text);
    match bare {
        _ if text.parse::<IpAddr>().is_ok() => return Err(NotAName::Address),
        _ if bare.contains("://") => return Err(NotAName::Url),
        _ if bare.contains('@') => return Err(NotAName::MailAddress),
        _ => {}
    }
    if let Some((name, port)) = bare.rsplit_once(':')
        && port.parse::<u16>().is_ok()
        && !name.contains(':')
    {
        return Err(NotAName::Port);
    }
    if !bare.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_')) {
        return Err(NotAName::Character);
    }
    if bare.split('.').any(str::is_empty) {
        return Err(NotAName::EmptyLabel);
    }
    let is_dashed = |label: &str| label.starts_with('-') || label.ends_with('-');
    if bare.split('.').any(is_dashed) {
        return Err(NotAName::Dash);
    }
    // The library's reader of people's names knows no underscore but a leading one; DNS knows them all.
    let parsed = if bare.is_ascii() { Name::from_ascii(bare) } else { Name::from_utf8(bare) };
    let mut name = parsed.map_err(|_unfit| match bare.is_ascii() {
        true => NotAName::TooLong,
        false => NotAName::Character,
    })?;

    name.set_fqdn(true);
    let ascii = shown(&name);
    let mut labels = ascii.split('.');
    if ascii.len() > LONGEST_NAME || labels.clone().any(|label| label.len() > LONGEST_LABEL) {
        return Err(NotAName::TooLong);
    }
    if labels.next_back().is_some_and(|last| last.chars().all(|c| c.is_ascii_digit())) {
        return Err(NotAName::Number);
    }
    Ok(name.to_lowercase())
}

/// Why a text is no mail address that a message can be sent to or from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAddress {
    /// Nothing before the @, a second one, a space.
    #[error("something must stand before its one @, and a domain behind it")]
    Form,
    /// RFC 6531: only a server with SMTPUTF8 takes it, and only from a client that speaks it.
    #[error(
        "what stands before the @ is not ASCII, which takes SMTPUTF8 (RFC 6531), and Mailsonde does not \
         speak it: write another address of that mailbox"
    )]
    NeedsSmtpUtf8,
    /// What stands after the @.
    #[error("its domain is none: {0}")]
    Domain(#[from] NotAName),
}

/// A mail address as it stands in an envelope: its domain in A-labels, or an address literal
/// (RFC 5321 section 4.1.3).
///
/// # Errors
/// What is wrong with it.
pub fn mail_address(text: &str) -> Result<String, NotAnAddress> {
    let (local, written) = text.rsplit_once('@').ok_or(NotAnAddress::Form)?;
    if !local.is_ascii() {
        return Err(NotAnAddress::NeedsSmtpUtf8);
    }
    let domain = match is_literal(written) {
        true => written.to_owned(),
        false => match domain(written)? {
            _ if written.is_ascii() => written.to_owned(),
            name => shown(&name),
        },
    };
    let address = format!("{local}@{domain}");
    match address.parse::<Address>() {
        Ok(_) => Ok(address),
        Err(_) => Err(NotAnAddress::Form),
    }
}

/// Whether it is `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 section 4.1.3).
pub fn is_literal(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or_default();
    match inner.strip_prefix("IPv6:") {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => inner.parse::<Ipv4Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hosts_and_domains() {
        let long = format!("{}.test", "a".repeat(64));
        let longer = vec!["a".repeat(49); 6].join(".");
        for (text, as_host, as_domain) in [
            ("mail.example.org", Ok("mail.example.org"), Ok("mail.example.org")),
            ("Mail.Example.org.", Ok("Mail.Example.org."), Ok("mail.example.org")),
            ("localhost", Ok("localhost"), Ok("localhost")),
            ("_dmarc.a-b.test", Ok("_dmarc.a-b.test"), Ok("_dmarc.a-b.test")),
            ("exch_01.corp.test", Ok("exch_01.corp.test"), Ok("exch_01.corp.test")),
            ("a_.test", Ok("a_.test"), Ok("a_.test")),
            ("-a.test", Err(NotAName::Dash), Err(NotAName::Dash)),
            ("a.b-.test", Err(NotAName::Dash), Err(NotAName::Dash)),
            ("b\u{fc}cher.test", Ok("xn--bcher-kva.test"), Ok("xn--bcher-kva.test")),
            ("192.0.2.1", Ok("192.0.2.1"), Err(NotAName::Address)),
            ("::1", Ok("::1"), Err(NotAName::Address)),
            ("1.2.3", Err(NotAName::Number), Err(NotAName::Number)),
            ("192.0.2.256", Err(NotAName::Number), Err(NotAName::Number)),
            ("a..b", Err(NotAName::EmptyLabel), Err(NotAName::EmptyLabel)),
            ("b\u{fc}cher..x", Err(NotAName::EmptyLabel), Err(NotAName::EmptyLabel)),
            (".a", Err(NotAName::EmptyLabel), Err(NotAName::EmptyLabel)),
            (".", Err(NotAName::EmptyLabel), Err(NotAName::EmptyLabel)),
            ("a.test..", Err(NotAName::EmptyLabel), Err(NotAName::EmptyLabel)),
            ("x y", Err(NotAName::Character), Err(NotAName::Character)),
            ("a\\.b", Err(NotAName::Character), Err(NotAName::Character)),
            ("*.a", Err(NotAName::Character), Err(NotAName::Character)),
            ("https://a.test/", Err(NotAName::Url), Err(NotAName::Url)),
            ("a.test:25", Err(NotAName::Port), Err(NotAName::Port)),
            ("me@a.test", Err(NotAName::MailAddress), Err(NotAName::MailAddress)),
            (&long, Err(NotAName::TooLong), Err(NotAName::TooLong)),
            (&longer, Err(NotAName::TooLong), Err(NotAName::TooLong)),
        ] {
            assert_eq!(host(text), as_host.map(str::to_owned), "{text}");
            assert_eq!(
                domain(text).map(|name| shown(&name)),
                as_domain.map(str::to_owned),
                "{text}"
            );
        }
        let brackets = NotAName::Brackets(Ipv6Addr::LOCALHOST.into());
        assert_eq!(brackets.to_string(), "leave the brackets out: \"::1\"");
        assert_eq!(host("[::1]"), Err(brackets));
    }

    #[test]
    fn mail_addresses() {
        let form = Err(NotAnAddress::Form);
        for (text, expected) in [
            ("probe@good.test", Ok("probe@good.test")),
            ("A.b+c@Good.TEST", Ok("A.b+c@Good.TEST")),
            ("probe@b\u{fc}cher.test", Ok("probe@xn--bcher-kva.test")),
            ("probe@localhost", Ok("probe@localhost")),
            ("probe@[192.0.2.1]", Ok("probe@[192.0.2.1]")),
            ("b\u{fc}ro@good.test", Err(NotAnAddress::NeedsSmtpUtf8)),
            ("probe@a..b", Err(NotAnAddress::Domain(NotAName::EmptyLabel))),
            ("probe@1.2.3.4", Err(NotAnAddress::Domain(NotAName::Address))),
            ("probe@", Err(NotAnAddress::Domain(NotAName::EmptyLabel))),
            ("probe", form.clone()),
            ("@good.test", form.clone()),
            ("a b@good.test", form.clone()),
            ("<probe@good.test>", Err(NotAnAddress::Domain(NotAName::Character))),
            ("a@b@c", form.clone()),
            ("a@b,c@d", form.clone()),
        ] {
            assert_eq!(mail_address(text), expected.map(str::to_owned), "{text}");
        }
    }

    proptest! {
        /// What is taken can be asked for and said in a command.
        #[test]
        fn what_is_taken_is_a_name_on_the_wire(text in "[a-z0-9.ü_ @:\\[\\]-]{0,20}") {
            if let Ok(host) = host(&text) {
                prop_assert!(host.is_ascii() && !host.contains([' ', '@', '[']), "{host}");
            }
            if let Ok(address) = mail_address(&text) {
                prop_assert!(address.is_ascii() && !address.contains(' '), "{address}");
            }
        }
    }
}
