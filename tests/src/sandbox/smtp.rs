//! An SMTP submission session (RFC 5321, 6409): EHLO, STARTTLS, AUTH, one or more messages, QUIT.
//!
//! Mail is taken from signed-in users only, and for this sandbox's users only.

mod lines;

mod auth;
mod envelope;
mod transaction;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::House;
use super::accounts::Account;
use super::listen::{self, Wire};
use lines::{Line, Lines};
use transaction::Transaction;

/// RFC 5321 section 4.5.3.2.7: a server waits at least five minutes for the next command.
const COMMAND_TIMEOUT: Duration = Duration::from_mins(5);
/// A client that makes so many mistakes is not worth listening to.
const MOST_MISTAKES: u32 = 20;

/// Speaks SMTP until the client leaves.
pub(super) async fn serve(
    wire: Wire,
    peer: SocketAddr,
    in_tls: bool,
    house: &Arc<House>,
) -> io::Result<()> {
    let mut session = Session {
        house: Arc::clone(house),
        lines: Lines::new(wire),
        peer,
        in_tls,
        greeted_as: None,
        account: None,
        transaction: None,
        mistakes: 0,
    };
    session.run().await
}

struct Session {
    house: Arc<House>,
    lines: Lines,
    peer: SocketAddr,
    in_tls: bool,
    /// What the client called itself in EHLO or HELO.
    greeted_as: Option<String>,
    account: Option<Arc<Account>>,
    transaction: Option<Transaction>,
    mistakes: u32,
}

/// Whether the session goes on after a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Listen,
    Close,
}

/// One reply line: basic code, enhanced code (RFC 2034, 3463) and words.
struct Reply {
    code: u16,
    enhanced: &'static str,
    words: String,
}

impl Reply {
    fn new(code: u16, enhanced: &'static str, words: impl Into<String>) -> Self {
        Self { code, enhanced, words: words.into() }
    }

    fn out_of_order(words: &str) -> Self {
        Self::new(503, "5.5.1", words)
    }

    fn bad_syntax(words: &str) -> Self {
        Self::new(501, "5.5.4", words)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}\r\n", self.code, self.enhanced, self.words)
    }
}

impl Session {
    async fn run(&mut self) -> io::Result<()> {
        self.house.think().await;
        self.lines.send(&format!("220 {} ESMTP Mailsonde sandbox\r\n", self.house.host)).await?;
        loop {
            let Ok(line) = tokio::time::timeout(COMMAND_TIMEOUT, self.lines.next()).await else {
                let goodbye = Reply::new(421, "4.4.2", "nothing heard for too long, closing");
                return self.reply(goodbye).await;
            };
            let next = match line? {
                Line::End => return Ok(()),
                Line::TooLong => {
                    self.reply(Reply::new(500, "5.5.2", "line too long")).await?;
                    Next::Listen
                }
                Line::Text(line) => self.command(&line).await?,
            };
            if next == Next::Close {
                return self.lines.close().await;
            }
        }
    }

    async fn command(&mut self, line: &str) -> io::Result<Next> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => return self.ehlo(rest).await,
            "STARTTLS" => return self.starttls().await,
            "AUTH" => return self.auth(rest).await,
            "DATA" => return self.data().await,
            _ => {}
        }
        let reply = match verb.to_ascii_uppercase().as_str() {
            "HELO" => {
                self.greeted_as = Some(clean_name(rest));
                self.transaction = None;
                Reply::new(250, "2.0.0", self.house.host.clone())
            }
            "MAIL" => self.mail(rest),
            "RCPT" => self.rcpt(rest),
            "RSET" => {
                self.transaction = None;
                Reply::new(250, "2.0.0", "forgotten")
            }
            "NOOP" => Reply::new(250, "2.0.0", "still here"),
            "VRFY" => Reply::new(252, "2.5.0", "send mail and see"),
            "QUIT" => {
                self.reply(Reply::new(221, "2.0.0", "goodbye")).await?;
                return Ok(Next::Close);
            }
            _ => Reply::new(500, "5.5.2", "command not known"),
        };
        self.answer(reply).await
    }

    async fn ehlo(&mut self, name: &str) -> io::Result<Next> {
        if name.is_empty() {
            return self.answer(Reply::bad_syntax("say who you are: EHLO name")).await;
        }
        self.greeted_as = Some(clean_name(name));
        self.transaction = None;
        let Self { house, in_tls, .. } = &*self;
        let offered = if *in_tls { "AUTH PLAIN LOGIN" } else { "STARTTLS" };
        let lines = format!(
            "250-{host}\r\n250-PIPELINING\r\n250-SIZE {size}\r\n250-{offered}\r\n\
             250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n",
            host = house.host,
            size = house.limits.message_bytes,
        );
        self.house.think().await;
        self.lines.send(&lines).await?;
        Ok(Next::Listen)
    }

    async fn starttls(&mut self) -> io::Result<Next> {
        if self.in_tls {
            return self.answer(Reply::out_of_order("TLS is already on")).await;
        }
        self.reply(Reply::new(220, "2.0.0", "ready for TLS")).await?;
        // What was read ahead in the clear goes away with the old reader (RFC 3207 section 4.2:
        // what the client said before is forgotten).
        let wire = self.lines.take_wire();
        self.lines = Lines::new(listen::handshake(&self.house.tls, wire).await?);
        self.in_tls = true;
        self.greeted_as = None;
        self.transaction = None;
        Ok(Next::Listen)
    }

    /// Sends a reply, and closes when the client has made too many mistakes.
    async fn answer(&mut self, reply: Reply) -> io::Result<Next> {
        if reply.code >= 500 {
            self.mistakes += 1;
        }
        if self.mistakes > MOST_MISTAKES {
            self.reply(Reply::new(421, "4.7.0", "too many errors, closing")).await?;
            return Ok(Next::Close);
        }
        self.reply(reply).await?;
        Ok(Next::Listen)
    }

    async fn reply(&mut self, reply: Reply) -> io::Result<()> {
        self.house.think().await;
        self.lines.send(&reply.to_string()).await
    }
}

/// What a client calls itself goes into a trace header: nothing that could break one.
fn clean_name(name: &str) -> String {
    name.chars().filter(char::is_ascii_graphic).take(255).collect()
}
