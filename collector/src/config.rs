//! `collector.toml`: what is written there, made into types that cannot be wrong.
//!
//! Every mistake of the file is told at once, with line and column. Absent on purpose: runtime state, and
//! anything that an operator changes while the collector runs (that is in the control journal).

pub mod otlp;
pub mod outside;
pub mod reports;
pub mod status_page;

mod read;
mod secret;

pub(crate) mod folder;
pub(crate) mod section;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::folder::{Folder, FolderError, PUBLIC, write_file};
use crate::identity::{AGENT_VALIDITY, HostName};

pub use otlp::OtlpConfig;
pub use outside::OutsideConfig;
pub(crate) use read::page_path;
pub use reports::ReportConfig;
pub use secret::SecretPlace;
pub use status_page::StatusPageConfig;

/// How long single observations are kept when the file does not say.
pub const DEFAULT_RAW_RETENTION: Duration = Duration::from_secs(35 * DAY_S);
/// A segment of the journal of observations is full at this many bytes when the file does not say.
pub const DEFAULT_SEGMENT_BYTES: u64 = 64 << 20;

/// The claim by which users are known when the file does not say.
pub const DEFAULT_CLAIM: &str = "email";

const RAW_RETENTION_BOUNDS: (Duration, Duration) =
    (Duration::from_secs(DAY_S), Duration::from_secs(3_660 * DAY_S));
const SEGMENT_BOUNDS: (u64, u64) = (1 << 20, 1 << 30);
const AGENT_CERTIFICATE_BOUNDS: (Duration, Duration) =
    (Duration::from_secs(5), Duration::from_secs(90 * DAY_S));
const DAY_S: u64 = 86_400;

/// Everything that `collector.toml` says, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where agents connect to.
    pub listen: SocketAddr,
    /// What agents call the collector; stands in its certificate.
    pub name: HostName,
    /// How long single observations are kept; rollups and the control journal stay longer.
    pub raw_retention: Duration,
    /// A segment of the journal of observations is full at this many bytes.
    pub segment_bytes: u64,
    /// How long an agent's certificate lives; agents renew it at half of that.
    pub agent_certificate: Duration,
    /// Where operators connect to over the network; `None`: nowhere.
    pub operators: Option<OperatorsConfig>,
    /// Under which URL operators reach it, for links in messages; `None`: there are no links.
    pub operators_url: Option<url::Url>,
    /// Where operators may sign in; `None`: by passwords only.
    pub oidc: Option<OidcConfig>,
    /// To whom metrics are sent; `None`: to nobody.
    pub otlp: Option<OtlpConfig>,
    /// Who watches this collector, whom it watches, which vendors it hears.
    pub outside: OutsideConfig,
    /// The page for users; `None`: there is none.
    pub status_page: Option<StatusPageConfig>,
    /// Monthly reports that are mailed.
    pub reports: Vec<ReportConfig>,
}

/// The OpenID provider at which operators may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcConfig {
    /// Its URL, exactly as it calls itself.
    pub issuer: String,
    /// What it calls this collector.
    pub client_id: String,
    /// A file with the client's secret; `None` for a public client.
    pub client_secret_file: Option<PathBuf>,
    /// A PEM file with the authorities by which to know it; `None`: those of the system.
    pub authority: Option<PathBuf>,
    /// The claim by which users are known.
    pub claim: String,
}

/// How operators are answered over the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorsConfig {
    /// Where.
    pub listen: SocketAddr,
    /// The PEM files of a certificate with its chain, and of its key; `None`: one of the collector's own authority.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is none.
    #[error(
        "{} is not there: make it with `mailsonde-collector --data {} init --listen ADDR --name HOST`",
        .0.config().display(),
        .0.path().display()
    )]
    Missing(Folder),
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] FolderError),
    /// Something in it is wrong: all of it.
    #[error("{}", lines(.0))]
    Mistakes(Vec<Mistake>),
}

