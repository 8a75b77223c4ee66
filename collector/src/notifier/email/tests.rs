use lettre::message::Mailbox;
use mailsonde_proto::WallTime;

use super::super::samples::{hostile, long, opened, over};
use super::*;
use crate::judge::message::Message;

fn composed(message: &Message, earlier: Option<&str>) -> String {
    let from: Mailbox = "Mailsonde <mailsonde@example.net>".parse().unwrap();
    let to = ["ops@example.net", "Desk <desk@example.net>"].map(|it| it.parse().unwrap());
    let date = WallTime::from_s(1_795_946_400);
    let letter = compose::Letter { message, earlier, from: &from, to: &to, date };
    let (_, bytes) = letter.compose().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (_, after) = text.split_once("boundary=\"").unwrap();
    let (boundary, _) = after.split_once('"').unwrap();
    text.replace(boundary, "BOUNDARY").replace("\r\n", "\n")
}

#[test]
fn a_mail() {
    insta::assert_snapshot!(composed(&opened(), None), @"");
}

#[test]
fn what_follows_answers_the_first() {
    let first = Some("<incident-17-opened@example.net>");
    insta::assert_snapshot!(composed(&over(), first), @"");
}

#[test]
fn hostile_text_is_text() {
    insta::assert_snapshot!(composed(&hostile(), Some("<a>\r\nBcc: x@evil.example")), @"");
}

#[test]
fn lines_of_a_long_mail_are_short() {
    let mail = composed(&long(), None);
    let longest = mail.lines().map(str::len).max().unwrap();
    assert!(longest <= 998 && mail.len() < 400_000, "{longest} {}", mail.len());
}
