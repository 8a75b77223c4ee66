//! Reports by mail: the last month of each that is due, until its relay took it.
//!
//! Invariants: that a report was taken is a control record before anything else is done about it, so a crash sends it once
//! more, with the same Message-ID, and never loses it; a restart sends nothing again. What is due is the last month alone:
//! a report that could not be sent for a whole month is not sent after the next, and is still kept. Nothing is sent of
//! views that are still being made anew.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use mailsonde_proto::{Clock, WallTime};
use tokio_util::sync::CancellationToken;

use super::Reporting;
use crate::config::ReportConfig;
use crate::control::Control;
use crate::delivery::Delivery;
use crate::judge::action::Action;
use crate::judge::reported::ReportAction;
use crate::links::Links;
use crate::notifier::{Outcome, Parcel};
use crate::query::sla::Month;
use crate::registry::Registry;
use crate::report::{Format, file_name, letter, written};

/// It looks so often.
const LOOK: Duration = Duration::from_secs(20);
/// Between two attempts at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3_600));
/// Views that are so far behind are being made anew.
const BEHIND: Duration = Duration::from_secs(3_600);

/// Who mails reports.
pub(crate) struct Mailing {
    reports: Vec<ReportConfig>,
    reporting: Arc<Reporting>,
    registry: Arc<Registry>,
    delivery: Delivery,
    links: Arc<Links>,
    clock: Clock,
    /// Of what did not go: when to try again, and how often it was tried.
    waiting: BTreeMap<(String, Month), (WallTime, u32)>,
}

impl Mailing {
    /// Mails these, made by this, through those channels.
    pub(crate) fn new(
        reports: Vec<ReportConfig>,
        (reporting, registry): (Arc<Reporting>, Arc<Registry>),
        (delivery, links): (Delivery, Arc<Links>),
        clock: Clock,
    ) -> Self {
        let waiting = BTreeMap::new();
        Self { reports, reporting, registry, delivery, links, clock, waiting }
    }

