//! Monthly reports that are kept and that were mailed: records, so that a month is told once and the same for ever. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What became of a monthly report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportAction {
    /// A month's figures were written to a file, which says the same for ever.
    Kept {
        /// `2026-10`.
        month: String,
        /// SHA-256 of the file, hexadecimal.
        digest: String,
    },
    /// A relay took a report.
    Mailed {
        /// Its name in the configuration.
        report: String,
        /// `2026-10`.
        month: String,
        /// The mail's Message-ID.
        id: String,
        /// What it said.
        said: String,
    },
}

impl ReportAction {
    /// What was done, for the audit log.
    pub fn words(&self) -> String {
        match self {
            Self::Kept { month, .. } => format!("kept the report of {month}"),
            Self::Mailed { report, month, .. } => format!("mailed the report {report} of {month}"),
        }
    }
}

/// All that became of reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reports {
    kept: BTreeMap<String, String>,
    mailed: BTreeSet<(String, String)>,
}

impl Reports {
    /// Takes in what became of one.
    pub fn apply(&mut self, action: &ReportAction) {
        match action {
            ReportAction::Kept { month, digest } => {
                self.kept.insert(month.clone(), digest.clone());
            }
            ReportAction::Mailed { report, month, .. } => {
                self.mailed.insert((report.clone(), month.clone()));
            }
        }
    }

    /// The digest of a month's file, if it is kept.
    pub fn kept(&self, month: &str) -> Option<&str> {
        self.kept.get(month).map(String::as_str)
    }

    /// Whether nothing is to be done any more about a report of a month.
    pub fn is_settled(&self, report: &str, month: &str) -> bool {
        self.mailed.contains(&(report.to_owned(), month.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_and_what_is_settled() {
        let mut reports = Reports::default();
        let kept = ReportAction::Kept { month: "2026-10".into(), digest: "ab".into() };
        let mailed = ReportAction::Mailed {
            report: "board".into(),
            month: "2026-10".into(),
            id: "<a@b>".into(),
            said: "250 ok".into(),
        };
        [&kept, &mailed].into_iter().for_each(|action| reports.apply(action));
        assert_eq!((reports.kept("2026-10"), reports.kept("2026-09")), (Some("ab"), None));
        assert!(reports.is_settled("board", "2026-10") && !reports.is_settled("board", "2026-09"));
        assert_eq!(mailed.words(), "mailed the report board of 2026-10");
        assert_eq!(kept.words(), "kept the report of 2026-10");
    }
}
