//! Settings that are read, and those that are refused.

use super::*;

#[test]
fn codes_are_permanent_ones() {
    for (text, expected) in [
        ("550", Some("550")),
        ("5.7.1", Some("5.7.1")),
        ("450", None),
        ("4.7.1", None),
        ("5.7", None),
        ("600", None),
        ("", None),
    ] {
        let code = text.parse::<ExpectedCode>().ok().map(|code| code.to_string());
        assert_eq!(code.as_deref(), expected, "{text}");
    }
}
