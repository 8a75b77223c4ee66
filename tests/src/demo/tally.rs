//! What the collector has of each agent, counted for the demo's table.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, Table};

/// One observation, as the demo needs it.
pub(crate) struct Seen {
    pub(crate) agent: String,
    /// It tells more about an earlier run: a late message, say.
    pub(crate) is_amendment: bool,
    pub(crate) verdict: String,
    pub(crate) total_us: u64,
    /// In words, when it is not a pass.
    pub(crate) trouble: Option<String>,
}

/// The counts of all agents.
pub(crate) struct Tallies(Vec<Tally>);

#[derive(Default)]
struct Tally {
    name: String,
    pass: u64,
    fail: u64,
    void: u64,
    /// Of the passing round trips, sorted.
    totals_us: Vec<u64>,
    last_us: Option<u64>,
    trouble: String,
}

impl Tallies {
    pub(crate) fn new(agents: &[&str]) -> Self {
        let tally = |name: &&str| Tally { name: (*name).to_owned(), ..Tally::default() };
        Self(agents.iter().map(tally).collect())
    }

    /// Counts one more.
    pub(crate) fn add(&mut self, seen: Seen) {
        let Some(tally) = self.0.iter_mut().find(|tally| tally.name == seen.agent) else {
            return;
        };
        if let Some(trouble) = seen.trouble {
            tally.trouble = trouble;
        }
        if seen.is_amendment {
            return;
        }
        match seen.verdict.as_str() {
            "pass" => {
                tally.pass += 1;
                tally.last_us = Some(seen.total_us);
                let at = tally.totals_us.partition_point(|&total| total < seen.total_us);
                tally.totals_us.insert(at, seen.total_us);
            }
            "fail" => tally.fail += 1,
            _ => tally.void += 1,
        }
    }

    pub(crate) fn each_has(&self, round_trips: u64) -> bool {
        self.0.iter().all(|tally| tally.pass + tally.fail >= round_trips)
    }

    /// For people, redrawn as it grows.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(UTF8_HORIZONTAL_ONLY);
        table.set_header([
            "vantage point",
            "round trips",
            "pass",
            "fail",
            "void",
            "last",
            "p50",
            "p95",
            "last trouble",
        ]);
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        for tally in &self.0 {
            let round_trips = tally.pass + tally.fail + tally.void;
            let counts = [round_trips, tally.pass, tally.fail, tally.void];
            let times = [tally.last_us, tally.quantile_us(50), tally.quantile_us(95)];
            let mut row = vec![Cell::new(&tally.name)];
            row.extend(counts.map(|count| right(count.to_string())));
            row.extend(times.map(|us| right(us.map_or_else(|| "–".to_owned(), milliseconds))));
            row.push(Cell::new(&tally.trouble));
            table.add_row(row);
        }
        format!("{table}\n")
    }

    /// What it comes to, in a sentence or two.
    pub(crate) fn sentence(&self) -> String {
        let (mut all, mut pass) = (0, 0);
        for tally in &self.0 {
            all += tally.pass + tally.fail + tally.void;
            pass += tally.pass;
        }
        let mut text = format!("{pass} of {all} round trips came back as they should");
        if let Some(worst) = self.0.iter().max_by_key(|tally| tally.fail).filter(|t| t.fail > 0) {
            write!(text, "; {}'s mail server is flaky on purpose", worst.name).ok();
        }
        text.push_str(".\n");
        text
    }

    /// `{"agents": [{"name", "round_trips", "pass", "fail", "void", "p50_us", "p95_us"}]}`
    pub(crate) fn json(&self) -> serde_json::Value {
        let agent = |tally: &Tally| {
            serde_json::json!({
                "name": tally.name,
                "round_trips": tally.pass + tally.fail + tally.void,
                "pass": tally.pass,
                "fail": tally.fail,
                "void": tally.void,
                "p50_us": tally.quantile_us(50),
                "p95_us": tally.quantile_us(95),
            })
        };
        serde_json::json!({ "agents": self.0.iter().map(agent).collect::<Vec<_>>() })
    }
}

impl Tally {
    /// The smallest time that so many percent of the passing round trips did not exceed.
    fn quantile_us(&self, percent: usize) -> Option<u64> {
        let rank = (self.totals_us.len() * percent).div_ceil(100).max(1);
        self.totals_us.get(rank - 1).copied()
    }
}

fn milliseconds(us: u64) -> String {
    format!("{}.{} ms", us / 1_000, us % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_passing_ones_by_nearest_rank() {
        let mut tallies = Tallies::new(&["hq"]);
        for total_us in (1..=20).rev() {
            let verdict = if total_us > 10 { "fail" } else { "pass" }.to_owned();
            let agent = "hq".into();
            let seen = Seen {
                agent,
                is_amendment: false,
                verdict,
                total_us: total_us * 1_000,
                trouble: None,
            };
            tallies.add(seen);
        }
        assert_eq!(
            tallies.json().to_string(),
            r#"{"agents":[{"fail":10,"name":"hq","p50_us":5000,"p95_us":10000,"pass":10,"round_trips":20,"void":0}]}"#
        );
        assert!(tallies.each_has(20) && !tallies.each_has(21));
    }
}
