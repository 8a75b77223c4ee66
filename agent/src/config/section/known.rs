//! Which keys may stand in a section, and what is said of those that may not.

use std::collections::BTreeSet;

use super::Section;
use crate::config::spelling::{listed, nearest};

impl Section<'_> {
    /// The keys that were asked for; for tests.
    #[cfg(test)]
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.iter().cloned().collect()
    }

    /// What else may stand here, whether somebody asks for it or not: `tls`, or `oauth2.grant` for a table.
    pub fn offer<'k>(&mut self, keys: impl IntoIterator<Item = &'k str>) {
        let first = |key: &str| key.split('.').next().unwrap_or(key).to_owned();
        self.offered.extend(keys.into_iter().map(first));
    }

    /// Reports a key that means something only beside another setting, such as `tls = true`.
    pub fn goes_with(&mut self, key: &str, other: &str) {
        if self.entry(key).is_some() {
            self.wrong(
                key,
                &format!("means something only with {other}: add that, or leave it out"),
            );
        }
    }

    /// Reports every key that nobody asked for. One that looks like a missing key is told in its place.
    pub fn finish(self) {
        let known: BTreeSet<&str> =
            self.asked.iter().chain(&self.offered).map(String::as_str).collect();
        for (key, entry) in &self.table.entries {
            if self.asked.contains(key) {
                continue;
            }
            if self.offered.contains(key) {
                let words = "means nothing beside the other settings here: leave it out";
                let message = format!("{}{key} {words}", self.path);
                self.report.mistake(entry.key.clone(), self.labelled(&message));
                continue;
            }
            let near = nearest(key, known.iter().copied());
            if let Some(missing) = near.and_then(|near| self.missing.get(near)) {
                self.report.withdraw(missing);
            }
            let meant = match near {
                Some(near) => format!(", did you mean \"{near}\"?"),
                None => format!(": use {}", listed(known.iter().copied())),
            };
            let message = format!("{}{key} is not known here{meant}", self.path);
            self.report.mistake(entry.key.clone(), self.labelled(&message));
        }
    }
}
