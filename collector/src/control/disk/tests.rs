//! Records survive the disk, and what is changed on it is seen.

use super::*;

const NONE: Link = [0; 32];

#[test]
fn what_a_newer_collector_wrote_is_unknown() {
    // Field 13, a message that we do not know, beside a time that we do.
    let bytes = [0x09, 1, 0, 0, 0, 0, 0, 0, 0, 0x6a, 2, 8, 1];
    let record = ControlRecord::from_bytes(&bytes).unwrap();
    let received_at = WallTime::from_ns(1);
    let expected =
        ControlRecord { received_at, before: 0, control: Control::Unknown, author: None };
    assert_eq!(record, expected);
}

#[test]
fn a_link_follows_the_one_before_and_no_byte_can_change() {
    let author = Some(Author { who: "uid 0 (root)".into(), from: "operators.sock".into() });
    let control = Control::Revoked { agent: AgentId([1; 16]) };
    let record = ControlRecord { received_at: WallTime::from_s(1), before: 9, control, author };
    let (bytes, link) = record.to_bytes(&[7; 32]);
    assert_eq!(ControlRecord::from_bytes(&bytes), Ok(record.clone()));
    assert_eq!(link_in(&bytes, &[7; 32]), Some((link.unwrap(), true)));
    assert_eq!(link_in(&bytes, &NONE), Some((link.unwrap(), false)));
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1;
        assert!(!matches!(link_in(&other, &[7; 32]), Some((_, true))), "byte {at}");
    }
    let (bytes, none) = ControlRecord { author: None, ..record }.to_bytes(&NONE);
    assert_eq!((none, link_in(&bytes, &NONE)), (None, None));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        if let Ok(record) = ControlRecord::from_bytes(&bytes) {
            let again = ControlRecord::from_bytes(&record.to_bytes(&NONE).0);
            proptest::prop_assert_eq!(again, Ok(record));
        }
    }
}
