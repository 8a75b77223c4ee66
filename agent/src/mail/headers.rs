//! What the headers of a message tell of its way: hops, authentication, signatures, gateways, spam
//! scores.
//!
//! All of it is claims of servers, and below the first server that one trusts perhaps of nobody. It is
//! shown as what it is and decides no verdict. Reading takes time linear in the header block, of which
//! at most [`block::LONGEST_BLOCK`] bytes are read, and no input makes it panic. Absent on purpose: DNS
//! (`verify` asks it).

pub mod hops;
mod received;

pub mod authentication;
pub mod signature;

pub mod gateway;
pub mod spam;

mod told;

pub mod block;
mod date;
mod lexical;

use authentication::Results;
use block::Block;
use gateway::Gateway;
use hops::Way;
use signature::Signature;
use spam::Spam;

pub use authentication::Trust;
pub use date::date;
pub use received::{Hop, HopTls};
pub use told::MOST_FACTS;

/// What the headers of one message tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headers {
    /// From server to server.
    pub way: Way,
    /// What servers say they verified, the topmost first; anybody may have written them.
    pub authentication: Vec<Results>,
    /// Whose signatures it carries, whether good or not.
    pub signatures: Vec<Signature>,
    /// Security gateways.
    pub gateways: Vec<Gateway>,
    /// What spam filters say.
    pub spam: Vec<Spam>,
    /// Whether the header block was too long to be read whole.
    pub is_cut: bool,
}

impl Headers {
    /// Reads the header block that these bytes begin with; a message, a part of one, or headers alone.
    pub fn of(message: &[u8]) -> Self {
        let block = Block::of(message);
        let way = Way::of(&block);
        Self {
            authentication: Results::all(&block),
            signatures: Signature::all(&block),
            gateways: Gateway::all(&block, &way),
            spam: Spam::all(&block),
            is_cut: block.is_cut,
            way,
        }
    }

    /// The results of those servers that are trusted.
    pub fn trusted<'a>(&'a self, trust: &'a Trust) -> impl Iterator<Item = &'a Results> {
        self.authentication.iter().filter(|results| trust.includes(&results.authserv_id))
    }
}

#[cfg(test)]
mod tests;
