//! What a `DKIM-Signature` header names (RFC 6376 section 3.5): from here comes the selector, which DNS
//! does not list. Whether the signature is good is `verify`'s matter.

use super::block::Block;

/// The most signatures that are kept.
const MOST_SIGNATURES: usize = 10;
/// The longest value, in characters; a domain has at most 253.
const LONGEST: usize = 255;
/// The most header names that are kept.
const MOST_HEADERS: usize = 64;

/// One signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    /// `d=`, in lower case.
    pub domain: String,
    /// `s=`.
    pub selector: String,
    /// `a=`, such as rsa-sha256.
    pub algorithm: String,
    /// `c=`; simple/simple where it is not said.
    pub canonicalization: String,
    /// `i=`, whom it is for.
    pub identity: Option<String>,
    /// `h=`, in lower case.
    pub headers: Vec<String>,
    /// Whether `l=` leaves a rest of the body unsigned.
    pub has_length: bool,
}

impl Signature {
    pub(super) fn all(block: &Block<'_>) -> Vec<Self> {
        let read = block.all("DKIM-Signature").filter_map(|value| Self::of(&value));
        read.take(MOST_SIGNATURES).collect()
    }

    /// Reads a header's value; `None` where domain or selector are missing.
    pub fn of(value: &str) -> Option<Self> {
        let mut signature =
            Self { canonicalization: "simple/simple".to_owned(), ..Self::default() };
        for tag in value.split(';') {
            let Some((name, value)) = tag.split_once('=') else { continue };
            // Folding white space may stand anywhere in a value (section 3.2).
            let value: String =
                value.chars().filter(|char| !char.is_whitespace()).take(LONGEST * 8).collect();
            let short = || value.chars().take(LONGEST).collect::<String>();
            match name.trim() {
                "d" => signature.domain = short().to_ascii_lowercase(),
                "s" => signature.selector = short(),
                "a" => signature.algorithm = short(),
                "c" => signature.canonicalization = short(),
                "i" => signature.identity = Some(short()),
                "l" => signature.has_length = true,
                "h" => {
                    let names = value.split(':').map(str::to_ascii_lowercase);
                    signature.headers = names.take(MOST_HEADERS).collect();
                }
                _ => {}
            }
        }
        let is_one = !signature.domain.is_empty() && !signature.selector.is_empty();
        is_one.then_some(signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_whatever_their_spacing() {
        let value = "v=1; a=rsa-sha256; c=relaxed/simple; d=Good.Test; s=sel2025;\t h=from:to:\t \
             Subject; bh=abc=; b=x=y ; l=10";
        let signature = Signature::of(value).unwrap();
        assert_eq!(signature.domain, "good.test");
        assert_eq!(signature.selector, "sel2025");
        assert_eq!(signature.algorithm, "rsa-sha256");
        assert_eq!(signature.headers, ["from", "to", "subject"]);
        assert!(signature.has_length);
        for other in ["", "d=a", "s=b", "d=;s="] {
            assert_eq!(Signature::of(other), None, "{other}");
        }
    }
}
