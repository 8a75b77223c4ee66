use serde_json::json;

use super::super::samples::{hostile_fields, hostile_text, long, opened, over, shown, update};
use super::*;

#[test]
fn by_a_webhook() {
    insta::assert_snapshot!(shown(&payload(&opened(), &json!({}))), @r#"
    {
      "blocks": [
        {"text":{"emoji":false,"text":"Mail in Durban is down","type":"plain_text"},"type":"header"},
        {
          "text": {"emoji":false,"text":"Test mail is refused at sign-in.\nConfirmed from durban-1 and durban-2.","type":"plain_text"},
          "type": "section"
        },
        {
          "elements": [
            {
              "elements": [
                {"style":{"bold":true},"text":"From where: ","type":"text"},
                {"text":"durban-1, durban-2; works from cape-1","type":"text"},
                {"style":{"bold":true},"text":"\nWhat the server said: ","type":"text"},
                {"text":"535 5.7.8 Error: authentication failed","type":"text"}
              ],
              "type": "rich_text_section"
            }
          ],
          "type": "rich_text"
        },
        {
          "elements": [
            {
              "action_id": "link-0",
              "text": {"emoji":false,"text":"Acknowledge","type":"plain_text"},
              "type": "button",
              "url": "https://collector.example.org:7444/incidents/17/ack"
            },
            {
              "action_id": "link-1",
              "text": {"emoji":false,"text":"Show","type":"plain_text"},
              "type": "button",
              "url": "https://collector.example.org:7444/incidents/17"
            }
          ],
          "type": "actions"
        },
        {
          "elements": [
            {
              "emoji": false,
              "text": "major · opened · incident-17 · 2026-11-29 10:00:00 UTC · incident-17-opened",
              "type": "plain_text"
            }
          ],
          "type": "context"
        }
      ],
      "text": "Mail in Durban is down"
    }
    "#);
}

#[test]
fn what_follows_goes_into_the_thread() {
    let reply = json!({"channel": "C1", "thread_ts": "1.2", "reply_broadcast": false});
    insta::assert_snapshot!(shown(&payload(&update(), &reply)), @r#"
    {
      "blocks": [
        {"text":{"emoji":false,"text":"Mail in Durban is still down","type":"plain_text"},"type":"header"},
        {"text":{"emoji":false,"text":"cape-1 fails too.","type":"plain_text"},"type":"section"},
        {
          "elements": [
            {
              "emoji": false,
              "text": "major · update · incident-17 · 2026-11-29 10:20:00 UTC · incident-17-update-2",
              "type": "plain_text"
            }
          ],
          "type": "context"
        }
      ],
      "channel": "C1",
      "reply_broadcast": false,
      "text": "Mail in Durban is still down",
      "thread_ts": "1.2"
    }
    "#);
}

#[test]
fn its_end_changes_the_first() {
    insta::assert_snapshot!(shown(&payload(&over(), &json!({"channel": "C1", "ts": "1.2"}))), @r#"
    {
      "blocks": [
        {"text":{"emoji":false,"text":"Mail in Durban works again","type":"plain_text"},"type":"header"},
        {"text":{"emoji":false,"text":"Down for 42 minutes.","type":"plain_text"},"type":"section"},
        {
          "elements": [
            {
              "elements": [{"style":{"bold":true},"text":"Impact: ","type":"text"},{"text":"120 users","type":"text"}],
              "type": "rich_text_section"
            }
          ],
          "type": "rich_text"
        },
        {
          "elements": [{"emoji":false,"text":"major · over · incident-17 · 2026-11-29 10:42:00 UTC · incident-17-over","type":"plain_text"}],
          "type": "context"
        }
      ],
      "channel": "C1",
      "text": "Mail in Durban works again",
      "ts": "1.2"
    }
    "#);
}

#[test]
fn nobody_is_called_and_nothing_is_markup() {
    insta::assert_snapshot!(shown(&payload(&hostile_text(), &json!({}))), @r#"
    {
      "blocks": [
        {
          "text": {
            "emoji": false,
            "text": "&lt;!channel&gt; @channel @everyone &lt;at&gt;all&lt;/at&gt; &lt;users/all&gt; *b* _i_ `c` [x](https://evil.example) &lt;/b&gt;&lt;script&gt;alert(1)…",
            "type": "plain_text"
          },
          "type": "header"
        },
        {
          "text": {
            "emoji": false,
            "text": "&lt;!channel&gt; @channel @everyone &lt;at&gt;all&lt;/at&gt; &lt;users/all&gt; *b* _i_ `c` [x](https://evil.example) &lt;/b&gt;&lt;script&gt;alert(1)&lt;/script&gt; &amp; [31m\n\n# head\n&gt; quote",
            "type": "plain_text"
          },
          "type": "section"
        },
        {
          "elements": [
            {
              "emoji": false,
              "text": "major · opened · incident-17 · 2026-11-29 10:00:00 UTC · incident-17-opened",
              "type": "plain_text"
            }
          ],
          "type": "context"
        }
      ],
      "text": "&lt;!channel&gt; @channel @everyone &lt;at&gt;all&lt;/at&gt; &lt;users/all&gt; *b* _i_ `c` [x](https://evil.example) &lt;/b&gt;&lt;script&gt;alert(1)…"
    }
    "#);
}

#[test]
fn fields_and_links_are_text_too() {
    insta::assert_snapshot!(shown(&payload(&hostile_fields(), &json!({}))), @r#"
    {
      "blocks": [
        {"text":{"emoji":false,"text":"t","type":"plain_text"},"type":"header"},
        {
          "elements": [
            {
              "elements": [
                {
                  "style": {"bold":true},
                  "text": "<!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) </b><s…: ",
                  "type": "text"
                },
                {
                  "text": "<!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) </b><script>alert(1)</script> & [31m",
                  "type": "text"
                },
                {"style":{"bold":true},"text":"\n@here: ","type":"text"},
                {"text":"a\nb","type":"text"}
              ],
              "type": "rich_text_section"
            }
          ],
          "type": "rich_text"
        },
        {
          "elements": [
            {
              "action_id": "link-0",
              "text": {"emoji":false,"text":"ok [x](y) &lt;b&gt;","type":"plain_text"},
              "type": "button",
              "url": "https://a.example/?q=%3Cb%3E&x=%281%29%7C%22%27"
            }
          ],
          "type": "actions"
        },
        {
          "elements": [
            {
              "emoji": false,
              "text": "major · opened · incident-17 · 2026-11-29 10:00:00 UTC · incident-17-opened",
              "type": "plain_text"
            }
          ],
          "type": "context"
        }
      ],
      "text": "t"
    }
    "#);
}

#[test]
fn all_fits() {
    let bytes = payload(&long(), &json!({}));
    assert!((4_000..=MAX_BYTES).contains(&bytes.len()), "{}", bytes.len());
}
