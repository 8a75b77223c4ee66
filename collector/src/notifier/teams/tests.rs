use super::super::samples::{hostile_fields, hostile_text, long, opened, over, shown, update};
use super::*;

#[test]
fn a_card() {
    insta::assert_snapshot!(shown(&payload(&opened())), @r#"
    {
      "attachments": [
        {
          "content": {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "actions": [
              {"title":"Acknowledge","type":"Action.OpenUrl","url":"https://collector.example.org:7444/incidents/17/ack"},
              {"title":"Show","type":"Action.OpenUrl","url":"https://collector.example.org:7444/incidents/17"}
            ],
            "body": [
              {
                "inlines": [{"color":"Attention","size":"Medium","text":"Mail in Durban is down","type":"TextRun","weight":"Bolder"}],
                "type": "RichTextBlock"
              },
              {"inlines":[{"text":"Test mail is refused at sign-in.","type":"TextRun"}],"spacing":"Default","type":"RichTextBlock"},
              {"inlines":[{"text":"Confirmed from durban-1 and durban-2.","type":"TextRun"}],"spacing":"None","type":"RichTextBlock"},
              {
                "inlines": [
                  {"text":"From where: ","type":"TextRun","weight":"Bolder"},
                  {"text":"durban-1, durban-2; works from cape-1","type":"TextRun"}
                ],
                "type": "RichTextBlock"
              },
              {
                "inlines": [
                  {"text":"What the server said: ","type":"TextRun","weight":"Bolder"},
                  {"text":"535 5.7.8 Error: authentication failed","type":"TextRun"}
                ],
                "type": "RichTextBlock"
              },
              {
                "inlines": [
                  {
                    "isSubtle": true,
                    "size": "Small",
                    "text": "major · opened · incident-17 · 2026-11-29 10:00:00 UTC · incident-17-opened",
                    "type": "TextRun"
                  }
                ],
                "type": "RichTextBlock"
              }
            ],
            "fallbackText": "Mail in Durban is down",
            "msteams": {"width":"Full"},
            "type": "AdaptiveCard",
            "version": "1.4"
          },
          "contentType": "application/vnd.microsoft.card.adaptive",
          "contentUrl": null
        }
      ],
      "type": "message"
    }
    "#);
}

#[test]
fn an_update() {
    insta::assert_snapshot!(shown(&payload(&update())), @r#"
    {
      "attachments": [
        {
          "content": {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "actions": [],
            "body": [
              {
                "inlines": [{"color":"Attention","size":"Medium","text":"Mail in Durban is still down","type":"TextRun","weight":"Bolder"}],
                "type": "RichTextBlock"
              },
              {"inlines":[{"text":"cape-1 fails too.","type":"TextRun"}],"spacing":"Default","type":"RichTextBlock"},
              {
                "inlines": [
                  {
                    "isSubtle": true,
                    "size": "Small",
                    "text": "major · update · incident-17 · 2026-11-29 10:20:00 UTC · incident-17-update-2",
                    "type": "TextRun"
                  }
                ],
                "type": "RichTextBlock"
              }
            ],
            "fallbackText": "Mail in Durban is still down",
            "msteams": {"width":"Full"},
            "type": "AdaptiveCard",
            "version": "1.4"
          },
          "contentType": "application/vnd.microsoft.card.adaptive",
          "contentUrl": null
        }
      ],
      "type": "message"
    }
    "#);
}

#[test]
fn its_end() {
    insta::assert_snapshot!(shown(&payload(&over())), @r#"
    {
      "attachments": [
        {
          "content": {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "actions": [],
            "body": [
              {
                "inlines": [{"color":"Good","size":"Medium","text":"Mail in Durban works again","type":"TextRun","weight":"Bolder"}],
                "type": "RichTextBlock"
              },
              {"inlines":[{"text":"Down for 42 minutes.","type":"TextRun"}],"spacing":"Default","type":"RichTextBlock"},
              {
                "inlines": [{"text":"Impact: ","type":"TextRun","weight":"Bolder"},{"text":"120 users","type":"TextRun"}],
                "type": "RichTextBlock"
              },
              {
                "inlines": [
                  {
                    "isSubtle": true,
                    "size": "Small",
                    "text": "major · over · incident-17 · 2026-11-29 10:42:00 UTC · incident-17-over",
                    "type": "TextRun"
                  }
                ],
                "type": "RichTextBlock"
              }
            ],
            "fallbackText": "Mail in Durban works again",
            "msteams": {"width":"Full"},
            "type": "AdaptiveCard",
            "version": "1.4"
          },
          "contentType": "application/vnd.microsoft.card.adaptive",
          "contentUrl": null
        }
      ],
      "type": "message"
    }
    "#);
}

#[test]
fn nobody_is_called_and_nothing_is_markup() {
    insta::assert_snapshot!(shown(&payload(&hostile_text())), @r##"
    {
      "attachments": [
        {
          "content": {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "actions": [],
            "body": [
              {
                "inlines": [
                  {
                    "color": "Attention",
                    "size": "Medium",
                    "text": "<{ZWSP}!channel> @channel @everyone <{ZWSP}at>all<{ZWSP}/at> <{ZWSP}users/all> *b* _i_ `c` [x](https://evil.example) <{ZWSP}/b><{ZWSP}script>alert(1)<{ZWSP}/script> & [31m second line",
                    "type": "TextRun",
                    "weight": "Bolder"
                  }
                ],
                "type": "RichTextBlock"
              },
              {
                "inlines": [
                  {
                    "text": "<{ZWSP}!channel> @channel @everyone <{ZWSP}at>all<{ZWSP}/at> <{ZWSP}users/all> *b* _i_ `c` [x](https://evil.example) <{ZWSP}/b><{ZWSP}script>alert(1)<{ZWSP}/script> & [31m",
                    "type": "TextRun"
                  }
                ],
                "spacing": "Default",
                "type": "RichTextBlock"
              },
              {"inlines":[{"text":"# head","type":"TextRun"}],"spacing":"Default","type":"RichTextBlock"},
              {"inlines":[{"text":"> quote","type":"TextRun"}],"spacing":"None","type":"RichTextBlock"},
              {
                "inlines": [
                  {
                    "isSubtle": true,
                    "size": "Small",
                    "text": "major · opened · incident-17 · 2026-11-29 10:00:00 UTC · incident-17-opened",
                    "type": "TextRun"
                  }
                ],
                "type": "RichTextBlock"
              }
            ],
            "fallbackText": "<{ZWSP}!channel> @channel @everyone <{ZWSP}at>all<{ZWSP}/at> <{ZWSP}users/all> *b* _i_ `c` [x](https://evil.example) <{ZWSP}/b><{ZWSP}script>alert(1)<{ZWSP}/script> & [31m second line",
            "msteams": {"width":"Full"},
            "type": "AdaptiveCard",
            "version": "1.4"
          },
          "contentType": "application/vnd.microsoft.card.adaptive",
          "contentUrl": null
        }
      ],
      "type": "message"
    }
    "##);
}

#[test]
fn fields_and_links_are_text_too() {
    insta::assert_snapshot!(shown(&payload(&hostile_fields())), @r#"
    {
      "attachments": [
        {
          "content": {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "actions": [{"title":"ok [x](y) <{ZWSP}b>","type":"Action.OpenUrl","url":"https://a.example/?q=%3Cb%3E&x=%281%29%7C%22%27"}],
            "body": [
              {"inlines":[{"color":"Attention","size":"Medium","text":"t","type":"TextRun","weight":"Bolder"}],"type":"RichTextBlock"},
              {
                "inlines": [
                  {
                    "text": "<{ZWSP}!channel> @channel @everyone <{ZWSP}at>all<{ZWSP}/at> <{ZWSP}users/all> *b* _i_ `c` [x](https://evil.example) <{ZWSP}…: ",
                    "type": "TextRun",
                    "weight": "Bolder"
                  },
                  {
                    "text": "<{ZWSP}!channel> @channel @everyone <{ZWSP}at>all<{ZWSP}/at> <{ZWSP}users/all> *b* _i_ `c` [x](https://evil.example) <{ZWSP}/b><{ZWSP}script>alert(1)<{ZWSP}/script> & [31m",
                    "type": "TextRun"
                  }
                ],
                "type": "RichTextBlock"
              },
              {
                "inlines": [{"text":"@here: ","type":"TextRun","weight":"Bolder"},{"text":"a b","type":"TextRun"}],
                "type": "RichTextBlock"
              },
              {
                "inlines": [
                  {
                    "isSubtle": true,
                    "size": "Small",
                    "text": "major · opened · incident-17 · 2026-11-29 10:00:00 UTC · incident-17-opened",
                    "type": "TextRun"
                  }
                ],
                "type": "RichTextBlock"
              }
            ],
            "fallbackText": "t",
            "msteams": {"width":"Full"},
            "type": "AdaptiveCard",
            "version": "1.4"
          },
          "contentType": "application/vnd.microsoft.card.adaptive",
          "contentUrl": null
        }
      ],
      "type": "message"
    }
    "#);
}

#[test]
fn all_fits() {
    let bytes = payload(&long());
    assert!((10_000..=MAX_BYTES).contains(&bytes.len()), "{}", bytes.len());
}
