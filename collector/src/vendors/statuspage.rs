//! The summary of a Statuspage, `/api/v2/summary.json` (metastatuspage.com, Status API v2): incidents that are not over,
//! and maintenance that is under way.

use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

use super::{NotItsForm, Published};

/// Where the summary is, below the page.
const SUMMARY: &str = "/api/v2/summary.json";

#[derive(Deserialize)]
struct Summary {
    incidents: Vec<Incident>,
    #[serde(default)]
    scheduled_maintenances: Vec<Incident>,
}

#[derive(Deserialize)]
struct Incident {
    id: String,
    name: String,
    status: String,
    #[serde(default)]
    created_at: Option<Timestamp>,
    #[serde(default)]
    started_at: Option<Timestamp>,
    #[serde(default)]
    scheduled_for: Option<Timestamp>,
    #[serde(default)]
    updated_at: Option<Timestamp>,
    #[serde(default)]
    shortlink: Option<String>,
    #[serde(default)]
    incident_updates: Vec<Update>,
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
struct Update {
    #[serde(default)]
    body: Option<String>,
}

#[derive(Deserialize)]
struct Component {
    name: String,
}

/// The summary's URL, by that of the page or its own.
pub(super) fn summary(page: &Url) -> Url {
    let mut url = page.clone();
    if !url.path().ends_with(".json") {
        url.set_path(&format!("{}{SUMMARY}", page.path().trim_end_matches('/')));
    }
    url
}

/// What is not over.
pub(super) fn read(body: &[u8]) -> Result<Vec<Published>, NotItsForm> {
    let Summary { incidents, scheduled_maintenances } = serde_json::from_slice(body)?;
    let is_live = |it: &Incident| !matches!(it.status.as_str(), "resolved" | "postmortem");
    let is_under_way = |it: &Incident| matches!(it.status.as_str(), "in_progress" | "verifying");
    let incidents = incidents.into_iter().filter(is_live).map(|it| published(it, ""));
    let maintenances = scheduled_maintenances.into_iter().filter(is_under_way);
    Ok(incidents.chain(maintenances.map(|it| published(it, "maintenance "))).collect())
}

fn published(incident: Incident, sort: &str) -> Published {
    let since = incident.scheduled_for.or(incident.started_at).or(incident.created_at);
    // the newest update comes first
    let text = incident.incident_updates.into_iter().next().and_then(|update| update.body);
    Published {
        id: incident.id,
        title: incident.name,
        about: incident.components.into_iter().map(|component| component.name).collect(),
        state: format!("{sort}{}", incident.status.replace('_', " ")),
        text: text.unwrap_or_default(),
        since,
        updated: incident.updated_at.or(since),
        link: incident.shortlink.unwrap_or_default(),
    }
}
