//! What each service takes: method, path, headers, sign-in, the payload by its schema and in all; and what it answers.
//!
//! Secrets that the tests configure stand here. A schema forbids what it does not know, so that a misspelt key fails.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonschema::Validator;
use ring::hmac;
use serde_json::{Value, json};

use super::{Received, Reply};

/// A secret of a URL's path.
pub const PATH_SECRET: &str = "B00/path-secret-0123456789";
/// A token or key.
pub const TOKEN: &str = "token-secret-0123456789";
/// Of Standard Webhooks.
pub const SIGNING_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// An incoming webhook.
    Slack,
    /// `chat.postMessage` and `chat.update`.
    SlackBot,
    /// A workflow's webhook.
    Teams,
    /// The app Incoming Webhook.
    Zoom,
    /// An incoming webhook.
    Mattermost,
    /// A webhook.
    Discord,
    /// A space's webhook.
    GoogleChat,
    /// A bot's `sendMessage`.
    Telegram,
    /// Events API v2.
    PagerDuty,
    /// Alert API v2.
    Opsgenie,
    /// Publishing as JSON.
    Ntfy,
    /// Standard Webhooks.
    Webhook,
}

/// Each of them.
pub const fn all() -> [Service; 12] {
    [
        Service::Slack,
        Service::SlackBot,
        Service::Teams,
        Service::Zoom,
        Service::Mattermost,
        Service::Discord,
        Service::GoogleChat,
        Service::Telegram,
        Service::PagerDuty,
        Service::Opsgenie,
        Service::Ntfy,
        Service::Webhook,
    ]
}

