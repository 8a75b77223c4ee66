//! A policy record (RFC 9989 sections 4.7 and 4.8).
//!
//! A mistake in a tag makes that tag absent, never the record wrong; tags that nobody knows are ignored.

use crate::posture::bounded;
use crate::posture::tags::Tags;
use crate::posture::tlsrpt::is_mailbox;

/// Addresses of one tag that are read.
const MOST_ADDRESSES: usize = 10;
/// Tags of RFC 7489 that RFC 9989 took away (appendix C): receivers ignore them.
const REMOVED: [&str; 3] = ["pct", "rf", "ri"];

/// What receivers are asked to do with mail that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// Nothing.
    None,
    /// Suspect it.
    Quarantine,
    /// Refuse it.
    Reject,
}

impl Policy {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let all = [Self::None, Self::Quarantine, Self::Reject];
        all.into_iter().find(|policy| text.eq_ignore_ascii_case(policy.as_str()))
    }
}

/// `psd`: whether the domain is a public suffix (RFC 9989 section 4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Psd {
    /// `y`: it is one; organisations are below it.
    Yes,
    /// `n`: it is an organisation's.
    No,
    /// `u`, or nothing: the walk finds out.
    Unknown,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The text.
    pub text: String,
    /// `p`, where it is there and good.
    pub p: Option<Policy>,
    /// `sp`: of subdomains that exist.
    pub sp: Option<Policy>,
    /// `np`: of subdomains that do not.
    pub np: Option<Policy>,
    /// `psd`.
    pub psd: Psd,
    /// `t=y`: receivers are asked to apply one step less.
    pub is_testing: bool,
    /// `adkim=s`.
    pub is_dkim_strict: bool,
    /// `aspf=s`.
    pub is_spf_strict: bool,
    /// `rua`: addresses for aggregate reports that can be used.
    pub rua: Vec<String>,
    /// `ruf`: addresses for failure reports that can be used.
    pub ruf: Vec<String>,
    /// `fo`.
    pub failure_options: String,
    /// Tags that are gone.
    pub removed: Vec<&'static str>,
    /// What is wrong with it, for people.
    pub mistakes: Vec<String>,
}

impl Record {
    /// Reads a text that begins with `v=DMARC1`; `None` when it is another (RFC 9989 section 4.8: the
    /// version must come first and be written exactly so).
    pub fn parse(text: &str) -> Option<Self> {
        let (tags, mut mistakes) = Tags::lenient(text);
        if tags.first() != Some(("v", "DMARC1")) {
            return None;
        }
        let mut policy = |name: &str| {
            let text = tags.get(name)?;
            let policy = Policy::parse(text);
            if policy.is_none() {
                let shown = bounded(text.to_owned(), 80);
                mistakes.push(format!("{name}={shown} is none of none, quarantine, reject"));
            }
            policy
        };
        let (p, sp, np) = (policy("p"), policy("sp"), policy("np"));
        let mut word = |name: &str, words: &[&str]| {
            let text = tags.get(name).unwrap_or_default().to_ascii_lowercase();
            if !text.is_empty() && !words.contains(&text.as_str()) {
                let shown = bounded(text.clone(), 80);
                mistakes.push(format!("{name}={shown} is none of {}", words.join(", ")));
            }
            text
        };
        let (adkim, aspf) = (word("adkim", &["r", "s"]), word("aspf", &["r", "s"]));
        let (psd, t) = (word("psd", &["y", "n", "u"]), word("t", &["y", "n"]));
        let rua = addresses("rua", &tags, &mut mistakes);
        let ruf = addresses("ruf", &tags, &mut mistakes);
        Some(Self {
            text: text.to_owned(),
            p,
            sp,
            np,
            psd: match psd.as_str() {
                "y" => Psd::Yes,
                "n" => Psd::No,
                _ => Psd::Unknown,
            },
            is_testing: t == "y",
            is_dkim_strict: adkim == "s",
            is_spf_strict: aspf == "s",
            rua,
            ruf,
            failure_options: bounded(tags.get("fo").unwrap_or("0").to_owned(), 80),
            removed: REMOVED.into_iter().filter(|name| tags.get(name).is_some()).collect(),
            mistakes,
        })
    }

