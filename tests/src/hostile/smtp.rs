//! The SMTP side (RFC 5321, RFC 3207, RFC 4954), as far as a client can be made to believe in it.

use std::io;

use super::Step;
use super::session::{Next, Session};

pub(super) async fn serve(mut session: Session) -> io::Result<()> {
    session.answer(Step::Greeting, "", "220 hostile.test ESMTP\r\n").await?;
    loop {
        let line = session.line().await?;
        let step = step_of(&line);
        match step {
            Step::Ehlo => {
                let answer = capabilities(&session);
                session.answer(step, "", &answer).await?;
            }
            Step::StartTls if session.offers_starttls() => {
                let next = session.answer(step, "", "220 2.0.0 go ahead\r\n").await?;
                if next == Next::Well {
                    session = session.handshake().await?;
                }
            }
            Step::StartTls => session.send("502 5.5.1 not here\r\n").await?,
            Step::Auth => authenticate(&mut session, &line).await?,
            Step::Data => {
                let next = session.answer(step, "", "354 go on\r\n").await?;
                if next == Next::Well {
                    while session.unseen_line().await? != "." {}
                    session.answer(Step::Text, "", "250 2.0.0 queued as HOSTILE\r\n").await?;
                }
            }
            Step::Quit => {
                session.answer(step, "", "221 2.0.0 bye\r\n").await?;
                return Ok(());
            }
            _ => {
                session.answer(step, "", "250 2.0.0 fine\r\n").await?;
            }
        }
    }
}

fn step_of(line: &str) -> Step {
    let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
    match verb.as_str() {
        "EHLO" | "HELO" => Step::Ehlo,
        "STARTTLS" => Step::StartTls,
        "AUTH" => Step::Auth,
        "MAIL" => Step::Mail,
        "RCPT" => Step::Rcpt,
        "DATA" => Step::Data,
        "QUIT" => Step::Quit,
        _ => Step::Other,
    }
}

fn capabilities(session: &Session) -> String {
    let mut lines = String::from("250-hostile.test\r\n250-PIPELINING\r\n250-SIZE 10485760\r\n");
    if session.offers_starttls() {
        lines.push_str("250-STARTTLS\r\n");
    }
    lines.push_str("250-AUTH PLAIN LOGIN\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n");
    lines
}

/// Any password is right.
async fn authenticate(session: &mut Session, line: &str) -> io::Result<()> {
    let mut words = line.split(' ').skip(1);
    let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
    let initial = words.next().is_some();
    let prompts: &[&str] = match (mechanism.as_str(), initial) {
        ("PLAIN", false) => &["334 \r\n"],
        ("LOGIN", false) => &["334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n"],
        ("LOGIN", true) => &["334 UGFzc3dvcmQ6\r\n"],
        _ => &[],
    };
    for prompt in prompts {
        session.send(prompt).await?;
        session.line().await?;
    }
    session.answer(Step::Auth, "", "235 2.7.0 welcome\r\n").await?;
    Ok(())
}
