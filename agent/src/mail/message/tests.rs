//! Messages as they are sent, and as they come back.

use mail_parser::{MessageParser, MimeHeaders};
use mailsonde_proto::Epoch;
use proptest::prelude::*;

use super::*;

fn draft(content: Content) -> Draft {
    Draft {
        from: "probe@good.test".into(),
        to: "box@good.test".into(),
        check: "durban-mail".into(),
        agent: AgentId([1; 16]),
        run: RunId { epoch: Epoch(5), intent: 6 },
        date: WallTime::from_s(1_764_000_000),
        content: Arc::new(content),
        seal: Seal::Own,
    }
}

fn text_of(message: &TestMessage) -> String {
    let bytes: Vec<u8> = message.chunks().flat_map(Cow::into_owned).collect();
    assert_eq!(u64::try_from(bytes.len()).unwrap(), message.size());
    String::from_utf8(bytes).unwrap()
}

fn sealed(content: Content) -> (TokenKey, TestMessage) {
    let key = TokenKey::from_bytes([4; 32]);
    let message = draft(content).seal(&key);
    (key, message)
}

fn judged(arrived: &str, message: &TestMessage) -> Body {
    let mut reader = Reader::new();
    arrived.as_bytes().chunks(1_000).for_each(|piece| reader.feed(piece));
    reader.finish(true).judge(message.token.body, message.attached.as_ref())
}

fn file(bytes: u64, name: &str, media_type: &str) -> Content {
    let attachment = Attachment { bytes, name: name.into(), media_type: media_type.into() };
    Content { attachment: Some(attachment), ..Content::default() }
}

