//! One `Received` header (RFC 5321 section 4.4), in the forms that servers really write.
//!
//! mail-parser's own reader gives no clause that it does not know (`Microsoft SMTP Server`), no cipher
//! of OpenSSL's naming, no obsolete zone, and two-digit years of the last century; hence this one. What
//! is not said stays `None`: nothing is made up.

use std::net::IpAddr;

use mailsonde_proto::WallTime;

use super::date::date;
use super::lexical::{Item, items};

/// The longest text of a hop that is kept, in characters.
const LONGEST: usize = 255;

/// One server that took the message over, in its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hop {
    /// The client, as the server wrote it first: its name in EHLO or its address.
    pub from: Option<String>,
    /// The client's name in EHLO, where it is told apart from `from`.
    pub helo: Option<String>,
    /// The client's name by its address.
    pub from_name: Option<String>,
    /// The client's address.
    pub from_ip: Option<IpAddr>,
    /// The server.
    pub by: Option<String>,
    /// The link (RFC 5321: UUCP and the like).
    pub via: Option<String>,
    /// The protocol, such as ESMTPS (RFC 3848).
    pub with: Option<String>,
    /// What is known of TLS; `None` when nothing says that there was any.
    pub tls: Option<HopTls>,
    /// The server's name for the message.
    pub id: Option<String>,
    /// The recipient.
    pub recipient: Option<String>,
    /// By the server's clock, usually in whole seconds.
    pub date: Option<WallTime>,
}

/// What is known of a hop's TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HopTls {
    /// Such as `TLSv1.3`.
    pub version: Option<String>,
    /// As the server names it.
    pub cipher: Option<String>,
}

/// Which clause is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clause {
    None,
    From,
    By,
    Via,
    With,
    Id,
    For,
}

impl Hop {
    /// Reads a header's value; `None` when it names neither a host nor a date.
    pub fn of(value: &str) -> Option<Self> {
        let items = items(value);
        let (clauses, date) = split(&items);
        let mut reader = Reader { hop: Self { date, ..Self::default() }, ..Reader::new() };
        for item in clauses {
            match item {
                Item::Word(word) => reader.word(word),
                Item::Quoted(text) => reader.value(text),
                Item::Comment(comment) => reader.comment(comment),
                Item::Semicolon => {}
            }
        }
        let hop = reader.finish();
        let says_something = hop.by.is_some() || hop.from.is_some() || hop.date.is_some();
        says_something.then_some(hop)
    }

    /// The best name of the client: what it called itself, or its name or address.
    pub fn client(&self) -> Option<String> {
        let ip = self.from_ip.map(|ip| ip.to_string());
        let said = self.from.clone().filter(|from| {
            !from.starts_with('[') && from != "unknown" && from.parse::<IpAddr>().is_err()
        });
        said.or_else(|| self.helo.clone()).or_else(|| self.from_name.clone()).or(ip)
    }

    /// Whether the hop went over TLS, as far as the server says.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }
}

/// The items before the date, and the date: what follows the last semicolon that a date follows.
fn split(all: &[Item]) -> (&[Item], Option<WallTime>) {
    let semicolons = all.iter().enumerate().filter(|(_, item)| **item == Item::Semicolon);
    for (at, _) in semicolons.rev().take(4) {
        let Some((clauses, rest)) = all.split_at_checked(at) else { continue };
        if let Some(date) = date(&words_of(rest)) {
            return (clauses, Some(date));
        }
    }
    (all, None)
}

fn words_of(items: &[Item]) -> String {
    let words = items.iter().filter_map(|item| match item {
        Item::Word(word) => Some(word.as_str()),
        _ => None,
    });
    words.take(12).collect::<Vec<_>>().join(" ")
}

struct Reader {
    hop: Hop,
    clause: Clause,
    /// Words of the clause so far.
    words: usize,
    /// The next word is a cipher (exim, Haraka: `tls TLS_AES_256_GCM_SHA384`).
    cipher_next: bool,
    tls: HopTls,
    has_tls: bool,
}

