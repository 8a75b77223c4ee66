//! MAIL, RCPT and DATA: one message from its envelope to the post.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::envelope;
use super::lines::Content;
use super::{Next, Reply, Session};
use crate::sandbox::accounts::Account;
use crate::sandbox::chance::Fate;
use crate::sandbox::delivery::{Letter, QueueFull};

/// RFC 5321 section 4.5.3.1.8 asks for at least 100.
const MOST_RECIPIENTS: usize = 100;
/// A whole message arrives within this time.
const DATA_TIMEOUT: Duration = Duration::from_mins(10);

/// A message being submitted.
pub(super) struct Transaction {
    reverse_path: String,
    recipients: Vec<(String, Arc<Account>)>,
}

impl Session {
    pub(super) fn mail(&mut self, rest: &str) -> Reply {
        if self.greeted_as.is_none() || self.transaction.is_some() {
            return Reply::out_of_order("EHLO first, and one transaction at a time");
        }
        if self.account.is_none() {
            return Reply::new(530, "5.7.0", "sign in first");
        }
        let Some(path) = envelope::path(rest, "FROM") else {
            return Reply::bad_syntax("MAIL FROM:<address>");
        };
        for (key, value) in &path.parameters {
            match key.as_str() {
                "SIZE" => match value.parse::<usize>() {
                    Ok(size) if size <= self.house.limits.message_bytes => {}
                    Ok(_) => return Reply::new(552, "5.3.4", "message too big"),
                    Err(_) => return Reply::bad_syntax("SIZE=bytes"),
                },
                "BODY" if ["7BIT", "8BITMIME"].contains(&value.to_ascii_uppercase().as_str()) => {}
                "AUTH" => {}
                _ => return Reply::new(555, "5.5.4", "parameter not known"),
            }
        }
        let reverse_path = path.address.to_owned();
        self.transaction = Some(Transaction { reverse_path, recipients: Vec::new() });
        Reply::new(250, "2.1.0", "sender taken")
    }

    pub(super) fn rcpt(&mut self, rest: &str) -> Reply {
        let Some(transaction) = &mut self.transaction else {
            return Reply::out_of_order("MAIL first");
        };
        let Some(path) = envelope::path(rest, "TO").filter(|path| !path.address.is_empty()) else {
            return Reply::bad_syntax("RCPT TO:<address>");
        };
        if !path.parameters.is_empty() {
            return Reply::new(555, "5.5.4", "parameter not known");
        }
        if transaction.recipients.len() >= MOST_RECIPIENTS {
            return Reply::new(452, "4.5.3", "too many recipients");
        }
        let Some(account) = self.house.accounts.by_address(path.address) else {
            return Reply::new(550, "5.1.1", format!("<{}>: no such user here", path.address));
        };
        if self.house.fates.refuses_recipient() {
            self.house.post.count_refused_recipient();
            return Reply::new(451, "4.3.2", "not accepting mail just now, try again later");
        }
        if !account.inbox().has_room_for(0) {
            return Reply::new(452, "4.2.2", format!("<{}>: mailbox is full", path.address));
        }
        transaction.recipients.push((path.address.to_owned(), Arc::clone(account)));
        Reply::new(250, "2.1.5", "recipient taken")
    }

    pub(super) async fn data(&mut self) -> io::Result<Next> {
        let Some(transaction) = self.transaction.take() else {
            return self.answer(Reply::out_of_order("MAIL and RCPT first")).await;
        };
        if transaction.recipients.is_empty() {
            self.transaction = Some(transaction);
            return self.answer(Reply::new(554, "5.5.1", "no valid recipients")).await;
        }
        self.house.think().await;
        self.lines.send("354 end with a dot on a line by itself\r\n").await?;
        let limit = self.house.limits.message_bytes;
        let content = self.lines.content(limit);
        let reply = match tokio::time::timeout(DATA_TIMEOUT, content).await?? {
            Content::End => return Ok(Next::Close),
            Content::TooBig => Reply::new(552, "5.3.4", "message too big"),
            // IMAP could not hand it out again (RFC 3501 section 9, CHAR8).
            Content::Message(content) if content.contains(&0) => {
                Reply::new(554, "5.6.0", "NUL bytes are not taken")
            }
            Content::Message(content) => self.accept(&transaction, &content),
        };
        self.answer(reply).await
    }

    fn accept(&self, transaction: &Transaction, content: &[u8]) -> Reply {
        let house = &self.house;
        let now = house.clock.wall();
        let id = format!("{:012X}", now.as_us());
        let received = format!(
            "Received: from {} ([{}])\r\n\tby {} (Mailsonde sandbox) with ESMTPSA id {id};\r\n\
             \t{}\r\n",
            self.greeted_as.as_deref().unwrap_or("unknown"),
            self.peer.ip(),
            house.host,
            now.timestamp().strftime("%a, %d %b %Y %H:%M:%S +0000"),
        );
        let content = Bytes::from([received.as_bytes(), content].concat());
        let mut lost = 0;
        let mut letters = Vec::new();
        for (address, account) in &transaction.recipients {
            let (later, into_junk) = match house.fates.of_message() {
                Fate::InTime => (Duration::ZERO, false),
                Fate::Late(later) => (later, false),
                Fate::Junk => (Duration::ZERO, true),
                Fate::Lost => {
                    lost += 1;
                    continue;
                }
            };
            letters.push(Letter {
                due: house.clock.monotonic() + house.fates.spread(house.delivery_delay) + later,
                account: Arc::clone(account),
                into_junk,
                envelope_header: format!(
                    "Return-Path: <{}>\r\nDelivered-To: {}\r\n",
                    transaction.reverse_path,
                    account.address(),
                ),
                delivered_by: format!(
                    "Received: from {host}\r\n\tby {host} with LMTP id {id}\r\n\tfor <{address}>",
                    host = house.host,
                ),
                content: content.clone(),
            });
        }
        if house.post.accept(letters) == Err(QueueFull) {
            return Reply::new(452, "4.3.1", "queue is full, try again later");
        }
        (0..lost).for_each(|_| house.post.count_lost());
        Reply::new(250, "2.0.0", format!("queued as {id}"))
    }
}
