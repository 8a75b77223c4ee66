//! What IMAP gives back.

use imap_next::imap_types::fetch::MessageDataItem;
use imap_next::imap_types::response::Data;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::client::{has_code, secure, text};
use super::{ALICE, PASSWORD, Reader, message, options, soon, start};

#[tokio::test]
async fn parts_of_a_message_can_be_asked_for() {
    let running = start(options()).await;
    let mut reader = running.reader("INBOX").await;
    running.send(ALICE, &message("parts", "0123456789\r\n")).await;
    reader.wait_for(1).await;

    let whole = text(&reader.fetch("1", "BODY.PEEK[]").await);
    let header = text(&reader.fetch("1", "BODY.PEEK[HEADER]").await);
    let fields = text(&reader.fetch("1", "BODY.PEEK[HEADER.FIELDS (subject X-None)]").await);
    let part = text(&reader.fetch("1", "BODY.PEEK[TEXT]<4.3>").await);
    assert!(whole.starts_with(&header) && header.ends_with("\r\n\r\n"));
    assert_eq!(fields, "Subject: parts\r\n\r\n");
    assert_eq!(part, "456");

    let items = reader.fetch("1:*", "(FLAGS INTERNALDATE RFC822.SIZE)").await;
    let size = u32::try_from(whole.len()).unwrap();
    assert!(items.contains(&MessageDataItem::Rfc822Size(size)), "{items:?}");
    let stored_at = items.iter().find_map(|item| match item {
        MessageDataItem::InternalDate(date) => Some(date.as_ref().timestamp()),
        _ => None,
    });
    let now = running.sandbox.house.clock.wall().as_us() / 1_000_000;
    assert!((now - 20..=now).contains(&stored_at.unwrap()), "{items:?}");
    assert!(reader.raw("UID FETCH 1 BODYSTRUCTURE").await.is_err());
}

#[tokio::test]
async fn peeking_leaves_a_message_unseen_and_reading_does_not() {
    let running = start(options()).await;
    let mut reader = running.reader("INBOX").await;
    running.send(ALICE, &message("peek", "")).await;
    reader.wait_for(1).await;
    reader.fetch("1", "BODY.PEEK[]").await;
    assert_eq!(reader.search("UNSEEN").await, [1]);
    reader.fetch("1", "BODY[]").await;
    assert!(reader.search("UNSEEN").await.is_empty());
}

#[tokio::test]
async fn searches_find_by_header_uid_and_flag() {
    let running = start(options()).await;
    let mut reader = running.reader("INBOX").await;
    for (number, subject) in [(1, "one"), (2, "two"), (3, "three")] {
        running.send(ALICE, &message(subject, "text\r\n")).await;
        reader.wait_for(number).await;
    }
    let check = async |reader: &mut Reader, criteria: &str, expected: &[u32]| {
        assert_eq!(reader.search(criteria).await, expected, "{criteria}");
    };
    check(&mut reader, "ALL", &[1, 2, 3]).await;
    check(&mut reader, "HEADER Subject TW", &[2]).await;
    check(&mut reader, "HEADER Subject \"\"", &[1, 2, 3]).await;
    check(&mut reader, "UID 2:*", &[2, 3]).await;
    check(&mut reader, "UID 9:*", &[3]).await;
    check(&mut reader, "OR SUBJECT one NOT UID 1:2", &[1, 3]).await;
    check(&mut reader, "DELETED", &[]).await;
    check(&mut reader, "SINCE 1-Jan-2020 BODY text", &[1, 2, 3]).await;
    check(&mut reader, "BEFORE 1-Jan-2020", &[]).await;
    reader.raw("UID STORE 2 +FLAGS.SILENT (\\Deleted)").await.unwrap();
    check(&mut reader, "DELETED", &[2]).await;
    check(&mut reader, "UNDELETED HEADER Subject t", &[3]).await;
}

