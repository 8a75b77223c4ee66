//! Looks at a folder and at quota without changing anything: STATUS, EXAMINE, dates, GETQUOTAROOT.

use std::borrow::Cow;

use imap_next::imap_types::command::CommandBody;
use imap_next::imap_types::core::AString;
use imap_next::imap_types::extensions::quota::{QuotaGet, Resource};
use imap_next::imap_types::fetch::{MessageDataItem, MessageDataItemName};
use imap_next::imap_types::mailbox::Mailbox as Folder;
use imap_next::imap_types::response::Data;
use imap_next::imap_types::status::{StatusDataItem, StatusDataItemName};
use mailsonde_proto::{FaultClass, WallTime};

use super::{Session, not_a_name, sequence};
use crate::mail::failure::Failure;

/// The most quota roots and resources that are told.
const MOST_QUOTAS: usize = 16;
/// The longest name of one of them.
const LONGEST_NAME: usize = 64;

/// What STATUS says about a folder (RFC 9051 section 6.3.11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FolderStatus {
    /// Messages in it.
    pub messages: Option<u32>,
    /// Those that nobody has read.
    pub unread: Option<u32>,
}

/// How much of one resource is used (RFC 9208 section 4.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The quota root's name.
    pub root: String,
    /// Such as `STORAGE`, in units of 1,024 bytes, or `MESSAGE` (RFC 9208 section 5).
    pub resource: String,
    /// Used.
    pub used: u64,
    /// Allowed.
    pub limit: u64,
}

impl Quota {
    /// How much is used, in whole percent of what is allowed, rounded down; `None` where nothing is limited.
    pub fn percent(&self) -> Option<u64> {
        let used = u128::from(self.used).saturating_mul(100).checked_div(u128::from(self.limit))?;
        Some(u64::try_from(used).unwrap_or(u64::MAX))
    }
}

impl Session {
    /// What the server can do, in capitals.
    pub fn capabilities(&self) -> &[String] {
        &self.capabilities
    }

    /// Messages in a folder and those unread, without opening it; `None` where the server refuses.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn status(&mut self, folder: &str) -> Result<Option<FolderStatus>, Failure> {
        let items = vec![StatusDataItemName::Messages, StatusDataItemName::Unseen];
        let body = CommandBody::Status { mailbox: name_of(folder)?, item_names: Cow::Owned(items) };
        match self.command(body, &format!("state of {folder}")).await {
            Ok(answer) => {
                let data = answer.data;
                Ok(Some(data.iter().find_map(status).unwrap_or_default()))
            }
            Err(failure) if is_refusal(&failure) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Opens a folder to read only, which leaves `\Recent` as it is (RFC 9051 section 6.3.3). How many
    /// messages it has.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn examine(&mut self, folder: &str) -> Result<u32, Failure> {
        let body = CommandBody::Examine { mailbox: name_of(folder)? };
        let answer = self.command(body, &format!("selection of {folder}")).await?;
        let count = answer.data.iter().rev().find_map(|data| match data {
            Data::Exists(count) => Some(*count),
            _ => None,
        });
        Ok(count.unwrap_or(0))
    }

    /// When the messages of `set`, by their numbers, were stored, by the server's own date.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn stored(&mut self, set: &str) -> Result<Vec<WallTime>, Failure> {
        let items = vec![MessageDataItemName::InternalDate];
        let body = CommandBody::fetch(sequence(set)?, items, false);
        let body = body.ok().ok_or_else(|| not_a_name("set"))?;
        let answer = self.command(body, "dates of messages").await?;
        let dates = answer.data.into_iter().filter_map(|data| match data {
            Data::Fetch { items, .. } => items.into_iter().find_map(|item| match item {
                MessageDataItem::InternalDate(date) => Some(date.as_ref().timestamp()),
                _ => None,
            }),
            _ => None,
        });
        Ok(dates.map(WallTime::from_s).collect())
    }

    /// How much of what is allowed for a folder is used (RFC 9208 section 4.1.3).
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn quota(&mut self, folder: &str) -> Result<Vec<Quota>, Failure> {
        let body = CommandBody::GetQuotaRoot { mailbox: name_of(folder)? };
        let answer = self.command(body, "quota").await?;
        let mut quotas = Vec::new();
        for data in answer.data {
            quotas.extend(read_all(&data).1);
            quotas.truncate(MOST_QUOTAS);
        }
        Ok(quotas)
    }
}

/// Everything in an answer that this module reads.
pub(super) fn read_all(data: &Data<'_>) -> (Option<FolderStatus>, Vec<Quota>) {
    let Data::Quota { root, quotas } = data else { return (status(data), Vec::new()) };
    let root = text_of(root);
    (None, quotas.as_ref().iter().map(|quota| read(&root, quota)).collect())
}

fn name_of(folder: &str) -> Result<Folder<'static>, Failure> {
    Folder::try_from(folder.to_owned()).ok().ok_or_else(|| not_a_name("folder"))
}

/// Whether the server answered, and said no.
fn is_refusal(failure: &Failure) -> bool {
    matches!(failure.fault.class, FaultClass::Permanent | FaultClass::Temporary)
}

fn status(data: &Data<'_>) -> Option<FolderStatus> {
    let Data::Status { items, .. } = data else { return None };
    let mut found = FolderStatus::default();
    for item in items.iter() {
        match item {
            StatusDataItem::Messages(count) => found.messages = Some(*count),
            StatusDataItem::Unseen(count) => found.unread = Some(*count),
            _ => {}
        }
    }
    Some(found)
}

fn read(root: &str, quota: &QuotaGet<'_>) -> Quota {
    let resource = match &quota.resource {
        Resource::Storage => "STORAGE".to_owned(),
        Resource::Message => "MESSAGE".to_owned(),
        Resource::Mailbox => "MAILBOX".to_owned(),
        Resource::AnnotationStorage => "ANNOTATION-STORAGE".to_owned(),
        other => begin(&format!("{other}").to_ascii_uppercase()),
    };
    Quota { root: root.to_owned(), resource, used: quota.usage, limit: quota.limit }
}

fn text_of(text: &AString<'_>) -> String {
    begin(&String::from_utf8_lossy(text.as_ref()))
}

fn begin(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests;