/// Something wrong in the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// As it was named to us.
    pub file: PathBuf,
    /// From 1; 0 when it is about the file as a whole.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// `collector.toml:3:1: naem is not known here`.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message } = self;
        match line {
            0 => write!(f, "{}: {message}", file.display()),
            line => write!(f, "{}:{line}:{column}: {message}", file.display()),
        }
    }
}

fn lines(mistakes: &[Mistake]) -> String {
    let lines: Vec<String> = mistakes.iter().map(Mistake::to_string).collect();
    lines.join("\n")
}

impl Config {
    /// The configuration that `init` writes.
    pub fn new(listen: SocketAddr, name: HostName) -> Self {
        Self {
            listen,
            name,
            raw_retention: DEFAULT_RAW_RETENTION,
            segment_bytes: DEFAULT_SEGMENT_BYTES,
            agent_certificate: AGENT_VALIDITY,
            operators: None,
            operators_url: None,
            oidc: None,
            otlp: None,
            outside: OutsideConfig::default(),
            status_page: None,
            reports: Vec::new(),
        }
    }

    /// Reads the folder's configuration.
    ///
    /// # Errors
    /// When there is none, or anything in it is wrong.
    pub fn load(folder: &Folder) -> Result<Self, ConfigError> {
        let file = folder.config();
        match std::fs::read_to_string(&file) {
            Ok(text) => Self::parse(&file, &text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(ConfigError::Missing(folder.clone()))
            }
            Err(error) => Err(FolderError::io("read", &file)(error).into()),
        }
    }

