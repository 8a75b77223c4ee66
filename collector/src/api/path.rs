//! Where each question is asked.

/// Paths as constants, and what their docstrings say for the API's own description: write them as if the macro were
/// not there.
macro_rules! paths {
    ($( $(#[doc = $says:literal])+ pub const $name:ident: &str = $path:literal; )*) => {
        $( $(#[doc = $says])+ pub const $name: &str = $path; )*

        /// What is found at a path, in a sentence.
        pub(super) fn says(path: &str) -> Option<&'static str> {
            match path {
                $( $path => Some(concat!($($says),+).trim_ascii()), )*
                _ => None,
            }
        }
    };
}

paths! {
    /// What this API takes and answers (OpenAPI 3.1).
    pub const OPENAPI: &str = "/api/v1/openapi.json";
    /// What changes, as it changes (server-sent events).
    pub const EVENTS: &str = "/api/v1/events";
    /// How mail is doing.
    pub const STATUS: &str = "/api/v1/status";
    /// The newest observations.
    pub const OBSERVATIONS: &str = "/api/v1/observations";
    /// What changed in the records that probes keep.
    pub const CHANGES: &str = "/api/v1/changes";
    /// Objectives of services.
    pub const OBJECTIVES: &str = "/api/v1/objectives";
    /// Agreements.
    pub const SLA: &str = "/api/v1/sla";
    /// One of them, step by step.
    pub const SLA_EXPLAIN: &str = "/api/v1/sla/explain";
    /// The report of a month, such as `2026-10`.
    pub const REPORT: &str = "/api/v1/reports/{month}";
    /// How satisfied users are, and how fast tickets are resolved.
    pub const FEEDBACK: &str = "/api/v1/feedback";
    /// Survey answers to be taken in.
    pub const SATISFACTION: &str = "/api/v1/feedback/answers";
    /// Tickets to be taken in.
    pub const TICKETS: &str = "/api/v1/feedback/tickets";
    /// Links to the survey's question.
    pub const SURVEY_LINKS: &str = "/api/v1/survey/links";
    /// The survey's question itself, for whoever has a signed link.
    pub const SURVEY: &str = "/survey";
    /// Observations, line by line.
    pub const EXPORT_OBSERVATIONS: &str = "/api/v1/export/observations";
    /// Services' minutes, line by line.
    pub const EXPORT_SLOTS: &str = "/api/v1/export/slots";
    /// What was in force when, line by line.
    pub const EXPORT_DEFINITIONS: &str = "/api/v1/export/definitions";
    /// The certificate authority.
    pub const CA: &str = "/api/v1/ca";
    /// Where the next one is made.
    pub const CA_ROTATE: &str = "/api/v1/ca/rotate";
    /// Where the first one is retired.
    pub const CA_RETIRE: &str = "/api/v1/ca/retire";
    /// Up to where a backup that is made now goes.
    pub const BACKUP_MARK: &str = "/api/v1/backup/mark";
    /// What the files of checks would change.
    pub const PLAN: &str = "/api/v1/config/plan";
    /// Putting them in force.
    pub const APPLY: &str = "/api/v1/config/apply";
    /// Runs that are asked for.
    pub const RUNS: &str = "/api/v1/runs";
    /// Whether the collector is healthy, and everything beside.
    pub const HEALTH: &str = "/api/v1/health";
    /// What vendors say of their own services.
    pub const VENDORS: &str = "/api/v1/vendors";
    /// Services.
    pub const SERVICES: &str = "/api/v1/services";
    /// Incidents.
    pub const INCIDENTS: &str = "/api/v1/incidents";
    /// One incident; also where something is done to it.
    pub const INCIDENT: &str = "/api/v1/incidents/{id}";
    /// What people are to be told of an incident.
    pub const DRAFT: &str = "/api/v1/incidents/{id}/draft";
    /// Incidents that are over, looked back at.
    pub const REVIEWS: &str = "/api/v1/reviews";
    /// One of them.
    pub const REVIEW: &str = "/api/v1/reviews/{id}";
    /// What is to be done after incidents; also where it is added.
    pub const ACTIONS: &str = "/api/v1/actions";
    /// One action item, to become something else.
    pub const ACTION: &str = "/api/v1/actions/{id}";
    /// Channels.
    pub const CHANNELS: &str = "/api/v1/channels";
    /// Where one of them is tried.
    pub const CHANNEL_TEST: &str = "/api/v1/channels/{name}/test";
    /// Messages to channels.
    pub const NOTICES: &str = "/api/v1/notices";
    /// Who is on call.
    pub const ON_CALL: &str = "/api/v1/on-call";
    /// Where a link in a message leads to.
    pub const ACKNOWLEDGE: &str = "/acknowledge";
    /// Checks.
    pub const CHECKS: &str = "/api/v1/checks";
    /// Maintenance windows; also where they are planned.
    pub const MAINTENANCE: &str = "/api/v1/maintenance";
    /// The same as a calendar (RFC 5545).
    pub const CALENDAR: &str = "/api/v1/maintenance.ics";
    /// One window, and whom it touches.
    pub const WINDOW: &str = "/api/v1/maintenance/{id}";
    /// Where it gets another end.
    pub const WINDOW_EXTEND: &str = "/api/v1/maintenance/{id}/extend";
    /// Where the time that runs is ended.
    pub const WINDOW_END: &str = "/api/v1/maintenance/{id}/end";
    /// Where it is called off.
    pub const WINDOW_CANCEL: &str = "/api/v1/maintenance/{id}/cancel";
    /// Where its acceptance run is made again.
    pub const WINDOW_ACCEPT: &str = "/api/v1/maintenance/{id}/accept";
    /// Silences; also where they are put in force.
    pub const SILENCES: &str = "/api/v1/silences";
    /// One of them, to be ended.
    pub const SILENCE_END: &str = "/api/v1/silences/{id}/end";
    /// Time that agreements leave out by an operator's note; also where it is noted.
    pub const EXCLUSIONS: &str = "/api/v1/exclusions";
    /// One of them, to be withdrawn.
    pub const EXCLUSION_WITHDRAW: &str = "/api/v1/exclusions/{id}/withdraw";
    /// Where capacity leads; also where numbers are stated.
    pub const CAPACITY: &str = "/api/v1/capacity";
    /// Agents.
    pub const AGENTS: &str = "/api/v1/agents";
    /// One agent, to be changed.
    pub const AGENT: &str = "/api/v1/agents/{name}";
    /// One agent, to be put out.
    pub const AGENT_REVOKE: &str = "/api/v1/agents/{name}/revoke";
    /// Tokens that let agents in; also where they are made.
    pub const TOKENS: &str = "/api/v1/tokens";
    /// One of them, to be withdrawn.
    pub const TOKEN_WITHDRAW: &str = "/api/v1/tokens/{id}/withdraw";
    /// Who did what, from where, when.
    pub const AUDIT: &str = "/api/v1/audit";
    /// Where a user signs in.
    pub const LOGIN: &str = "/api/v1/login";
    /// Where a sign-in by the OpenID provider begins.
    pub const LOGIN_OIDC: &str = "/api/v1/login/oidc";
    /// Where it is finished.
    pub const LOGIN_OIDC_FINISH: &str = "/api/v1/login/oidc/finish";
    /// Where a session ends by its own wish.
    pub const LOGOUT: &str = "/api/v1/logout";
    /// Who asks.
    pub const ME: &str = "/api/v1/me";
    /// The password of who asks, to be changed.
    pub const ME_PASSWORD: &str = "/api/v1/me/password";
    /// Sessions that stand.
    pub const SESSIONS: &str = "/api/v1/sessions";
    /// One of them, to be ended.
    pub const SESSION_END: &str = "/api/v1/sessions/{id}/end";
    /// Users; also where they are added.
    pub const USERS: &str = "/api/v1/users";
    /// One user, to be changed.
    pub const USER: &str = "/api/v1/users/{name}";
    /// One user, to be removed.
    pub const USER_REMOVE: &str = "/api/v1/users/{name}/remove";
    /// API tokens; also where they are made.
    pub const API_TOKENS: &str = "/api/v1/api-tokens";
    /// One of them, to be revoked.
    pub const API_TOKEN_REVOKE: &str = "/api/v1/api-tokens/{name}/revoke";
}

/// A path with a word where it has `{name}`, `{id}` or `{month}`, escaped as one segment (RFC 3986 section 3.3).
pub fn with(path: &str, word: &str) -> String {
    let escaped = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    let word: String = word.bytes().map(escaped).collect();
    ["{name}", "{id}", "{month}"]
        .iter()
        .fold(path.to_owned(), |path, place| path.replace(place, &word))
}
