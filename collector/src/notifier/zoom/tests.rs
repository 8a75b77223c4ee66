use super::super::samples::{hostile, long, opened, over, shown, update};
use super::*;

#[test]
fn a_message() {
    insta::assert_snapshot!(shown(&payload(&opened())), @r##"
    {
      "content": {
        "body": [
          {"text":"Test mail is refused at sign-in.\nConfirmed from durban-1 and durban-2.","type":"message"},
          {
            "items": [
              {"key":"From where","short":false,"value":"durban-1, durban-2; works from cape-1"},
              {"key":"What the server said","short":false,"value":"535 5.7.8 Error: authentication failed"}
            ],
            "type": "fields"
          },
          {"link":"https://collector.example.org:7444/incidents/17/ack","text":"Acknowledge","type":"message"},
          {"link":"https://collector.example.org:7444/incidents/17","text":"Show","type":"message"}
        ],
        "head": {
          "sub_head": {"text":"major · opened · incident-17 · 2026-11-29 10:00:00 UTC · incident-17-opened"},
          "text": "Mail in Durban is down"
        },
        "settings": {"sidebar_color":"#ef6c00"}
      },
      "is_markdown_support": false
    }
    "##);
}

#[test]
fn what_follows() {
    insta::assert_snapshot!(shown(&payload(&update())), @r##"
    {
      "content": {
        "body": [{"text":"cape-1 fails too.","type":"message"}],
        "head": {
          "sub_head": {"text":"major · update · incident-17 · 2026-11-29 10:20:00 UTC · incident-17-update-2"},
          "text": "Mail in Durban is still down"
        },
        "settings": {"sidebar_color":"#ef6c00"}
      },
      "is_markdown_support": false
    }
    "##);
    insta::assert_snapshot!(shown(&payload(&over())), @r##"
    {
      "content": {
        "body": [
          {"text":"Down for 42 minutes.","type":"message"},
          {"items":[{"key":"Impact","short":false,"value":"120 users"}],"type":"fields"}
        ],
        "head": {
          "sub_head": {"text":"major · over · incident-17 · 2026-11-29 10:42:00 UTC · incident-17-over"},
          "text": "Mail in Durban works again"
        },
        "settings": {"sidebar_color":"#2e7d32"}
      },
      "is_markdown_support": false
    }
    "##);
}

#[test]
fn nobody_is_called_and_nothing_is_markup() {
    insta::assert_snapshot!(shown(&payload(&hostile())), @r##"
    {
      "content": {
        "body": [
          {
            "text": "<!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) </b><script>alert(1)</script> & [31m\n\n# head\n> quote",
            "type": "message"
          },
          {
            "items": [
              {
                "key": "<!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) </b><s…",
                "short": false,
                "value": "<!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) </b><script>alert(1)</script> & [31m"
              },
              {"key":"@here","short":false,"value":"a\nb"}
            ],
            "type": "fields"
          },
          {"link":"https://a.example/?q=%3Cb%3E&x=%281%29%7C%22%27","text":"ok [x](y) <b>","type":"message"}
        ],
        "head": {
          "sub_head": {"text":"major · opened · incident-17 · 2026-11-29 10:00:00 UTC · incident-17-opened"},
          "text": "<!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) </b><script>alert(1)</script> & [31m second line"
        },
        "settings": {"sidebar_color":"#ef6c00"}
      },
      "is_markdown_support": false
    }
    "##);
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
