//! What a POP3 server says, line by line, as types (RFC 1939 section 3, RFC 2449, RFC 3206).

use mailsonde_proto::FaultClass;

use crate::mail::failure::Failure;
use crate::mail::wire::WireError;

/// The longest unique-id that is taken for one; RFC 1939 section 7 allows 70 characters.
const LONGEST_UNIQUE_ID: usize = 128;

/// A status line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `+OK`, and what follows it.
    Ok(String),
    /// `-ERR`, and what follows it.
    Err(String),
    /// `+`, and a challenge (RFC 5034 section 4).
    Challenge(String),
}

impl Reply {
    /// Reads a line; `None` when it is not a status.
    pub fn parse(line: &str) -> Option<Self> {
        let rest = |line: &str| line.trim_start_matches(' ').to_owned();
        let word = line.split(' ').next().unwrap_or_default();
        let after = line.get(word.len()..).unwrap_or_default();
        match word.to_ascii_uppercase().as_str() {
            "+OK" => Some(Self::Ok(rest(after))),
            "-ERR" => Some(Self::Err(rest(after))),
            "+" => Some(Self::Challenge(rest(after))),
            _ => None,
        }
    }
}

/// What STAT says: how many messages, and how many bytes (RFC 1939 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Messages.
    pub messages: u32,
    /// All of them, in bytes.
    pub bytes: u64,
}

impl Stat {
    /// Reads what follows `+OK`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        Some(Self { messages: decimal(words.next()?)?, bytes: decimal(words.next()?)? })
    }
}

/// Reads a line of LIST: a message's number and its size in bytes (RFC 1939 section 5).
pub fn size(line: &str) -> Option<(u32, u64)> {
    let mut words = line.split_ascii_whitespace();
    Some((decimal(words.next()?)?, decimal(words.next()?)?))
}

/// Reads a line of UIDL: a message's number and its unique-id (RFC 1939 section 7).
pub fn unique_id(line: &str) -> Option<(u32, String)> {
    let mut words = line.split_ascii_whitespace();
    let number = decimal(words.next()?)?;
    let id = words.next()?;
    let sound = id.len() <= LONGEST_UNIQUE_ID && id.bytes().all(|b| b.is_ascii_graphic());
    (sound && words.next().is_none()).then(|| (number, id.to_owned()))
}

/// What the server can do (RFC 2449), a line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(Option<Vec<String>>);

impl Capabilities {
    /// Those that were listed.
    pub fn listed(lines: Vec<String>) -> Self {
        Self(Some(lines))
    }

    /// Of a server that lists none, because it does not know CAPA.
    pub const fn unknown() -> Self {
        Self(None)
    }

    /// Whether the server told what it can do.
    pub const fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// The lines.
    pub fn lines(&self) -> &[String] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether this one is listed, whatever its parameters.
    pub fn has(&self, name: &str) -> bool {
        self.parameters(name).is_some()
    }

    /// Whether it is listed, or the server did not tell.
    pub fn may_have(&self, name: &str) -> bool {
        !self.is_known() || self.has(name)
    }

    /// The parameters of one that is listed, such as the mechanisms of `SASL`.
    pub fn parameters(&self, name: &str) -> Option<impl Iterator<Item = &str>> {
        let is_it = |line: &&String| {
            line.split_ascii_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(name))
        };
        self.lines().iter().find(is_it).map(|line| line.split_ascii_whitespace().skip(1))
    }
}

/// The failure that `-ERR` is, in words of its code. `what` the server refused.
pub(super) fn refused(phase: &str, what: &str, text: &str) -> Failure {
    let code = text.strip_prefix('[').and_then(|rest| rest.split(']').next()).unwrap_or_default();
    let (class, meaning) = match code.to_ascii_uppercase().as_str() {
        // RFC 2449 section 8.1.1
        "IN-USE" => (FaultClass::Temporary, "another session has the mailbox open"),
        "LOGIN-DELAY" => (
            FaultClass::Temporary,
            "it lets nobody in so soon after the last time: look less often",
        ),
        // RFC 3206
        "SYS/TEMP" => (FaultClass::Temporary, "something there does not work just now"),
        "SYS/PERM" => (FaultClass::Permanent, "something there is broken and will stay so"),
        "AUTH" => (FaultClass::Permanent, "wrong login or password"),
        _ if what == SIGN_IN => (FaultClass::Permanent, "wrong login or password, most likely"),
        _ => (FaultClass::Permanent, "it says no"),
    };
    let words = format!("the server refused the {what}: {meaning}");
    Failure::new(phase, class, words).with_reply(None, None, text.to_owned())
}

