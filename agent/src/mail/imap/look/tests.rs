//! What servers answer about folders and quota, and what they may answer without harm.

use proptest::prelude::*;

use super::*;
use crate::mail::imap::guard::Guard;
use crate::mail::imap::heard;

#[test]
fn quota_is_told_in_percent() {
    for (used, limit, percent) in [
        (0, 100, Some(0)),
        (95, 100, Some(95)),
        (949, 1_000, Some(94)),
        (200, 100, Some(200)),
        (5, 0, None),
        (u64::MAX, 1, Some(u64::MAX)),
        (u64::MAX, u64::MAX, Some(100)),
    ] {
        let quota = Quota { root: String::new(), resource: "STORAGE".to_owned(), used, limit };
        assert_eq!(quota.percent(), percent, "{used} of {limit}");
    }
}

#[test]
fn what_servers_say_is_heard() {
    for (bytes, expected) in [
        ("* QUOTA \"User quota\" (STORAGE 19 20 MESSAGE 1 2)\r\n", 1),
        ("* QUOTA {3}\r\nabc (STORAGE 19 20)\r\n* QUOTAROOT INBOX abc\r\n", 2),
        ("* STATUS INBOX (MESSAGES 231 UNSEEN 4)\r\n", 1),
        ("* 4 FETCH (INTERNALDATE \"24-Nov-2025 16:00:01 +0000\")\r\n", 1),
        ("* 4 FETCH (INTERNALDATE \"99-Nov-2025 16:00:01 +0000\")\r\n", 0),
        ("* QUOTA \"\" (STORAGE 99999999999999999999999 1)\r\n", 0),
    ] {
        assert_eq!(heard(bytes.as_bytes()).ok(), Some(expected), "{bytes}");
    }
    assert!(heard(b"* QUOTA {999999999}\r\n").is_err());
}

/// Something that looks like what a server says.
fn answers() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just("QUOTA".to_owned()),
        Just("QUOTAROOT".to_owned()),
        Just("STATUS".to_owned()),
        Just("FETCH".to_owned()),
        Just("SEARCH".to_owned()),
        Just("LIST".to_owned()),
        Just("INTERNALDATE".to_owned()),
        Just("STORAGE".to_owned()),
        Just("MESSAGES".to_owned()),
        Just("UNSEEN".to_owned()),
        Just("UID".to_owned()),
        Just("INBOX".to_owned()),
        Just("\"24-Nov-2025 16:00:01 +0000\"".to_owned()),
        "[0-9]{1,25}",
        "[()\\[\\]{}\"*+<>\\\\]{1,3}",
        "\\{[0-9]{1,12}\\}\r\n",
        "[ -~]{0,12}",
    ];
    let line = prop::collection::vec(word, 0..8).prop_map(|words| words.join(" "));
    let line = (prop_oneof![Just("* "), Just("A1 "), Just("+ "), Just("")], line)
        .prop_map(|(start, line)| format!("{start}{line}\r\n").into_bytes());
    let rubbish = prop::collection::vec(any::<u8>(), 0..100);
    prop::collection::vec(prop_oneof![3 => line, 1 => rubbish], 0..6)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_answer_panics_or_exceeds_the_bounds(bytes in answers()) {
        if let Ok(read) = heard(&bytes) {
            prop_assert!(read <= bytes.len());
            prop_assert!(Guard::new().check(&bytes).is_ok());
        }
    }

    #[test]
    fn no_name_of_a_root_is_long(root in "\\PC{0,300}", used in any::<u64>(), limit in any::<u64>()) {
        let root = begin(&root);
        prop_assert!(root.chars().count() <= LONGEST_NAME && !root.chars().any(char::is_control));
        let quota = Quota { root, resource: "X".to_owned(), used, limit };
        prop_assert_eq!(quota.percent().is_none(), limit == 0);
    }
}
