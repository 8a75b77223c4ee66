//! Facts of no incident, to try templates on: one with everything that there may be, one with as little as can be.

use super::Facts;
use super::changed::Change;
use crate::judge::diagnosis::Sentence;

impl Facts {
    /// Everything, and as little as can be; while it lasts, and once it is over.
    pub(super) fn made_up() -> Vec<Self> {
        let all = [(false, false), (true, false), (true, true)];
        all.into_iter()
            .flat_map(|(is_mended, is_over)| {
                [Self::full(), Self::bare()].map(|facts| Self { is_mended, is_over, ..facts })
            })
            .collect()
    }

    fn full() -> Self {
        let text = str::to_owned;
        Self {
            number: 7,
            severity: "major",
            weight: "serious",
            state: "acknowledged",
            is_acknowledged: true,
            is_mended: false,
            is_over: false,
            what: text("Mail"),
            clause: text("Mail does not work"),
            clause_since: text("Mail has not worked"),
            clause_past: text("Mail did not work"),
            back: text("Mail works again"),
            for_whom: text("at any site"),
            users: 120,
            effect: "Signing in to mail fails.",
            since: text("14:02"),
            lasted: text("34 min"),
            works_since: text("14:36"),
            expected: text("When it will work again is not known yet."),
            changed: vec![Change { at: text("14:05"), words: text("somebody has taken it on") }],
            told: text("14:04"),
            instead: vec![text("call the service desk")],
            next: text("14:40"),
            time_zone: text("UTC"),
            headline: text("mail: auth: permanent"),
            known: vec![Sentence { words: text("it fails"), evidence: vec![text("535 5.7.8")] }],
            next_steps: vec![text("look at the log")],
            owners: vec![text("mail team")],
        }
    }

    fn bare() -> Self {
        let text = String::new;
        Self {
            is_acknowledged: false,
            users: 0,
            works_since: text(),
            changed: Vec::new(),
            told: text(),
            instead: Vec::new(),
            next: text(),
            known: Vec::new(),
            next_steps: Vec::new(),
            owners: Vec::new(),
            ..Self::full()
        }
    }
}
