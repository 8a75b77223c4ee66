//! What was said on the wire, with direction and time, secrets left out.
//!
//! A transcript is bounded: the first 8 KiB and the last 8 KiB of what was said, with a line that says
//! how much is missing between them. Whoever writes into it says when a line is secret; besides, every
//! known secret is struck out wherever it turns up, also when a server repeats it.

use std::collections::VecDeque;
use std::fmt::Write;

use mailsonde_proto::time::{Clock, Instant};

use crate::secret::Secret;
use crate::stopwatch::us;

/// Bytes kept of the beginning, and as many of the end.
const HALF: usize = 8 * 1024;
/// Bytes kept of one line.
const LINE: usize = 400;
/// Shorter secrets are not struck out by their text: they would turn up by chance.
const SHORTEST_SECRET: usize = 4;

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The agent.
    Client,
    /// The server.
    Server,
    /// Nobody: a note of the agent's own.
    Note,
}

/// A bounded record of one conversation.
#[derive(Clone, Debug)]
pub struct Transcript {
    clock: Clock,
    start: Instant,
    secrets: Vec<Secret>,
    head: String,
    tail: VecDeque<String>,
    tail_bytes: usize,
    left_out: u64,
}

impl Transcript {
    /// An empty one that starts now; `secrets` never appear in it.
    pub fn start(clock: Clock, secrets: Vec<Secret>) -> Self {
        Self {
            clock,
            start: clock.monotonic(),
            secrets,
            head: String::new(),
            tail: VecDeque::new(),
            tail_bytes: 0,
            left_out: 0,
        }
    }

    /// From now on this does not appear in it either.
    pub fn hide(&mut self, secret: Secret) {
        self.secrets.push(secret);
    }

    /// Writes down what was said; several lines may come at once.
    pub fn say(&mut self, direction: Direction, text: &str) {
        for line in text.split('\n') {
            let line = line.trim_end_matches('\r');
            if !line.is_empty() {
                self.line(direction, line);
            }
        }
    }

    /// Writes down bytes that may be anything.
    pub fn say_bytes(&mut self, direction: Direction, bytes: &[u8]) {
        self.say(direction, &String::from_utf8_lossy(bytes));
    }

    /// A text with every known secret struck out.
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.secrets.iter().map(Secret::expose) {
            if secret.len() >= SHORTEST_SECRET && text.contains(secret) {
                text = text.replace(secret, "(secret)");
            }
        }
        text
    }

    /// All of it, oldest first.
    pub fn text(&self) -> String {
        let mut text = self.head.clone();
        if self.left_out > 0 {
            text.push_str(&format!("      … {} lines left out\n", self.left_out));
        }
        text.extend(self.tail.iter().map(String::as_str));
        text
    }

    fn line(&mut self, direction: Direction, line: &str) {
        let mark = match direction {
            Direction::Client => "C:",
            Direction::Server => "S:",
            Direction::Note => "--",
        };
        let at_us = us(self.start, self.clock.monotonic());
        let mut said = self.redact(line);
        said.retain(|c| !c.is_control());
        if said.len() > LINE {
            let cut = (0..=LINE).rev().find(|i| said.is_char_boundary(*i)).unwrap_or(0);
            said.truncate(cut);
            said.push('…');
        }
        let mut entry = String::with_capacity(said.len() + 16);
        // Writing into a String cannot fail.
        let _written = writeln!(entry, "{:>6}.{:03} {mark} {said}", at_us / 1_000, at_us % 1_000);
        if self.tail.is_empty() && self.head.len() + entry.len() <= HALF {
            self.head.push_str(&entry);
            return;
        }
        self.tail_bytes += entry.len();
        self.tail.push_back(entry);
        while self.tail_bytes > HALF {
            let Some(dropped) = self.tail.pop_front() else { break };
            self.tail_bytes -= dropped.len();
            self.left_out += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript() -> Transcript {
        Transcript::start(Clock::system(), vec![Secret::new("hunter2".into())])
    }

    #[tokio::test(start_paused = true)]
    async fn lines_carry_time_and_direction() {
        let mut said = transcript();
        tokio::time::advance(std::time::Duration::from_micros(12_345)).await;
        said.say(Direction::Client, "EHLO a\r\n");
        said.say(Direction::Server, "250-b\r\n250 OK\r\n");
        insta::assert_snapshot!(said.text(), @r"
            12.345 C: EHLO a
            12.345 S: 250-b
            12.345 S: 250 OK
        ");
    }

    #[test]
    fn a_secret_that_the_server_repeats_is_struck_out() {
        let mut said = transcript();
        said.say(Direction::Server, "535 hunter2 is not the password");
        assert!(!said.text().contains("hunter2"), "{}", said.text());
        assert!(said.text().contains("(secret) is not"));
    }

    #[test]
    fn it_keeps_head_and_tail_within_its_bound() {
        let mut said = transcript();
        for i in 0..10_000 {
            said.say(Direction::Server, &format!("line {i} {}", "ä".repeat(900)));
        }
        let text = said.text();
        assert!(text.len() <= 2 * HALF + 100, "{}", text.len());
        assert!(
            text.contains("line 0 ") && text.contains("line 9999 ") && text.contains("left out")
        );
    }
}
