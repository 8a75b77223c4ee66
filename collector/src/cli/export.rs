//! `export`: raw data, and what is needed to make any figure of it again, as CSV, lines of JSON or Parquet.
//!
//! Nothing is gathered: a line that comes is a line that is written. A file is in its place when it is whole.

mod form;
mod parquet;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use jiff::Timestamp;
use mailsonde_proto::Clock;

use super::observations::since;
use super::parameters::with_parameters;
use super::progress::Progress;
use super::{Ending, Setting, client};
use crate::api::{ExportEnd, path};
use crate::query::export::{ExportWanted, Exported};
use form::{Form, Writer};

/// What a file is called as long as it is not whole.
const SPOOL: &str = "part";

#[derive(Debug, clap::Args)]
pub(super) struct ExportArguments {
    /// What: observations, services' minutes (slots), or what was in force when (definitions)
    #[arg(value_enum)]
    what: Exported,
    /// From then on: a duration such as 30d, or a time such as 2026-10-01T00:00Z
    #[arg(long, value_name = "WHEN", value_parser = since, default_value = "30d")]
    since: Timestamp,
    /// Until then: now when it is not said
    #[arg(long, value_name = "WHEN", value_parser = since)]
    until: Option<Timestamp>,
    /// Comma-separated values with a line of heads
    #[arg(long, group = "form")]
    csv: bool,
    /// A line of JSON each
    #[arg(long, group = "form")]
    jsonl: bool,
    /// Typed, compressed columns (Apache Parquet)
    #[arg(long, group = "form")]
    parquet: bool,
    /// Into this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn run(setting: &Setting, arguments: &ExportArguments) -> anyhow::Result<Ending> {
    let form = match (arguments.csv, arguments.parquet) {
        (true, _) => Form::Csv,
        (_, true) => Form::Parquet,
        _ => Form::Lines,
    };
    if form != Form::Lines && arguments.what == Exported::Definitions {
        bail!("definitions have no columns: use --jsonl");
    }
    if form == Form::Parquet && arguments.output.is_none() && std::io::stdout().is_terminal() {
        bail!("a terminal cannot show Parquet: name a file with --output");
    }
    let until = arguments.until.unwrap_or_else(|| Clock::system().wall().timestamp());
    if arguments.since >= until {
        bail!("--since lies behind --until: nothing can be between them");
    }
    let wanted = ExportWanted { since: arguments.since, until };
    let path = match arguments.what {
        Exported::Observations => with_parameters(path::EXPORT_OBSERVATIONS, &wanted),
        Exported::Slots => with_parameters(path::EXPORT_SLOTS, &wanted),
        Exported::Definitions => path::EXPORT_DEFINITIONS.to_owned(),
    };
    let columns = arguments.what.columns();
    match &arguments.output {
        None => {
            let to = std::io::BufWriter::new(std::io::stdout());
            let written = export(setting, &path, Writer::new(form, columns, to)?).await;
            if written.as_ref().is_err_and(is_reader_gone) {
                return Ok(Ending::Done);
            }
            drop(written?);
        }
        Some(place) => {
            let beside = beside(place);
            let file = std::fs::File::create(&beside);
            let file = file.with_context(|| format!("cannot write {}", beside.display()))?;
            let to = std::io::BufWriter::new(file);
            let written = export(setting, &path, Writer::new(form, columns, to)?).await;
            if written.is_err() {
                std::fs::remove_file(&beside).ok();
            }
            let to = written?;
            to.into_inner().context("the file cannot be written to its end")?.sync_all()?;
            std::fs::rename(&beside, place)
                .with_context(|| format!("cannot put the file to {}", place.display()))?;
        }
    }
    Ok(Ending::Done)
}

fn beside(place: &Path) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(".");
    name.push(SPOOL);
    name.into()
}

async fn export<W: Write + Send>(
    setting: &Setting,
    path: &str,
    mut writer: Writer<W>,
) -> anyhow::Result<W> {
    let progress = Progress::counting("lines");
    let mut end: Option<ExportEnd> = None;
    let asked = client::ask_for_lines(&setting.collector, path, |line| {
        if let Some(last) = as_end(line) {
            end = Some(last);
            return Ok(());
        }
        progress.more(1);
        writer.line(line)
    });
    progress.during(asked).await?;
    let written = writer.finish()?;
    match end {
        Some(ExportEnd { error: None, lines }) if lines == progress.count() => Ok(written),
        Some(ExportEnd { error: Some(error), .. }) => bail!("the collector had to stop: {error}"),
        _ => bail!("the collector's answer broke off: export a shorter time, or try again"),
    }
}

/// The last line has words of its own.
fn as_end(line: &str) -> Option<ExportEnd> {
    if line.starts_with("{\"lines\":") { serde_json::from_str(line).ok() } else { None }
}

fn is_reader_gone(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}