impl Reader {
    fn new() -> Self {
        Self {
            hop: Hop::default(),
            clause: Clause::None,
            words: 0,
            cipher_next: false,
            tls: HopTls::default(),
            has_tls: false,
        }
    }

    fn word(&mut self, word: &str) {
        let clause = match word.to_ascii_lowercase().as_str() {
            "from" => Some(Clause::From),
            "by" => Some(Clause::By),
            "via" => Some(Clause::Via),
            "with" => Some(Clause::With),
            "id" => Some(Clause::Id),
            "for" => Some(Clause::For),
            _ => None,
        };
        match clause {
            // `from unknown by x` has a value each; a keyword right after a keyword is a value.
            Some(clause) if self.clause == Clause::None || self.words > 0 => {
                (self.clause, self.words) = (clause, 0);
            }
            _ => self.value(word),
        }
    }

    fn value(&mut self, word: &str) {
        self.words += 1;
        if std::mem::take(&mut self.cipher_next) {
            keep(&mut self.tls.cipher, word);
            return;
        }
        if self.words > 1 {
            return self.further(word);
        }
        match self.clause {
            Clause::From => {
                if self.hop.from.is_none() {
                    self.hop.from_ip = self.hop.from_ip.or_else(|| address(word));
                }
                keep(&mut self.hop.from, word.trim_end_matches('.'));
            }
            Clause::By => keep(&mut self.hop.by, word.trim_end_matches('.')),
            Clause::Via => keep(&mut self.hop.via, word),
            Clause::With => self.with(word),
            Clause::Id => keep(&mut self.hop.id, word.trim_matches(['<', '>'])),
            Clause::For => keep(&mut self.hop.recipient, word.trim_matches(['<', '>'])),
            Clause::None => {}
        }
    }

    /// A word after a clause's value.
    fn further(&mut self, word: &str) {
        if word.eq_ignore_ascii_case("tls") {
            self.has_tls = true;
            self.cipher_next = true;
        } else if self.clause == Clause::With
            && self.words <= 3
            && let Some(with) = &mut self.hop.with
            && with.starts_with("Microsoft")
        {
            // with Microsoft SMTP Server
            with.push(' ');
            with.extend(word.chars().take(64));
        }
    }

    fn with(&mut self, protocol: &str) {
        let upper = protocol.to_ascii_uppercase();
        // Mimecast: with ESMTP with STARTTLS. The words of RFC 3848 and RFC 6531 section 4.3 end with S
        // or SA where TLS was used.
        let is_mail = ["SMTPS", "SMTPSA", "LMTPS", "LMTPSA"].iter().any(|end| upper.ends_with(end));
        self.has_tls |= is_mail || matches!(upper.as_str(), "HTTPS" | "STARTTLS");
        if upper != "STARTTLS" {
            let known = upper.contains("SMTP") || upper.contains("LMTP") || upper.contains("HTTP");
            let is_shouted = known || protocol.len() <= 5;
            keep(&mut self.hop.with, if is_shouted { &upper } else { protocol });
        }
    }

    fn comment(&mut self, comment: &str) {
        if self.clause == Clause::From {
            self.client(comment);
        }
        // qmail with TLS: (ECDHE-RSA-AES256-SHA encrypted)
        if let Some(cipher) = comment.strip_suffix(" encrypted") {
            self.cipher(cipher.split_whitespace().next().unwrap_or_default());
        }
        let mut words = comment.split([' ', ',', ';', '\t']).filter(|word| !word.is_empty());
        while let Some(word) = words.next() {
            let pair = word.split_once('=').map(|(key, value)| (key.to_ascii_lowercase(), value));
            match (pair, word.to_ascii_lowercase().as_str()) {
                (Some((key, value)), _) if key == "version" => self.version(value),
                (Some((key, value)), _) if key == "cipher" => self.cipher(value),
                (Some((key, value)), _) if key == "x" => self.exim(value),
                (None, "using") => {
                    if let Some(version) = words.next().filter(|word| is_version(word)) {
                        self.version(version);
                    }
                }
                (None, "cipher") => {
                    if let Some(cipher) = words.next() {
                        self.cipher(cipher);
                    }
                }
                (None, "tls") => self.has_tls = true,
                (None, _) if is_version(word) => self.exim(word),
                _ => {}
            }
        }
    }

