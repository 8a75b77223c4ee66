//! Numbers that operators state, for the outlook on capacity.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Planning, PlanningError};
use crate::control::{Control, ControlError};
use crate::judge::action::Action;
use crate::judge::planned::{PlannedError, known_service, zone};
use crate::judge::stated::Stated;

/// A number that somebody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatedWish {
    /// What it is a number of, such as `users`.
    pub name: String,
    /// The service that it is about.
    #[serde(default)]
    pub service: Option<String>,
    /// How many.
    pub value: u64,
    /// How many there may be.
    #[serde(default)]
    pub limit: Option<u64>,
    /// On which day; today without it, in the organisation's time zone.
    #[serde(default)]
    pub on: Option<Date>,
}

impl Planning<'_> {
    /// Keeps a number.
    ///
    /// # Errors
    /// When it cannot be stated: in words for whoever states it.
    pub fn state(self, wish: StatedWish) -> Result<(), PlanningError> {
        let Self { registry, definitions, author, now } = self;
        let name = definitions.time_zone.as_deref().unwrap_or("UTC");
        let zone = zone(name).map_err(PlannedError::from)?;
        let today = now.timestamp().to_zoned(zone).date();
        if let Some(service) = &wish.service {
            known_service(&definitions, service).map_err(PlannedError::from)?;
        }
        let stated = Stated {
            name: wish.name,
            service: wish.service,
            value: wish.value,
            limit: wish.limit,
            on: wish.on.unwrap_or(today),
            by: author.who.clone(),
        };
        registry.control().decide(now, author, |roll| {
            roll.numbers().check(&stated, today)?;
            Ok::<_, ControlError>((Control::Acted(Action::Stated(stated)), ()))
        })?;
        Ok(())
    }
}
