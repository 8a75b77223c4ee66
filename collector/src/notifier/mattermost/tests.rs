use super::super::samples::{hostile, long, opened, over, shown, update};
use super::*;

#[test]
fn a_post() {
    insta::assert_snapshot!(shown(&payload(&opened(), Some("mail"))), @r##"
    {
      "attachments": [
        {
          "color": "#ef6c00",
          "fallback": "Mail in Durban is down",
          "fields": [
            {"short":true,"title":"From where","value":"durban-1, durban-2; works from cape-1"},
            {"short":true,"title":"What the server said","value":"535 5.7.8 Error: authentication failed"},
            {
              "short": false,
              "title": "",
              "value": "[Acknowledge](https://collector.example.org:7444/incidents/17/ack) · [Show](https://collector.example.org:7444/incidents/17)"
            }
          ],
          "footer": "major · opened · incident-17 · 2026-11-29 10:00:00 UTC · incident-17-opened",
          "text": "Test mail is refused at sign-in.\nConfirmed from durban-1 and durban-2.",
          "title": "Mail in Durban is down"
        }
      ],
      "channel": "mail"
    }
    "##);
}

#[test]
fn what_follows() {
    insta::assert_snapshot!(shown(&payload(&update(), Some("mail"))), @r##"
    {
      "attachments": [
        {
          "color": "#ef6c00",
          "fallback": "Mail in Durban is still down",
          "fields": [],
          "footer": "major · update · incident-17 · 2026-11-29 10:20:00 UTC · incident-17-update-2",
          "text": "cape-1 fails too.",
          "title": "Mail in Durban is still down"
        }
      ],
      "channel": "mail"
    }
    "##);
    insta::assert_snapshot!(shown(&payload(&over(), Some("mail"))), @r##"
    {
      "attachments": [
        {
          "color": "#2e7d32",
          "fallback": "Mail in Durban works again",
          "fields": [{"short":true,"title":"Impact","value":"120 users"}],
          "footer": "major · over · incident-17 · 2026-11-29 10:42:00 UTC · incident-17-over",
          "text": "Down for 42 minutes.",
          "title": "Mail in Durban works again"
        }
      ],
      "channel": "mail"
    }
    "##);
}

#[test]
fn nobody_is_called_and_nothing_is_markup() {
    insta::assert_snapshot!(shown(&payload(&hostile(), Some("mail"))), @r##"
    {
      "attachments": [
        {
          "color": "#ef6c00",
          "fallback": "<{ZWSP}!channel> @{ZWSP}channel @{ZWSP}everyone <{ZWSP}at>all<{ZWSP}/at> <{ZWSP}users/all> *b* _i_ `c` [x](https://evil.example) <{ZWSP}/b><{ZWSP}script>alert(1)<{ZWSP}/script> & [31m second line",
          "fields": [
            {
              "short": true,
              "title": "\\<!channel\\> @{ZWSP}channel @{ZWSP}everyone \\<at\\>all\\</at\\> \\<users/all\\> \\*b\\* \\_i\\_ \\`c\\` \\[x\\](https://ev…",
              "value": "\\<!channel\\> @{ZWSP}channel @{ZWSP}everyone \\<at\\>all\\</at\\> \\<users/all\\> \\*b\\* \\_i\\_ \\`c\\` \\[x\\](https://evil.example) \\</b\\>\\<script\\>alert(1)\\</script\\> & \\[31m"
            },
            {"short":true,"title":"@{ZWSP}here","value":"a\nb"},
            {"short":false,"title":"","value":"[ok \\[x\\](y) \\<b\\>](https://a.example/?q=%3Cb%3E&x=%281%29%7C%22%27)"}
          ],
          "footer": "major · opened · incident-17 · 2026-11-29 10:00:00 UTC · incident-17-opened",
          "text": "\\<!channel\\> @{ZWSP}channel @{ZWSP}everyone \\<at\\>all\\</at\\> \\<users/all\\> \\*b\\* \\_i\\_ \\`c\\` \\[x\\](https://evil.example) \\</b\\>\\<script\\>alert(1)\\</script\\> & \\[31m\n\n\\# head\n\\> quote",
          "title": "\\<!channel\\> @{ZWSP}channel @{ZWSP}everyone \\<at\\>all\\</at\\> \\<users/all\\> \\*b\\* \\_i\\_ \\`c\\` \\[x\\](https://evil.example) \\</b\\>\\<script\\>alert(1)\\</script\\> & \\[31m second line"
        }
      ],
      "channel": "mail"
    }
    "##);
}

#[test]
fn all_fits() {
    let bytes = payload(&long(), Some("mail"));
    assert!((10_000..=MAX_BYTES).contains(&bytes.len()), "{}", bytes.len());
}
