//! The report of one month that was made, in every format, as somebody has read it: `reports/2026-09/`. What differs is
//! written to `target/reports`, so that it can be looked at, and put in its place if it is right.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mailsonde_proto::WallTime;
use serde_json::Value;

use super::{Kept, Size, make, pdf_text};
use crate::fleet::later;

/// Three agents with ten checks each, and all of September in Johannesburg's time.
const SIZE: Size = Size { seed: 7, checks: 30, days: 40 };
/// When it ends, and what the collector takes for now.
const END: &str = "2026-10-06T10:00:00Z";
const END_BY_FAKETIME: &str = "@2026-10-06 10:00:00";
const MONTH: &str = "2026-09";
const MADE: &str = "[when it was made]";

impl Kept {
    fn of_september() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("year");
        let end = WallTime::from_s(END.parse::<Timestamp>().unwrap().as_second());
        let made = std::thread::scope(|scope| scope.spawn(|| make(&data, SIZE, end)).join());
        made.unwrap().unwrap();
        Self { folder, data, collector: None }
    }
}

#[test]
fn a_month_reads_as_it_did_when_somebody_read_it() {
    let mut kept = Kept::of_september();
    let mut command = later(END_BY_FAKETIME);
    command.env("TZ", "UTC");
    kept.start_by(command);
    let [json, csv, markdown, html] = ["json", "csv", "markdown", "html"]
        .map(|format| String::from_utf8(kept.report(MONTH, format)).unwrap());
    let pdf = pdf_text(&kept.report(MONTH, "pdf"), kept.folder.path());
    let value: Value = serde_json::from_str(&json).unwrap();
    let made_at = value["made_at"].as_str().unwrap();
    let zone = TimeZone::get(value["time_zone"].as_str().unwrap()).unwrap();
    let moment = made_at.parse::<Timestamp>().unwrap().to_zoned(zone);
    let moment = moment.strftime("%-d %b %H:%M").to_string();
    let mut differs = Vec::new();
    for (name, text) in [
        ("report.json", json.replace(made_at, MADE)),
        ("report.csv", csv.replace(made_at, MADE)),
        ("report.md", markdown.replace(&moment, MADE)),
        ("report.html", html.replace(&moment, MADE)),
        ("report.txt", pdf.replace(&moment, MADE)),
    ] {
        let reviewed = concat!(env!("CARGO_MANIFEST_DIR"), "/end_to_end/reports/2026-09");
        let reviewed = fs::read_to_string(Path::new(reviewed).join(name)).unwrap_or_default();
        if reviewed != text {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/reports");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(name), text).unwrap();
            differs.push(name);
        }
    }
    assert!(
        differs.is_empty(),
        "{differs:?} in target/reports differ from tests/end_to_end/reports/2026-09: read them, and copy them there if they are right"
    );
    kept.killed();
}