/// What a sign-in is called in failures.
pub(super) const SIGN_IN: &str = "sign-in";

/// Something that is not POP3.
pub(super) fn not_pop3(line: &str) -> WireError {
    let said = line.chars().take(80).filter(|c| !c.is_control()).collect();
    WireError::NotTheProtocol { said }
}

fn decimal<N: std::str::FromStr>(word: &str) -> Option<N> {
    // `parse` would take a sign.
    if word.bytes().all(|b| b.is_ascii_digit()) { word.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_read() {
        let ok = |text: &str| Some(Reply::Ok(text.to_owned()));
        for (line, expected) in [
            ("+OK", ok("")),
            ("+OK 2 320", ok("2 320")),
            ("+ok dovecot ready", ok("dovecot ready")),
            ("-ERR [IN-USE] locked", Some(Reply::Err("[IN-USE] locked".to_owned()))),
            ("+ ", Some(Reply::Challenge(String::new()))),
            ("+ VXNlcm5hbWU6", Some(Reply::Challenge("VXNlcm5hbWU6".to_owned()))),
            ("+", Some(Reply::Challenge(String::new()))),
            ("* OK imap", None),
            ("220 smtp", None),
            ("+OKAY", None),
            ("", None),
        ] {
            assert_eq!(Reply::parse(line), expected, "{line}");
        }
        assert_eq!(Stat::parse("2 320"), Some(Stat { messages: 2, bytes: 320 }));
        assert_eq!(Stat::parse("2 320 more"), Some(Stat { messages: 2, bytes: 320 }));
        for line in ["", "2", "-1 3", "+1 3", "99999999999 1", "a b"] {
            assert_eq!(Stat::parse(line), None, "{line}");
        }
        assert_eq!(size("1 120"), Some((1, 120)));
        assert_eq!(
            unique_id("1 whqtswO00WBw418f9t5JxYwZ"),
            Some((1, "whqtswO00WBw418f9t5JxYwZ".into()))
        );
        for line in ["1", "1 a b", "x a", "1 \u{e9}", &format!("1 {}", "x".repeat(129))] {
            assert_eq!(unique_id(line), None, "{line}");
        }
    }

    #[test]
    fn capabilities_are_found_whatever_their_case_and_parameters() {
        let lines = ["sasl PLAIN login", "STLS", "LOGIN-DELAY 10 USER"].map(str::to_owned);
        let able = Capabilities::listed(lines.to_vec());
        assert_eq!(able.parameters("SASL").unwrap().collect::<Vec<_>>(), ["PLAIN", "login"]);
        assert!(able.has("stls") && !able.has("TOP") && !able.may_have("TOP"));
        assert!(!Capabilities::unknown().has("TOP") && Capabilities::unknown().may_have("TOP"));
    }

    #[test]
    fn refusals_are_told_apart_by_their_codes() {
        for (text, expected) in [
            (
                "[IN-USE] x",
                "auth: temporary: the server refused the sign-in: another session has the mailbox open",
            ),
            (
                "[AUTH] x",
                "auth: permanent: the server refused the sign-in: wrong login or password",
            ),
            (
                "[sys/temp] x",
                "auth: temporary: the server refused the sign-in: something there does not work just now",
            ),
            (
                "x",
                "auth: permanent: the server refused the sign-in: wrong login or password, most likely",
            ),
        ] {
            assert_eq!(refused("auth", SIGN_IN, text).fault.to_string(), expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_line_panics_or_exceeds_the_bounds(line in "[ -~\\PC\r\t]{0,200}") {
            let _reply = Reply::parse(&line);
            let _stat = Stat::parse(&line);
            let _size = size(&line);
            if let Some((_, id)) = unique_id(&line) {
                prop_assert!(!id.is_empty() && id.len() <= LONGEST_UNIQUE_ID);
            }
            let able = Capabilities::listed(vec![line.clone()]);
            let _mechanisms = able.parameters("SASL").map(Iterator::count);
            let refusal = refused("auth", SIGN_IN, &line);
            prop_assert_eq!(refusal.fault.reply, line);
        }

        #[test]
        fn what_servers_write_reads_back(number in any::<u32>(), bytes in any::<u64>(), id in "[!-~]{1,70}") {
            let (list, uidl) = (format!("{number} {bytes}"), format!("{number} {id}"));
            prop_assert_eq!(size(&list), Some((number, bytes)));
            prop_assert_eq!(Stat::parse(&list), Some(Stat { messages: number, bytes }));
            prop_assert_eq!(unique_id(&uidl), Some((number, id)));
        }
    }
}
