//! The folder for what was sent, at a server that puts a copy of each mail into it.

use std::collections::BTreeSet;
use std::time::Duration;

use mailsonde_tests::lab::User;

use super::letters::{deliver, files_in};
use crate::agent::{Told, in_company, lab, settings};

/// The run passed, and its message was stored in INBOX and in the folder for what was sent.
fn assert_copied(told: &Told) {
    told.assert_pass();
    let stored = || lab().mail_log().deliveries_of(told.fact("message_id"));
    for _ in 0..500 {
        if stored().len() == 2 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut places: Vec<_> = stored().into_iter().map(|delivery| delivery.mailbox).collect();
    places.sort_unstable();
    assert_eq!(places, ["INBOX", "Sent"], "{told:#?}");
}

#[test]
fn copies_of_test_mail_are_removed_where_the_mailbox_says_so_and_nothing_else_is() {
    let _company = in_company();
    let user = lab().user("copied").expect("a user");
    let by_copy = User { address: "copied+sent@good.test".to_owned(), ..user.clone() };
    deliver(&by_copy, "lunch?", 300);
    let letter = files_in(&user, ".Sent");
    assert_eq!(letter.len(), 1);

    assert_copied(&settings(&user).probe());
    let with_copy = files_in(&user, ".Sent");
    assert_eq!(with_copy.len(), 2, "who does not ask for it keeps the copy");

    assert_copied(&settings(&user).with("clean_sent", "true").probe());
    // The copy of the run before stays as well: its token is of another agent's key.
    let names = |files: &BTreeSet<String>| -> BTreeSet<String> {
        let bare = |file: &String| file[4..].trim_end_matches(":2,").to_owned();
        files.iter().map(bare).collect()
    };
    assert_eq!(names(&files_in(&user, ".Sent")), names(&with_copy));
}