    /// What counts as `p`: a missing or wrong one is none (RFC 9989 section 4.10.1).
    pub fn policy(&self) -> Policy {
        self.p.unwrap_or(Policy::None)
    }

    /// Of a subdomain that exists and has no record of its own (RFC 9989 section 4.7).
    pub fn subdomain_policy(&self) -> Policy {
        self.sp.unwrap_or(self.policy())
    }

    /// Of a subdomain that does not exist (RFC 9989 section 4.7).
    pub fn nonexistent_policy(&self) -> Policy {
        self.np.unwrap_or(self.subdomain_policy())
    }
}

fn addresses(name: &str, tags: &Tags, mistakes: &mut Vec<String>) -> Vec<String> {
    let Some(text) = tags.get(name) else { return Vec::new() };
    let mut addresses = Vec::new();
    for address in text.split(',').map(str::trim).take(MOST_ADDRESSES) {
        // RFC 7489's size limit "!10m" is gone; it was never part of the address.
        let bare = address.split_once('!').map_or(address, |(bare, _)| bare);
        let scheme = bare.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        let rest = bare.split_once(':').map_or("", |(_, rest)| rest);
        match scheme.as_deref() {
            Some("mailto") if is_mailbox(rest) => addresses.push(rest.to_owned()),
            // Other schemes may be there; nobody has to use them.
            Some("https" | "http") => {}
            _ => {
                let shown = bounded(address.to_owned(), 200);
                mistakes.push(format!("{name}: \"{shown}\" is no mailto: address"));
            }
        }
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_texts_are_policies() {
        for (text, expected) in [
            ("v=DMARC1", true),
            ("v=DMARC1;p=none", true),
            (" v = DMARC1 ; p=none", true),
            ("v=dmarc1; p=none", false),
            ("v=DMARC10; p=none", false),
            ("p=none; v=DMARC1", false),
            ("v=DMARC1 p=none", false),
            ("", false),
        ] {
            assert_eq!(Record::parse(text).is_some(), expected, "{text}");
        }
    }

    #[test]
    fn policies_fall_back() {
        let policies = |text: &str| {
            let record = Record::parse(&format!("v=DMARC1; {text}")).unwrap();
            let all = [record.policy(), record.subdomain_policy(), record.nonexistent_policy()];
            all.map(Policy::as_str).join(" ")
        };
        for (text, expected) in [
            ("p=reject", "reject reject reject"),
            ("P=reject", "none none none"),
            ("p=REJECT; sp=none", "reject none none"),
            ("p=quarantine; np=reject", "quarantine quarantine reject"),
            ("p=none; sp=quarantine; np=reject", "none quarantine reject"),
            ("sp=reject", "none reject reject"),
            ("p=refuse", "none none none"),
            ("", "none none none"),
        ] {
            assert_eq!(policies(text), expected, "{text}");
        }
    }

    #[test]
    fn a_mistake_makes_a_tag_absent() {
        let text = "v=DMARC1; p=reject; p=none; adkim=x; aspf=s; psd=q; t=y; pct=50; ri=1; moo=1; \
                    fo; rua=mailto:a@b.test!10m,mailto:c,https://d.test/,ftp:x; ruf=";
        let record = Record::parse(text).unwrap();
        assert_eq!(record.policy(), Policy::Reject);
        assert!(record.is_testing && record.is_spf_strict && !record.is_dkim_strict);
        assert_eq!((record.psd, record.failure_options.as_str()), (Psd::Unknown, "0"));
        assert_eq!((record.rua, record.ruf), (vec!["a@b.test".to_owned()], vec![]));
        assert_eq!(record.removed, ["pct", "ri"]);
        assert_eq!(record.mistakes.len(), 7, "{:?}", record.mistakes);
    }
}
