//! `[otlp]`: to whom the metrics of `/metrics` are sent as OTLP.
//!
//! ```toml
//! [otlp]
//! endpoint = "https://otlp.example.net"   # /v1/metrics is added where there is no path
//! #headers_file = "otlp.headers"          # mode 0600; lines such as `api-key: NAME_OF_THE_KEY`
//! #every = "60s"
//! #temporality = "cumulative"             # or "delta", as New Relic and Datadog want it
//! #authority = "otlp-ca.pem"              # by which to know it; the system's where it is not said
//! ```

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

/// Metrics are sent this often when the file does not say.
pub const DEFAULT_EVERY: Duration = Duration::from_secs(60);

/// Where metrics are sent as OTLP over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpConfig {
    /// The whole URL.
    pub endpoint: Url,
    /// A file with more headers, which are secrets; `None`: there are none. A relative one is looked for in the
    /// collector's folder.
    pub headers_file: Option<PathBuf>,
    /// How often.
    pub every: Duration,
    /// What counters and histograms tell.
    pub temporality: Temporality,
    /// A PEM file with the authorities by which to know it; `None`: those of the system.
    pub authority: Option<PathBuf>,
}

/// What counters and histograms tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporality {
    /// Everything since the collector's start.
    Cumulative,
    /// What came since it was last told.
    Delta,
}
