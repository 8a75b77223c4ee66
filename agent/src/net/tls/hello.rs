//! A ClientHello written by hand, and the first words of the answer: enough to learn which versions and
//! suites a server accepts, also those that no decent library speaks any longer.
//!
//! Nothing is agreed on: no key is exchanged, and the connection ends with the server's answer. What comes
//! is bounded ([`MOST_BYTES`]), and no bytes are taken for granted. Deliberately absent: SSL 2.0.

use rustls::CipherSuite;

/// No answer that matters is longer, in bytes.
pub const MOST_BYTES: usize = 16 * 1024;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const WARNING: u8 = 1;

const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
const EXTENDED_MASTER_SECRET: u16 = 23;
const SUPPORTED_VERSIONS: u16 = 43;
const KEY_EXCHANGE_MODES: u16 = 45;
const KEY_SHARE: u16 = 51;
const RENEGOTIATION_INFO: u16 = 0xff01;

/// x25519, then NIST's curves (RFC 8422 section 5.1.1, RFC 8446 section 4.2.7).
const GROUPS: [u16; 4] = [29, 23, 24, 25];
/// From the best to SHA-1, so that a server is not refused for its certificate (RFC 8446 section 4.2.3).
const SIGNATURES: [u16; 18] = [
    0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x0401,
    0x0501, 0x0601, 0x0402, 0x0203, 0x0201, 0x0202,
];
/// The random value that makes a ServerHello a HelloRetryRequest (RFC 8446 section 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// A version of SSL or TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// Broken (RFC 7568).
    Ssl30,
    /// Not to be used (RFC 8996).
    Tls10,
    /// Not to be used (RFC 8996).
    Tls11,
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

impl TlsVersion {
    /// All of them, oldest first.
    pub const ALL: [Self; 5] = [Self::Ssl30, Self::Tls10, Self::Tls11, Self::Tls12, Self::Tls13];

    /// Such as `TLSv1.2`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ssl30 => "SSLv3",
            Self::Tls10 => "TLSv1.0",
            Self::Tls11 => "TLSv1.1",
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }

    /// The version of this name, as [`TlsVersion::as_str`] and rustls give it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == name)
    }

    const fn code(self) -> u16 {
        match self {
            Self::Ssl30 => 0x0300,
            Self::Tls10 => 0x0301,
            Self::Tls11 => 0x0302,
            Self::Tls12 => 0x0303,
            Self::Tls13 => 0x0304,
        }
    }

    fn of_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.code() == code)
    }

    /// Every suite of this version that has a name, those of good repute first.
    pub fn suites(self) -> Vec<CipherSuite> {
        let named = (0..=u16::MAX).map(CipherSuite::from).filter(|suite| suite.as_str().is_some());
        let own = named.filter(|suite| {
            let is_of_13 = suite.as_str().is_some_and(|name| name.starts_with("TLS13_"));
            is_of_13 == (self == Self::Tls13) && !is_signal(*suite)
        });
        let mut suites: Vec<_> = own.collect();
        suites.sort_by_key(|suite| grade(*suite));
        suites
    }
}

/// What may be said of a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Nothing against it: forward secrecy, authenticated encryption (RFC 9325 section 4.2).
    Good,
    /// Forward secrecy, but CBC, which has seen attacks (RFC 9325 section 4.2, BCP 195).
    Cbc,
    /// Without forward secrecy: who gets the key reads what was said (RFC 9325 section 4.1: SHOULD NOT).
    NoForwardSecrecy,
    /// Nobody proves who he is: fit for opportunistic TLS only (RFC 7435).
    Anonymous,
    /// Forbidden: NULL, EXPORT, RC2, RC4, DES, 3DES, MD5 (RFC 9325 section 4.1, RFC 7465).
    Broken,
}

/// By its name.
pub fn grade(suite: CipherSuite) -> Grade {
    let name = suite.as_str().unwrap_or_default();
    let has = |word: &str| name.split('_').any(|part| part.eq_ignore_ascii_case(word));
    let words =
        ["NULL", "EXPORT", "EXPORT1024", "RC2", "RC4", "DES", "DES40", "3DES", "IDEA", "MD5"];
    if words.iter().any(|word| has(word)) {
        return Grade::Broken;
    }
    if has("anon") {
        return Grade::Anonymous;
    }
    if !(name.starts_with("TLS13_") || has("ECDHE") || has("DHE") || has("ECCPWD")) {
        return Grade::NoForwardSecrecy;
    }
    if has("CBC") { Grade::Cbc } else { Grade::Good }
}

