//! Which folder is for what (RFC 6154).

use imap_next::imap_types::command::CommandBody;
use imap_next::imap_types::flag::FlagNameAttribute;
use imap_next::imap_types::mailbox::Mailbox as Folder;
use imap_next::imap_types::response::Data;

use super::{Session, not_a_name};
use crate::mail::failure::Failure;

/// Names of a junk folder where the server marks none (RFC 6154 is not everywhere).
const JUNK_NAMES: [&str; 6] =
    ["Junk", "Spam", "Junk Email", "Junk E-mail", "[Gmail]/Spam", "INBOX.Junk"];

impl Session {
    /// The folder that the server marks as `\Junk` (RFC 6154), or one that is named like it.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn junk_folder(&mut self) -> Result<Option<String>, Failure> {
        self.folder_for("\\Junk", &JUNK_NAMES).await
    }

    /// The folder that the server marks as `\Sent` (RFC 6154), or the one of this name.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn sent_folder(&mut self, usual: Option<&str>) -> Result<Option<String>, Failure> {
        self.folder_for("\\Sent", usual.as_slice()).await
    }

    async fn folder_for(&mut self, mark: &str, names: &[&str]) -> Result<Option<String>, Failure> {
        let body = CommandBody::list("", "*").ok().ok_or_else(|| not_a_name("pattern"))?;
        let answer = self.command(body, "list of folders").await?;
        let is_marked = |item: &FlagNameAttribute<'_>| item.to_string().eq_ignore_ascii_case(mark);
        let mut by_name = None;
        for data in answer.data {
            let Data::List { items, mailbox: Folder::Other(folder), .. } = data else { continue };
            let folder = String::from_utf8_lossy(folder.as_ref()).into_owned();
            if items.iter().any(is_marked) {
                return Ok(Some(folder));
            }
            if names.iter().any(|name| folder.eq_ignore_ascii_case(name)) {
                by_name = by_name.or(Some(folder));
            }
        }
        Ok(by_name)
    }
}