impl Service {
    /// For people, and as its schema's file is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::SlackBot => "slack bot",
            Self::Teams => "teams",
            Self::Zoom => "zoom",
            Self::Mattermost => "mattermost",
            Self::Discord => "discord",
            Self::GoogleChat => "google chat",
            Self::Telegram => "telegram",
            Self::PagerDuty => "pagerduty",
            Self::Opsgenie => "opsgenie",
            Self::Ntfy => "ntfy",
            Self::Webhook => "webhook",
        }
    }

    /// The keys of a channel that sends to it, with `BASE` for the double's URL; and the text of `secret.url`.
    pub fn settings(self) -> (&'static str, String) {
        let by_url = |path: &str| format!("BASE{path}");
        match self {
            Self::Slack => (
                "kind = \"slack\"\nurl_file = \"secret.url\"",
                by_url(&format!("/services/T00/{PATH_SECRET}")),
            ),
            Self::SlackBot => (
                "kind = \"slack\"\ntoken_file = \"token\"\nto = \"#mail\"\napi = \"BASE/api\"",
                String::new(),
            ),
            Self::Teams => (
                "kind = \"teams\"\nurl_file = \"secret.url\"",
                by_url(
                    "/workflows/1/triggers/manual/paths/invoke?api-version=1&sig=path-secret-0123456789",
                ),
            ),
            Self::Zoom => (
                "kind = \"zoom\"\nurl_file = \"secret.url\"\ntoken_file = \"token\"",
                by_url("/chat/webhooks/incomingwebhook/path-secret-0123456789?format=message"),
            ),
            Self::Mattermost => (
                "kind = \"mattermost\"\nurl_file = \"secret.url\"\nto = \"mail\"",
                by_url("/hooks/path-secret-0123456789"),
            ),
            Self::Discord => (
                "kind = \"discord\"\nurl_file = \"secret.url\"\nthread = \"99\"",
                by_url("/api/webhooks/1/path-secret-0123456789"),
            ),
            Self::GoogleChat => (
                "kind = \"google-chat\"\nurl_file = \"secret.url\"",
                by_url("/v1/spaces/AAA/messages?key=key-0123456789&token=path-secret-0123456789"),
            ),
            Self::Telegram => (
                "kind = \"telegram\"\ntoken_file = \"token\"\nto = \"-1001\"\napi = \"BASE\"",
                String::new(),
            ),
            Self::PagerDuty => {
                ("kind = \"pagerduty\"\nkey_file = \"token\"\napi = \"BASE\"", String::new())
            }
            Self::Opsgenie => {
                ("kind = \"opsgenie\"\nkey_file = \"token\"\napi = \"BASE\"", String::new())
            }
            Self::Ntfy => (
                "kind = \"ntfy\"\ntopic = \"mail\"\nserver = \"BASE\"\ntoken_file = \"token\"",
                String::new(),
            ),
            Self::Webhook => (
                "kind = \"webhook\"\nurl = \"BASE/hook\"\nsecret_file = \"signing\"\ntoken_file = \"token\"",
                String::new(),
            ),
        }
    }

    /// Everything that is wrong with a request.
    pub(super) fn mistakes(self, received: &Received) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut check = |is_right: bool, words: &str| {
            if !is_right {
                wrong.push(words.to_owned());
            }
        };
        let is_edit = received.method == "PATCH" && self == Self::Discord;
        check(received.method == "POST" || is_edit, "the method");
        let is_json = received.header("content-type").starts_with("application/json");
        check(is_json, "the content type");
        check(received.header("user-agent").starts_with("mailsonde-collector/"), "the user agent");
        let is_path = self.is_path(received, is_edit);
        check(is_path, &format!("the path {}", received.target));
        let authorization = match self {
            Self::SlackBot | Self::Ntfy | Self::Webhook => format!("Bearer {TOKEN}"),
            Self::Zoom => TOKEN.to_owned(),
            Self::Opsgenie => format!("GenieKey {TOKEN}"),
            _ => String::new(),
        };
        check(received.header("authorization") == authorization, "the authorization");
        check(self != Self::Webhook || is_signed(received), "the signature");
        check(received.body.len() <= self.max_bytes(), "the size");
        if self == Self::Ntfy {
            let message = received.json();
            let bytes = message.get("message").and_then(Value::as_str).map_or(0, str::len);
            check(bytes <= 4_096, "the bytes of the message");
        }
        let Some(schema) = SCHEMAS.get(self.schema(received)) else {
            return vec!["its schema cannot be read".to_owned()];
        };
        wrong.extend(schema.iter_errors(&received.json()).map(|error| {
            let said: String = error.to_string().chars().take(300).collect();
            format!("{} at {}", said, error.instance_path())
        }));
        wrong
    }

    fn is_path(self, received: &Received, is_edit: bool) -> bool {
        let (path, query) = (received.path(), received.query());
        match self {
            Self::Slack => path == format!("/services/T00/{PATH_SECRET}"),
            Self::SlackBot => ["/api/chat.postMessage", "/api/chat.update"].contains(&path),
            Self::Teams => query == "api-version=1&sig=path-secret-0123456789",
            Self::Zoom => path.ends_with("/path-secret-0123456789") && query == "format=full",
            Self::Mattermost => path == "/hooks/path-secret-0123456789",
            Self::Discord if is_edit => {
                path == "/api/webhooks/1/path-secret-0123456789/messages/1234"
                    && query == "thread_id=99"
            }
            Self::Discord => {
                path == "/api/webhooks/1/path-secret-0123456789"
                    && query == "wait=true&thread_id=99"
            }
            Self::GoogleChat => {
                path == "/v1/spaces/AAA/messages"
                    && query
                        == "key=key-0123456789&token=path-secret-0123456789&\
                            messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
            }
            Self::Telegram => path == format!("/bot{TOKEN}/sendMessage"),
            Self::PagerDuty => path == "/v2/enqueue",
            Self::Opsgenie => opsgenie_path(path, query),
            Self::Ntfy => path == "/",
            Self::Webhook => path == "/hook",
        }
    }

    const fn max_bytes(self) -> usize {
        match self {
            Self::Slack | Self::SlackBot => 9_000,
            Self::Teams => 28 << 10,
            Self::Zoom | Self::Ntfy => 16 << 10,
            Self::GoogleChat => 32_000,
            Self::PagerDuty => 512 << 10,
            _ => 64 << 10,
        }
    }

    fn schema(self, received: &Received) -> &'static str {
        match self {
            Self::Opsgenie if received.path() == "/v2/alerts" => "opsgenie alert",
            Self::Opsgenie => "opsgenie note",
            other => other.name(),
        }
    }

    /// What it answers to what is right.
    pub(super) fn well(self, received: &Received) -> Reply {
        let sent = received.json();
        let told = |value: Value| Reply::new(200, value.to_string());
        match self {
            Self::Slack | Self::Mattermost => Reply::new(200, "ok"),
            Self::SlackBot => told(json!({
                "ok": true, "channel": "C0123456789", "ts": "1503435956.000247",
                "message": {"type": "message", "text": sent.get("text")},
            })),
            Self::Teams => Reply::new(202, ""),
            Self::Zoom => Reply::new(200, ""),
            Self::Discord => told(json!({"id": "1234", "type": 0, "embeds": sent.get("embeds")})),
            Self::GoogleChat => told(json!({
                "name": "spaces/AAA/messages/BBB.CCC", "thread": {"name": "spaces/AAA/threads/BBB"},
            })),
            Self::Telegram => told(json!({
                "ok": true, "result": {"message_id": 42, "date": 1_795_946_400, "chat": {"id": -1001}},
            })),
            Self::PagerDuty => Reply::new(
                202,
                json!({
                    "status": "success", "message": "Event processed", "dedup_key": sent.get("dedup_key"),
                })
                .to_string(),
            ),
            Self::Opsgenie => Reply::new(
                202,
                json!({
                    "result": "Request will be processed", "took": 0.302,
                    "requestId": "43a29c5c-3dbf-4fa4-9c26-f4f71023e120",
                })
                .to_string(),
            ),
            Self::Ntfy => told(json!({
                "id": "E3wdTwVxxW2t", "time": 1_795_946_400, "event": "message",
                "topic": sent.get("topic"), "message": sent.get("message"),
            })),
            Self::Webhook => Reply::new(204, ""),
        }
    }

    /// How it says no.
    pub(super) fn no(self, received: &Received) -> Reply {
        match self {
            Self::SlackBot => {
                Reply::new(200, json!({"ok": false, "error": "channel_not_found"}).to_string())
            }
            Self::Telegram => Reply::new(
                429,
                json!({
                    "ok": false, "error_code": 429, "description": "Too Many Requests: retry after 5",
                    "parameters": {"retry_after": 5},
                })
                .to_string(),
            ),
            Self::PagerDuty => Reply::new(
                400,
                json!({"status": "invalid event", "errors": ["'routing_key' is invalid"]}).to_string(),
            ),
            // servers like to say what they were told
            _ => {
                let (target, token) = (&received.target, received.header("authorization"));
                Reply::new(403, format!("{token} is not allowed at {target}"))
            }
        }
    }
}

