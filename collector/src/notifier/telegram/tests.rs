use super::super::samples::{hostile, long, opened, over, update};
use super::*;

/// The text as Telegram gets it, and what is beside it.
fn told(message: &Message, first: Option<i64>) -> String {
    let mut payload: Value = serde_json::from_slice(&payload(message, "-1001", first)).unwrap();
    let text = payload["text"].take().as_str().unwrap().replace('\u{200b}', "{ZWSP}");
    format!("{text}\n{payload}")
}

#[test]
fn a_message() {
    insta::assert_snapshot!(told(&opened(), None), @"");
}

#[test]
fn what_follows_answers_the_first() {
    insta::assert_snapshot!(told(&update(), Some(7)), @"");
    insta::assert_snapshot!(told(&over(), Some(7)), @"");
}

#[test]
fn nobody_is_called_and_nothing_is_markup() {
    insta::assert_snapshot!(told(&hostile(), None), @"");
}

#[test]
fn all_fits() {
    let payload: Value = serde_json::from_slice(&payload(&long(), "1", None)).unwrap();
    let units = payload["text"].as_str().unwrap().encode_utf16().count();
    assert!((2_000..=4_096).contains(&units), "{units}");
}
