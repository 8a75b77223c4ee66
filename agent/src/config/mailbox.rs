//! `[[mailbox]]`: an address, where mail for it is handed in, and where it is read.

use std::time::Duration;

use super::oauth2;
use super::password::{self, Password};
use super::provider::Preset;
use super::section::Section;
use super::server::{self, Account, Protocol};
use crate::mail::endpoint::{Endpoint, Tls};
use crate::mail::mailbox::{Habits, Inbox, MailboxSettings, SessionPace};
use crate::net::TlsTrust;

/// One mailbox as resolved.
#[derive(Clone, Debug)]
pub struct MailboxConfig {
    /// As the mail layer wants them.
    pub settings: MailboxSettings,
    /// The settings in their canonical text, passwords left out.
    pub canonical: String,
}

impl MailboxConfig {
    /// A mailbox that leads nowhere, to go on reading with after a mistake.
    pub fn stand_in(name: &str) -> Self {
        let server = Endpoint {
            host: "stand-in.invalid".into(),
            port: 25,
            tls: Tls::None,
            trust: TlsTrust::native(),
            login: None,
        };
        let settings = MailboxSettings {
            name: name.to_owned(),
            address: "nobody@stand-in.invalid".into(),
            smtp: server.clone(),
            inbox: Inbox::Imap(server),
            beside: None,
            junk_folder: None,
            hello: None,
            habits: Habits::default(),
            receives: false,
        };
        Self { settings, canonical: String::new() }
    }
}

/// The keys of a mailbox, which `--set` mixes with those of a check.
pub const KEYS: &[&str] = &[
    "provider",
    "data_centre",
    "host",
    "address",
    "login",
    "password",
    "password_env",
    "password_file",
    "oauth2",
    "smtp",
    "imap",
    "pop3",
    "watch",
    "clean_sent",
    "receive",
];

/// Reads one mailbox; `None` when anything was wrong. `name` is the name it has already.
pub fn read(section: &mut Section<'_>, name: &str) -> Option<MailboxConfig> {
    let preset = Preset::read(section);
    let mut habits = preset.as_ref().map(Preset::habits).unwrap_or_default();
    section.require("address");
    let address = section.mail_address("address");
    let login = section.text("login").or_else(|| address.clone());
    let password = password::read(section);
    let tokens = oauth2::read(section, login.as_deref(), preset.as_ref());
    if tokens.is_some() && !matches!(password, Password::Absent) {
        section.mistake("oauth2", "sign in by password or by oauth2, not by both".to_owned());
    }
    let account = Account { login, password, tokens, preset };
    habits.clean_sent = section.flag("clean_sent", habits.clean_sent);
    let (smtp, hello) = match server_table(section, Protocol::Smtp, &account) {
        Some(mut table) => {
            let hello = table.hello("hello");
            (server::read(table, Protocol::Smtp, &account), hello)
        }
        None => (None, None),
    };
    let (reading, junk_folder) = reading(section, &account);
    let receives = section.flag("receive", false);
    if receives && reading.as_ref().is_some_and(|(inbox, _)| matches!(inbox, Inbox::Pop3(..))) {
        let words = "mail of other agents is watched by IMAP: give the mailbox an [imap] table";
        section.mistake("receive", words.to_owned());
    }
    if !section.is_clean() {
        return None;
    }
    let (inbox, beside) = reading?;
    let settings = MailboxSettings {
        name: name.to_owned(),
        address: address?,
        smtp: smtp?,
        inbox,
        beside,
        junk_folder,
        hello,
        habits,
        receives,
    };
    Some(MailboxConfig { settings, canonical: section.canonical() })
}

