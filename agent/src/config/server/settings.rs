//! What a server's table can be told, for people: the same words in every kind that has one.

use crate::probe::Setting;

/// `mailbox`.
pub const MAILBOX: Setting = Setting::new(
    "mailbox",
    "name of a mailbox",
    Some("none"),
    "the mailbox whose server and login are meant, instead of host, port, tls, login",
);
/// `host`.
pub const HOST: Setting = Setting::new("host", "host", Some("the mailbox's"), "the server");
/// `tls`, where mail is read.
pub const READING_TLS: Setting =
    Setting::new("tls", "implicit | starttls | none", Some("implicit"), "how TLS begins");
/// `ca_file`.
pub const CA_FILE: Setting =
    Setting::new("ca_file", "path", Some("the host's own"), "whose certificates to trust there");
/// `login`.
pub const LOGIN: Setting = Setting::new(
    "login",
    "text",
    Some("nobody"),
    "who signs in, by password or oauth2; never after a bad certificate",
);
/// `password`, in a file.
pub const PASSWORD: Setting = Setting::new(
    "password",
    "{ file | env | credential }",
    Some("none"),
    "the password; by --set: password_file or password_env",
);
/// `password_file`, by `--set`.
pub const PASSWORD_FILE: Setting =
    Setting::new("password_file", "path", Some("none"), "a file with the password on one line");
/// `password_env`, by `--set`.
pub const PASSWORD_ENV: Setting = Setting::new(
    "password_env",
    "name",
    Some("none"),
    "a variable of the environment with the password",
);
/// `oauth2.grant`.
pub const GRANT: Setting = Setting::new(
    "oauth2.grant",
    "client_credentials | service_account | refresh_token",
    Some("the provider's"),
    "how an access token is had, where there is no password",
);
/// `oauth2.tenant`.
pub const TENANT: Setting =
    Setting::new("oauth2.tenant", "text", Some("none"), "the tenant at Microsoft");
/// `oauth2.token_url`.
pub const TOKEN_URL: Setting =
    Setting::new("oauth2.token_url", "URL", Some("the provider's"), "where tokens are had");
/// `oauth2.scope`.
pub const SCOPE: Setting =
    Setting::new("oauth2.scope", "text", Some("the provider's"), "what a token is to be good for");
/// `oauth2.client_id`.
pub const CLIENT_ID: Setting =
    Setting::new("oauth2.client_id", "text", Some("none"), "the application there");
/// `oauth2.client_secret_env`, by `--set`.
pub const CLIENT_SECRET_ENV: Setting = Setting::new(
    "oauth2.client_secret_env",
    "name",
    Some("none"),
    "a variable of the environment with its secret; client_secret_file names a file",
);
/// `oauth2.refresh_token_env`, by `--set`.
pub const REFRESH_TOKEN_ENV: Setting = Setting::new(
    "oauth2.refresh_token_env",
    "name",
    Some("none"),
    "a variable with the refresh token; refresh_token_file names a file",
);
/// `oauth2.key_file`.
pub const KEY_FILE: Setting =
    Setting::new("oauth2.key_file", "path", Some("none"), "the key file of a service account");
/// `oauth2.mechanism`.
pub const MECHANISM: Setting = Setting::new(
    "oauth2.mechanism",
    "any | xoauth2 | oauthbearer",
    Some("the provider's, else any"),
    "how the token is presented",
);
