//! AUTH PLAIN and LOGIN (RFC 4954, 4616), inside TLS only.

use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::lines::Line;
use super::{Next, Reply, Session};
use crate::sandbox::accounts::{Account, SignInRefused};

/// The exchange ended without credentials to look at.
enum Broken {
    Cancelled,
    NotBase64,
    Gone,
}

impl Session {
    pub(super) async fn auth(&mut self, rest: &str) -> io::Result<Next> {
        if let Some(refusal) = self.auth_not_now() {
            return self.answer(refusal).await;
        }
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let signed_in = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => self.plain(initial).await?,
            "LOGIN" => self.login(initial).await?,
            _ => return self.answer(Reply::new(504, "5.5.4", "PLAIN and LOGIN only")).await,
        };
        let reply = match signed_in {
            Ok(Ok(account)) => {
                self.account = Some(account);
                Reply::new(235, "2.7.0", "signed in")
            }
            Ok(Err(SignInRefused::Wrong)) => {
                Reply::new(535, "5.7.8", "login or password is not right")
            }
            Ok(Err(SignInRefused::ForNow)) => {
                self.house.post.count_refused_sign_in();
                Reply::new(454, "4.7.0", "cannot look up users just now, try again later")
            }
            Err(Broken::Cancelled) => Reply::new(501, "5.7.0", "cancelled"),
            Err(Broken::NotBase64) => Reply::new(501, "5.5.2", "not base64"),
            Err(Broken::Gone) => return Ok(Next::Close),
        };
        self.answer(reply).await
    }

    fn auth_not_now(&self) -> Option<Reply> {
        if !self.in_tls {
            return Some(Reply::new(538, "5.7.11", "STARTTLS first"));
        }
        if self.greeted_as.is_none() {
            return Some(Reply::out_of_order("EHLO first"));
        }
        let busy = self.account.is_some() || self.transaction.is_some();
        busy.then(|| Reply::out_of_order("not twice, and not in a transaction"))
    }

    async fn plain(&mut self, initial: &str) -> io::Result<Outcome> {
        let response = match initial {
            "" => self.challenge("").await?,
            initial => decode(initial),
        };
        Ok(response.map(|response| {
            let house = &self.house;
            house.accounts.sign_in_plain(&response, &house.fates)
        }))
    }

    async fn login(&mut self, initial: &str) -> io::Result<Outcome> {
        let login = match initial {
            "" => self.challenge("Username:").await?,
            initial => decode(initial),
        };
        let login = match login {
            Ok(login) => login,
            Err(broken) => return Ok(Err(broken)),
        };
        let password = match self.challenge("Password:").await? {
            Ok(password) => password,
            Err(broken) => return Ok(Err(broken)),
        };
        let login = String::from_utf8_lossy(&login);
        let password = String::from_utf8_lossy(&password);
        let house = &self.house;
        Ok(Ok(house.accounts.sign_in(&login, &password, &house.fates)))
    }

    async fn challenge(&mut self, question: &str) -> io::Result<Result<Vec<u8>, Broken>> {
        self.house.think().await;
        self.lines.send(&format!("334 {}\r\n", STANDARD.encode(question))).await?;
        let line = tokio::time::timeout(super::COMMAND_TIMEOUT, self.lines.next()).await??;
        Ok(match line {
            Line::Text(line) if line == "*" => Err(Broken::Cancelled),
            Line::Text(line) => decode(&line),
            Line::TooLong => Err(Broken::NotBase64),
            Line::End => Err(Broken::Gone),
        })
    }
}

type Outcome = Result<Result<Arc<Account>, SignInRefused>, Broken>;

fn decode(response: &str) -> Result<Vec<u8>, Broken> {
    match response {
        // RFC 4954 section 4: a lone equals sign is an empty initial response.
        "=" => Ok(Vec::new()),
        response => STANDARD.decode(response).or(Err(Broken::NotBase64)),
    }
}
