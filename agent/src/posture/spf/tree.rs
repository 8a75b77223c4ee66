//! The terms of an evaluation as a tree, with what each cost.

use std::fmt::Write;

/// Bytes of a tree that is shown: what a fact takes.
const MOST_BYTES: usize = 8 * 1024;
/// Room for the words that say how much was left out.
const LAST_LINE: usize = 64;

/// One term, or the record at the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The term as it stands in the record; the domain at the root.
    pub term: String,
    /// What came of it, such as `no match`.
    pub said: String,
    /// Terms that look something up, this one and those below it (RFC 7208 section 4.6.4).
    pub lookups: u32,
    /// Questions of this term and of those below it that had no answer.
    pub voids: u32,
    /// The terms of the record that this one led to.
    pub below: Vec<Node>,
}

impl Node {
    /// A term that nobody has looked at yet.
    pub fn new(term: impl Into<String>) -> Self {
        Self { term: term.into(), ..Self::default() }
    }

    /// The tree as indented lines, at most 8 KiB of them:
    ///
    /// ```text
    /// example.org: pass [3 look-ups]
    ///   include:_spf.example.net: no match [2 look-ups, 1 void]
    ///     a:gone.example.net: no match [1 look-up, 1 void]
    /// ```
    pub fn render(&self) -> String {
        let mut lines = Vec::new();
        self.lines(0, &mut lines);
        let mut text = String::new();
        let count = lines.len();
        for (told, line) in lines.into_iter().enumerate() {
            if text.len() + line.len() + 1 > MOST_BYTES - LAST_LINE {
                // A full text still has the room that was kept for this line.
                text.push_str(&format!("… and {} more terms", count - told));
                return text;
            }
            text.push_str(&line);
            text.push('\n');
        }
        text.truncate(text.trim_end().len());
        text
    }

    fn lines(&self, depth: usize, lines: &mut Vec<String>) {
        let mut line = format!("{:indent$}{}", "", self.term, indent = depth * 2);
        if !self.said.is_empty() {
            line = format!("{line}: {}", self.said);
        }
        let voids = if self.voids > 0 { format!(", {} void", self.voids) } else { String::new() };
        if self.lookups > 0 || self.voids > 0 {
            let noun = if self.lookups == 1 { "look-up" } else { "look-ups" };
            // Writing to a string cannot fail.
            let written = write!(line, " [{} {noun}{voids}]", self.lookups);
            debug_assert!(written.is_ok());
        }
        lines.push(line);
        for node in &self.below {
            node.lines(depth + 1, lines);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_reads_like_one() {
        let a = Node { said: "no match".into(), lookups: 1, voids: 1, ..Node::new("a:gone.b.c") };
        let include = Node { lookups: 2, voids: 1, below: vec![a], ..Node::new("include:b.c") };
        let root = Node {
            said: "fail".into(),
            lookups: 2,
            voids: 1,
            below: vec![include, Node { said: "match".into(), ..Node::new("-all") }],
            ..Node::new("example.org")
        };
        assert_eq!(
            root.render(),
            "example.org: fail [2 look-ups, 1 void]\n  include:b.c [2 look-ups, 1 void]\n    \
             a:gone.b.c: no match [1 look-up, 1 void]\n  -all: match"
        );
    }

    #[test]
    fn a_huge_tree_says_what_it_leaves_out() {
        let below = (0..1_000).map(|n| Node::new(format!("ip4:192.0.2.{n}"))).collect();
        let text = Node { below, ..Node::new("example.org") }.render();
        assert!(text.len() <= MOST_BYTES, "{}", text.len());
        assert!(text.ends_with(" more terms"), "{text}");
    }
}
