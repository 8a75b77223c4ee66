//! The report as JSON: the answer itself, with its summary.

use schemars::JsonSchema;
use serde::Serialize;

use super::ReportError;
use crate::query::ReportAnswer;
use crate::query::report::Summary;

/// A month, as it is written.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WrittenReport<'r> {
    /// In few figures.
    summary: Summary,
    #[serde(flatten)]
    report: &'r ReportAnswer,
}

/// All of it.
///
/// # Errors
/// When it is no JSON, which is a defect.
pub(super) fn json(report: &ReportAnswer) -> Result<Vec<u8>, ReportError> {
    let written = WrittenReport { summary: report.summary(), report };
    let wrong = |error: serde_json::Error| ReportError::Written(error.to_string());
    let mut bytes = serde_json::to_vec_pretty(&written).map_err(wrong)?;
    bytes.push(b'\n');
    Ok(bytes)
}