/// By what the mailbox is read: `[mailbox.imap]`, `[mailbox.pop3]`, or both; then `watch` says by which of
/// them a round trip sees its message arrive. The second is how it can be read as well.
fn reading(
    section: &mut Section<'_>,
    account: &Account,
) -> (Option<(Inbox, Option<Inbox>)>, Option<String>) {
    let by_pop3 = !section.has("imap") && section.has("pop3");
    let table = match by_pop3 {
        true => section.table("imap"),
        false => server_table(section, Protocol::Imap, account),
    };
    let (imap, junk_folder) = match table {
        Some(mut table) => {
            let junk_folder = table.text("junk_folder");
            (server::read(table, Protocol::Imap, account).map(Inbox::Imap), junk_folder)
        }
        None => (None, None),
    };
    let pop3 = section.table("pop3").and_then(|mut table| {
        let pace = session_pace(&mut table);
        server::read(table, Protocol::Pop3, account).map(|server| Inbox::Pop3(server, pace))
    });
    let by_pop3 = section.choice("watch", &[("imap", false), ("pop3", true)], by_pop3);
    section.record("watch", if by_pop3 { "pop3" } else { "imap" });
    let reading = match (imap, pop3, by_pop3) {
        (imap, Some(pop3), true) => Some((pop3, imap)),
        (Some(imap), pop3, false) => Some((imap, pop3)),
        (_, _, by_pop3) => {
            let table = if by_pop3 { "pop3" } else { "imap" };
            if section.is_clean() {
                section.mistake("watch", format!("watch names {table}, and there is no [{table}]"));
            }
            None
        }
    };
    (reading, junk_folder)
}

/// The table of a server that a mailbox must have; a provider may know all that would stand in it.
fn server_table<'a>(
    section: &mut Section<'a>,
    protocol: Protocol,
    account: &Account,
) -> Option<Section<'a>> {
    let key = if protocol == Protocol::Smtp { "smtp" } else { "imap" };
    match account.preset.as_ref().and_then(|preset| preset.server(protocol)) {
        Some(_) => Some(section.table_or_empty(key)),
        None => section.required_table(key),
    }
}

/// How often a mailbox may be looked into by POP3.
fn session_pace(table: &mut Section<'_>) -> SessionPace {
    let default = SessionPace::default();
    let bounds = Duration::from_millis(50)..=Duration::from_secs(600);
    let shortest = table.duration_within("poll", default.shortest, bounds);
    let per_minute = table.number("sessions_per_minute", default.per_minute, 2..=600);
    SessionPace { shortest, per_minute }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::mistake::Report;
    use crate::config::value::Table;

    /// What a mailbox with these keys comes to: by what it is watched and what else, or the mistakes.
    fn read_with(keys: &[&str]) -> String {
        let mut pairs = vec!["address=probe@good.test", "password=hunter2", "smtp.host=a"];
        pairs.extend(keys);
        let (table, _) = Table::of_settings(pairs);
        let report = Report::default();
        let mut section = Section::new(&table, &report, Path::new(""), "");
        let config = read(&mut section, "main");
        section.finish();
        let side = |inbox: &Inbox| match inbox {
            Inbox::Imap(server) => format!("imap:{}", server.port),
            Inbox::Pop3(server, pace) => {
                let (shortest, most) = (pace.shortest.as_millis(), pace.per_minute);
                format!("pop3:{} {shortest} ms {most}/min", server.port)
            }
        };
        match (report.into_result(), config) {
            (Ok(_), Some(MailboxConfig { settings, .. })) => {
                let beside = settings.beside.as_ref().map_or("nothing".to_owned(), side);
                format!("{} and {beside}", side(&settings.inbox))
            }
            (Err((mistakes, _)), _) => {
                let words: Vec<_> = mistakes.0.iter().map(|m| m.message.clone()).collect();
                words.join("; ")
            }
            (Ok(_), None) => "neither".to_owned(),
        }
    }

    #[test]
    fn a_mailbox_is_read_by_imap_or_pop3() {
        let (imap, pop3) = ("imap.host=b", "pop3.host=c");
        for (keys, expected) in [
            (vec![imap], "imap:993 and nothing"),
            (vec![pop3], "pop3:995 250 ms 30/min and nothing"),
            (
                vec![pop3, "pop3.tls=starttls", "pop3.poll=2s"],
                "pop3:110 2000 ms 30/min and nothing",
            ),
            (vec![imap, pop3], "imap:993 and pop3:995 250 ms 30/min"),
            (
                vec![imap, pop3, "watch=pop3", "pop3.sessions_per_minute=6"],
                "pop3:995 250 ms 6/min and imap:993",
            ),
            (vec![imap, "watch=pop3"], "watch names pop3, and there is no [pop3]"),
            (vec![pop3, "watch=imap"], "watch names imap, and there is no [imap]"),
            (vec![], "imap.host is missing: add --set imap.host=…"),
            (vec![pop3, "pop3.poll=1ms"], "must be from \"50ms\" to \"10m\""),
        ] {
            assert_eq!(read_with(&keys), expected, "{keys:?}");
        }
    }
}
