//! The monthly report as a document: HTML, PDF, Markdown, CSV, JSON; and as a mail.
//!
//! One list of blocks ([`document`]) is rendered by three files, so that they cannot tell three stories; figures for
//! programs (CSV, JSON) come from the answer itself. Invariants: whatever came from a server, an agent or an operator shows
//! as text and is no markup; nothing in a page runs, loads or leads anywhere; the same report gives the same bytes, in
//! every format. Absent on purpose: figures, which `query/report` reads, and what is kept of them (`reporting`).

mod document;

mod details;
mod method;
mod summary;
mod users;
mod words;

mod csv;
mod html;
mod json;
mod letter;
mod markdown;
mod pdf;
mod picture;

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::query::ReportAnswer;

pub use json::WrittenReport;
pub use letter::{Letter, letter};

/// What a report is written in.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A page that needs nothing else, with charts.
    Html,
    /// A4, with charts.
    Pdf,
    /// A line for each figure.
    Csv,
    /// Everything by its name.
    Json,
    /// Markdown (CommonMark with tables of GFM).
    Markdown,
}

impl Format {
    /// As HTTP and mail name it.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Pdf => "application/pdf",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Json => "application/json",
            Self::Markdown => "text/markdown; charset=utf-8",
        }
    }

    /// The end of a file's name.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Pdf => "pdf",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Markdown => "md",
        }
    }
}

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The PDF could not be made.
    #[error(
        "the PDF of the report cannot be made: {0}; take another format, and tell the makers of Mailsonde"
    )]
    Pdf(String),
    /// A chart could not be drawn.
    #[error(
        "a chart of the report cannot be drawn: {0}; take another format, and tell the makers of Mailsonde"
    )]
    Chart(String),
    /// It is no JSON or CSV.
    #[error("the report cannot be written: {0}")]
    Written(String),
}

/// The report in a format.
///
/// # Errors
/// When it cannot be written, which is a defect.
pub fn written(report: &ReportAnswer, format: Format) -> Result<Vec<u8>, ReportError> {
    Ok(match format {
        Format::Html => html::page(report).into_bytes(),
        Format::Markdown => markdown::text(report).into_bytes(),
        Format::Pdf => pdf::pdf(report)?,
        Format::Csv => csv::lines(report)?,
        Format::Json => json::json(report)?,
    })
}

/// What a file with it is called.
pub fn file_name(report: &ReportAnswer, format: Format) -> String {
    format!("mailsonde-report-{}.{}", report.month, format.extension())
}