static SCHEMAS: LazyLock<BTreeMap<&'static str, Validator>> = LazyLock::new(|| {
    let all = [
        ("slack", include_str!("schemas/slack.json")),
        ("slack bot", include_str!("schemas/slack_bot.json")),
        ("teams", include_str!("schemas/teams.json")),
        ("zoom", include_str!("schemas/zoom.json")),
        ("mattermost", include_str!("schemas/mattermost.json")),
        ("discord", include_str!("schemas/discord.json")),
        ("google chat", include_str!("schemas/google_chat.json")),
        ("telegram", include_str!("schemas/telegram.json")),
        ("pagerduty", include_str!("schemas/pagerduty.json")),
        ("opsgenie alert", include_str!("schemas/opsgenie_alert.json")),
        ("opsgenie note", include_str!("schemas/opsgenie_note.json")),
        ("ntfy", include_str!("schemas/ntfy.json")),
        ("webhook", include_str!("schemas/webhook.json")),
    ];
    all.into_iter().filter_map(|(name, text)| Some((name, compiled(text)?))).collect()
});

fn compiled(text: &str) -> Option<Validator> {
    jsonschema::validator_for(&serde_json::from_str(text).ok()?).ok()
}

fn opsgenie_path(path: &str, query: &str) -> bool {
    let Some(rest) = path.strip_prefix("/v2/alerts") else { return false };
    let step = rest.rsplit('/').next().unwrap_or_default();
    let is_step = rest.starts_with('/') && ["notes", "acknowledge", "close"].contains(&step);
    (rest.is_empty() && query.is_empty()) || (is_step && query == "identifierType=alias")
}

/// Standard Webhooks, as a receiver checks it.
fn is_signed(received: &Received) -> bool {
    let key = STANDARD.decode(SIGNING_SECRET.trim_start_matches("whsec_")).unwrap_or_default();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let [id, timestamp] = ["webhook-id", "webhook-timestamp"].map(|name| received.header(name));
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", &received.body].concat();
    let signatures = received.header("webhook-signature").split(' ');
    let mut signatures = signatures.filter_map(|signature| signature.strip_prefix("v1,"));
    signatures.any(|signature| {
        let signature = STANDARD.decode(signature).unwrap_or_default();
        hmac::verify(&key, &signed, &signature).is_ok()
    })
}
