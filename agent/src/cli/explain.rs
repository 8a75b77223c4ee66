//! `explain`: what a message tells of its way, and a bounce of its reason.
//!
//! Nothing is asked of the network unless `--verify` says so. Only as much is read as is needed: what a
//! message tells of itself stands at its start.

mod json;
mod reading;
mod words;

use std::path::{Path, PathBuf};

use super::Ending;
use super::terminal::{self, Terminal};
use crate::mail::dsn::Notification;
use crate::mail::headers::{Headers, Trust};
use crate::mail::verify::{self, Arrived, Verified};
use crate::net::Net;
use reading::Read;

pub(crate) use json::json;
pub(crate) use words::words;

#[derive(Debug, clap::Args)]
pub(super) struct ExplainArguments {
    /// The message, such as FILE.eml; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Whose Authentication-Results count; as often as needed
    #[arg(long, value_name = "AUTHSERV-ID")]
    trust: Vec<String>,
    /// Verify DKIM, SPF, DMARC and ARC now, by DNS
    #[arg(long)]
    verify: bool,
    /// A host or domain of the receiving organisation, whose border server's word on the client
    /// counts for SPF; as often as needed
    #[arg(long, value_name = "HOST", requires = "verify")]
    receiver: Vec<String>,
    /// Print one JSON object instead of the words
    #[arg(long)]
    json: bool,
}

/// What a message tells.
#[derive(Clone, Debug)]
pub(crate) struct Explained {
    /// What the headers say.
    pub headers: Headers,
    /// Subject, From and the like.
    pub about: About,
    /// What it says of another message, when it is a bounce.
    pub notification: Option<Notification>,
    /// What our own verification came to, where it was asked for.
    pub verified: Option<Verified>,
    /// Whose word on authentication counts.
    pub trust: Trust,
    /// How much of the message was read, in bytes, and whether that is all of it.
    pub read: (usize, bool),
}

/// A message's own headers, as they are written.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    /// In this order: Message-ID, Subject, From, To, Date.
    pub lines: Vec<(&'static str, String)>,
}

/// Reads a message, and says what it tells.
pub(super) fn explain(arguments: &ExplainArguments, terminal: &Terminal) -> Ending {
    let read = match Read::of(&arguments.file, arguments.verify) {
        Ok(read) => read,
        Err(error) => {
            terminal::complain(&format!("mailsonde-agent: {}: {error}", shown(&arguments.file)));
            return Ending::Usage;
        }
    };
    let mut explained = Explained::of(&read, Trust::new(arguments.trust.iter().cloned()));
    if arguments.verify {
        match verified(&read, &arguments.receiver) {
            Ok(verified) => explained.verified = Some(verified),
            Err(error) => {
                terminal::complain(&format!("mailsonde-agent: cannot verify: {error:#}"));
                return Ending::Usage;
            }
        }
    }
    let text = match arguments.json {
        true => json(&explained).map(|text| format!("{text}\n")),
        false => Ok(words(&explained, terminal)),
    };
    match text.and_then(|text| terminal::say(&text)) {
        Ok(()) => Ending::Pass,
        Err(error) => {
            terminal::complain(&format!("{error:#}"));
            Ending::Fail
        }
    }
}

/// What is printed about a message, in words and as JSON; `None` where these bytes are none. For the
/// property test and the fuzz target, which this is the whole way of.
pub fn explained(bytes: &[u8]) -> Option<[String; 2]> {
    let read = Read::from(bytes, crate::mail::dsn::MOST_READ).ok()?;
    let explained = Explained::of(&read, Trust::new(["mx.good.test".to_owned()]));
    let terminal = Terminal { width: 80, colours: false };
    Some([words(&explained, &terminal), json(&explained).ok()?])
}

fn shown(file: &Path) -> String {
    if file.as_os_str() == "-" { "standard input".to_owned() } else { file.display().to_string() }
}

fn verified(read: &Read, receivers: &[String]) -> anyhow::Result<Verified> {
    let message = read.with_line_ends();
    let arrived = Arrived { message: &message, is_whole: read.is_whole, receivers };
    let net = Net::new();
    let resolver = net.resolver()?;
    super::runtime()?.block_on(async {
        let deadline = mailsonde_proto::Clock::system().monotonic() + verify::PATIENCE;
        Ok(verify::verify((&net, resolver), arrived, deadline).await)
    })
}

impl Explained {
    /// What the bytes tell; without the network.
    pub(crate) fn of(read: &Read, trust: Trust) -> Self {
        Self {
            headers: Headers::of(&read.bytes),
            about: About::of(&read.bytes),
            notification: Notification::of(&read.bytes),
            verified: None,
            trust,
            read: (read.bytes.len(), read.is_whole),
        }
    }
}

impl About {
    fn of(message: &[u8]) -> Self {
        /// The longest value that is shown, in characters.
        const LONGEST: usize = 300;
        let parser = mail_parser::MessageParser::new()
            .header_text(mail_parser::HeaderName::Subject)
            .header_text(mail_parser::HeaderName::From)
            .header_text(mail_parser::HeaderName::To);
        let block = crate::mail::headers::block::Block::of(message);
        let mut lines = Vec::new();
        for name in ["Message-ID", "Subject", "From", "To", "Date"] {
            let Some(raw) = block.first(name) else { continue };
            let header = format!("{name}: {raw}\r\n\r\n");
            let decoded = parser.parse_headers(header.as_bytes());
            let decoded = decoded.as_ref().and_then(|message| message.header(name)?.as_text());
            let text = decoded.unwrap_or(&raw).trim();
            lines.push((name, text.chars().take(LONGEST).collect()));
        }
        Self { lines }
    }

    /// One of them.
    pub(crate) fn line(&self, name: &str) -> Option<&str> {
        self.lines.iter().find(|(of, _)| *of == name).map(|(_, text)| text.as_str())
    }
}

#[cfg(test)]
mod tests;
