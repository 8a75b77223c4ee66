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
    insta::assert_snapshot!(told(&opened(), None), @r#"
    <b>Mail in Durban is down</b>

    Test mail is refused at sign-in.
    Confirmed from durban-1 and durban-2.

    <b>From where:</b> durban-1, durban-2; works from cape-1
    <b>What the server said:</b> 535 5.7.8 Error: authentication failed

    Acknowledge: https://collector.example.org:7444/incidents/17/ack
    Show: https://collector.example.org:7444/incidents/17

    <i>major · opened · incident-17 · 2026-11-29 10:00:00 UTC · incident-17-opened</i>
    {"chat_id":"-1001","disable_notification":false,"link_preview_options":{"is_disabled":true},"parse_mode":"HTML","text":null}
    "#);
}

#[test]
fn what_follows_answers_the_first() {
    insta::assert_snapshot!(told(&update(), Some(7)), @r#"
    <b>Mail in Durban is still down</b>

    cape-1 fails too.

    <i>major · update · incident-17 · 2026-11-29 10:20:00 UTC · incident-17-update-2</i>
    {"chat_id":"-1001","disable_notification":true,"link_preview_options":{"is_disabled":true},"parse_mode":"HTML","reply_parameters":{"allow_sending_without_reply":true,"message_id":7},"text":null}
    "#);
    insta::assert_snapshot!(told(&over(), Some(7)), @r#"
    <b>Mail in Durban works again</b>

    Down for 42 minutes.

    <b>Impact:</b> 120 users

    <i>major · over · incident-17 · 2026-11-29 10:42:00 UTC · incident-17-over</i>
    {"chat_id":"-1001","disable_notification":false,"link_preview_options":{"is_disabled":true},"parse_mode":"HTML","reply_parameters":{"allow_sending_without_reply":true,"message_id":7},"text":null}
    "#);
}

#[test]
fn nobody_is_called_and_nothing_is_markup() {
    insta::assert_snapshot!(told(&hostile(), None), @r#"
    <b>&lt;!channel&gt; @{ZWSP}channel @{ZWSP}everyone &lt;at&gt;all&lt;/at&gt; &lt;users/all&gt; *b* _i_ `c` [x](https://evil.example) &lt;/b&gt;&lt;script&gt;alert(1)&lt;/script&gt; &amp; [31m second line</b>

    &lt;!channel&gt; @{ZWSP}channel @{ZWSP}everyone &lt;at&gt;all&lt;/at&gt; &lt;users/all&gt; *b* _i_ `c` [x](https://evil.example) &lt;/b&gt;&lt;script&gt;alert(1)&lt;/script&gt; &amp; [31m

    # head
    &gt; quote

    <b>&lt;!channel&gt; @{ZWSP}channel @{ZWSP}everyone &lt;at&gt;all&lt;/at…:</b> &lt;!channel&gt; @{ZWSP}channel @{ZWSP}everyone &lt;at&gt;all&lt;/at&gt; &lt;users/all&gt; *b* _i_ `c` [x](https://evil.example) &lt;/b&gt;…
    <b>@{ZWSP}here:</b> a
    b

    ok [x](y) &lt;b&gt;: https://a.example/?q=%3Cb%3E&amp;x=%281%29%7C%22%27

    <i>major · opened · incident-17 · 2026-11-29 10:00:00 UTC · incident-17-opened</i>
    {"chat_id":"-1001","disable_notification":false,"link_preview_options":{"is_disabled":true},"parse_mode":"HTML","text":null}
    "#);
}

#[test]
fn all_fits() {
    let payload: Value = serde_json::from_slice(&payload(&long(), "1", None)).unwrap();
    let units = payload["text"].as_str().unwrap().encode_utf16().count();
    assert!((2_000..=4_096).contains(&units), "{units}");
}