#[test]
fn a_message_is_well_formed_and_names_its_run_twice() {
    let (key, message) = sealed(Content::default());
    let text = text_of(&message);
    let parsed = MessageParser::default().parse(&text).unwrap();
    assert_eq!(parsed.header_raw("Date").unwrap().trim(), "Mon, 24 Nov 2025 16:00:00 +0000");
    assert_eq!(parsed.header_raw("Auto-Submitted").unwrap().trim(), "auto-generated");
    let id = parsed.message_id().unwrap();
    assert_eq!(id, message.message_id);
    assert_eq!(key.open(token_of_message_id(id).unwrap()).unwrap(), message.token);
    let header = parsed.header_raw(TOKEN_HEADER).unwrap();
    assert_eq!(key.open(header).unwrap(), message.token);
    assert!(text.is_ascii());
    assert!(text.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
}

#[test]
fn a_message_that_wants_a_reply_does_not_say_that_a_machine_sent_it() {
    let (_, message) = sealed(Content { invites_replies: true, ..Content::default() });
    let text = text_of(&message);
    for mark in ["Auto-Submitted", "X-Auto-Response-Suppress", "Precedence"] {
        assert!(!text.contains(mark), "{text}");
    }
}

#[test]
fn a_subject_of_ones_own() {
    let (_, message) =
        sealed(Content { subject: Some("LAB Grüße".into()), ..Content::default() });
    let text = text_of(&message);
    assert!(text.is_ascii());
    assert_eq!(MessageParser::default().parse(&text).unwrap().subject(), Some("LAB Grüße"));
}

#[test]
fn a_body_grows_to_its_size() {
    let (_, big) = sealed(Content { size: 100_000, ..Content::default() });
    assert!((100_000..102_000).contains(&big.size()), "{}", big.size());
    assert_eq!(judged(&text_of(&big), &big), Body::Same);
}

#[test]
fn harmless_changes_on_the_way_are_no_alteration() {
    let (_, message) = sealed(Content::default());
    let text = text_of(&message);
    let headers_added = format!("Received: from a\r\n\tby b\r\n{text}");
    for (arrived, expected) in [
        (text.clone(), Body::Same),
        (headers_added, Body::Same),
        (text.replace("\r\n", "\n"), Body::Same),
        (format!("{text}\r\n\r\n"), Body::Same),
        (text.replace("how fast.", "how  fast.  "), Body::Same),
        (text.replace("how fast", "how slow"), Body::Altered),
        (format!("{text}-- \r\nA disclaimer\r\n"), Body::Altered),
        ("no body at all".to_owned(), Body::Altered),
        (
            text.replace("7bit", "quoted-printable")
                .replace("whether e-mail", "whether=20e-m=\r\nail"),
            Body::Reencoded,
        ),
    ] {
        let body = judge_body(arrived.as_bytes(), true, message.token.body);
        assert_eq!(body, expected, "{arrived}");
    }
    assert_eq!(judge_body(b"Subject: a\r\n\r\nThis", false, message.token.body), Body::Unknown);
}

#[test]
fn an_attachment_is_a_file_of_its_size_and_name() {
    let (_, message) = sealed(file(5_000_000, "probe.exe", "application/x-msdownload"));
    let text = text_of(&message);
    let parsed = MessageParser::default().parse(&text).unwrap();
    let part = parsed.attachment(0).unwrap();
    assert_eq!(part.attachment_name(), Some("probe.exe"));
    assert_eq!(part.contents().len(), 5_000_000);
    let digest = digest::digest(&digest::SHA256, part.contents());
    assert_eq!(digest.as_ref(), message.attached.as_ref().unwrap().sha256);
    assert_eq!(judged(&text, &message), Body::Same);
}

#[test]
fn what_becomes_of_an_attachment_is_told_apart() {
    let (_, message) = sealed(file(1_000, "a.bin", "application/octet-stream"));
    let text = text_of(&message);
    let boundary = text.split_once("boundary=\"").unwrap().1.split_once('"').unwrap().0;
    let file_part = text.split(&format!("--{boundary}")).nth(2).unwrap().to_owned();
    let rows = file_part.split_once("\r\n\r\n").unwrap().1.trim_end();
    let base64 = rows.replace("\r\n", "");
    let wrapped = format!(
        "Content-Type: multipart/mixed; boundary=w\r\n\r\n--w\r\n{}\r\n--w\r\n\r\nA disclaimer\r\n--w--\r\n",
        text.split_once("MIME-Version: 1.0\r\n").unwrap().1
    );
    let quoted: String = {
        use base64::Engine;
        let bytes = base64::engine::general_purpose::STANDARD.decode(&base64).unwrap();
        let lines = bytes
            .chunks(25)
            .map(|row| row.iter().map(|byte| format!("={byte:02X}")).collect::<String>() + "=\r\n");
        lines.collect()
    };
    for (arrived, expected) in [
        (text.clone(), Body::Same),
        (text.replace("\r\n", "\n"), Body::Same),
        // Gateways write base64 in lines of their own, and add parts around what is there.
        (text.replace(rows, &base64), Body::Same),
        (wrapped, Body::Same),
        (
            text.replace(rows, &quoted).replace("Encoding: base64", "Encoding: quoted-printable"),
            Body::Reencoded,
        ),
        (text.replace("how fast", "how slow"), Body::Altered),
        (text.replace(rows.get(..4).unwrap(), "AAAA"), Body::AttachmentAltered),
        (text.replace(rows, ""), Body::AttachmentAltered),
        (
            text.replace(&file_part, "\r\n\r\nThe attachment was removed.\r\n"),
            Body::AttachmentRemoved,
        ),
    ] {
        assert_eq!(judged(&arrived, &message), expected, "{arrived}");
    }
    // Without the run's memory of it, only whether all is as it was.
    assert_eq!(judge_body(text.as_bytes(), true, message.token.body), Body::Same);
    let altered = text.replace(rows, "");
    assert_eq!(judge_body(altered.as_bytes(), true, message.token.body), Body::Altered);
}

#[test]
fn patterns_stand_where_filters_look_for_them() {
    let (_, spam) = sealed(Content { pattern: Some(Pattern::Gtube), ..Content::default() });
    let text = text_of(&spam);
    assert!(text.contains(&format!("\r\n{}\r\n", Pattern::Gtube.text())));
    assert_eq!(judged(&text, &spam), Body::Same);

    let mut content = file(0, "eicar.com", "application/octet-stream");
    content.pattern = Some(Pattern::Eicar);
    let (_, malware) = sealed(content);
    let text = text_of(&malware);
    let parsed = MessageParser::default().parse(&text).unwrap();
    assert_eq!(parsed.attachment(0).unwrap().contents(), Pattern::Eicar.text().as_bytes());
    assert_eq!(judged(&text, &malware), Body::Same);
}

#[test]
fn message_ids_that_are_not_ours() {
    for id in ["", "<>", "<a@b>", "<mailsonde@b>", "mailsonde"] {
        assert_eq!(token_of_message_id(id), None, "{id}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn judging_never_panics(message in prop::collection::vec(any::<u8>(), 0..300), whole: bool) {
        let verdict = judge_body(&message, whole, [0; 16]);
        prop_assert!(verdict != Body::Same);
    }
}