/// Not suites, but signals in the list of suites (RFC 5746 section 3.3, RFC 7507).
fn is_signal(suite: CipherSuite) -> bool {
    matches!(u16::from(suite), 0x00ff | 0x5600)
}

/// What is offered.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// This version and no other.
    pub version: TlsVersion,
    /// These suites.
    pub suites: &'a [CipherSuite],
    /// The name that the server is asked for (RFC 6066 section 3); empty for none, as for addresses.
    pub server_name: &'a str,
    /// 96 bytes that nobody can foretell: the random value, the session's number, the key share.
    pub random: &'a [u8; 96],
}

impl Offer<'_> {
    /// As one TLS record.
    pub fn bytes(&self) -> Vec<u8> {
        let is_13 = self.version == TlsVersion::Tls13;
        let (random, rest) = self.random.split_at(32);
        let (session, share) = rest.split_at(32);
        let mut body = Vec::with_capacity(1024);
        u16_to(&mut body, self.version.min(TlsVersion::Tls12).code());
        body.extend(random);
        // Middleboxes want to see a session resumed (RFC 8446 appendix D.4).
        with_length::<1>(&mut body, |body| body.extend(if is_13 { session } else { &[] }));
        with_length::<2>(&mut body, |body| {
            self.suites.iter().for_each(|suite| u16_to(body, u16::from(*suite)));
        });
        body.extend([1, 0]);
        if self.version != TlsVersion::Ssl30 {
            with_length::<2>(&mut body, |body| self.extensions(body, share));
        }
        let mut record = vec![HANDSHAKE];
        u16_to(&mut record, self.version.min(TlsVersion::Tls10).code());
        with_length::<2>(&mut record, |record| {
            record.push(CLIENT_HELLO);
            with_length::<3>(record, |record| record.extend(&body));
        });
        record
    }

    fn extensions(&self, to: &mut Vec<u8>, share: &[u8]) {
        if !self.server_name.is_empty() {
            extension(to, SERVER_NAME, |to| {
                with_length::<2>(to, |to| {
                    to.push(0);
                    with_length::<2>(to, |to| to.extend(self.server_name.as_bytes()));
                });
            });
        }
        extension(to, SUPPORTED_GROUPS, |to| list::<2>(to, &GROUPS));
        extension(to, POINT_FORMATS, |to| to.extend([1, 0]));
        if self.version >= TlsVersion::Tls12 {
            extension(to, SIGNATURE_ALGORITHMS, |to| list::<2>(to, &SIGNATURES));
        }
        extension(to, EXTENDED_MASTER_SECRET, |_| {});
        extension(to, RENEGOTIATION_INFO, |to| to.push(0));
        if self.version == TlsVersion::Tls13 {
            extension(to, SUPPORTED_VERSIONS, |to| list::<1>(to, &[self.version.code()]));
            extension(to, KEY_EXCHANGE_MODES, |to| to.extend([1, 1]));
            extension(to, KEY_SHARE, |to| {
                with_length::<2>(to, |to| {
                    u16_to(to, GROUPS[0]);
                    with_length::<2>(to, |to| to.extend(share));
                });
            });
        }
    }
}

fn extension(to: &mut Vec<u8>, kind: u16, write: impl FnOnce(&mut Vec<u8>)) {
    u16_to(to, kind);
    with_length::<2>(to, write);
}

fn list<const WIDTH: usize>(to: &mut Vec<u8>, codes: &[u16]) {
    with_length::<WIDTH>(to, |to| codes.iter().for_each(|code| u16_to(to, *code)));
}

fn u16_to(to: &mut Vec<u8>, number: u16) {
    to.extend(number.to_be_bytes());
}

