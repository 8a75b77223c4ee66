use super::super::samples::{hostile, long, opened, over, shown, update};
use super::*;

#[test]
fn a_card() {
    insta::assert_snapshot!(shown(&payload(&opened())), @"");
}

#[test]
fn what_follows() {
    insta::assert_snapshot!(shown(&payload(&update())), @"");
    insta::assert_snapshot!(shown(&payload(&over())), @"");
}

#[test]
fn nobody_is_called_and_nothing_is_markup() {
    insta::assert_snapshot!(shown(&payload(&hostile())), @"");
}

#[test]
fn all_fits() {
    let bytes = payload(&long());
    assert!((8_000..=MAX_BYTES).contains(&bytes.len()), "{}", bytes.len());
}
