//! `[mailbox.oauth2]`: where the access tokens of a login come from.

use std::path::Path;
use std::sync::Arc;

use super::host;
use super::password::{self, Password};
use super::provider::{Preset, Tokens};
use super::section::Section;
use super::server;
use crate::http;
use crate::mail::endpoint::Tls;
use crate::mail::oauth::{
    Client, Grant, Mechanism, NotAKey, ServiceKey, TokenSettings, TokenSource,
};
use crate::secret::Secret;

/// The words of `grant`: RFC 6749 sections 4.4 and 6, RFC 7523 section 2.1.
const GRANTS: &[(&str, Word)] = &[
    ("client_credentials", Word::ClientCredentials),
    ("service_account", Word::ServiceAccount),
    ("refresh_token", Word::RefreshToken),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    ClientCredentials,
    ServiceAccount,
    RefreshToken,
}

/// Reads the table `oauth2` of a section, if there is one; `login` is who signs in.
pub fn read(
    section: &mut Section<'_>,
    login: Option<&str>,
    preset: Option<&Preset>,
) -> Option<Arc<TokenSource>> {
    if section.refuses_secret("oauth2") {
        return None;
    }
    let mut table = section.table("oauth2")?;
    let source = of_table(&mut table, login, preset.and_then(|p| p.provider.tokens.as_ref()));
    table.finish();
    source.map(Arc::new)
}

fn of_table(
    table: &mut Section<'_>,
    login: Option<&str>,
    preset: Option<&Tokens>,
) -> Option<TokenSource> {
    let (word, grant) = grant_word(table, preset);
    let tenant = table.text("tenant");
    let preset_url = preset.and_then(|preset| match &tenant {
        Some(tenant) => Some(preset.url.replace("{tenant}", tenant)),
        None => (!preset.url.contains("{tenant}")).then(|| preset.url.to_owned()),
    });
    if tenant.as_deref().is_some_and(|tenant| host::domain(tenant).is_err()) {
        table.mistake("tenant", "tenant must be the tenant's domain or its ID".to_owned());
    }
    let wants_tenant = preset.is_some_and(|preset| preset.url.contains("{tenant}"));
    let (grant, file_url) = match grant {
        Word::ServiceAccount => service_account(table, login),
        Word::ClientCredentials => (client(table, true).map(Grant::ClientCredentials), None),
        Word::RefreshToken => (refresh_token(table), None),
    };
    if wants_tenant && tenant.is_none() && !table.has("token_url") {
        table.require("tenant");
    }
    let url = token_url(table, file_url.or(preset_url), wants_tenant);
    let scope = table.texts("scope");
    let scopes = preset.map_or(&[][..], |preset| preset.scopes);
    let scope = match scopes.iter().find(|(grant, _)| *grant == word) {
        Some((_, usual)) if scope.is_empty() => (*usual).to_owned(),
        _ => scope.join(" "),
    };
    table.record("scope", &scope);
    if scope.is_empty() && matches!(grant, Some(Grant::ServiceAccount { .. })) {
        table.require("scope");
    }
    let mechanisms = [
        ("xoauth2", Some(Mechanism::XOAuth2)),
        ("oauthbearer", Some(Mechanism::OAuthBearer)),
        ("any", None),
    ];
    let usual = preset.and_then(|preset| preset.mechanism);
    let mechanism = table.choice("mechanism", &mechanisms, usual);
    let trust = server::trust(table, Tls::Implicit);
    if !table.is_clean() {
        return None;
    }
    let settings = TokenSettings { url: http::url(&url?).ok()?, grant: grant?, scope, mechanism };
    Some(TokenSource::new(settings, trust))
}

fn grant_word(table: &mut Section<'_>, preset: Option<&Tokens>) -> (&'static str, Word) {
    let usual = preset.and_then(|preset| GRANTS.iter().find(|(word, _)| *word == preset.grant));
    if usual.is_none() {
        table.require("grant");
    }
    let default = usual.map_or(Word::ClientCredentials, |(_, grant)| *grant);
    let grant = table.choice("grant", GRANTS, default);
    let word = GRANTS.iter().find(|(_, known)| *known == grant).map_or("", |(word, _)| *word);
    table.record("grant", word);
    (word, grant)
}

/// An `https` URL; plain `http` only on this machine, since what is asked with is a secret.
fn token_url(
    table: &mut Section<'_>,
    default: Option<String>,
    wants_tenant: bool,
) -> Option<String> {
    let url = match default {
        Some(default) => table.text_or("token_url", &default),
        None if wants_tenant => table.text("token_url")?,
        None => table.required_text("token_url")?,
    };
    match http::url(&url) {
        Err(error) => table.mistake("token_url", format!("token_url: {error}")),
        Ok(url) if url.scheme() != "https" && !url.host_str().is_some_and(server::is_loopback) => {
            table.mistake("token_url", "token_url must begin with https://".to_owned());
        }
        Ok(_) => {}
    }
    Some(url)
}

fn client(table: &mut Section<'_>, must_have_secret: bool) -> Option<Client> {
    let id = table.required_text("client_id");
    let secret = secret(table, "client_secret", must_have_secret);
    let by_header = table.choice("client_auth", &[("form", false), ("header", true)], false);
    Some(Client { id: id?, secret, by_header })
}

fn refresh_token(table: &mut Section<'_>) -> Option<Grant> {
    let client = client(table, false);
    let token = secret(table, "refresh_token", true);
    Some(Grant::RefreshToken { client: client?, token: token? })
}

fn secret(table: &mut Section<'_>, key: &str, is_required: bool) -> Option<Secret> {
    match password::read_as(table, key) {
        Password::Known(secret) => Some(secret),
        Password::Absent if is_required => {
            table.require(key);
            None
        }
        Password::Absent | Password::Wrong => None,
    }
}

/// The grant, and the token endpoint that the key file names.
fn service_account(
    table: &mut Section<'_>,
    login: Option<&str>,
) -> (Option<Grant>, Option<String>) {
    let subject = match login {
        Some(login) => Some(table.text_or("subject", login)),
        None => table.required_text("subject"),
    };
    let Some(path) = table.required_path("key_file") else { return (None, None) };
    password::warn_of_permissions(table, "key_file", &path);
    let key = match key(&path) {
        Ok(key) => key,
        Err(message) => {
            table.mistake("key_file", format!("{}: {message}", path.display()));
            return (None, None);
        }
    };
    let url = key.token_url().map(str::to_owned);
    (subject.map(|subject| Grant::ServiceAccount { key, subject }), url)
}

fn key(path: &Path) -> Result<ServiceKey, String> {
    let text = password::read_secret(path).map_err(|error| format!("cannot be read: {error}"))?;
    ServiceKey::parse(&text).map_err(|error: NotAKey| error.to_string())
}
