//! `report`: a month as a document.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use mailsonde_proto::Clock;

use super::parameters::with_parameters;
use super::progress::waiting;
use super::{Ending, Setting, client};
use crate::api::{ReportAsked, path};
use crate::folder::{PUBLIC, write_file};
use crate::query::sla::Month;
use crate::report::Format;

#[derive(Debug, clap::Args)]
pub(super) struct ReportArguments {
    /// The month, such as 2026-10; the last one that is over when it is not said
    #[arg(long, value_name = "YEAR-MONTH")]
    month: Option<Month>,
    /// Of this service only; can be said several times
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// How it is written
    #[arg(long, value_enum, default_value = "markdown")]
    format: Format,
    /// Into this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn run(setting: &Setting, arguments: &ReportArguments) -> anyhow::Result<Ending> {
    let format = if setting.json { Format::Json } else { arguments.format };
    if let Some(folder) = arguments.output.as_ref().filter(|file| file.is_dir()) {
        bail!("{} is a folder: name a file", folder.display());
    }
    let is_shown = arguments.output.is_none() && std::io::stdout().is_terminal();
    if format == Format::Pdf && is_shown {
        bail!("a PDF is nothing for a terminal: name a file by -o");
    }
    let month = match arguments.month {
        Some(month) => month,
        None => {
            let now = Clock::system().wall().timestamp();
            Month::of(now.to_zoned(setting.terminal.zone.clone()).date()).before()
        }
    };
    let service = (!arguments.service.is_empty()).then(|| arguments.service.join(","));
    let asked = path::with(path::REPORT, &month.to_string());
    let asked = with_parameters(&asked, &ReportAsked { format: Some(format), service });
    let asking = client::ask_for_bytes(&setting.collector, &asked);
    let bytes = waiting("making the report", asking).await?;
    match &arguments.output {
        Some(file) => write_file(file, &bytes, PUBLIC)?,
        None => match std::io::stdout().write_all(&bytes) {
            // whoever read had enough
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            written => written.context("the report cannot be written")?,
        },
    }
    Ok(Ending::Done)
}
