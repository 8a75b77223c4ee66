//! Monthly reports as files: made once when the month is over and what comes late has come, and the same for ever.
//!
//! A file is the answer of `query/report` as JSON; every format is made of it whenever it is asked for. Invariants: a
//! month's digest is a control record, so a file that was changed or lost is noticed and never shown as what was kept;
//! file first, record after it, so that a crash between them only makes the file anew. Before that a report is made when
//! it is asked for, and calls itself preliminary.

mod mailing;

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mailsonde_proto::{Clock, WallTime};

use crate::control::Control;
use crate::folder::{Folder, FolderError, PRIVATE, make_folder, write_file};
use crate::judge::action::Action;
use crate::judge::reported::ReportAction;
use crate::query::sla::Month;
use crate::query::{Query, QueryError, ReportAnswer};
use crate::registry::Registry;

pub(crate) use mailing::Mailing;

/// So long after its end a month's figures are final: an outbox holds more, but seldom does.
pub const SETTLED: Duration = Duration::from_secs(3 * 86_400);
/// Bytes of a file at most.
const MOST_BYTES: u64 = 256 << 20;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportingError {
    /// It cannot be made.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// It cannot be kept.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// It is no JSON, which is a defect.
    #[error("the report cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// A service is named that it does not have.
    #[error(
        "the report of {month} has no service called {name}: see `mailsonde-collector services`"
    )]
    NoService {
        /// The month.
        month: Month,
        /// As it was asked for.
        name: String,
    },
}

/// Makes and keeps reports.
pub struct Reporting {
    folder: PathBuf,
    registry: Arc<Registry>,
    query: Arc<Query>,
    clock: Clock,
    /// One report is made at a time.
    making: Mutex<()>,
}

impl Reporting {
    /// In this folder, by what this knows.
    pub fn new(folder: &Folder, registry: Arc<Registry>, query: Arc<Query>, clock: Clock) -> Self {
        let folder = folder.reports();
        Self { folder, registry, query, clock, making: Mutex::new(()) }
    }

    /// The report of a month, of these services or of all.
    ///
    /// # Errors
    /// When there is none, or it cannot be made or kept.
    pub fn report(
        &self,
        month: Month,
        services: &[String],
    ) -> Result<ReportAnswer, ReportingError> {
        let report = self.whole(month)?;
        let is_there = |name: &&String| report.services.iter().any(|it| it.name == **name);
        if let Some(name) = services.iter().find(|name| !is_there(name)) {
            return Err(ReportingError::NoService { month, name: name.clone() });
        }
        Ok(report.only(services))
    }

    fn whole(&self, month: Month) -> Result<ReportAnswer, ReportingError> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let name = month.to_string();
        let file = self.folder.join(format!("{name}.json"));
        let kept =
            self.registry.control().look(|roll| roll.reports().kept(&name).map(str::to_owned));
        let is_kept = kept.is_some();
        if let Some(digest) = kept {
            match read(&file, &digest) {
                Some(report) => return Ok(report),
                None => tracing::error!(
                    file = %file.display(),
                    "the kept report is gone or was changed: restore it from a backup; until then it is made anew"
                ),
            }
        }
        let mut report = self.query.report(month)?;
        let is_final = WallTime::from(report.until).plus(SETTLED) <= WallTime::from(report.made_at);
        if is_kept || !is_final {
            return Ok(report);
        }
        report.is_kept = true;
        let bytes = serde_json::to_vec(&report)?;
        make_folder(&self.folder)?;
        write_file(&file, &bytes, PRIVATE)?;
        let action = ReportAction::Kept { month: name, digest: digest(&bytes) };
        let control = Control::Acted(Action::Report(action));
        self.registry.control().append(self.clock.wall(), control).map_err(QueryError::Journal)?;
        tracing::info!(month = %month, "the report of a month is kept");
        // what is shown now is what will be shown ever after, to the last digit
        Ok(serde_json::from_slice(&bytes)?)
    }
}

/// The file, if it is the one that was kept.
fn read(file: &std::path::Path, digest_hex: &str) -> Option<ReportAnswer> {
    let mut bytes = Vec::new();
    fs::File::open(file).ok()?.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    (digest(&bytes) == digest_hex).then(|| serde_json::from_slice(&bytes).ok()).flatten()
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(ring::digest::digest(&ring::digest::SHA256, bytes))
}
