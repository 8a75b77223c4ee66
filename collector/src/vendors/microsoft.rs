//! Microsoft 365 service health: `GET /v1.0/admin/serviceAnnouncement/healthOverviews?$expand=issues` of Microsoft Graph,
//! and the token for it (OAuth 2.0 client credentials, RFC 6749 section 4.4).
//!
//! Source: learn.microsoft.com, Microsoft Graph REST API v1.0, `serviceHealth` and `serviceHealthIssue`. The application
//! needs `ServiceHealth.Read.All`.

use jiff::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{NotItsForm, Published};

/// What is asked of Graph.
pub(super) const PATH: &str = "v1.0/admin/serviceAnnouncement/healthOverviews";
/// Where people read on.
const CENTER: &str = "https://admin.microsoft.com/Adminportal/Home#/servicehealth/:/alerts/";

#[derive(Deserialize)]
struct Overviews {
    value: Vec<Overview>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Overview {
    service: String,
    #[serde(default)]
    issues: Vec<Issue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issue {
    id: String,
    title: String,
    #[serde(default)]
    impact_description: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    is_resolved: bool,
    #[serde(default)]
    start_date_time: Option<Timestamp>,
    #[serde(default)]
    last_modified_date_time: Option<Timestamp>,
}

/// RFC 6749 section 5.1.
#[derive(Deserialize)]
pub(super) struct Token {
    pub(super) access_token: Zeroizing<String>,
    /// Seconds.
    pub(super) expires_in: u64,
}

/// Issues that are not resolved.
pub(super) fn read(body: &[u8]) -> Result<Vec<Published>, NotItsForm> {
    let Overviews { value } = serde_json::from_slice(body)?;
    let of_service = |overview: Overview| {
        let service = overview.service;
        let issues = overview.issues.into_iter().filter(|issue| !issue.is_resolved);
        issues.map(move |issue| Published {
            link: format!("{CENTER}{}", issue.id),
            id: issue.id,
            title: issue.title,
            about: vec![service.clone()],
            state: issue.status.unwrap_or_default(),
            text: issue.impact_description.unwrap_or_default(),
            since: issue.start_date_time,
            updated: issue.last_modified_date_time.or(issue.start_date_time),
        })
    };
    Ok(value.into_iter().flat_map(of_service).collect())
}
