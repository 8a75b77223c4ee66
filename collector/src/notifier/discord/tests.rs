use super::super::samples::{hostile, long, opened, over, shown, update};
use super::*;

#[test]
fn an_embed() {
    insta::assert_snapshot!(shown(&payload(&opened())), @r#"
    {
      "allowed_mentions": {"parse":[]},
      "embeds": [
        {
          "color": 15690752,
          "description": "Test mail is refused at sign-in.\nConfirmed from durban-1 and durban-2.",
          "fields": [
            {"inline":false,"name":"From where","value":"durban-1, durban-2; works from cape-1"},
            {"inline":false,"name":"What the server said","value":"535 5.7.8 Error: authentication failed"},
            {
              "inline": false,
              "name": "{ZWSP}",
              "value": "[Acknowledge](https://collector.example.org:7444/incidents/17/ack) · [Show](https://collector.example.org:7444/incidents/17)"
            }
          ],
          "footer": {"text":"major · opened · incident-17 · 2026-11-29 10:00:00 UTC · incident-17-opened"},
          "timestamp": "2026-11-29T10:00:00Z",
          "title": "Mail in Durban is down"
        }
      ],
      "username": "Mailsonde"
    }
    "#);
}

#[test]
fn what_follows() {
    insta::assert_snapshot!(shown(&payload(&update())), @r#"
    {
      "allowed_mentions": {"parse":[]},
      "embeds": [
        {
          "color": 15690752,
          "description": "cape-1 fails too.",
          "fields": [],
          "footer": {"text":"major · update · incident-17 · 2026-11-29 10:20:00 UTC · incident-17-update-2"},
          "timestamp": "2026-11-29T10:20:00Z",
          "title": "Mail in Durban is still down"
        }
      ],
      "username": "Mailsonde"
    }
    "#);
    insta::assert_snapshot!(shown(&payload(&over())), @r#"
    {
      "allowed_mentions": {"parse":[]},
      "embeds": [
        {
          "color": 3046706,
          "description": "Down for 42 minutes.",
          "fields": [{"inline":false,"name":"Impact","value":"120 users"}],
          "footer": {"text":"major · over · incident-17 · 2026-11-29 10:42:00 UTC · incident-17-over"},
          "timestamp": "2026-11-29T10:42:00Z",
          "title": "Mail in Durban works again"
        }
      ],
      "username": "Mailsonde"
    }
    "#);
}

#[test]
fn nobody_is_called_and_nothing_is_markup() {
    insta::assert_snapshot!(shown(&payload(&hostile())), @r#"
    {
      "allowed_mentions": {"parse":[]},
      "embeds": [
        {
          "color": 15690752,
          "description": "\\<!channel\\> @{ZWSP}channel @{ZWSP}everyone \\<at\\>all\\</at\\> \\<users/all\\> \\*b\\* \\_i\\_ \\`c\\` \\[x\\](https://evil.example) \\</b\\>\\<script\\>alert(1)\\</script\\> & \\[31m\n\n\\# head\n\\> quote",
          "fields": [
            {
              "inline": false,
              "name": "\\<!channel\\> @{ZWSP}channel @{ZWSP}everyone \\<at\\>all\\</at\\> \\<users/all\\> \\*b\\* \\_i\\_ \\`c\\` \\[x\\](https://ev…",
              "value": "\\<!channel\\> @{ZWSP}channel @{ZWSP}everyone \\<at\\>all\\</at\\> \\<users/all\\> \\*b\\* \\_i\\_ \\`c\\` \\[x\\](https://evil.example) \\</b\\>\\<script\\>alert(1)\\</script\\> & \\[31m"
            },
            {"inline":false,"name":"@{ZWSP}here","value":"a\nb"},
            {"inline":false,"name":"{ZWSP}","value":"[ok \\[x\\](y) \\<b\\>](https://a.example/?q=%3Cb%3E&x=%281%29%7C%22%27)"}
          ],
          "footer": {"text":"major · opened · incident-17 · 2026-11-29 10:00:00 UTC · incident-17-opened"},
          "timestamp": "2026-11-29T10:00:00Z",
          "title": "\\<!channel\\> @{ZWSP}channel @{ZWSP}everyone \\<at\\>all\\</at\\> \\<users/all\\> \\*b\\* \\_i\\_ \\`c\\` \\[x\\](https://evil.example) \\</b\\>\\<script\\>alert(1)\\</script\\> & \\[31m second line"
        }
      ],
      "username": "Mailsonde"
    }
    "#);
}

#[test]
fn all_fits() {
    let payload: Value = serde_json::from_slice(&payload(&long())).unwrap();
    let embed = &payload["embeds"][0];
    let units = |value: &Value| value.as_str().unwrap().encode_utf16().count();
    let fields = embed["fields"].as_array().unwrap();
    let fields: usize = fields.iter().map(|it| units(&it["name"]) + units(&it["value"])).sum();
    let all = units(&embed["title"])
        + units(&embed["description"])
        + units(&embed["footer"]["text"])
        + fields;
    assert!((4_000..=6_000).contains(&all), "{all}");
}
