//! An IMAP4rev1 session (RFC 3501) with IDLE, UIDPLUS, UNSELECT, SASL-IR and SPECIAL-USE.
//!
//! imap-next reads and writes the protocol; this module keeps the session's state, and tells it
//! what happens to the open mailbox meanwhile: EXPUNGE, FETCH with flags, EXISTS and RECENT, before
//! the answer to a command, or at once during IDLE.

mod line;

mod fetch;
mod list;
mod search;
mod selected;
mod sign_in;
mod view;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use imap_next::imap_types::command::CommandBody;
use imap_next::imap_types::core::{Tag, Text, Vec1};
use imap_next::imap_types::response::{
    Bye, Capability, Code, CodeOther, CommandContinuationRequest, Data, Status, StatusBody,
    StatusKind, Tagged,
};
use imap_next::server::Event;

use super::House;
use super::accounts::Account;
use super::listen::{self, Wire};
use line::{Input, Line};
use view::View;

/// RFC 3501 section 5.4: at least thirty minutes.
const QUIET_TIMEOUT: Duration = Duration::from_mins(30);
/// A client that makes so many mistakes is not worth listening to.
const MOST_MISTAKES: u32 = 20;

/// Speaks IMAP until the client leaves.
pub(super) async fn serve(wire: Wire, in_tls: bool, house: &Arc<House>) -> io::Result<()> {
    house.think().await;
    let line = Line::new(wire, capabilities(in_tls));
    let house = Arc::clone(house);
    let mut session = Session { house, line, in_tls, account: None, view: None, mistakes: 0 };
    Box::pin(session.run()).await
}

struct Session {
    house: Arc<House>,
    line: Line,
    in_tls: bool,
    account: Option<Arc<Account>>,
    /// The open mailbox as this client knows it.
    view: Option<View>,
    mistakes: u32,
}

/// The tagged answer to a command.
struct Answer {
    kind: StatusKind,
    code: Option<Code<'static>>,
    words: &'static str,
}

impl Answer {
    const fn ok(words: &'static str) -> Self {
        Self { kind: StatusKind::Ok, code: None, words }
    }

    const fn no(words: &'static str) -> Self {
        Self { kind: StatusKind::No, code: None, words }
    }

    const fn bad(words: &'static str) -> Self {
        Self { kind: StatusKind::Bad, code: None, words }
    }

    fn with(self, code: Code<'static>) -> Self {
        Self { code: Some(code), ..self }
    }

    fn tagged(self, tag: Tag<'static>) -> Status<'static> {
        Status::Tagged(Tagged { tag, body: self.body() })
    }

    fn untagged(self) -> Status<'static> {
        Status::Untagged(self.body())
    }

    fn body(self) -> StatusBody<'static> {
        StatusBody { kind: self.kind, code: self.code, text: Text::unvalidated(self.words) }
    }
}

/// Whether the session goes on after a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Listen,
    Close,
}

impl Session {
    async fn run(&mut self) -> io::Result<()> {
        loop {
            let Ok(input) = tokio::time::timeout(QUIET_TIMEOUT, self.line.next()).await else {
                return self.goodbye("nothing heard for too long").await;
            };
            let next = match input? {
                Input::Closed => return Ok(()),
                Input::Malformed(bytes) => self.malformed(&bytes).await?,
                Input::Event(Event::CommandReceived { command }) => {
                    self.command(command.tag, command.body).await?
                }
                Input::Event(Event::CommandAuthenticateReceived { command_authenticate }) => {
                    self.authenticate(command_authenticate).await?
                }
                Input::Event(Event::IdleCommandReceived { tag }) => self.idle(tag).await?,
                Input::Event(_) => Next::Listen,
            };
            if next == Next::Close || self.mistakes > MOST_MISTAKES {
                return self.line.close().await;
            }
        }
    }

    async fn command(
        &mut self,
        tag: Tag<'static>,
        command: CommandBody<'static>,
    ) -> io::Result<Next> {
        self.line.flush().await?;
        self.house.think().await;
        // Only what works on sequence numbers must not see them shift (RFC 3501 section 7.4.1).
        let numbers_stay = matches!(
            command,
            CommandBody::Fetch { uid: false, .. }
                | CommandBody::Store { uid: false, .. }
                | CommandBody::Search { uid: false, .. }
        );
        let answer = match command {
            CommandBody::Capability => {
                self.line.data(Data::Capability(capabilities(self.in_tls))).await?;
                Answer::ok("that is all")
            }
            CommandBody::Noop | CommandBody::Check => Answer::ok("still here"),
            CommandBody::Logout => {
                self.line.status(bye("goodbye")).await?;
                self.line.status(Answer::ok("logged out").tagged(tag)).await?;
                return Ok(Next::Close);
            }
            CommandBody::Login { username, password } => {
                self.login(username.as_ref(), password.declassify().as_ref())
            }
            command => self.signed_in_command(command).await?,
        };
        self.tell_changes(!numbers_stay).await?;
        self.finish(tag, answer).await
    }

