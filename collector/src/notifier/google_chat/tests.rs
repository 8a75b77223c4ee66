use super::super::samples::{hostile, long, opened, over, shown, update};
use super::*;

#[test]
fn a_card() {
    insta::assert_snapshot!(shown(&payload(&opened())), @r#"
    {
      "cardsV2": [
        {
          "card": {
            "header": {
              "subtitle": "major · opened · incident-17 · 2026-11-29 10:00:00 UTC · incident-17-opened",
              "title": "Mail in Durban is down"
            },
            "sections": [
              {
                "widgets": [
                  {"textParagraph":{"text":"Test mail is refused at sign-in.<br>Confirmed from durban-1 and durban-2."}},
                  {"decoratedText":{"text":"durban-1, durban-2; works from cape-1","topLabel":"From where","wrapText":true}},
                  {
                    "decoratedText": {"text":"535 5.7.8 Error: authentication failed","topLabel":"What the server said","wrapText":true}
                  },
                  {
                    "buttonList": {
                      "buttons": [
                        {"onClick":{"openLink":{"url":"https://collector.example.org:7444/incidents/17/ack"}},"text":"Acknowledge"},
                        {"onClick":{"openLink":{"url":"https://collector.example.org:7444/incidents/17"}},"text":"Show"}
                      ]
                    }
                  }
                ]
              }
            ]
          },
          "cardId": "incident-17-opened"
        }
      ],
      "fallbackText": "Mail in Durban is down",
      "thread": {"threadKey":"incident-17"}
    }
    "#);
}

#[test]
fn an_update() {
    insta::assert_snapshot!(shown(&payload(&update())), @r#"
    {
      "cardsV2": [
        {
          "card": {
            "header": {
              "subtitle": "major · update · incident-17 · 2026-11-29 10:20:00 UTC · incident-17-update-2",
              "title": "Mail in Durban is still down"
            },
            "sections": [{"widgets":[{"textParagraph":{"text":"cape-1 fails too."}}]}]
          },
          "cardId": "incident-17-update-2"
        }
      ],
      "fallbackText": "Mail in Durban is still down",
      "thread": {"threadKey":"incident-17"}
    }
    "#);
}

#[test]
fn its_end() {
    insta::assert_snapshot!(shown(&payload(&over())), @r#"
    {
      "cardsV2": [
        {
          "card": {
            "header": {
              "subtitle": "major · over · incident-17 · 2026-11-29 10:42:00 UTC · incident-17-over",
              "title": "Mail in Durban works again"
            },
            "sections": [
              {
                "widgets": [
                  {"textParagraph":{"text":"Down for 42 minutes."}},
                  {"decoratedText":{"text":"120 users","topLabel":"Impact","wrapText":true}}
                ]
              }
            ]
          },
          "cardId": "incident-17-over"
        }
      ],
      "fallbackText": "Mail in Durban works again",
      "thread": {"threadKey":"incident-17"}
    }
    "#);
}

#[test]
fn nobody_is_called_and_nothing_is_markup() {
    insta::assert_snapshot!(shown(&payload(&hostile())), @r#"
    {
      "cardsV2": [
        {
          "card": {
            "header": {
              "subtitle": "major · opened · incident-17 · 2026-11-29 10:00:00 UTC · incident-17-opened",
              "title": "<!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) </b><script>alert(1)</script> & [31m second line"
            },
            "sections": [
              {
                "widgets": [
                  {
                    "textParagraph": {
                      "text": "&lt;!channel&gt; @channel @everyone &lt;at&gt;all&lt;/at&gt; &lt;users/all&gt; *b* _i_ `c` [x](https://evil.example) &lt;/b&gt;&lt;script&gt;alert(1)&lt;/script&gt; &amp; [31m<br><br># head<br>&gt; quote"
                    }
                  },
                  {
                    "decoratedText": {
                      "text": "&lt;!channel&gt; @channel @everyone &lt;at&gt;all&lt;/at&gt; &lt;users/all&gt; *b* _i_ `c` [x](https://evil.example) &lt;/b&gt;&lt;script&gt;alert(1)&lt;/script&gt; &amp; [31m",
                      "topLabel": "<!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) </b><s…",
                      "wrapText": true
                    }
                  },
                  {"decoratedText":{"text":"a<br>b","topLabel":"@here","wrapText":true}},
                  {
                    "buttonList": {
                      "buttons": [{"onClick":{"openLink":{"url":"https://a.example/?q=%3Cb%3E&x=%281%29%7C%22%27"}},"text":"ok [x](y) <b>"}]
                    }
                  }
                ]
              }
            ]
          },
          "cardId": "incident-17-opened"
        }
      ],
      "fallbackText": "<{ZWSP}!channel> @{ZWSP}channel @{ZWSP}everyone <{ZWSP}at>all<{ZWSP}/at> <{ZWSP}users/all> *b* _i_ `c` [x](https://evil.example) <{ZWSP}/b><{ZWSP}script>alert(1)<{ZWSP}/script> & [31m second line",
      "thread": {"threadKey":"incident-17"}
    }
    "#);
}

#[test]
fn all_fits() {
    let bytes = payload(&long());
    assert!((8_000..=MAX_BYTES).contains(&bytes.len()), "{}", bytes.len());
}
