//! Reads the files: row by row, so that every mistake has its line.

use std::collections::HashMap;
use std::str::FromStr;

use csv::{ReaderBuilder, StringRecord, Trim};
use jiff::Timestamp;

use super::wrong_in;
use crate::judge::feedback::{FeedbackAction, SurveyAnswer, Ticket};

/// A line, from 1, and what is wrong in it.
type Mistakes = Vec<(u64, String)>;

/// Survey answers of a file.
pub(super) fn answers(bytes: &[u8], now: Timestamp) -> Result<Vec<SurveyAnswer>, Mistakes> {
    rows(bytes, (&["id", "at", "score"], &["service"]), |row| {
        let answer = SurveyAnswer {
            id: row.text("id")?,
            at: row.time("at")?,
            score: row.read("score", "a whole number from 1 to 5")?,
            service: row.maybe("service"),
        };
        row.checked(&FeedbackAction::Answers(vec![answer.clone()]), now)?;
        Ok(answer)
    })
}

/// Tickets of a file.
pub(super) fn tickets(bytes: &[u8], now: Timestamp) -> Result<Vec<Ticket>, Mistakes> {
    rows(bytes, (&["id", "opened_at"], &["resolved_at", "service"]), |row| {
        let resolved_at = row.maybe("resolved_at").map(|_| row.time("resolved_at")).transpose()?;
        let ticket = Ticket {
            id: row.text("id")?,
            opened_at: row.time("opened_at")?,
            resolved_at,
            service: row.maybe("service"),
        };
        row.checked(&FeedbackAction::Tickets(vec![ticket.clone()]), now)?;
        Ok(ticket)
    })
}

struct Row<'r> {
    columns: &'r HashMap<String, usize>,
    record: &'r StringRecord,
}

fn rows<T>(
    bytes: &[u8],
    (needed, known): (&[&str], &[&str]),
    read: impl Fn(&Row<'_>) -> Result<T, String>,
) -> Result<Vec<T>, Mistakes> {
    // spreadsheets begin with a byte order mark
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let delimiter = delimiter(bytes);
    let mut reader = ReaderBuilder::new().delimiter(delimiter).trim(Trim::All).from_reader(bytes);
    let broken = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        (line, error.to_string())
    };
    let heads = reader.headers().map_err(|error| vec![broken(error)])?.clone();
    let columns: HashMap<String, usize> =
        heads.iter().enumerate().map(|(at, head)| (head.to_ascii_lowercase(), at)).collect();
    let mut mistakes = Mistakes::new();
    for name in needed.iter().filter(|name| !columns.contains_key(**name)) {
        mistakes.push((1, format!("the column {name} is missing")));
    }
    let all: Vec<&str> = needed.iter().chain(known).copied().collect();
    for head in heads.iter().filter(|head| !all.contains(&head.to_ascii_lowercase().as_str())) {
        mistakes
            .push((1, format!("the column {head:?} is not known: there is {}", all.join(", "))));
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let (mut found, mut ids) = (Vec::new(), HashMap::new());
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                mistakes.push(broken(error));
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let row = Row { columns: &columns, record: &record };
        match read(&row) {
            Ok(read) => found.push(read),
            Err(words) => mistakes.push((line, words)),
        }
        let id = row.get("id").to_owned();
        if let Some(first) = ids.insert(id.clone(), line).filter(|_| !id.is_empty()) {
            mistakes.push((line, format!("the id {id} stands in line {first} already")));
        }
    }
    if mistakes.is_empty() { Ok(found) } else { Err(mistakes) }
}

/// Where a decimal sign is a comma, spreadsheets put semicolons between columns; none of our columns' names has either.
fn delimiter(bytes: &[u8]) -> u8 {
    let heads = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    [b';', b'\t'].into_iter().find(|it| heads.contains(it)).unwrap_or(b',')
}

impl Row<'_> {
    fn get(&self, name: &str) -> &str {
        let at = self.columns.get(name);
        at.and_then(|at| self.record.get(*at)).unwrap_or_default()
    }

    fn maybe(&self, name: &str) -> Option<String> {
        Some(self.get(name)).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn text(&self, name: &str) -> Result<String, String> {
        self.maybe(name).ok_or_else(|| format!("{name} is empty"))
    }

    fn read<T: FromStr>(&self, name: &str, form: &str) -> Result<T, String> {
        let text = self.get(name);
        text.parse().ok().ok_or_else(|| format!("{name}: must be {form}, not {text:?}"))
    }

    fn time(&self, name: &str) -> Result<Timestamp, String> {
        self.read(name, "a time with its zone, such as 2026-10-05T14:03:00+02:00")
    }

    fn checked(&self, action: &FeedbackAction, now: Timestamp) -> Result<(), String> {
        let wrong = wrong_in(action, now);
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLES: [&str; 2] = [
        include_str!("../../../../deploy/examples/satisfaction.csv"),
        include_str!("../../../../deploy/examples/tickets.csv"),
    ];

    fn now() -> Timestamp {
        "2027-01-01T00:00:00Z".parse().unwrap()
    }

    fn told(wrong: Mistakes) -> String {
        wrong.iter().map(|(line, words)| format!("{line}: {words}\n")).collect()
    }

    #[test]
    fn the_examples_are_right() {
        let [satisfaction, of_tickets] = EXAMPLES;
        let read = answers(satisfaction.as_bytes(), now()).map_err(told).unwrap();
        assert!(read.len() >= 3 && read.iter().any(|answer| answer.service.is_some()));
        let read = tickets(of_tickets.as_bytes(), now()).map_err(told).unwrap();
        assert!(read.iter().any(|ticket| ticket.resolved_at.is_none()));
        let excel = format!("\u{feff}{}", satisfaction.replace('\n', "\r\n"));
        assert!(answers(excel.as_bytes(), now()).is_ok());
        for delimiter in [";", "\t"] {
            let elsewhere = excel.replace(',', delimiter);
            assert_eq!(
                answers(elsewhere.as_bytes(), now()).map_err(told).unwrap(),
                answers(satisfaction.as_bytes(), now()).map_err(told).unwrap()
            );
        }
    }

    #[test]
    fn every_mistake_has_its_line() {
        let file = "id,at,score\na,2026-10-05T14:03:00Z,5\na,yesterday,5\n,2026-10-05T14:03:00Z,5\nb,2027-10-05T14:03:00Z,9\nc,2026\n";
        insta::assert_snapshot!(told(answers(file.as_bytes(), now()).unwrap_err()), @r#"
        3: at: must be a time with its zone, such as 2026-10-05T14:03:00+02:00, not "yesterday"
        3: the id a stands in line 2 already
        4: id is empty
        5: b: a score is a whole number from 1 (very dissatisfied) to 5 (very satisfied), not 9; b: 2027-10-05T14:03:00Z is yet to come
        6: CSV error: record 5 (line: 6, byte: 100): found record with 2 fields, but the previous record has 3 fields
        "#);
        insta::assert_snapshot!(told(tickets(b"id,opened,who\n", now()).unwrap_err()), @r#"
        1: the column opened_at is missing
        1: the column "opened" is not known: there is id, opened_at, resolved_at, service
        1: the column "who" is not known: there is id, opened_at, resolved_at, service
        "#);
    }
}
