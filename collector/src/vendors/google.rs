//! Google Workspace's incidents, as `https://www.google.com/appsstatus/dashboard/incidents.json` publishes them: those
//! that have no `end`.

use jiff::Timestamp;
use serde::Deserialize;

use super::{NotItsForm, Published};

/// Where an incident's `uri` is found.
const DASHBOARD: &str = "https://www.google.com/appsstatus/dashboard/";

#[derive(Deserialize)]
struct Incident {
    id: String,
    #[serde(default)]
    begin: Option<Timestamp>,
    #[serde(default)]
    end: Option<Timestamp>,
    #[serde(default)]
    modified: Option<Timestamp>,
    #[serde(default)]
    external_desc: String,
    #[serde(default)]
    status_impact: String,
    #[serde(default)]
    service_name: String,
    #[serde(default)]
    affected_products: Vec<Product>,
    #[serde(default)]
    most_recent_update: Option<Update>,
    #[serde(default)]
    uri: String,
}

#[derive(Deserialize)]
struct Product {
    title: String,
}

#[derive(Deserialize)]
struct Update {
    #[serde(default)]
    text: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    modified: Option<Timestamp>,
}

/// Incidents that are not over.
pub(super) fn read(body: &[u8]) -> Result<Vec<Published>, NotItsForm> {
    let incidents: Vec<Incident> = serde_json::from_slice(body)?;
    let live = incidents.into_iter().filter(|incident| incident.end.is_none());
    Ok(live.map(published).collect())
}

fn published(incident: Incident) -> Published {
    let mut about: Vec<String> =
        incident.affected_products.into_iter().map(|it| it.title).collect();
    if about.is_empty() && !incident.service_name.is_empty() {
        about = vec![incident.service_name];
    }
    let (text, status, modified) = incident
        .most_recent_update
        .map_or_else(Default::default, |update| (update.text, update.status, update.modified));
    Published {
        link: format!("{DASHBOARD}{}", incident.uri),
        id: incident.id,
        title: first_line(&incident.external_desc),
        about,
        state: if status.is_empty() { incident.status_impact } else { status },
        text: text.replace(['*', '#'], " "),
        since: incident.begin,
        updated: modified.or(incident.modified).or(incident.begin),
    }
}

/// The first line that says something: descriptions are Markdown, some with `**Title:**` before it.
fn first_line(text: &str) -> String {
    let plain = text.replace(['*', '#'], " ");
    let said = plain.lines().map(str::trim).map(|line| {
        let bare = line.strip_prefix("Title").or(line.strip_prefix("Summary")).unwrap_or(line);
        bare.trim_start_matches([':', ' '])
    });
    said.into_iter().find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}
