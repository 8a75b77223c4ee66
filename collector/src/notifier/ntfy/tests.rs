use super::super::samples::{hostile, long, opened, over, shown, update};
use super::*;

#[test]
fn a_notification() {
    insta::assert_snapshot!(shown(payload(&opened(), "mail").to_string().as_bytes()), @"");
}

#[test]
fn what_follows() {
    insta::assert_snapshot!(shown(payload(&update(), "mail").to_string().as_bytes()), @"");
    insta::assert_snapshot!(shown(payload(&over(), "mail").to_string().as_bytes()), @"");
}

#[test]
fn nobody_is_called_and_nothing_is_markup() {
    insta::assert_snapshot!(shown(payload(&hostile(), "mail").to_string().as_bytes()), @"");
}

#[test]
fn all_fits() {
    let payload = payload(&long(), "mail");
    let bytes = payload["message"].as_str().unwrap().len();
    assert!((3_000..=4_096).contains(&bytes), "{bytes}");
    assert!(payload.to_string().len() < 16 << 10);
}
