//! A server's reply (RFC 5321 section 4.2): code, enhanced code, and its own words.

use lettre::transport::smtp::response::Response;
use mailsonde_proto::{EnhancedCode, FaultClass};

use super::explain;
use crate::mail::failure::Failure;
use crate::mail::wire::{LONGEST_RESPONSE, Wire, WireError};

/// One reply, in the phase in which it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    phase: &'static str,
    code: u16,
    lines: Vec<String>,
}

impl Reply {
    pub(in crate::mail) fn new(phase: &'static str, code: u16, lines: Vec<String>) -> Self {
        Self { phase, code, lines }
    }

    /// Reads a whole reply; `None` when it is none.
    pub fn parse(phase: &'static str, whole: &str) -> Option<Self> {
        let (code, lines) = parse(whole)?;
        Some(Self { phase, code, lines })
    }

    /// The basic code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// Its lines without the codes.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Its lines as one text.
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }

    /// Itself, when it is positive.
    ///
    /// # Errors
    /// The fault that it is otherwise; `what` the server refused.
    pub fn expect_2xx(self, what: &str) -> Result<Self, Failure> {
        if (200..300).contains(&self.code) { Ok(self) } else { Err(self.fault(what)) }
    }

    /// The fault that a negative reply is.
    pub fn fault(&self, what: &str) -> Failure {
        let class = match self.code {
            400..=499 => FaultClass::Temporary,
            500..=599 => FaultClass::Permanent,
            _ => FaultClass::Protocol,
        };
        let text = self.text();
        let enhanced = EnhancedCode::at_start_of(&text);
        let words = explain::words(what, self.code, enhanced, &text);
        Failure::new(self.phase, class, words).with_reply(Some(self.code), enhanced, text)
    }
}

/// Reads one reply, of one or more lines.
pub(super) async fn read(wire: &mut Wire) -> Result<(u16, Vec<String>), WireError> {
    let mut whole = String::new();
    loop {
        let line = wire.line().await?;
        whole.push_str(&line);
        // A code alone is a line too, if not a good one (RFC 5321 section 4.2.1).
        if line.len() == 3 {
            whole.push(' ');
        }
        whole.push_str("\r\n");
        if whole.len() > LONGEST_RESPONSE {
            return Err(WireError::ResponseTooLong { limit: LONGEST_RESPONSE });
        }
        let is_numbered = line.bytes().take(3).filter(u8::is_ascii_digit).count() == 3;
        if !is_numbered || line.as_bytes().get(3) != Some(&b'-') {
            return parse(&whole).ok_or_else(|| WireError::NotTheProtocol { said: begin(&line) });
        }
    }
}

pub(super) fn parse(whole: &str) -> Option<(u16, Vec<String>)> {
    let response: Response = whole.parse().ok()?;
    Some((response.code().into(), response.message().map(str::to_owned).collect()))
}

fn begin(line: &str) -> String {
    line.chars().take(80).filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn replies() {
        for (text, expected) in [
            ("250 OK\r\n", Some((250, vec!["OK"]))),
            ("250-a\r\n250-b c\r\n250 d\r\n", Some((250, vec!["a", "b c", "d"]))),
            ("354 \r\n", Some((354, vec![""]))),
            ("250-a\r\n550 b\r\n", None),
            ("950 a\r\n", None),
            ("SSH-2.0-OpenSSH\r\n", None),
            ("", None),
        ] {
            let expected = expected
                .map(|(code, lines)| (code, lines.into_iter().map(str::to_owned).collect()));
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_text_panics(text in ".{0,200}") {
            for text in [text.clone(), format!("550-{text}\r\n550 {text}\r\n")] {
                if let Some(reply) = Reply::parse("greeting", &text) {
                    let _fault = reply.fault("session");
                }
            }
        }
    }
}
