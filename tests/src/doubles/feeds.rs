//! Vendors' own status, in each published form, with trouble or without; Microsoft's also with its sign-in.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::http::{Manner, Received, Reply, Server};

/// The organisation at Microsoft that is known.
pub const TENANT: &str = "example.onmicrosoft.com";
/// The application there.
pub const CLIENT: &str = "11111111-2222-3333-4444-555555555555";
/// Its secret.
pub const SECRET: &str = "a secret~of&the+application";
/// What it is given for it.
const TOKEN: &str = "eyJ0eXAiOiJKV1QifQ.e30.c2ln";

/// All of them, on one address.
pub struct Feeds {
    server: Server,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    has_trouble: bool,
    asked: Vec<Received>,
    not_modified: usize,
    url: String,
}

impl Feeds {
    /// Starts them, without trouble.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn start() -> std::io::Result<Self> {
        let kept = Arc::<Mutex<Kept>>::default();
        let told = kept.clone();
        let server = Server::start(move |question| {
            Manner::Reply(lock(&told).answer(question), Duration::ZERO)
        })?;
        lock(&kept).url = server.url();
        Ok(Self { server, kept })
    }

    /// Where they are.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Whether they tell of trouble from now on.
    pub fn set_trouble(&self, has_trouble: bool) {
        lock(&self.kept).has_trouble = has_trouble;
    }

    /// Every question, in order: its method and its path with parameters.
    pub fn asked(&self) -> Vec<(String, String)> {
        let asked = &lock(&self.kept).asked;
        asked.iter().map(|it| (it.method.clone(), it.target.clone())).collect()
    }

    /// How often it was enough to say that nothing changed.
    pub fn not_modified(&self) -> usize {
        lock(&self.kept).not_modified
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    fn answer(&mut self, question: &Received) -> Reply {
        self.asked.push(question.clone());
        let sign_in = format!("/{TENANT}/oauth2/v2.0/token");
        match (question.method.as_str(), question.path()) {
            ("POST", path) if path == sign_in => self.sign_in(question),
            ("GET", "/v1.0/admin/serviceAnnouncement/healthOverviews") => self.graph(question),
            ("GET", "/appsstatus/dashboard/incidents.json") => {
                self.unless_known(question, self.google().to_string())
            }
            ("GET", "/api/v2/summary.json") => {
                self.unless_known(question, self.statuspage().to_string())
            }
            ("GET", "/history.rss") => self.unless_known(question, self.rss()),
            ("GET", "/history.atom") => self.unless_known(question, self.atom()),
            _ => Reply::new(404, "not found"),
        }
    }

    /// RFC 9110 section 13: by its ETag.
    fn unless_known(&mut self, question: &Received, body: String) -> Reply {
        let tag = format!("W/\"{}\"", self.has_trouble);
        if question.header("if-none-match") == tag {
            self.not_modified += 1;
            return Reply::new(304, "").with("ETag", tag);
        }
        Reply::new(200, body).with("ETag", tag)
    }

    /// RFC 6749 section 4.4, as login.microsoftonline.com wants it.
    fn sign_in(&self, question: &Received) -> Reply {
        let form = [
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", CLIENT.to_owned()),
            ("client_secret", SECRET.to_owned()),
            ("scope", format!("{}/.default", self.url)),
        ];
        let body = question.text();
        let told = body.split('&').filter_map(|pair| pair.split_once('='));
        let mut told: Vec<_> = told.map(|(key, value)| (key, unescaped(value))).collect();
        let mut expected = form.to_vec();
        told.sort();
        expected.sort();
        let is_form = question.header("content-type") == "application/x-www-form-urlencoded";
        if told != expected || !is_form {
            let words = json!({ "error": "invalid_client", "error_description": "AADSTS7000215" });
            return Reply::new(401, words.to_string());
        }
        let token = json!({ "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599,
            "access_token": TOKEN });
        Reply::new(200, token.to_string())
    }

    fn graph(&self, question: &Received) -> Reply {
        let is_signed_in = question.header("authorization") == format!("Bearer {TOKEN}");
        if !is_signed_in {
            let error = json!({ "error": { "code": "InvalidAuthenticationToken" } });
            return Reply::new(401, error.to_string());
        }
        let has_issues = question.target.ends_with("?$expand=issues");
        let mut exchange = json!({ "service": "Exchange Online", "id": "Exchange",
            "status": "serviceOperational" });
        if has_issues {
            put(&mut exchange, "issues", Value::Array(self.issues()));
        }
        let all = json!({
            "@odata.context":
                "https://graph.microsoft.com/v1.0/$metadata#admin/serviceAnnouncement/healthOverviews",
            "value": [exchange, { "service": "Planner", "id": "Planner",
                "status": "serviceOperational", "issues": [] }]
        });
        Reply::new(200, all.to_string())
    }

    /// One that is over, and one that is not while there is trouble.
    fn issues(&self) -> Vec<Value> {
        let issue = |id: &str, title: &str, status: &str, is_resolved: bool| {
            json!({
                "startDateTime": at(-40), "endDateTime": is_resolved.then(|| at(-10)),
                "lastModifiedDateTime": at(-5), "title": title, "id": id,
                "impactDescription": "Users may be unable to <b>send</b> messages.",
                "classification": "incident", "origin": "microsoft", "status": status,
                "service": "Exchange Online", "feature": "E-Mail and calendar access",
                "featureGroup": "E-Mail and calendar access", "isResolved": is_resolved,
                "highImpact": null, "details": [],
                "posts": [{ "createdDateTime": at(-30), "postType": "regular",
                    "description": { "contentType": "html", "content": "Title: …" } }]
            })
        };
        let over = issue("EX1000001", "Was slow", "serviceRestored", true);
        let live = issue("EX1064599", "Some users can't send", "serviceDegradation", false);
        if self.has_trouble { vec![over, live] } else { vec![over] }
    }

    fn google(&self) -> Value {
        let update = json!({ "created": at(-5), "modified": at(-5), "when": at(-5),
            "text": "**Summary**\nDelivery is delayed.", "status": "SERVICE_DISRUPTION",
            "affected_locations": [] });
        let mut incident = json!({
            "id": "9mCv5ZrRmcTsLg5LfTdW", "number": "1795950000000000000", "begin": at(-60),
            "created": at(-50), "modified": at(-5),
            "external_desc": "**Title:** Gmail delivery is delayed\n\n**Description:** …",
            "updates": [update], "most_recent_update": update,
            "status_impact": "SERVICE_DISRUPTION", "severity": "medium",
            "service_key": "prPt2Yra2CbGsbEm9cpC", "service_name": "Gmail",
            "affected_products": [{ "title": "Gmail", "id": "prPt2Yra2CbGsbEm9cpC" }],
            "uri": "incidents/9mCv5ZrRmcTsLg5LfTdW",
            "currently_affected_locations": [], "previously_affected_locations": []
        });
        if !self.has_trouble {
            put(&mut incident, "end", Value::String(at(-1)));
        }
        json!([incident])
    }

    fn statuspage(&self) -> Value {
        let incident = json!({
            "id": "cp306tmzcl0y", "name": "Delayed \u{202e}delivery", "status": "identified",
            "created_at": at(-50), "updated_at": at(-5), "monitoring_at": null,
            "resolved_at": null, "impact": "minor", "shortlink": "https://stspg.io/cp306tmzcl0y",
            "started_at": at(-55), "page_id": "kctbh9vrtdwd",
            "incident_updates": [{ "id": "u1", "status": "identified",
                "body": "A full queue was found.", "incident_id": "cp306tmzcl0y",
                "created_at": at(-5), "updated_at": at(-5), "display_at": at(-5) }],
            "components": [{ "id": "b1", "name": "SMTP" }]
        });
        let incidents = if self.has_trouble { vec![incident] } else { Vec::new() };
        json!({
            "page": { "id": "kctbh9vrtdwd", "name": "Mail Relay", "url": self.url,
                "time_zone": "Etc/UTC", "updated_at": at(-5) },
            "components": [], "incidents": incidents, "scheduled_maintenances": [],
            "status": { "indicator": "none", "description": "All Systems Operational" }
        })
    }

    fn rss(&self) -> String {
        let state = if self.has_trouble { "Investigating" } else { "Resolved" };
        let date =
            jiff::fmt::rfc2822::to_string(&Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC));
        let date = date.unwrap_or_default();
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"><channel><title>Line Status - Incident History</title>
<link>{url}</link><description>Statuspage</description>
<item><title>Submission is refused</title>
<description>&lt;p&gt;&lt;strong&gt;{state}&lt;/strong&gt; - We &lt;script&gt;look&lt;/script&gt; into it.&lt;/p&gt;</description>
<pubDate>{date}</pubDate><link>{url}/incidents/a1</link><guid>{url}/incidents/a1</guid></item>
</channel></rss>"#,
            url = self.url
        )
    }

    fn atom(&self) -> String {
        let (id, now) = ("tag:status.example.org,2005:Incident/7", at(0));
        let state = if self.has_trouble { "Identified" } else { "Resolved" };
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<feed xml:lang="en-US" xmlns="http://www.w3.org/2005/Atom"><id>tag:status.example.org,2005:/history</id>
<title>Power Status</title><updated>{now}</updated>
<entry><id>{id}</id><published>{now}</published><updated>{now}</updated>
<link rel="alternate" type="text/html" href="{url}/incidents/7"/><title>Mains are off</title>
<content type="html">&lt;p&gt;&lt;strong&gt;{state}&lt;/strong&gt; - A digger.&lt;/p&gt;</content></entry></feed>"#,
            url = self.url
        )
    }
}

/// One more member of an object.
fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// So many minutes from now, as RFC 3339.
fn at(minutes: i64) -> String {
    let now = Timestamp::now();
    let seconds = now.as_second().saturating_add(minutes.saturating_mul(60));
    Timestamp::from_second(seconds).unwrap_or(now).to_string()
}

/// Of `application/x-www-form-urlencoded`.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let digits = String::from_utf8_lossy(&digits).into_owned();
                u8::from_str_radix(&digits, 16).unwrap_or_default()
            }
            byte => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
