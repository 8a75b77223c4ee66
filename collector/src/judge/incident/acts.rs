//! What operators do to an incident.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::figures::Figures;
use super::{Estimate, Incident, State};

/// What an operator does to an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IncidentAction {
    /// Somebody looks after it.
    Acknowledge {
        /// Its number.
        incident: u64,
        /// What they say; may be empty.
        note: String,
    },
    /// Something worth knowing.
    Note {
        /// Its number.
        incident: u64,
        /// What.
        note: String,
    },
    /// It is mended, as far as an operator knows; runs have yet to show it.
    Resolve {
        /// Its number.
        incident: u64,
        /// How; may be empty.
        note: String,
    },
    /// It was looked back at.
    Review {
        /// Its number.
        incident: u64,
        /// What was learnt.
        note: String,
        /// Whether it was about security, where the operator says so.
        security: Option<bool>,
    },
    /// When it is to work again.
    Estimate {
        /// Its number.
        incident: u64,
        /// When; `None`: nobody knows.
        recovered_at: Option<Timestamp>,
        /// In which zone (IANA) that is told; UTC where it is empty.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        time_zone: String,
        /// Why; may be empty.
        note: String,
    },
    /// What it came to, now that it is over; by the collector itself.
    Measured {
        /// Its number.
        incident: u64,
        /// All of it.
        figures: Box<Figures>,
    },
}

/// Why something cannot be done to an incident.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotAct {
    /// It is over.
    #[error(
        "incident {number} is {state} already: `mailsonde-collector incidents note` still takes a note"
    )]
    Over {
        /// Which.
        number: u64,
        /// How far it is.
        state: &'static str,
    },
    /// It is not over.
    #[error(
        "incident {number} is {state}: it is reviewed when runs have shown that it is over; until then \
         `mailsonde-collector incidents note` takes a note"
    )]
    NotOver {
        /// Which.
        number: u64,
        /// How far it is.
        state: &'static str,
    },
    /// It is another's.
    #[error("incident {number} turned out to be part of incident {into}: say it of that one")]
    Merged {
        /// Which.
        number: u64,
        /// Of which.
        into: u64,
    },
}

impl IncidentAction {
    /// The incident's number.
    pub const fn incident(&self) -> u64 {
        match self {
            Self::Acknowledge { incident, .. }
            | Self::Note { incident, .. }
            | Self::Resolve { incident, .. }
            | Self::Review { incident, .. }
            | Self::Estimate { incident, .. }
            | Self::Measured { incident, .. } => *incident,
        }
    }

    /// What was done, for the audit log.
    pub fn words(&self) -> String {
        let note_of_estimate;
        let (what, note) = match self {
            Self::Estimate { recovered_at, time_zone, note, .. } => {
                note_of_estimate = estimated((*recovered_at, time_zone), note);
                ("estimated the end of", &note_of_estimate)
            }
            Self::Measured { .. } => return format!("measured incident {}", self.incident()),
            Self::Acknowledge { note, .. } => ("acknowledged", note),
            Self::Note { note, .. } => ("noted on", note),
            Self::Resolve { note, .. } => ("resolved", note),
            Self::Review { note, .. } => ("reviewed", note),
        };
        let incident = self.incident();
        if note.is_empty() {
            format!("{what} incident {incident}")
        } else {
            format!("{what} incident {incident}: {note}")
        }
    }
}

impl Incident {
    /// Whether an action can be done now.
    ///
    /// # Errors
    /// When it cannot: the incident is over, not over yet, or another's.
    pub fn allows(&self, action: &IncidentAction) -> Result<(), CannotAct> {
        let (number, state) = (self.number, self.state.as_str());
        if let Some(into) = self.merged_into {
            return Err(CannotAct::Merged { number, into });
        }
        match (action, self.state) {
            (IncidentAction::Note { .. }, _)
            | (IncidentAction::Acknowledge { .. }, State::Open | State::Acknowledged)
            | (IncidentAction::Resolve { .. }, State::Open | State::Acknowledged)
            | (IncidentAction::Estimate { .. }, State::Open | State::Acknowledged)
            | (
                IncidentAction::Review { .. } | IncidentAction::Measured { .. },
                State::Verified | State::Reviewed,
            ) => Ok(()),
            (IncidentAction::Review { .. } | IncidentAction::Measured { .. }, _) => {
                Err(CannotAct::NotOver { number, state })
            }
            _ => Err(CannotAct::Over { number, state }),
        }
    }

