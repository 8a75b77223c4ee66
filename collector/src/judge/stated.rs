//! Numbers that an operator knows and nobody measures: users, licences, a disk's size. One value a day for each name;
//! what is stated later for a day stands.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names of numbers at most.
const MOST_NAMES: usize = 1_000;
/// Days of one number at most; the oldest go.
const MOST_DAYS: usize = 400;

/// A number as it was on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stated {
    /// What it is a number of, in the form of a check's name.
    pub name: String,
    /// The service that it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// How many.
    pub value: u64,
    /// How many there may be; what was said before holds where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// On which day.
    pub on: Date,
    /// Who stated it.
    pub by: String,
}

/// Why a number cannot be stated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatedError {
    /// The name has another form.
    #[error("\"{0}\" cannot name a number: write 1 to 64 of a-z A-Z 0-9 . _ -, such as users")]
    Name(String),
    /// There are too many.
    #[error("numbers of {MOST_NAMES} names are known already: use one of those")]
    Many,
    /// It is not known yet.
    #[error("{0} is yet to come: state what is known of today or before")]
    Future(Date),
}

impl Stated {
    /// What was done, for the audit log.
    pub fn words(&self) -> String {
        let Self { name, value, limit, on, .. } = self;
        let of = limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
        format!("stated {name} as {value}{of} on {on}")
    }
}

/// Everything that was stated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    numbers: BTreeMap<String, Number>,
}

/// What was stated of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Number {
    /// The service that it is about, where it is about one.
    pub service: Option<String>,
    /// By day.
    pub days: BTreeMap<Date, u64>,
    /// How many there may be, as said last.
    pub limit: Option<u64>,
}

impl Numbers {
    /// Takes in what was stated.
    pub fn apply(&mut self, stated: &Stated) {
        let number = self.numbers.entry(stated.name.clone()).or_default();
        number.days.insert(stated.on, stated.value);
        if number.days.len() > MOST_DAYS {
            number.days.pop_first();
        }
        number.limit = stated.limit.or(number.limit);
        number.service = stated.service.clone().or(number.service.take());
    }

    /// Whether this can be stated on the day `today`.
    ///
    /// # Errors
    /// When it cannot: in words for whoever states it.
    pub fn check(&self, stated: &Stated, today: Date) -> Result<(), StatedError> {
        if !mailsonde_proto::check::is_name(&stated.name) {
            return Err(StatedError::Name(stated.name.clone()));
        }
        if stated.on > today {
            return Err(StatedError::Future(stated.on));
        }
        let is_new = !self.numbers.contains_key(&stated.name);
        if is_new && self.numbers.len() >= MOST_NAMES { Err(StatedError::Many) } else { Ok(()) }
    }

    /// Each by its name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Number)> {
        self.numbers.iter().map(|(name, number)| (name.as_str(), number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stated(value: u64, limit: Option<u64>, on: &str) -> Stated {
        let (name, service, by) = ("users".to_owned(), None, "ann".to_owned());
        Stated { name, service, value, limit, on: on.parse().unwrap(), by }
    }

    #[test]
    fn what_is_stated_later_for_a_day_stands() {
        let mut numbers = Numbers::default();
        for (value, limit, on) in
            [(10, Some(100), "2026-01-02"), (9, None, "2026-01-01"), (11, None, "2026-01-02")]
        {
            numbers.apply(&stated(value, limit, on));
        }
        let (name, number) = numbers.iter().next().unwrap();
        let values: Vec<u64> = number.days.values().copied().collect();
        assert_eq!((name, values, number.limit), ("users", vec![9, 11], Some(100)));
        assert_eq!(
            stated(9, Some(100), "2026-01-01").words(),
            "stated users as 9 of 100 on 2026-01-01"
        );
    }

    #[test]
    fn what_cannot_be_stated() {
        let today: Date = "2026-01-02".parse().unwrap();
        let numbers = Numbers::default();
        assert_eq!(numbers.check(&stated(1, None, "2026-01-02"), today), Ok(()));
        let late = numbers.check(&stated(1, None, "2026-01-03"), today).unwrap_err().to_string();
        assert!(late.contains("2026-01-03 is yet to come"), "{late}");
        let named = Stated { name: "a b".into(), ..stated(1, None, "2026-01-01") };
        assert!(numbers.check(&named, today).is_err());
    }
}
