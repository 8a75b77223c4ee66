//! What a session is told about changes that others make.

use std::time::Duration;

use imap_next::imap_types::response::Data;

use super::{ALICE, message, options, start};

#[tokio::test]
async fn idle_tells_of_a_new_message_at_once() {
    let running = start(options()).await;
    let mut reader = running.reader("INBOX").await;
    reader.idle().await;
    let clock = running.sandbox.house.clock;
    let sent = clock.monotonic();
    running.send(ALICE, &message("x", "")).await;
    assert_eq!(reader.told().await, Data::Exists(1));
    assert_eq!(reader.told().await, Data::Recent(1));
    assert!(clock.monotonic() - sent < Duration::from_millis(450));
    reader.done().await;
    assert_eq!(reader.search("ALL").await, [1]);
}

#[tokio::test]
async fn two_sessions_hear_of_each_others_changes() {
    let running = start(options()).await;
    let mut one = running.reader("INBOX").await;
    let mut other = running.reader("INBOX").await;
    for number in 1..=3 {
        running.send(ALICE, &message("x", "")).await;
        one.wait_for(number).await;
    }
    let told = other.noop().await;
    assert_eq!(told, [Data::Exists(3), Data::Recent(0)], "only one session has them as recent");

    other.idle().await;
    one.raw("UID STORE 1:2 +FLAGS.SILENT (\\Deleted)").await.unwrap();
    let own = one.raw("EXPUNGE").await.unwrap();
    assert_eq!(own, [Data::expunge(1).unwrap(), Data::expunge(1).unwrap()]);
    let mut expunged = 0;
    while expunged < 2 {
        match other.told().await {
            Data::Expunge(number) => {
                assert_eq!(number.get(), 1);
                expunged += 1;
            }
            Data::Fetch { .. } => {}
            unexpected => panic!("{unexpected:?}"),
        }
    }
    other.done().await;
    assert_eq!(other.search("ALL").await, [3]);
}

#[tokio::test]
async fn numbers_do_not_shift_under_a_command_that_uses_them() {
    let running = start(options()).await;
    let mut one = running.reader("INBOX").await;
    let mut other = running.reader("INBOX").await;
    for number in 1..=2 {
        running.send(ALICE, &message("x", "")).await;
        one.wait_for(number).await;
        other.wait_for(number).await;
    }
    one.raw("UID STORE 1 +FLAGS.SILENT (\\Deleted)").await.unwrap();
    one.raw("EXPUNGE").await.unwrap();
    running.send(ALICE, &message("x", "")).await;
    one.wait_for(2).await;

    let told = other.raw("FETCH 1:2 UID").await.unwrap();
    assert!(!told.iter().any(|data| matches!(data, Data::Expunge(_))), "{told:?}");
    assert!(told.contains(&Data::Exists(3)), "{told:?}");
    assert_eq!(other.noop().await, [Data::expunge(1).unwrap()]);
    assert_eq!(other.search("ALL").await, [2, 3]);
}
