//! Whether what arrived is what was sent.

use super::canonical::of_both;
use super::reader::{Leaf, Reader, Reading};
use super::transfer::Encoding;

/// What became of the content of a message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// As it was sent.
    Same,
    /// The same content in another transfer encoding, as a relay may choose (RFC 6152 section 3).
    Reencoded,
    /// Not what was sent; an attachment, where there was one, may be whole.
    Altered,
    /// The attachment is not the one that was sent.
    AttachmentAltered,
    /// The attachment is not there.
    AttachmentRemoved,
    /// The server gave only a part, so nothing can be said.
    Unknown,
}

/// The attachment of a message as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Its file name.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// Of its bytes.
    pub sha256: [u8; 32],
    /// How it was written.
    pub(super) encoding: Encoding,
}

impl Reading {
    /// Compares what arrived with the digest in its token, and with the attachment where that is known.
    pub fn judge(&self, sent: [u8; 16], attached: Option<&Attached>) -> Body {
        if self.body == Some(sent) {
            return Body::Same;
        }
        if !self.is_whole {
            return Body::Unknown;
        }
        if let ([only], Some(_)) = (self.leaves.as_slice(), self.body)
            && only.is_text
            && only.text == sent
        {
            return Body::Reencoded;
        }
        let is_sent = |text: &Leaf, file: &Leaf| of_both(text.text, file.sha256) == sent;
        let pairs = self.leaves.iter().filter(|leaf| leaf.is_text).flat_map(|text| {
            let files = self.leaves.iter().filter(move |file| !std::ptr::eq(*file, text));
            files.map(move |file| (text, file))
        });
        if let Some((text, file)) = pairs.into_iter().find(|(text, file)| is_sent(text, file)) {
            let as_sent = attached.is_none_or(|attached| attached.encoding == file.encoding);
            let same = as_sent && text.encoding == Encoding::Identity;
            return if same { Body::Same } else { Body::Reencoded };
        }
        match attached {
            None => Body::Altered,
            Some(attached) if self.leaves.iter().any(|leaf| leaf.sha256 == attached.sha256) => {
                Body::Altered
            }
            Some(attached) => {
                let is_it =
                    |leaf: &Leaf| !leaf.is_text || leaf.name.as_ref() == Some(&attached.name);
                let is_there = self.leaves.iter().any(is_it);
                if is_there { Body::AttachmentAltered } else { Body::AttachmentRemoved }
            }
        }
    }
}

/// Compares a message in memory with the digest in its token. `whole` says whether the server gave all
/// of it.
pub fn judge_body(message: &[u8], whole: bool, sent: [u8; 16]) -> Body {
    let mut reader = Reader::new();
    reader.feed(message);
    reader.finish(whole).judge(sent, None)
}