    /// `TLS1.3`, `TLSv1.2:ECDHE-RSA-AES256-GCM-SHA384:256`, `TLS1.3:ECDHE_X25519__RSA_PSS…:256`.
    fn exim(&mut self, text: &str) {
        let mut parts = text.split(':');
        if let Some(version) = parts.next().filter(|version| is_version(version)) {
            self.version(version);
            if let Some(cipher) = parts.next() {
                self.cipher(cipher);
            }
        }
    }

    fn version(&mut self, text: &str) {
        if is_version(text) {
            self.has_tls = true;
            keep(&mut self.tls.version, &version(text));
        }
    }

    fn cipher(&mut self, text: &str) {
        if !text.is_empty() && !text.eq_ignore_ascii_case("none") {
            self.has_tls = true;
            keep(&mut self.tls.cipher, text);
        }
    }

    /// What a comment after the client says: `name [address]`, `[address]:port helo=name`, `HELO name`.
    fn client(&mut self, comment: &str) {
        let mut words = comment.split_whitespace();
        let mut is_first = true;
        while let Some(word) = words.next() {
            let upper = word.to_ascii_uppercase();
            if matches!(upper.as_str(), "HELO" | "EHLO" | "LHLO") {
                if let Some(name) = words.next() {
                    keep(&mut self.hop.helo, name);
                }
            } else if let Some(name) = upper.strip_prefix("HELO=").and_then(|_| word.get(5..)) {
                keep(&mut self.hop.helo, name);
            } else if let Some(ip) = address(word) {
                self.hop.from_ip.get_or_insert(ip);
            } else if is_first && is_host(word) {
                keep(&mut self.hop.from_name, word.trim_end_matches('.'));
            }
            is_first = false;
        }
    }

    fn finish(mut self) -> Hop {
        if self.has_tls {
            self.hop.tls = Some(self.tls);
        }
        self.hop
    }
}

fn keep(place: &mut Option<String>, text: &str) {
    if place.is_none() && !text.is_empty() {
        *place = Some(text.chars().take(LONGEST).collect());
    }
}

/// `TLSv1.3`, `TLS1_3`, `TLS1.2`, `SSLv3`, each alone or before a colon.
fn is_version(text: &str) -> bool {
    let upper = text.split(':').next().unwrap_or_default().to_ascii_uppercase();
    let digits = upper.strip_prefix("TLS").or_else(|| upper.strip_prefix("SSL"));
    digits.is_some_and(|digits| {
        let digits = digits.trim_start_matches('V');
        (1..=4).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'_'))
    })
}

fn version(text: &str) -> String {
    let upper = text.to_ascii_uppercase().replace('_', ".");
    let (family, digits) = upper.split_at_checked(3).unwrap_or((&upper, ""));
    let digits = digits.trim_start_matches('V');
    // TLSv1 is TLS 1.0; SSL 2 and 3 have no minor number.
    let minor = if family == "TLS" && !digits.contains('.') { ".0" } else { "" };
    format!("{family}v{digits}{minor}")
}

/// `192.0.2.1`, `[192.0.2.1]:587`, `[IPv6:2001:db8::1]`, `2001:db8::1`.
fn address(word: &str) -> Option<IpAddr> {
    let inside = match word.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => word,
    };
    let inside = inside.strip_prefix("IPv6:").or(inside.strip_prefix("ipv6:")).unwrap_or(inside);
    inside.parse().ok()
}

fn is_host(word: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    word.contains('.') && word.bytes().all(is_name)
}

#[cfg(test)]
mod tests;