    /// Mails what is due until the shutdown.
    pub(crate) async fn go_on(mut self, shutdown: CancellationToken) {
        if self.reports.is_empty() {
            return;
        }
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = look.tick() => {}
            }
            for report in self.reports.clone() {
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = self.look(&report) => {}
                }
            }
        }
    }

    /// Mails one, if it is due.
    async fn look(&mut self, report: &ReportConfig) {
        let now = self.clock.wall();
        let Some(month) = self.due(report, now) else { return };
        let key = (report.name.clone(), month);
        let (next, attempts) = self.waiting.get(&key).copied().unwrap_or_default();
        if now < next {
            return;
        }
        let (name, month_name) = (report.name.as_str(), month.to_string());
        match self.attempt(report, month).await {
            Outcome::Sent { handle, said, .. } => {
                let id = handle.map(|handle| handle.0).unwrap_or_default();
                let action = ReportAction::Mailed {
                    report: name.to_owned(),
                    month: month_name.clone(),
                    id,
                    said: said.clone(),
                };
                let control = Control::Acted(Action::Report(action));
                match self.registry.control().append(self.clock.wall(), control) {
                    Ok(_) => {
                        tracing::info!(
                            report = name,
                            month = month_name,
                            said,
                            "a report was mailed"
                        );
                        self.waiting.remove(&key);
                        return;
                    }
                    // it went, and will go again: at least once
                    Err(error) => {
                        tracing::error!(%error, "that a report was mailed is not written down")
                    }
                }
            }
            Outcome::Later { why, .. } => {
                if attempts == 0 {
                    tracing::warn!(
                        report = name,
                        month = month_name,
                        why,
                        "a report does not go; trying again"
                    );
                }
            }
            Outcome::Refused { why } => {
                tracing::error!(
                    report = name,
                    month = month_name,
                    why,
                    "a report does not go: look at its channel"
                );
                self.delivery.refused().insert(report.channel.clone(), why);
            }
        }
        let wait = BACKOFF.0.saturating_mul(1 << attempts.min(6)).min(BACKOFF.1);
        self.waiting.insert(key, (self.clock.wall().plus(wait), attempts.saturating_add(1)));
    }

    /// The month whose report is to be sent now, if it was not.
    fn due(&self, report: &ReportConfig, now: WallTime) -> Option<Month> {
        self.registry.control().look(|roll| {
            let zone = roll.definitions().and_then(|it| it.time_zone.as_deref());
            let zone = zone.and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
            let month = last_due(report, now.timestamp(), &zone)?;
            let is_settled = roll.reports().is_settled(&report.name, &month.to_string());
            (!is_settled).then_some(month)
        })
    }

    /// Makes it and hands it over, once.
    async fn attempt(&self, report: &ReportConfig, month: Month) -> Outcome {
        let later = |why: String| Outcome::Later { after: None, why, may_have_arrived: false };
        let channels = self.delivery.channels();
        let Some(named) = channels.get(&report.channel).filter(|named| named.is_enabled) else {
            let why = format!("channels.d has no channel {}, or it is not enabled", report.channel);
            return Outcome::Refused { why };
        };
        let id = format!("report-{}-{}-{month}", self.links.tag(), report.name);
        let (reporting, to) = (self.reporting.clone(), report.to.clone());
        let (services, now) = (report.services.clone(), self.clock.wall());
        let made = tokio::task::spawn_blocking(move || {
            let answer = reporting.report(month, &services).map_err(|error| error.to_string())?;
            if !answer.is_kept && WallTime::from(answer.made_at).plus(BEHIND) < now {
                return Err("the views are still being made anew".to_owned());
            }
            let letter = letter(&answer).map_err(|error| error.to_string())?;
            let pdf = written(&answer, Format::Pdf).map_err(|error| error.to_string())?;
            Ok(Parcel {
                id,
                to,
                subject: letter.subject,
                text: letter.text,
                html: letter.html,
                pictures: letter.pictures,
                pdf: (file_name(&answer, Format::Pdf), pdf),
            })
        });
        let parcel = match made.await {
            Ok(Ok(parcel)) => parcel,
            Ok(Err(why)) => return later(why),
            Err(_panicked) => return later("making it ended by a panic: see the log".to_owned()),
        };
        match named.channel.carry(&parcel) {
            Some(carried) => carried.await,
            None => {
                let why = format!("{} is no e-mail channel: a report goes by mail", report.channel);
                Outcome::Refused { why }
            }
        }
    }
}

/// The last month whose report is due by now.
fn last_due(report: &ReportConfig, now: Timestamp, zone: &TimeZone) -> Option<Month> {
    let today = now.to_zoned(zone.clone()).date();
    let this = Date::new(today.year(), today.month(), i8::try_from(report.day).ok()?).ok()?;
    let due = this.to_datetime(report.at).to_zoned(zone.clone()).ok()?.timestamp();
    let last = Month::of(today).before();
    Some(if now >= due { last } else { last.before() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_month_that_is_due() {
        let report = ReportConfig {
            name: "board".into(),
            channel: "mail".into(),
            to: Vec::new(),
            services: Vec::new(),
            day: 4,
            at: jiff::civil::time(7, 0, 0, 0),
        };
        let zone = TimeZone::get("Africa/Johannesburg").unwrap();
        for (now, month) in [
            ("2026-11-04T04:59:59Z", "2026-09"),
            ("2026-11-04T05:00:00Z", "2026-10"),
            ("2026-11-30T21:59:59Z", "2026-10"),
            ("2026-11-30T22:00:00Z", "2026-10"),
            ("2027-01-03T12:00:00Z", "2026-11"),
            ("2027-01-05T12:00:00Z", "2026-12"),
        ] {
            let due = last_due(&report, now.parse().unwrap(), &zone).unwrap();
            assert_eq!(due.to_string(), month, "{now}");
        }
    }
}
