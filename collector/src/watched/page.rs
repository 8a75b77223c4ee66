//! The page that others read without signing in: Pingdom's HTTP custom check, and another collector.
//!
//! What it tells strangers is one word and one figure, and only to whoever knows its path; it is off unless the
//! configuration names one. `status` is `OK` or `DOWN`; of a service also `UNKNOWN`, which is not `OK`. `response_time` is,
//! in milliseconds, the median of the round trips of the last 15 minutes: of what each check at each vantage point
//! has as its median, the one in the middle, each as often as it ran.

use ring::digest::{SHA256, digest};

use crate::judge::definition::{ROUND_TRIP, Voiced};
use crate::query::{ServicesAnswer, StatusAnswer};

/// What Pingdom takes at most: eight digits before the point, three after it, and above zero.
const MOST_US: i64 = 99_999_999_999;

/// Where the page is, and of what.
pub struct Page {
    /// The digest of the part of its path that nobody guesses: comparing it tells nobody how much of a guess was right.
    path: Vec<u8>,
    services: Vec<String>,
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `OK`, `DOWN` or `UNKNOWN`.
    pub status: &'static str,
    /// The median round trip, in microseconds; `None` where nothing passed lately.
    pub median_us: Option<i64>,
}

impl Page {
    pub(super) fn new(path: &str, services: Vec<String>) -> Self {
        Self { path: digest_of(path), services }
    }

    pub(super) fn is_at(&self, path: &str) -> bool {
        self.path == digest_of(path)
    }

    /// Whether a service has a page of its own.
    pub fn has(&self, service: &str) -> bool {
        self.services.iter().any(|name| name == service)
    }
}

fn digest_of(path: &str) -> Vec<u8> {
    digest(&SHA256, path.as_bytes()).as_ref().to_vec()
}

impl Shown {
    /// Of the collector itself.
    pub fn of_collector(is_healthy: bool, status: &StatusAnswer) -> Self {
        Self { status: if is_healthy { "OK" } else { "DOWN" }, median_us: median(status) }
    }

    /// Of a service; `None` where there is none of this name. From a collector that is not healthy nobody knows.
    pub fn of_service(
        is_healthy: bool,
        status: &StatusAnswer,
        services: &ServicesAnswer,
        name: &str,
    ) -> Option<Self> {
        let service = services.services.iter().find(|service| service.name == name)?;
        let word = match (is_healthy, service.state) {
            (false, _) => "UNKNOWN",
            (true, Voiced::Up) => "OK",
            (true, Voiced::Down) => "DOWN",
            (true, Voiced::Unknown) => "UNKNOWN",
        };
        Some(Self { status: word, median_us: median(status) })
    }

    /// As Pingdom's HTTP custom check reads it
    /// (documentation.solarwinds.com, Pingdom, 'HTTP Custom Check').
    pub fn to_xml(self) -> String {
        let us = self.median_us.unwrap_or(0).clamp(1, MOST_US);
        let Self { status, .. } = self;
        format!(
            "<pingdom_http_custom_check><status>{status}</status>\
             <response_time>{}.{:03}</response_time></pingdom_http_custom_check>\n",
            us / 1_000,
            us % 1_000
        )
    }

    /// The status of such a page; `None` where it is none.
    pub(super) fn status_in(text: &str) -> Option<&str> {
        let (_, inside) = text.split_once("<pingdom_http_custom_check>")?;
        let (_, status) = inside.split_once("<status>")?;
        status.split_once("</status>").map(|(status, _)| status.trim())
    }
}

/// The median of the medians of round trips, each as often as it ran.
fn median(status: &StatusAnswer) -> Option<i64> {
    let checks = status.vantage_points.iter().flat_map(|point| &point.checks);
    let mut medians: Vec<(i64, u64)> = checks
        .filter(|check| check.kind == ROUND_TRIP)
        .filter_map(|check| Some((check.round_trip.p50_us?, check.round_trip.runs)))
        .collect();
    medians.sort_unstable();
    let half = medians.iter().map(|(_, runs)| runs).sum::<u64>().div_ceil(2);
    let mut passed = 0;
    let reaches_half = |(_, runs): &(i64, u64)| {
        passed += runs;
        passed >= half
    };
    medians.into_iter().find(reaches_half).map(|(us, _)| us)
}

#[cfg(test)]
mod tests;
