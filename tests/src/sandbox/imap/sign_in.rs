//! LOGIN and AUTHENTICATE PLAIN (RFC 3501 section 6.2, RFC 4959), inside TLS only.

use std::io;
use std::sync::Arc;

use imap_next::imap_types::auth::{AuthMechanism, AuthenticateData};
use imap_next::imap_types::response::{Code, CodeOther, CommandContinuationRequest};
use imap_next::server::Event;
use imap_next::types::CommandAuthenticate;

use super::line::Input;
use super::{Answer, Next, QUIET_TIMEOUT, Session};
use crate::sandbox::accounts::{Account, SignInRefused};

impl Session {
    pub(super) fn login(&mut self, login: &[u8], password: &[u8]) -> Answer {
        if let Some(refusal) = self.not_now() {
            return refusal;
        }
        let login = String::from_utf8_lossy(login);
        let password = String::from_utf8_lossy(password);
        let house = Arc::clone(&self.house);
        self.outcome(house.accounts.sign_in(&login, &password, &house.fates))
    }

    pub(super) async fn authenticate(&mut self, command: CommandAuthenticate) -> io::Result<Next> {
        self.house.think().await;
        let CommandAuthenticate { tag, mechanism, initial_response } = command;
        let answer = if let Some(refusal) = self.not_now() {
            refusal
        } else if mechanism != AuthMechanism::Plain {
            Answer::no("PLAIN only")
        } else {
            let response = match initial_response {
                Some(initial) => Some(initial.declassify().to_vec()),
                None => match self.ask_credentials().await? {
                    Input::Event(Event::AuthenticateDataReceived {
                        authenticate_data: AuthenticateData::Continue(response),
                    }) => Some(response.declassify().to_vec()),
                    Input::Closed => return Ok(Next::Close),
                    Input::Event(_) | Input::Malformed(_) => None,
                },
            };
            match response {
                Some(response) => {
                    let house = Arc::clone(&self.house);
                    self.outcome(house.accounts.sign_in_plain(&response, &house.fates))
                }
                None => Answer::bad("cancelled"),
            }
        };
        self.line.finish_authenticate(answer.tagged(tag)).await?;
        Ok(Next::Listen)
    }

    async fn ask_credentials(&mut self) -> io::Result<Input> {
        let nothing: &[u8] = b"";
        self.line.challenge(CommandContinuationRequest::base64(nothing)).await?;
        tokio::time::timeout(QUIET_TIMEOUT, self.line.next()).await?
    }

    fn not_now(&mut self) -> Option<Answer> {
        if self.account.is_some() {
            self.mistakes += 1;
            return Some(Answer::bad("already signed in"));
        }
        let clear = !self.in_tls;
        clear.then(|| Answer::no("STARTTLS first").with(code(b"PRIVACYREQUIRED")))
    }

    fn outcome(&mut self, signed_in: Result<Arc<Account>, SignInRefused>) -> Answer {
        match signed_in {
            Ok(account) => {
                self.account = Some(account);
                let capabilities = super::capabilities(self.in_tls);
                Answer::ok("signed in").with(Code::Capability(capabilities))
            }
            Err(SignInRefused::Wrong) => {
                self.mistakes += 1;
                Answer::no("login or password is not right").with(code(b"AUTHENTICATIONFAILED"))
            }
            Err(SignInRefused::ForNow) => {
                self.house.post.count_refused_sign_in();
                Answer::no("cannot look up users just now").with(code(b"UNAVAILABLE"))
            }
        }
    }
}

/// A response code of RFC 5530.
fn code(name: &'static [u8]) -> Code<'static> {
    Code::Other(CodeOther::unvalidated(name))
}