    async fn signed_in_command(&mut self, command: CommandBody<'static>) -> io::Result<Answer> {
        let Some(account) = self.account.clone() else {
            self.mistakes += 1;
            return Ok(Answer::bad("sign in first"));
        };
        match command {
            CommandBody::List { reference, mailbox_wildcard } => {
                for data in list::list(&reference, &mailbox_wildcard) {
                    self.line.data(data).await?;
                }
                Ok(Answer::ok("listed"))
            }
            CommandBody::Lsub { reference, mailbox_wildcard } => {
                for data in list::lsub(&reference, &mailbox_wildcard) {
                    self.line.data(data).await?;
                }
                Ok(Answer::ok("listed"))
            }
            CommandBody::Subscribe { .. } => Ok(Answer::ok("always subscribed")),
            CommandBody::Status { mailbox, item_names } => {
                let Some(found) = list::open(&account, &mailbox) else {
                    return Ok(list::no_such_mailbox());
                };
                self.line.data(list::status(found, mailbox, &item_names)).await?;
                Ok(Answer::ok("counted"))
            }
            CommandBody::Select { mailbox } => self.select(&account, &mailbox, false).await,
            CommandBody::Examine { mailbox } => self.select(&account, &mailbox, true).await,
            CommandBody::Append { .. }
            | CommandBody::Create { .. }
            | CommandBody::Delete { .. }
            | CommandBody::Rename { .. }
            | CommandBody::Unsubscribe { .. }
            | CommandBody::Copy { .. }
            | CommandBody::Move { .. } => Ok(Answer::no("this sandbox does not do that")
                .with(Code::Other(CodeOther::unvalidated(b"CANNOT".as_slice())))),
            command => self.selected_command(command).await,
        }
    }

    /// IDLE (RFC 2177): tells of changes the moment they happen, until DONE.
    async fn idle(&mut self, tag: Tag<'static>) -> io::Result<Next> {
        self.house.think().await;
        if self.account.is_none() {
            let refusal = Answer::bad("sign in first").tagged(tag);
            self.line.reject_idle(refusal).await?;
            self.mistakes += 1;
            return Ok(Next::Listen);
        }
        let Ok(idling) = CommandContinuationRequest::basic(None, "idling, end with DONE") else {
            return Ok(Next::Close);
        };
        self.line.accept_idle(idling).await?;
        let started = self.house.clock.monotonic();
        loop {
            self.tell_changes(true).await?;
            let change = async {
                match &mut self.view {
                    Some(view) => view.changed().await,
                    None => std::future::pending().await,
                }
            };
            let input = tokio::select! {
                input = self.line.next() => input?,
                () = change => continue,
                () = tokio::time::sleep_until(started + QUIET_TIMEOUT) => {
                    self.goodbye("idle for too long").await?;
                    return Ok(Next::Close);
                }
            };
            match input {
                Input::Event(Event::IdleDoneReceived) => break,
                Input::Closed => return Ok(Next::Close),
                Input::Event(_) | Input::Malformed(_) => {
                    self.mistakes += 1;
                    self.goodbye("only DONE ends IDLE").await?;
                    return Ok(Next::Close);
                }
            }
        }
        self.finish(tag, Answer::ok("idled")).await
    }

    /// A command that imap-next could not read, or STARTTLS, which it leaves to its user.
    async fn malformed(&mut self, bytes: &[u8]) -> io::Result<Next> {
        let text = String::from_utf8_lossy(bytes);
        let mut words = text.split_ascii_whitespace();
        let (tag, verb) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let Ok(tag) = Tag::try_from(tag.to_owned()) else {
            self.mistakes += 1;
            self.line.status(Answer::bad("not a command").untagged()).await?;
            return Ok(Next::Listen);
        };
        if verb.eq_ignore_ascii_case("STARTTLS") && words.next().is_none() {
            return self.starttls(tag).await;
        }
        self.mistakes += 1;
        self.line.status(Answer::bad("command not understood").tagged(tag)).await?;
        Ok(Next::Listen)
    }

    async fn starttls(&mut self, tag: Tag<'static>) -> io::Result<Next> {
        self.house.think().await;
        if self.in_tls || self.account.is_some() {
            self.mistakes += 1;
            self.line.status(Answer::bad("TLS is already on").tagged(tag)).await?;
            return Ok(Next::Listen);
        }
        self.line.status(Answer::ok("ready for TLS").tagged(tag)).await?;
        self.line.flush().await?;
        // What was read ahead in the clear goes away with the old protocol state.
        let wire = listen::handshake(&self.house.tls, self.line.take_wire()).await?;
        self.line = Line::after_starttls(wire);
        self.in_tls = true;
        Ok(Next::Listen)
    }

    async fn tell_changes(&mut self, expunges: bool) -> io::Result<()> {
        let Some(view) = &mut self.view else { return Ok(()) };
        for data in view.catch_up(expunges) {
            self.line.data(data).await?;
        }
        Ok(())
    }

    async fn finish(&mut self, tag: Tag<'static>, answer: Answer) -> io::Result<Next> {
        self.line.status(answer.tagged(tag)).await?;
        Ok(Next::Listen)
    }

    async fn goodbye(&mut self, words: &'static str) -> io::Result<()> {
        self.line.status(bye(words)).await?;
        self.line.close().await
    }
}

fn bye(words: &'static str) -> Status<'static> {
    Status::Bye(Bye { code: None, text: Text::unvalidated(words) })
}

fn capabilities(in_tls: bool) -> Vec1<Capability<'static>> {
    let names: &[&str] = match in_tls {
        true => &["AUTH=PLAIN", "SASL-IR", "IDLE", "UIDPLUS", "UNSELECT", "SPECIAL-USE"],
        false => &["STARTTLS", "LOGINDISABLED", "SASL-IR", "IDLE", "UIDPLUS", "UNSELECT"],
    };
    let mut capabilities = vec![Capability::Imap4Rev1];
    capabilities.extend(names.iter().filter_map(|name| Capability::try_from(*name).ok()));
    Vec1::unvalidated(capabilities)
}
