//! Reads `collector.toml` key by key, so that every mistake is found and has its place.

mod otlp;
mod outside;
mod status_page;

use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{
    AGENT_CERTIFICATE_BOUNDS, Config, DEFAULT_CLAIM, DEFAULT_RAW_RETENTION, DEFAULT_SEGMENT_BYTES,
    Mistake, OidcConfig, OperatorsConfig, OtlpConfig, OutsideConfig, RAW_RETENTION_BOUNDS,
    ReportConfig, SEGMENT_BOUNDS, StatusPageConfig, reports,
};
pub(crate) use outside::page_path;

use crate::config::folder::File;
use crate::config::section::Section;
use crate::identity::{AGENT_VALIDITY, HostName};

const KEYS: [&str; 22] = [
    "agent_certificate",
    "heartbeat",
    "listen",
    "mail_client",
    "name",
    "oidc_authority",
    "oidc_claim",
    "oidc_client_id",
    "oidc_client_secret_file",
    "oidc_issuer",
    "operators_certificate",
    "operators_key",
    "operators_listen",
    "operators_url",
    "otlp",
    "peer",
    "raw_retention",
    "report",
    "segment_size",
    "status_page",
    "vendor",
    "watched",
];

/// Reads the whole text.
pub(super) fn config(file: &Path, text: &str) -> Result<Config, Vec<Mistake>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { file, text, table: table.get_ref(), mistakes: Vec::new() };
    for error in &errors {
        reader.mistake(error.span().unwrap_or(0..0), error.message().replace('\n', ", "));
    }
    reader.refuse_unknown();
    let listen = reader.value("listen", |text| address(text, 7443));
    let name = reader.value("name", |text| text.parse::<HostName>().map_err(|e| e.to_string()));
    let raw_retention = reader.value("raw_retention", raw_retention);
    let segment_bytes = reader.value("segment_size", segment_bytes);
    let agent_certificate = reader.value("agent_certificate", agent_certificate);
    let operators = reader.operators();
    let operators_url = reader.value("operators_url", operators_url);
    let oidc = reader.oidc();
    let otlp = reader.otlp();
    let outside = reader.outside();
    let status_page = reader.status_page();
    let reports = reader.reports();
    reader.require("listen");
    reader.require("name");
    match (listen, name, reader.mistakes.is_empty()) {
        (Some(listen), Some(name), true) => Ok(Config {
            listen,
            name,
            raw_retention: raw_retention.unwrap_or(DEFAULT_RAW_RETENTION),
            segment_bytes: segment_bytes.unwrap_or(DEFAULT_SEGMENT_BYTES),
            agent_certificate: agent_certificate.unwrap_or(AGENT_VALIDITY),
            operators,
            operators_url,
            oidc,
            otlp,
            outside,
            status_page,
            reports,
        }),
        _ => {
            reader.mistakes.sort();
            Err(reader.mistakes)
        }
    }
}

