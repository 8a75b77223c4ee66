//! The timeline of an incident as people read it: what the same thing says of many places is one line.
//!
//! Nothing is left out without being counted, and what people did stands alone, as they said it.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::incident::Entry;

/// What comes within this of a line's first entry may join it.
const TOGETHER: SignedDuration = SignedDuration::from_secs(60);
/// Words of one line that are told.
const MOST_WORDS: usize = 3;

/// One line of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// When; of several entries the first.
    pub at: Timestamp,
    /// One word, as in [`Entry::what`].
    pub what: String,
    /// What is said, one sentence each; may be empty.
    pub words: Vec<String>,
    /// How many more say the like.
    pub more: usize,
    /// Who, where somebody did it.
    pub by: Option<String>,
}

/// The lines of a timeline, in its order.
pub fn folded<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for entry in entries {
        match joins(&lines, entry).and_then(|at| lines.get_mut(at)) {
            Some(line) if line.words.contains(&entry.words) => line.more += 1,
            Some(line) if line.words.len() < MOST_WORDS => {
                let words = shortened(&line.words, &entry.words);
                line.words.push(words);
            }
            Some(line) => line.more += 1,
            None => lines.push(Line {
                at: entry.at,
                what: entry.what.clone(),
                words: Some(entry.words.clone()).into_iter().filter(|it| !it.is_empty()).collect(),
                more: 0,
                by: entry.by.clone(),
            }),
        }
    }
    lines
}

/// The line that an entry is like, as long as nothing between them turned the matter.
fn joins(lines: &[Line], entry: &Entry) -> Option<usize> {
    if entry.by.is_some() {
        return None;
    }
    let is_near = |line: &&(usize, &Line)| {
        line.1.by.is_none() && entry.at.duration_since(line.1.at) <= TOGETHER
    };
    let newest_first = lines.iter().enumerate().rev();
    let near = newest_first.take_while(|line| is_near(&line));
    let mut same_sense = near.take_while(|(_, line)| sense(&line.what) != -sense(&entry.what));
    same_sense.find(|(_, line)| line.what == entry.what).map(|(at, _)| at)
}

/// What is said, without what the line has said already: `mail fails from b: refused` after the same of a.
fn shortened(said: &[String], words: &str) -> String {
    let Some((head, tail)) = words.split_once(": ") else { return words.to_owned() };
    let is_said = said.iter().any(|it| it.split_once(": ").is_some_and(|(_, its)| its == tail));
    if is_said { format!("{head} too") } else { words.to_owned() }
}

/// 1: it gets better; -1: it gets worse; 2: neither, and it turns nothing.
fn sense(what: &str) -> i8 {
    match what {
        "passes" | "resolved" | "verified" | "heard" => 1,
        "fails" | "fails again" | "came back" | "silent" => -1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(second: i64, what: &str, words: &str, by: Option<&str>) -> Entry {
        Entry {
            at: Timestamp::from_second(second).unwrap(),
            what: what.into(),
            words: words.into(),
            by: by.map(str::to_owned),
        }
    }

    fn told(entries: &[Entry]) -> Vec<String> {
        let lines = folded(entries).into_iter().map(|line| {
            let Line { at, what, words, more, .. } = line;
            format!("{} {what}: {} +{more}", at.as_second(), words.join("; "))
        });
        lines.collect()
    }

    #[test]
    fn what_says_the_same_of_many_places_is_one_line() {
        let mut entries = vec![entry(0, "opened", "again", None)];
        for second in 1..=6 {
            entries.push(entry(second, "fails", &format!("from {second}"), None));
            entries.push(entry(second, "scope", &format!("{second} sites"), None));
        }
        let both = [entry(0, "fails", "a: no", None), entry(1, "fails", "b: no", None)];
        assert_eq!(told(&both), ["0 fails: a: no; b too +0"]);
        assert_eq!(
            told(&entries),
            [
                "0 opened: again +0",
                "1 fails: from 1; from 2; from 3 +3",
                "1 scope: 1 sites; 2 sites; 3 sites +3"
            ]
        );
    }

    #[test]
    fn what_turns_it_and_what_people_do_stands_alone() {
        let entries = [
            entry(0, "fails", "a", None),
            entry(1, "passes", "a", None),
            entry(2, "fails again", "a", None),
            entry(3, "passes", "a", None),
            entry(4, "noted", "on it", Some("ann")),
            entry(5, "noted", "still on it", Some("ann")),
            entry(6, "passes", "b", None),
            entry(90, "passes", "c", None),
        ];
        assert_eq!(
            told(&entries),
            [
                "0 fails: a +0",
                "1 passes: a +0",
                "2 fails again: a +0",
                "3 passes: a +0",
                "4 noted: on it +0",
                "5 noted: still on it +0",
                "6 passes: b +0",
                "90 passes: c +0"
            ]
        );
    }
}