/// Writes something behind its own length, of so many bytes. Offers are far shorter than 64 KiB.
fn with_length<const WIDTH: usize>(to: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    write(&mut inner);
    let length = u32::try_from(inner.len()).unwrap_or(u32::MAX).to_be_bytes();
    to.extend(length.iter().skip(length.len().saturating_sub(WIDTH)));
    to.extend(inner);
}

/// What a server answers to an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It accepts.
    Accepted {
        /// This version; `None` when it is none that we know.
        version: Option<TlsVersion>,
        /// This suite.
        suite: CipherSuite,
        /// Whether it first wants another key share (RFC 8446 section 4.1.4).
        is_retry: bool,
    },
    /// It refuses with this alert (RFC 8446 section 6).
    Refused {
        /// Such as 70 for the version, 40 for everything else.
        alert: u8,
    },
    /// It closed or reset the connection without a word.
    Closed,
}

/// What came is no TLS, or no answer to an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what the server sent is not an answer to a TLS handshake")]
pub struct NotTls;

impl Answer {
    /// Reads an answer from the bytes so far; `None` when there are too few of them.
    ///
    /// # Errors
    /// When no more bytes can make them an answer.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, NotTls> {
        let mut records = Reader(bytes);
        let mut handshake = Vec::new();
        while let Some(kind) = records.u8() {
            let Some(version) = records.u16() else { break };
            if version >> 8 != 3 {
                return Err(NotTls);
            }
            let Some(length) = records.u16() else { break };
            if usize::from(length) > MOST_BYTES + 256 {
                return Err(NotTls);
            }
            let (fragment, is_whole) = records.up_to(usize::from(length));
            match (kind, fragment) {
                // A warning, such as 'no such name', is not the end (RFC 5246 section 7.2.2).
                (ALERT, [WARNING, alert]) if *alert != 0 => {}
                (ALERT, [_, alert]) => return Ok(Some(Self::Refused { alert: *alert })),
                (ALERT, _) if !is_whole => break,
                (HANDSHAKE, fragment) => handshake.extend(fragment),
                _ => return Err(NotTls),
            }
            if let Some(answer) = server_hello(&handshake)? {
                return Ok(Some(answer));
            }
            if !is_whole {
                break;
            }
        }
        if bytes.len() > MOST_BYTES { Err(NotTls) } else { Ok(None) }
    }
}

fn server_hello(bytes: &[u8]) -> Result<Option<Answer>, NotTls> {
    let mut reader = Reader(bytes);
    let Some(kind) = reader.u8() else { return Ok(None) };
    if kind != SERVER_HELLO {
        return Err(NotTls);
    }
    let (Some(high), Some(low)) = (reader.u8(), reader.u16()) else { return Ok(None) };
    let length = usize::from(high) << 16 | usize::from(low);
    if length > MOST_BYTES {
        return Err(NotTls);
    }
    let (body, is_whole) = reader.up_to(length);
    if !is_whole {
        return Ok(None);
    }
    hello_body(body).map(Some).ok_or(NotTls)
}

fn hello_body(body: &[u8]) -> Option<Answer> {
    let mut reader = Reader(body);
    let mut version = reader.u16()?;
    let random = reader.whole(32)?;
    let session = usize::from(reader.u8()?);
    reader.whole(session)?;
    let suite = CipherSuite::from(reader.u16()?);
    let _compression = reader.u8()?;
    if let Some(length) = reader.u16() {
        let mut extensions = Reader(reader.whole(usize::from(length))?);
        while let Some(kind) = extensions.u16() {
            let length = usize::from(extensions.u16()?);
            let value = extensions.whole(length)?;
            if let (SUPPORTED_VERSIONS, [high, low]) = (kind, value) {
                version = u16::from_be_bytes([*high, *low]);
            }
        }
    }
    let version = TlsVersion::of_code(version);
    Some(Answer::Accepted { version, suite, is_retry: random == RETRY })
}

/// Takes bytes from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn u8(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn u16(&mut self) -> Option<u16> {
        let (first, rest) = self.0.split_first_chunk::<2>()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*first))
    }

    fn whole(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// As many as there are, and whether these are all.
    fn up_to(&mut self, length: usize) -> (&'a [u8], bool) {
        self.whole(length).map_or_else(|| (std::mem::take(&mut self.0), false), |all| (all, true))
    }
}

#[cfg(test)]
mod tests;