    /// Does it; what is not allowed (any more) is noted, and changes nothing else.
    pub fn act(&mut self, action: &IncidentAction, at: Timestamp, by: &str) {
        let is_allowed = self.allows(action).is_ok();
        if let IncidentAction::Measured { figures, .. } = action {
            // it may have come back while it was measured: then it is measured again, and nobody need be told
            self.figures = if is_allowed { Some(figures.clone()) } else { self.figures.take() };
            return;
        }
        if !is_allowed {
            return self.tell_of(at, "too late", action.words(), Some(by));
        }
        let note_of_estimate;
        let (word, note) = match action {
            IncidentAction::Estimate { recovered_at, time_zone, note, .. } => {
                let recovered_at = *recovered_at;
                self.estimate = Some(Estimate { at, recovered_at, by: by.to_owned() });
                note_of_estimate = estimated((recovered_at, time_zone), note);
                ("estimated", &note_of_estimate)
            }
            IncidentAction::Measured { .. } => return,
            IncidentAction::Acknowledge { note, .. } => {
                self.state = State::Acknowledged;
                self.acknowledged_at.get_or_insert(at);
                ("acknowledged", note)
            }
            IncidentAction::Note { note, .. } => ("noted", note),
            IncidentAction::Resolve { note, .. } => {
                self.state = State::Resolved;
                self.resolved_at = Some(at);
                ("resolved", note)
            }
            IncidentAction::Review { note, security, .. } => {
                self.state = State::Reviewed;
                self.reviewed_at = Some(at);
                self.is_security = security.unwrap_or(self.is_security);
                ("reviewed", note)
            }
        };
        self.tell_of(at, word, note.clone(), Some(by));
    }
}

/// An estimate in words, which say their zone: whoever reads a timeline may have another.
fn estimated((recovered_at, time_zone): (Option<Timestamp>, &str), note: &str) -> String {
    let zone = TimeZone::get(time_zone).unwrap_or(TimeZone::UTC);
    let mut words = match recovered_at {
        Some(at) => {
            let name = zone.iana_name().unwrap_or("UTC").to_owned();
            let at = at.to_zoned(zone);
            format!("it is to work again by {} ({name})", at.strftime("%Y-%m-%d %H:%M"))
        }
        None => "nobody knows when it works again".to_owned(),
    };
    if !note.is_empty() {
        words.push_str(": ");
        words.push_str(note);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::super::sample::{minute, outage, outage_over};
    use super::*;

    #[test]
    fn an_estimate_is_for_what_lasts_and_figures_are_for_what_is_over() {
        let estimate = |recovered_at| IncidentAction::Estimate {
            incident: 7,
            recovered_at,
            time_zone: "Africa/Johannesburg".into(),
            note: "a new disk".into(),
        };
        let measured = IncidentAction::Measured { incident: 7, figures: Box::default() };
        let mut it = outage();
        it.act(&measured, minute(19, 0), "");
        assert_eq!(it.figures, None);
        it.act(&estimate(Some(minute(50, 0))), minute(20, 0), "user ann");
        it.act(&estimate(None), minute(21, 0), "user bob");
        let said: Vec<_> = it.timeline.iter().rev().take(2).map(|it| it.words.as_str()).collect();
        assert_eq!(
            said,
            [
                "nobody knows when it works again: a new disk",
                "it is to work again by 2026-11-23 14:50 (Africa/Johannesburg): a new disk"
            ]
        );
        let stated = Estimate { at: minute(21, 0), recovered_at: None, by: "user bob".into() };
        assert_eq!(it.estimate, Some(stated));
        assert_eq!(
            estimate(None).words(),
            "estimated the end of incident 7: nobody knows when it works again: a new disk"
        );

        let mut it = outage_over();
        let entries = it.timeline.len();
        it.act(&measured, minute(50, 0), "");
        assert_eq!((it.figures, it.timeline.len()), (Some(Box::default()), entries));
        it = outage_over();
        it.act(&estimate(None), minute(50, 0), "user ann");
        assert_eq!((it.estimate, it.timeline.last().unwrap().what.as_str()), (None, "too late"));
    }
}
