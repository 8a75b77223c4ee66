//! Messages for the tests of all channels, and payloads as people read them.

use serde_json::Value;

use crate::judge::incident::Severity;
use crate::judge::message::{Field, Link, Message, Occasion};

pub(super) fn opened() -> Message {
    Message {
        id: "incident-17-opened".into(),
        conversation: "incident-17".into(),
        occasion: Occasion::Opened,
        severity: Severity::Major,
        at: "2026-11-29T10:00:00Z".parse().unwrap(),
        title: "Mail in Durban is down".into(),
        text: "Test mail is refused at sign-in.\nConfirmed from durban-1 and durban-2.".into(),
        fields: vec![
            field("From where", "durban-1, durban-2; works from cape-1"),
            field("What the server said", "535 5.7.8 Error: authentication failed"),
        ],
        links: vec![
            link("Acknowledge", "https://collector.example.org:7444/incidents/17/ack"),
            link("Show", "https://collector.example.org:7444/incidents/17"),
        ],
    }
}

pub(super) fn update() -> Message {
    Message {
        id: "incident-17-update-2".into(),
        occasion: Occasion::Update,
        at: "2026-11-29T10:20:00Z".parse().unwrap(),
        title: "Mail in Durban is still down".into(),
        text: "cape-1 fails too.".into(),
        fields: vec![],
        links: vec![],
        ..opened()
    }
}

pub(super) fn over() -> Message {
    Message {
        id: "incident-17-over".into(),
        occasion: Occasion::Over,
        at: "2026-11-29T10:42:00Z".parse().unwrap(),
        title: "Mail in Durban works again".into(),
        text: "Down for 42 minutes.".into(),
        fields: vec![field("Impact", "120 users")],
        links: vec![],
        ..opened()
    }
}

/// As a hostile server would have it.
pub(super) fn hostile() -> Message {
    let banner = "<!channel> @channel @everyone <at>all</at> <users/all> *b* _i_ `c` [x](https://evil.example) \
                  </b><script>alert(1)</script> & \u{1b}[31m\u{202e}";
    Message {
        title: format!("{banner}\nsecond line"),
        text: format!("{banner}\n\n# head\n> quote\n\u{7}"),
        fields: vec![field(banner, banner), field("empty", ""), field("@here", "a\r\nb")],
        links: vec![
            link("ok [x](y) <b>", "https://a.example/?q=<b>&x=(1)|\"'"),
            link("no", "javascript:alert(1)"),
            link("no", "not a url"),
        ],
        ..opened()
    }
}

/// Its title and text alone.
pub(super) fn hostile_text() -> Message {
    Message { fields: vec![], links: vec![], ..hostile() }
}

/// Its fields and links alone.
pub(super) fn hostile_fields() -> Message {
    Message { title: "t".into(), text: String::new(), ..hostile() }
}

/// More of everything than any service takes.
pub(super) fn long() -> Message {
    let many = |words: &str, times: usize| words.repeat(times);
    Message {
        title: many("👩🏽\u{200d}🚒 fire ", 200),
        text: many("<é&😀> \"quoted\" \n", 8_000),
        fields: (0..60)
            .map(|at| field(&many("näme ", 100), &many(&format!("\"{at}\" <välue> "), 500)))
            .collect(),
        links: (0..20)
            .map(|at| {
                link(&many("läbel ", 50), &format!("https://a.example/{}/{at}", many("x", 500)))
            })
            .collect(),
        ..opened()
    }
}

pub(super) fn field(name: &str, value: &str) -> Field {
    Field { name: name.into(), value: value.into() }
}

pub(super) fn link(label: &str, url: &str) -> Link {
    Link { label: label.into(), url: url.into() }
}

/// As people read it: what is short on one line, and with what is not to be seen made visible.
pub(super) fn shown(payload: &[u8]) -> String {
    let value: Value = serde_json::from_slice(payload).unwrap();
    let mut text = String::new();
    write(&value, 0, &mut text);
    text.replace('\u{200b}', "{ZWSP}")
}

const WIDTH: usize = 130;

fn write(value: &Value, indent: usize, to: &mut String) {
    let flat = value.to_string();
    let margin = " ".repeat(indent);
    let parts: Vec<(String, &Value)> = match value {
        Value::Object(all) if flat.len() + indent > WIDTH => {
            all.iter().map(|(key, value)| (format!("\"{key}\": "), value)).collect()
        }
        Value::Array(all) if flat.len() + indent > WIDTH => {
            all.iter().map(|value| (String::new(), value)).collect()
        }
        _ => return to.push_str(&flat),
    };
    let (begin, end) = if value.is_object() { ('{', '}') } else { ('[', ']') };
    to.push(begin);
    for (at, (key, value)) in parts.iter().enumerate() {
        to.push_str(if at == 0 { "\n" } else { ",\n" });
        to.push_str(&format!("{margin}  {key}"));
        write(value, indent + 2, to);
    }
    to.push_str(&format!("\n{margin}{end}"));
}
