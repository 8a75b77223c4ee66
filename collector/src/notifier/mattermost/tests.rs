use super::super::samples::{hostile, long, opened, over, shown, update};
use super::*;

#[test]
fn a_post() {
    insta::assert_snapshot!(shown(&payload(&opened(), Some("mail"))), @"");
}

#[test]
fn what_follows() {
    insta::assert_snapshot!(shown(&payload(&update(), Some("mail"))), @"");
    insta::assert_snapshot!(shown(&payload(&over(), Some("mail"))), @"");
}

#[test]
fn nobody_is_called_and_nothing_is_markup() {
    insta::assert_snapshot!(shown(&payload(&hostile(), Some("mail"))), @"");
}

#[test]
fn all_fits() {
    let bytes = payload(&long(), Some("mail"));
    assert!((10_000..=MAX_BYTES).contains(&bytes.len()), "{}", bytes.len());
}
