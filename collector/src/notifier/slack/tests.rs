use serde_json::json;

use super::super::samples::{hostile, long, opened, over, shown, update};
use super::*;

#[test]
fn by_a_webhook() {
    insta::assert_snapshot!(shown(&payload(&opened(), &json!({}))), @"");
}

#[test]
fn what_follows_goes_into_the_thread() {
    let reply = json!({"channel": "C1", "thread_ts": "1.2", "reply_broadcast": false});
    insta::assert_snapshot!(shown(&payload(&update(), &reply)), @"");
    insta::assert_snapshot!(shown(&payload(&over(), &json!({"channel": "C1", "ts": "1.2"}))), @"");
}

#[test]
fn nobody_is_called_and_nothing_is_markup() {
    insta::assert_snapshot!(shown(&payload(&hostile(), &json!({}))), @"");
}

#[test]
fn all_fits() {
    let bytes = payload(&long(), &json!({}));
    assert!((4_000..=MAX_BYTES).contains(&bytes.len()), "{}", bytes.len());
}
