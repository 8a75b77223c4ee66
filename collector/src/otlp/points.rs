//! Metrics as points that can be told apart: what they are called, their labels, their figures.

use std::collections::HashSet;

use crate::metrics::{Form, Kind, Labels};

/// By which points are told apart: the family's name, and its labels.
pub(super) type Key = (&'static str, Vec<(String, String)>);

/// A family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    pub(super) help: &'static str,
}

/// What a point tells.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Figure {
    /// How much there is.
    Gauge(f64),
    /// What only rises.
    Counter(u64),
    /// How many took no longer than each bound, how many there are, and their sum.
    Histogram(Vec<(f64, u64)>, u64, f64),
}

/// A point of a family.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) labels: Vec<(String, String)>,
    pub(super) figure: Figure,
}

/// What was told of a point, and when.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) at_unix_ns: u64,
    pub(super) figure: Figure,
}

/// Everything that is told at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Points {
    families: Vec<(Family, Vec<Point>)>,
    keys: HashSet<Key>,
}

impl Points {
    /// In the order in which they were told.
    pub(super) fn families(&self) -> impl Iterator<Item = (Family, &[Point])> {
        self.families.iter().map(|(family, points)| (*family, points.as_slice()))
    }

    /// Whether there is such a counter or histogram.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.keys.contains(key)
    }

    fn add(&mut self, labels: Labels<'_>, figure: Figure) {
        let Some((family, points)) = self.families.last_mut() else { return };
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let labels: Vec<_> = labels.iter().map(owned).collect();
        if family.kind != Kind::Gauge {
            self.keys.insert((family.name, labels.clone()));
        }
        points.push(Point { labels, figure });
    }
}

impl Form for Points {
    fn family(&mut self, kind: Kind, name: &'static str, help: &'static str) {
        self.families.push((Family { kind, name, help }, Vec::new()));
    }

    fn gauge(&mut self, labels: Labels<'_>, value: impl Into<Option<f64>>) {
        if let Some(value) = value.into() {
            self.add(labels, Figure::Gauge(value));
        }
    }

    fn counter(&mut self, labels: Labels<'_>, count: u64) {
        self.add(labels, Figure::Counter(count));
    }

    fn histogram(&mut self, labels: Labels<'_>, within: &[(f64, u64)], all: (u64, f64)) {
        let (count, sum) = all;
        self.add(labels, Figure::Histogram(within.to_vec(), count, sum));
    }
}