struct Reader<'a> {
    file: &'a Path,
    text: &'a str,
    table: &'a DeTable<'a>,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn mistake(&mut self, span: Range<usize>, message: String) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        self.mistakes.push(Mistake { file: self.file.to_owned(), line, column, message });
    }

    fn refuse_unknown(&mut self) {
        let unknown: Vec<_> = self
            .table
            .keys()
            .filter(|key| !KEYS.contains(&key.get_ref().as_ref()))
            .map(|key| (key.span(), key.get_ref().to_string()))
            .collect();
        for (span, key) in unknown {
            let known = KEYS.join(", ");
            self.mistake(span, format!("{key} is not known here: there is {known}"));
        }
    }

    fn require(&mut self, key: &str) {
        if !self.table.contains_key(key) {
            let message = format!("{key} is missing");
            let file = self.file.to_owned();
            self.mistakes.push(Mistake { file, line: 0, column: 0, message });
        }
    }

    fn operators(&mut self) -> Option<OperatorsConfig> {
        let listen = self.value("operators_listen", |text| address(text, 7444));
        let certificate = self.value("operators_certificate", path);
        let key = self.value("operators_key", path);
        for (one, other) in [
            ("operators_certificate", "operators_key"),
            ("operators_key", "operators_certificate"),
            ("operators_certificate", "operators_listen"),
            ("operators_url", "operators_listen"),
        ] {
            if self.table.contains_key(one) {
                self.require(other);
            }
        }
        Some(OperatorsConfig { listen: listen?, certificate: certificate.zip(key) })
    }

    fn oidc(&mut self) -> Option<OidcConfig> {
        let issuer = self.value("oidc_issuer", issuer);
        let client_id = self.value("oidc_client_id", word);
        let client_secret_file = self.value("oidc_client_secret_file", path);
        let authority = self.value("oidc_authority", path);
        let claim = self.value("oidc_claim", word);
        let all = ["authority", "claim", "client_id", "client_secret_file", "issuer"];
        if all.iter().any(|key| self.table.contains_key(format!("oidc_{key}").as_str())) {
            for key in ["oidc_issuer", "oidc_client_id", "operators_listen"] {
                self.require(key);
            }
        }
        let claim = claim.unwrap_or_else(|| DEFAULT_CLAIM.to_owned());
        Some(OidcConfig {
            issuer: issuer?,
            client_id: client_id?,
            client_secret_file,
            authority,
            claim,
        })
    }

    fn otlp(&mut self) -> Option<OtlpConfig> {
        let name = self.file.to_string_lossy();
        let file = File { name: &name, text: self.text };
        otlp::read(Section::new(&file, (0, self.table), ""), &mut self.mistakes)
    }

    fn outside(&mut self) -> OutsideConfig {
        let name = self.file.to_string_lossy();
        let file = File { name: &name, text: self.text };
        let outside = outside::read(Section::new(&file, (0, self.table), ""), &mut self.mistakes);
        if outside.page.is_some() {
            self.require("operators_listen");
        }
        outside
    }

    fn status_page(&mut self) -> Option<StatusPageConfig> {
        let name = self.file.to_string_lossy();
        let file = File { name: &name, text: self.text };
        let root = Section::new(&file, (0, self.table), "");
        let page = status_page::read(root, &mut self.mistakes);
        if page.is_some() {
            self.require("operators_listen");
        }
        page
    }

    fn reports(&mut self) -> Vec<ReportConfig> {
        let name = self.file.to_string_lossy();
        let file = File { name: &name, text: self.text };
        reports::read(Section::new(&file, (0, self.table), ""), &mut self.mistakes)
    }

    fn value<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let entry: &Spanned<DeValue<'_>> = self.table.get(key)?;
        let outcome = match entry.get_ref() {
            DeValue::String(text) => read(text),
            _ => Err("must be a text in quotes".into()),
        };
        let span = entry.span();
        outcome.map_err(|message| self.mistake(span, format!("{key}: {message}"))).ok()
    }
}

fn address(text: &str, port: u16) -> Result<SocketAddr, String> {
    let form = || format!("must be an IP address and a port, such as \"0.0.0.0:{port}\"");
    text.parse().ok().ok_or_else(form)
}

/// A relative one is looked for in the collector's folder.
fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("must be the path of a PEM file".into()) } else { Ok(text.into()) }
}

/// The same, of a file that others must not read.
fn path_of_secret(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("must be the path of a file".into()) } else { Ok(text.into()) }
}

fn issuer(text: &str) -> Result<String, String> {
    let is_one = url::Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.has_host());
    if is_one { Ok(text.to_owned()) } else { Err("must be an https URL".into()) }
}

fn operators_url(text: &str) -> Result<url::Url, String> {
    let form =
        "must be an https URL without a path, such as \"https://collector.example.org:7444\"";
    let url = url::Url::parse(text).map_err(|_no_url| form)?;
    let is_one = url.scheme() == "https" && url.has_host() && url.path() == "/";
    if is_one && url.query().is_none() { Ok(url) } else { Err(form.to_owned()) }
}

fn word(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("must not be empty".into()) } else { Ok(text.to_owned()) }
}

fn raw_retention(text: &str) -> Result<Duration, String> {
    let form = "must be a number and a unit, such as \"35d\"";
    let duration = humantime::parse_duration(text).ok().ok_or(form)?;
    let (least, most) = RAW_RETENTION_BOUNDS;
    if (least..=most).contains(&duration) {
        return Ok(duration);
    }
    let days = |bound: Duration| bound.as_secs() / 86_400;
    Err(format!("must be between \"{}d\" and \"{}d\"", days(least), days(most)))
}

fn agent_certificate(text: &str) -> Result<Duration, String> {
    let form = "must be a number and a unit, such as \"24h\"";
    let duration = humantime::parse_duration(text).ok().ok_or(form)?;
    let (least, most) = AGENT_CERTIFICATE_BOUNDS;
    if (least..=most).contains(&duration) {
        return Ok(duration);
    }
    let [least, most] = [least, most].map(humantime::format_duration);
    Err(format!("must be between \"{least}\" and \"{most}\""))
}

fn segment_bytes(text: &str) -> Result<u64, String> {
    let form = "must be a whole number and a unit, such as \"64MiB\"";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
    let shift = match unit.trim() {
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return Err(form.to_owned()),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    let (least, most) = SEGMENT_BOUNDS;
    match bytes {
        Some(bytes) if (least..=most).contains(&bytes) => Ok(bytes),
        Some(_) => Err(format!("must be between \"{}MiB\" and \"{}MiB\"", least >> 20, most >> 20)),
        None => Err(form.to_owned()),
    }
}