#[tokio::test]
async fn uid_expunge_removes_only_what_it_names() {
    let running = start(options()).await;
    let mut reader = running.reader("INBOX").await;
    for number in 1..=3 {
        running.send(ALICE, &message("x", "")).await;
        reader.wait_for(number).await;
    }
    reader.raw("UID STORE 1:2 +FLAGS (\\Deleted)").await.unwrap();
    let told = reader.raw("UID EXPUNGE 2:3").await.unwrap();
    assert_eq!(told, [Data::expunge(2).unwrap()]);
    assert_eq!(reader.search("ALL").await, [1, 3]);
    reader.raw("CLOSE").await.unwrap();
    reader.select("INBOX").await;
    assert_eq!(reader.search("ALL").await, [3]);
    reader.raw("UNSELECT").await.unwrap();
    assert!(reader.raw("UID SEARCH ALL").await.is_err());
}

#[tokio::test]
async fn examine_changes_nothing() {
    let running = start(options()).await;
    running.send(ALICE, &message("x", "")).await;
    let mut reader = running.reader("Junk").await;
    soon(async {
        while running.sandbox.tally().delivered == 0 {
            reader.noop().await;
        }
    })
    .await;
    let told = reader.raw("EXAMINE INBOX").await.unwrap();
    assert!(told.contains(&Data::Exists(1)) && told.contains(&Data::Recent(1)), "{told:?}");
    assert!(reader.raw("UID STORE 1 +FLAGS (\\Deleted)").await.is_err());
    assert!(reader.raw("EXPUNGE").await.is_err());
    let told = reader.select("INBOX").await;
    assert!(told.contains(&Data::Recent(1)), "{told:?}");
    let refused = reader.raw("SELECT Archive").await.unwrap_err();
    assert!(has_code(&refused, "NONEXISTENT") || format!("{refused:?}").contains("INBOX and"));
}

#[tokio::test]
async fn mailboxes_are_listed_and_counted() {
    let running = start(options()).await;
    let mut reader = running.reader("INBOX").await;
    let listed = format!("{:?}", reader.raw("LIST \"\" \"*\"").await.unwrap());
    assert!(listed.contains("Inbox") && listed.contains("FlagNameAttributeExtension"), "{listed}");
    running.send(ALICE, &message("x", "")).await;
    reader.wait_for(1).await;
    let counted = reader.raw("STATUS INBOX (MESSAGES UIDNEXT UNSEEN UIDVALIDITY)").await.unwrap();
    let counted = format!("{counted:?}");
    assert!(counted.contains("Messages(1), UidNext(2), Unseen(1), UidValidity("), "{counted}");
}

#[tokio::test]
async fn imap_starttls_drops_what_came_before_the_handshake() {
    let running = start(options()).await;
    let socket = TcpStream::connect(running.sandbox.addresses().imap).await.unwrap();
    let mut clear = BufReader::new(socket);
    let mut line = String::new();
    clear.read_line(&mut line).await.unwrap();
    assert!(line.contains("STARTTLS") && line.contains("LOGINDISABLED"), "{line}");
    let command = format!("a LOGIN {ALICE} \"{PASSWORD}\"\r\n");
    clear.write_all(command.as_bytes()).await.unwrap();
    line.clear();
    clear.read_line(&mut line).await.unwrap();
    assert!(line.starts_with("a NO [PRIVACYREQUIRED]"), "{line}");
    clear.write_all(b"b STARTTLS\r\nc NOOP\r\n").await.unwrap();
    line.clear();
    clear.read_line(&mut line).await.unwrap();
    assert!(line.starts_with("b OK"), "{line}");

    let mut tls = BufReader::new(secure(&running.sandbox, clear.into_inner()).await.unwrap());
    let command = format!("d LOGIN {ALICE} \"{PASSWORD}\"\r\ne nonsense\r\n");
    tls.write_all(command.as_bytes()).await.unwrap();
    tls.flush().await.unwrap();
    for expected in ["d OK [CAPABILITY", "e BAD"] {
        line.clear();
        soon(tls.read_line(&mut line)).await.unwrap();
        assert!(line.starts_with(expected), "{line}");
    }
}
