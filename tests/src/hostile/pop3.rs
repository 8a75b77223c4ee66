//! The POP3 side (RFC 1939, RFC 2449, RFC 2595), as far as a client can be made to believe in it.

use std::io;

use super::Step;
use super::session::{Next, Session};

pub(super) async fn serve(mut session: Session) -> io::Result<()> {
    session.answer(Step::Greeting, "", "+OK hostile\r\n").await?;
    loop {
        let line = session.line().await?;
        let step = step_of(&line);
        match step {
            Step::Capability => {
                let stls = if session.offers_starttls() { "STLS\r\n" } else { "" };
                let able = format!("+OK\r\nTOP\r\nUIDL\r\nUSER\r\nSASL PLAIN\r\n{stls}.\r\n");
                session.answer(step, "", &able).await?;
            }
            Step::StartTls if session.offers_starttls() => {
                if session.answer(step, "", "+OK begin\r\n").await? == Next::Well {
                    session = session.handshake().await?;
                }
            }
            Step::StartTls => session.send("-ERR not here\r\n").await?,
            Step::Select => {
                session.answer(step, "", "+OK 0 0\r\n").await?;
            }
            Step::List => {
                session.answer(step, "", "+OK none\r\n.\r\n").await?;
            }
            Step::Fetch => {
                session.answer(step, "", "-ERR no such message\r\n").await?;
            }
            Step::Quit => {
                session.answer(step, "", "+OK bye\r\n").await?;
                return Ok(());
            }
            _ => {
                session.answer(step, "", "+OK fine\r\n").await?;
            }
        }
    }
}

fn step_of(line: &str) -> Step {
    let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
    match verb.as_str() {
        "CAPA" => Step::Capability,
        "STLS" => Step::StartTls,
        "AUTH" | "USER" | "PASS" => Step::Auth,
        "STAT" => Step::Select,
        "LIST" | "UIDL" => Step::List,
        "TOP" | "RETR" => Step::Fetch,
        "QUIT" => Step::Quit,
        _ => Step::Other,
    }
}