    /// Reads a text; `file` is its name in mistakes.
    ///
    /// # Errors
    /// When anything in it is wrong: all of it, in the order of the file.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        read::config(file, text).map_err(ConfigError::Mistakes)
    }

    /// Writes the folder's configuration, as `init` does.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, folder: &Folder) -> Result<(), ConfigError> {
        let Self { listen, name, .. } = self;
        let text = format!(
            "# Mailsonde's collector. After a change: restart it.\n\
             \n\
             # Where agents connect to.\n\
             listen = \"{listen}\"\n\
             # What agents call this machine; stands in its certificate. Agents that were added before a\n\
             # change of it keep calling it by the old name.\n\
             name = \"{name}\"\n\
             \n\
             # How long single observations are kept. Figures per minute stay 8 days, per hour 13 months,\n\
             # per day for ever.\n\
             #raw_retention = \"35d\"\n\
             # Observations are kept in files of this size.\n\
             #segment_size = \"64MiB\"\n\
             # How long an agent's certificate lives. Agents renew it at half of that, by themselves.\n\
             #agent_certificate = \"24h\"\n\
             \n\
             # Where operators connect to over the network, by HTTPS: nowhere unless it is said. They sign in as users\n\
             # (`mailsonde-collector user add`) or by API tokens.\n\
             #operators_listen = \"0.0.0.0:7444\"\n\
             # Under which address they reach it: for the link in messages by which somebody takes an incident on\n\
             #operators_url = \"https://{name}:7444\"\n\
             # A certificate and its key, PEM, read again when they are renewed. Without them operators are shown one\n\
             # of the collector's own authority, which they trust by ca.pem or its fingerprint.\n\
             #operators_certificate = \"operators.pem\"\n\
             #operators_key = \"operators.key\"\n\
             # An OpenID provider at which operators may sign in, if they are users whom it knows by this claim\n\
             # (`mailsonde-collector user add NAME --role ROLE --oidc CLAIM`).\n\
             #oidc_issuer = \"https://login.example.org\"\n\
             #oidc_client_id = \"mailsonde\"\n\
             #oidc_client_secret_file = \"oidc.secret\"\n\
             #oidc_authority = \"oidc-ca.pem\"\n\
             #oidc_claim = \"email\"\n\
             \n\
             # Who watches this collector, whom it watches, and vendors whose own word stands beside incidents:\n\
             # [watched], [[heartbeat]], [[peer]], [[vendor]]. Every key with its words is in the example of this file\n\
             # (/usr/share/doc/mailsonde-collector/examples of the package, deploy/examples of the sources).\n\
             # To whom the metrics of /metrics are sent as OTLP (New Relic, an OpenTelemetry collector): [otlp].\n\
             # A page for users, and how their mail programs are set up: [status_page], [[mail_client]].\n"
        );
        Ok(write_file(&folder.config(), text.as_bytes(), PUBLIC)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> String {
        Config::parse(Path::new("collector.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn what_init_writes_reads_back() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        assert!(matches!(Config::load(&folder), Err(ConfigError::Missing(_))));
        let config = Config::new("[::]:7443".parse().unwrap(), "mail.example.org".parse().unwrap());
        config.write(&folder).unwrap();
        assert_eq!(Config::load(&folder).unwrap(), config);
        // What stands there as a comment is the default, but for operators.
        let text = std::fs::read_to_string(folder.config()).unwrap().replace("\n#", "\n");
        let text: String = text
            .lines()
            .filter(|line| line.contains('='))
            .map(|line| format!("{line}\n"))
            .collect();
        let operators = OperatorsConfig {
            listen: "0.0.0.0:7444".parse().unwrap(),
            certificate: Some(("operators.pem".into(), "operators.key".into())),
        };
        let oidc = OidcConfig {
            issuer: "https://login.example.org".into(),
            client_id: "mailsonde".into(),
            client_secret_file: Some("oidc.secret".into()),
            authority: Some("oidc-ca.pem".into()),
            claim: DEFAULT_CLAIM.into(),
        };
        let operators_url = Some("https://mail.example.org:7444".parse().unwrap());
        let (operators, oidc) = (Some(operators), Some(oidc));
        let config = Config { operators, operators_url, oidc, ..config };
        assert_eq!(Config::parse(Path::new("x"), &text).unwrap(), config);
    }

    #[test]
    fn the_example_is_right_and_says_the_defaults() {
        let example = include_str!("../../deploy/examples/collector.toml");
        let config = Config::parse(Path::new("collector.toml"), example).unwrap();
        assert_eq!(config.raw_retention, DEFAULT_RAW_RETENTION);
        assert_eq!(config.segment_bytes, DEFAULT_SEGMENT_BYTES);
        assert_eq!(config.agent_certificate, AGENT_VALIDITY);
        assert!(config.operators.is_some() && config.oidc.is_some());
        assert_eq!((config.outside.vendors.len(), config.reports.len()), (3, 1));
        assert!(config.outside.page.is_some() && config.outside.peers.len() == 1);
    }

    /// A key that no table has makes each tell the keys that it has.
    #[test]
    fn the_example_says_every_key() {
        let example = include_str!("../../deploy/examples/collector.toml");
        let mut text = "nowhere = 1\n".to_owned();
        for line in example.lines() {
            text.push_str(&format!("{line}\n"));
            if line.starts_with('[') {
                text.push_str("nowhere = 1\n");
            }
        }
        let told = mistakes(&text);
        let known =
            told.lines().filter_map(|line| line.split_once(" is not known here: there is "));
        let keys: Vec<_> = known.flat_map(|(_, keys)| keys.split(", ")).collect();
        assert!(keys.len() > 50, "{told}");
        let starts = |key: &str| {
            let own = |line: &str| {
                let line = line.trim_start_matches(['#', ' ', '[']);
                line.strip_prefix(key).is_some_and(|rest| rest.starts_with([' ', ']']))
            };
            example.lines().any(own) || example.contains(&format!("[[{key}]]"))
        };
        // its head says of all secrets that they come from a file, from the environment, or stand there
        let is_said =
            |key: &&str| starts(key) || starts(&format!("{}_file", key.trim_end_matches("_env")));
        let missing: Vec<_> = keys.into_iter().filter(|key| !is_said(key)).collect();
        assert!(missing.is_empty(), "deploy/examples/collector.toml says nothing of {missing:?}");
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let text = "\nlisten = \"here\"\nnaem = \"x\"\nraw_retention = \"5\"\n\
                    segment_size = 64\nviews = \"open\n";
        insta::assert_snapshot!(mistakes(text), @r#"
        collector.toml: name is missing
        collector.toml:2:10: listen: must be an IP address and a port, such as "0.0.0.0:7443"
        collector.toml:3:1: naem is not known here: there is agent_certificate, heartbeat, listen, mail_client, name, oidc_authority, oidc_claim, oidc_client_id, oidc_client_secret_file, oidc_issuer, operators_certificate, operators_key, operators_listen, operators_url, otlp, peer, raw_retention, report, segment_size, status_page, vendor, watched
        collector.toml:4:17: raw_retention: must be a number and a unit, such as "35d"
        collector.toml:5:16: segment_size: must be a text in quotes
        collector.toml:6:1: views is not known here: there is agent_certificate, heartbeat, listen, mail_client, name, oidc_authority, oidc_claim, oidc_client_id, oidc_client_secret_file, oidc_issuer, operators_certificate, operators_key, operators_listen, operators_url, otlp, peer, raw_retention, report, segment_size, status_page, vendor, watched
        collector.toml:6:14: invalid basic string, expected `"`
        "#);
    }

    #[test]
    fn what_is_missing_and_what_is_out_of_bounds() {
        insta::assert_snapshot!(mistakes(
            "name = 'a b'\nraw_retention = '3h'\nsegment_size = '2TiB'"
        ), @r#"
        collector.toml: listen is missing
        collector.toml:1:8: name: "a b" is neither a host name nor an IP address, such as collector.example.org
        collector.toml:2:17: raw_retention: must be between "1d" and "3660d"
        collector.toml:3:16: segment_size: must be between "1MiB" and "1024MiB"
        "#);
        insta::assert_snapshot!(mistakes(""), @r"
        collector.toml: listen is missing
        collector.toml: name is missing
        ");
    }

    #[test]
    fn a_certificate_has_its_key_and_somebody_to_show_it_to() {
        insta::assert_snapshot!(mistakes(
            "listen = '[::]:1'\nname = 'a'\noperators_certificate = 'x.pem'"
        ), @r"
        collector.toml: operators_key is missing
        collector.toml: operators_listen is missing
        ");
        insta::assert_snapshot!(mistakes(
            "listen = '[::]:1'\nname = 'a'\noperators_listen = '7444'\noperators_key = ''"
        ), @r#"
        collector.toml: operators_certificate is missing
        collector.toml:3:20: operators_listen: must be an IP address and a port, such as "0.0.0.0:7444"
        collector.toml:4:17: operators_key: must be the path of a PEM file
        "#);
    }

    #[test]
    fn a_provider_has_an_https_url_and_a_client() {
        let text = "listen = '[::]:1'\nname = 'a'\noperators_listen = '[::]:2'\n";
        let both = format!("{text}oidc_issuer = 'https://a/b'\noidc_client_id = 'c'");
        let oidc = Config::parse(Path::new("x"), &both).unwrap().oidc.unwrap();
        assert_eq!((oidc.issuer.as_str(), oidc.claim.as_str()), ("https://a/b", "email"));
        insta::assert_snapshot!(mistakes(&format!("{text}oidc_issuer = 'http://a'")), @r"
        collector.toml: oidc_client_id is missing
        collector.toml:4:15: oidc_issuer: must be an https URL
        ");
        insta::assert_snapshot!(mistakes("listen = '[::]:1'\nname = 'a'\noidc_claim = ''"), @r"
        collector.toml: oidc_client_id is missing
        collector.toml: oidc_issuer is missing
        collector.toml: operators_listen is missing
        collector.toml:3:14: oidc_claim: must not be empty
        ");
    }

    #[test]
    fn values() {
        let text = "listen = '127.0.0.1:0'\nname = '127.0.0.1'\nraw_retention = '90 days'\n\
                    segment_size = '8 MiB'";
        let config = Config::parse(Path::new("x"), text).unwrap();
        assert_eq!(config.raw_retention, Duration::from_secs(90 * DAY_S));
        assert_eq!(config.segment_bytes, 8 << 20);
    }
}
