use super::super::samples::{hostile, long, opened, over, shown, update};
use super::*;

#[test]
fn a_message() {
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
    assert!((4_000..=MAX_BYTES).contains(&bytes.len()), "{}", bytes.len());
}

#[test]
fn the_format_is_full_whatever_was_pasted() {
    for (pasted, asked) in [
        ("https://z.example/a", "https://z.example/a?format=full"),
        ("https://z.example/a?format=message&x=1", "https://z.example/a?x=1&format=full"),
    ] {
        assert_eq!(in_full(&pasted.parse().unwrap()).as_str(), asked);
    }
}
