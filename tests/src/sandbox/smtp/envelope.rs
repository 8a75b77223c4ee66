//! What stands behind MAIL FROM: and RCPT TO: (RFC 5321 section 4.1.2).

/// A path and its parameters, keywords in upper case.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path<'a> {
    /// Without angle brackets; empty is the null reverse-path.
    pub(super) address: &'a str,
    pub(super) parameters: Vec<(String, &'a str)>,
}

/// Reads `FROM:<address> KEY=value`; nothing when that is not what stands there.
pub(super) fn path<'a>(rest: &'a str, keyword: &str) -> Option<Path<'a>> {
    let (found, rest) = rest.split_once(':')?;
    let (address, parameters) = rest.trim_start().strip_prefix('<')?.split_once('>')?;
    if !found.trim_end().eq_ignore_ascii_case(keyword) || !plausible(address) {
        return None;
    }
    let parameters = parameters
        .split_ascii_whitespace()
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .map(|(key, value)| (key.to_ascii_uppercase(), value))
        .collect();
    Some(Path { address, parameters })
}

/// Empty or something@something, at most 254 bytes, without what would break a header.
fn plausible(address: &str) -> bool {
    let clean = address.bytes().all(|byte| byte.is_ascii_graphic() || !byte.is_ascii());
    let parts = address.rsplit_once('@');
    clean
        && address.len() <= 254
        && (address.is_empty()
            || parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let check = |rest, expected: Option<&str>| {
            assert_eq!(path(rest, "FROM").map(|path| path.address), expected, "{rest:?}");
        };
        check("FROM:<a@b>", Some("a@b"));
        check("from: <a@b> SIZE=3", Some("a@b"));
        check("FROM:<>", Some(""));
        check("FROM:a@b", None);
        check("TO:<a@b>", None);
        check("FROM:<a>", None);
        check("FROM:<@b>", None);
        check("FROM:<a b@c>", None);
        check("FROM:<a@b", None);
        check("", None);
        assert_eq!(
            path("FROM:<a@b> size=3 BODY=8BITMIME", "FROM").map(|path| path.parameters),
            Some(vec![("SIZE".to_owned(), "3"), ("BODY".to_owned(), "8BITMIME")])
        );
    }
}
