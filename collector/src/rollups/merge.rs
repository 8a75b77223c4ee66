//! What the bytes in the store are: how stretches of figures merge, and what a sealed file calls things.

use prost::Message;

use crate::judge::column::Column;
use crate::judge::registry::SeriesRecord;
use crate::store::{Error, Row, Table, Views};

/// Makes one column of several.
pub(super) fn columns(stretches: &[&[u8]]) -> Option<Vec<u8>> {
    if let [only] = stretches {
        return Some(only.to_vec());
    }
    let mut merged = Column::default();
    for stretch in stretches {
        merged.merge(&Column::decode(stretch).ok()?);
    }
    Some(merged.encode())
}

/// What series and phases are called, as a sealed file keeps it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Names {
    #[prost(message, repeated, tag = "1")]
    pub(super) series: Vec<SeriesRecord>,
    #[prost(string, repeated, tag = "2")]
    pub(super) phases: Vec<String>,
}

/// The names that are known now.
pub(super) fn names(views: &Views) -> Result<Vec<u8>, Error> {
    let mut names = Names::default();
    views.table(Table::Series, |_, value| {
        names.series.extend(SeriesRecord::decode(value).ok());
        Ok(())
    })?;
    views.table(Table::Phases, |row, value| {
        if let Row::Phase(_) = row {
            names.phases.push(String::from_utf8_lossy(value).into_owned());
        }
        Ok(())
    })?;
    Ok(names.encode_to_vec())
}
