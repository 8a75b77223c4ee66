//! The IMAP side (RFC 9051, RFC 3501, RFC 2177), as far as a client can be made to believe in it.

use std::io;

use super::Step;
use super::session::{Next, Session};

pub(super) async fn serve(mut session: Session) -> io::Result<()> {
    let greeting = format!("* OK [CAPABILITY {}] hostile\r\n", capabilities(&session));
    session.answer(Step::Greeting, "*", &greeting).await?;
    loop {
        let line = command(&mut session).await?;
        let (tag, step) = parse(&line);
        let done = format!("{tag} OK done\r\n");
        match step {
            Step::StartTls if session.offers_starttls() => {
                if session.answer(step, tag, &done).await? == Next::Well {
                    session = session.handshake().await?;
                }
            }
            Step::StartTls => session.send(&format!("{tag} BAD not here\r\n")).await?,
            Step::Auth => authenticate(&mut session, &line).await?,
            Step::Idle => {
                if session.answer(step, tag, "+ idling\r\n").await? == Next::Well {
                    session.line().await?; // DONE
                    session.send(&done).await?;
                }
            }
            Step::Quit => {
                session.answer(step, tag, &format!("* BYE\r\n{done}")).await?;
                return Ok(());
            }
            _ => {
                let answer = format!("{}{done}", untagged(&session, step));
                session.answer(step, tag, &answer).await?;
            }
        }
    }
}

/// A whole command: lines that end with a literal are followed by it and another line.
async fn command(session: &mut Session) -> io::Result<String> {
    let mut command = session.line().await?;
    let mut line = command.clone();
    while let Some((length, waits)) = literal(&line) {
        if waits {
            session.send("+ go on\r\n").await?;
        }
        session.skip(length).await?;
        line = session.line().await?;
        command.push_str(&line);
    }
    Ok(command)
}

/// `… {12}` or `… {12+}`, and whether the client waits for us (RFC 7888).
fn literal(line: &str) -> Option<(u64, bool)> {
    let (_, size) = line.strip_suffix('}')?.rsplit_once('{')?;
    let digits = size.strip_suffix('+');
    Some((digits.unwrap_or(size).parse().ok()?, digits.is_none()))
}

fn parse(line: &str) -> (&str, Step) {
    let mut words = line.split(' ');
    let tag = words.next().unwrap_or("*");
    let mut verb = words.next().unwrap_or_default().to_ascii_uppercase();
    if verb == "UID" {
        verb = words.next().unwrap_or_default().to_ascii_uppercase();
    }
    let step = match verb.as_str() {
        "CAPABILITY" => Step::Capability,
        "STARTTLS" => Step::StartTls,
        "LOGIN" | "AUTHENTICATE" => Step::Auth,
        "LIST" | "LSUB" => Step::List,
        "SELECT" | "EXAMINE" => Step::Select,
        "NOOP" | "CHECK" => Step::Noop,
        "IDLE" => Step::Idle,
        "SEARCH" => Step::Search,
        "FETCH" => Step::Fetch,
        "LOGOUT" => Step::Quit,
        _ => Step::Other,
    };
    (tag, step)
}

fn capabilities(session: &Session) -> &'static str {
    if session.offers_starttls() {
        "IMAP4rev1 STARTTLS IDLE SASL-IR LITERAL+ UIDPLUS SPECIAL-USE AUTH=PLAIN"
    } else {
        "IMAP4rev1 IDLE SASL-IR LITERAL+ UIDPLUS SPECIAL-USE AUTH=PLAIN"
    }
}

/// What comes before the tagged answer.
fn untagged(session: &Session, step: Step) -> String {
    match step {
        Step::Capability => format!("* CAPABILITY {}\r\n", capabilities(session)),
        Step::List => "* LIST () \"/\" INBOX\r\n* LIST (\\Junk) \"/\" Junk\r\n".to_owned(),
        Step::Select => "* 0 EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Seen \\Deleted)\r\n\
                         * OK [UIDVALIDITY 1] valid\r\n* OK [UIDNEXT 1] next\r\n"
            .to_owned(),
        Step::Search => "* SEARCH\r\n".to_owned(),
        _ => String::new(),
    }
}

/// Any password is right.
async fn authenticate(session: &mut Session, line: &str) -> io::Result<()> {
    let (tag, _) = parse(line);
    let words: Vec<&str> = line.split(' ').collect();
    let bare = words.get(1).is_some_and(|verb| verb.eq_ignore_ascii_case("AUTHENTICATE"))
        && words.len() == 3;
    if bare {
        session.send("+ \r\n").await?;
        session.line().await?;
    }
    let answer = format!("{tag} OK [CAPABILITY {}] welcome\r\n", capabilities(session));
    session.answer(Step::Auth, tag, &answer).await?;
    Ok(())
}
