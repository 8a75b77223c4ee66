//! What `collector.toml` says of the world outside: who watches this collector, whom it watches, which vendors it hears.

use std::path::PathBuf;
use std::time::Duration;

use url::{Host, Url};

use super::SecretPlace;

/// A heartbeat is sent this often when the file does not say.
pub const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(60);
/// Another collector is looked at this often when the file does not say.
pub const DEFAULT_PEER: Duration = Duration::from_secs(30);
/// Another collector is missed after this when the file does not say.
pub const DEFAULT_SILENT_AFTER: Duration = Duration::from_secs(300);
/// A vendor is asked this often when the file does not say.
pub const DEFAULT_VENDOR: Duration = Duration::from_secs(300);

/// Google's incidents, for everybody to read.
pub const GOOGLE_WORKSPACE: &str = "https://www.google.com/appsstatus/dashboard/incidents.json";
/// Microsoft Graph, worldwide; national clouds have their own.
pub const GRAPH: &str = "https://graph.microsoft.com";
/// Where applications get tokens for it.
pub const MICROSOFT_SIGN_IN: &str = "https://login.microsoftonline.com";

/// Everything about the world outside; empty by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutsideConfig {
    /// A page on which others see without signing in whether this collector is healthy; `None`: there is none.
    pub page: Option<PageConfig>,
    /// To whom a sign of life is sent.
    pub heartbeats: Vec<HeartbeatConfig>,
    /// Other collectors that are watched.
    pub peers: Vec<PeerConfig>,
    /// Vendors whose own word is heard.
    pub vendors: Vec<VendorConfig>,
}

/// The page that others see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageConfig {
    /// The part of its path that nobody guesses.
    pub path: SecretPlace,
    /// Services that have a page of their own below it.
    pub services: Vec<String>,
}

/// The forms of a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeartbeatKind {
    /// healthchecks.io, or one's own.
    Healthchecks,
    /// A heartbeat of UptimeRobot.
    UptimeRobot,
    /// Anything that wants to be asked for by GET.
    Generic,
}

impl HeartbeatKind {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthchecks => "healthchecks",
            Self::UptimeRobot => "uptimerobot",
            Self::Generic => "generic",
        }
    }
}

/// Somebody to whom a sign of life is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatConfig {
    /// What it is called; no other has it.
    pub name: String,
    /// In which form.
    pub kind: HeartbeatKind,
    /// Where; whoever knows it can say that we live.
    pub url: SecretPlace,
    /// How often.
    pub every: Duration,
    /// A PEM file with the authorities by which to know it; `None`: those of the system.
    pub authority: Option<PathBuf>,
}

/// Another collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerConfig {
    /// What it is called; no other has it.
    pub name: String,
    /// Its page.
    pub url: SecretPlace,
    /// How often it is looked at.
    pub every: Duration,
    /// It is missed when it was not seen to be healthy for so long.
    pub silent_after: Duration,
    /// A PEM file with the authorities by which to know it; `None`: those of the system.
    pub authority: Option<PathBuf>,
}

/// A vendor whose own word is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VendorConfig {
    /// What it is called; no other has it.
    pub name: String,
    /// Where and how it is asked.
    pub kind: VendorKind,
    /// Patterns of our services that it speaks for; none: all of them.
    pub services: Vec<String>,
    /// Patterns of its own services that are of interest; none: all of them.
    pub only: Vec<String>,
    /// How often it is asked.
    pub every: Duration,
    /// A PEM file with the authorities by which to know it; `None`: those of the system.
    pub authority: Option<PathBuf>,
}

/// The forms of a vendor's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VendorKind {
    /// Microsoft 365 service health, by Microsoft Graph.
    Microsoft365 {
        /// The organisation, by its id or domain.
        tenant: String,
        /// The application that was registered there.
        client_id: String,
        /// Its secret.
        client_secret: SecretPlace,
        /// Graph.
        graph: Url,
        /// Where tokens come from.
        sign_in: Url,
    },
    /// Google Workspace's incidents.
    GoogleWorkspace(Url),
    /// The summary of a Statuspage.
    Statuspage(Url),
    /// RSS, Atom or JSON Feed.
    Feed(Url),
}

impl VendorKind {
    /// Its word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Microsoft365 { .. } => "microsoft365",
            Self::GoogleWorkspace(_) => "google-workspace",
            Self::Statuspage(_) => "statuspage",
            Self::Feed(_) => "feed",
        }
    }
}

/// A URL that the collector asks or sends to: `https`, or `http` on this very host, because it may be a secret and what is
/// sent tells of outages; without a user and a password, which would be shown where a host is.
///
/// # Errors
/// When it is another, in words that do not repeat it.
pub fn outside_url(text: &str) -> Result<Url, String> {
    let form = "must be an https URL; http is for 127.0.0.1, [::1] and localhost only";
    let url = Url::parse(text).ok().ok_or(form)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must hold no user and no password".to_owned());
    }
    let is_here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => return Err(form.to_owned()),
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_here => Ok(url),
        _ => Err(form.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_asked_by_https() {
        for (text, expected) in [
            ("https://hc-ping.com/x", true),
            ("http://127.0.0.1:8000/x", true),
            ("http://[::1]/x", true),
            ("http://localhost:1/", true),
            ("http://hc-ping.com/x", false),
            ("http://localhost.example.org/", false),
            ("file:///etc/passwd", false),
            ("hc-ping.com", false),
            ("https://ann@hc-ping.com/x", false),
            ("https://:secret@hc-ping.com/x", false),
            ("", false),
        ] {
            assert_eq!(outside_url(text).is_ok(), expected, "{text}");
        }
    }
}
