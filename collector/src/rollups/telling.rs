//! The teller beside the engine: it hears what changed of incidents, and what it keeps is part of the same commit.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use jiff::tz::TimeZone;

use super::Rollups;
use crate::judge::incident::Incident;
use crate::judge::planned::zone;
use crate::judge::telling::{About, Scene, Teller, Waiting};
use crate::store::{Error, Row, Table, Views, Writes};

impl Rollups {
    /// Tells of what changed, and of what is due. Call it after each record: what is told must not depend on when it
    /// is looked at.
    pub(super) fn tell(&mut self) {
        let now = self.engine.now();
        let news = self.engine.take_news();
        let is_minute = self.teller.is_new_minute(now);
        if news.is_empty() && !is_minute && self.teller.due().is_none_or(|due| due > now) {
            return;
        }
        let chronicle = Arc::clone(&self.chronicle);
        let chronicle = chronicle.read().unwrap_or_else(PoisonError::into_inner);
        let definitions = chronicle.current();
        let zone = definitions.time_zone.as_deref().and_then(|name| zone(name).ok());
        let zone = zone.unwrap_or(TimeZone::UTC);
        let known = chronicle.labels(now.timestamp());
        let is_silenced =
            |incident: &Incident| chronicle.silenced(incident, now.timestamp(), &known).is_some();
        let labels = |name: &str| known.of(name);
        let scene =
            Scene { now, definitions, zone: &zone, is_silenced: &is_silenced, labels: &labels };
        let mut numbers = self.teller.look_at_time(&scene);
        numbers.extend(news);
        if is_minute {
            // a route may hold from now on
            let live = self.engine.incidents().filter(|incident| incident.is_live());
            numbers.extend(live.map(|incident| incident.number));
        }
        for number in numbers {
            match self.engine.find(number) {
                Some(incident) => self.teller.hear(incident, &scene),
                None => self.teller.lose(number),
            }
        }
    }

    /// Whether there are new messages to be sent since this was asked last.
    pub fn take_notice_news(&mut self) -> bool {
        self.teller.take_news()
    }

    /// The messages that are to be sent, in order.
    pub fn pending_notices(&self) -> Vec<Waiting> {
        self.teller.pending()
    }
}

/// What the teller keeps, as rows.
pub(super) fn put(writes: &mut Writes, kept: Vec<(About, Option<Vec<u8>>)>) {
    for (about, value) in kept {
        let row = match about {
            About::Told(incident) => Row::Told(incident),
            About::Notice(number) => Row::Notice(number),
            About::Book => Row::Telling,
        };
        writes.insert(row, value);
    }
}

/// The teller as its rows say.
pub(super) fn restored(views: &Views) -> Result<Teller, Error> {
    let mut kept: BTreeMap<About, Vec<u8>> = BTreeMap::new();
    for table in [Table::Told, Table::Notices, Table::Telling] {
        views.table(table, |row, value| {
            let about = match row {
                Row::Told(incident) => About::Told(incident),
                Row::Notice(number) => About::Notice(number),
                _ => About::Book,
            };
            kept.insert(about, value.to_vec());
            Ok(())
        })?;
    }
    Ok(Teller::restore(kept))
}
