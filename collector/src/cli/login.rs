//! `login` and `logout`: a token file for a collector over the network, made and taken away.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use hyper::StatusCode;
use zeroize::Zeroizing;

use super::browser::Return;
use super::client::{self, Collector, Refused};
use super::remote::{CollectorUrl, Remote, Trust, fingerprint};
use super::terminal::{complain, say};
use super::token_file::{TokenFile, default_path};
use super::typed::{PasswordArguments, first_line};
use super::{Ending, Setting};
use crate::access::{MeAnswer, SessionsAnswer, SignIn, SignedIn};
use crate::api::path;
use crate::identity::authorities;
use crate::oidc::{Begin, Begun, Finish};

#[derive(Debug, clap::Args)]
pub(super) struct LoginArguments {
    /// Who you are; the same as last time without it
    #[arg(long, value_name = "NAME", conflicts_with = "api_token")]
    user: Option<String>,
    #[command(flatten)]
    password: PasswordArguments,
    /// Keep an API token that stands in this file instead of signing in; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "password_file")]
    api_token: Option<PathBuf>,
    /// Sign in by a browser, at the OpenID provider that the collector has
    #[arg(long, conflicts_with_all = ["user", "password_file", "api_token"])]
    oidc: bool,
    /// The certificate by which the collector is known: its ca.pem; what this machine trusts without it
    #[arg(long, value_name = "FILE", conflicts_with = "fingerprint")]
    ca: Option<PathBuf>,
    /// SHA-256 of the certificate of the collector's authority, as `openssl x509 -fingerprint -sha256` prints it
    #[arg(long, value_name = "SHA256", value_parser = fingerprint)]
    fingerprint: Option<[u8; 32]>,
}

/// `login`.
pub(super) async fn run(setting: &Setting, arguments: &LoginArguments) -> anyhow::Result<Ending> {
    let Some(url) = setting.url.clone() else {
        bail!("say which collector by --url https://HOST:PORT");
    };
    let file = file_of(setting, &url)?;
    // who signs in again has said whom to trust already
    let before = TokenFile::read(&file).ok().filter(|before| before.url == url);
    let trust = trust(arguments, before.as_ref())?;
    let made = match &arguments.api_token {
        Some(path) => keep(url, trust, path).await?,
        None if arguments.oidc => by_browser(url, trust).await?,
        None => {
            let user = arguments.user.clone().or_else(|| before?.user);
            let user = user.context("say who you are by --user NAME")?;
            sign_in(url, trust, user, &arguments.password).await?
        }
    };
    let (made, words) = made;
    made.write(&file)?;
    if !setting.json {
        say(&format!("signed in at {} as {words}\n", made.url))?;
        return Ok(Ending::Done);
    }
    let answer = serde_json::json!({ "url": made.url.to_string(), "token_file": file });
    say(&format!("{answer}\n"))?;
    Ok(Ending::Done)
}

fn file_of(setting: &Setting, url: &CollectorUrl) -> anyhow::Result<PathBuf> {
    setting.token_file.clone().map_or_else(|| default_path(url), Ok)
}

fn trust(arguments: &LoginArguments, before: Option<&TokenFile>) -> anyhow::Result<Trust> {
    Ok(match (&arguments.ca, arguments.fingerprint, before) {
        (Some(path), _, _) => {
            let shown = path.display();
            let pem = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
            authorities(&pem).with_context(|| format!("cannot use {shown}"))?;
            Trust::Authorities(pem)
        }
        (None, Some(fingerprint), _) => Trust::Fingerprint(fingerprint),
        (None, None, Some(before)) => before.trust.clone(),
        (None, None, None) => Trust::Host,
    })
}

async fn sign_in(
    url: CollectorUrl,
    trust: Trust,
    user: String,
    password: &PasswordArguments,
) -> anyhow::Result<(TokenFile, String)> {
    let at = Collector::There(Remote::new(url.clone(), trust.clone(), None)?);
    let wish = SignIn { password: password.read(&user)?, user };
    let signed_in = client::send(&at, path::LOGIN, &wish).await?.value;
    Ok(made(url, trust, signed_in))
}

async fn by_browser(url: CollectorUrl, trust: Trust) -> anyhow::Result<(TokenFile, String)> {
    let at = Collector::There(Remote::new(url.clone(), trust.clone(), None)?);
    let returning = Return::listen().await?;
    let begin = Begin { redirect_uri: returning.uri() };
    let begun = client::send::<Begun>(&at, path::LOGIN_OIDC, &begin).await?.value;
    complain(&format!("sign in by a browser on this machine:\n{}", begun.authorization_url));
    let code = returning.code(&begun.state).await?;
    let finish = Finish { state: begun.state, code };
    let signed_in = client::send(&at, path::LOGIN_OIDC_FINISH, &finish).await?.value;
    Ok(made(url, trust, signed_in))
}

fn made(url: CollectorUrl, trust: Trust, signed_in: SignedIn) -> (TokenFile, String) {
    let SignedIn { token, user, role, expires_at, .. } = signed_in;
    let until = expires_at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M");
    let words = format!("{user} ({role}), until {until} at most");
    (TokenFile { url, user: Some(user), token: Zeroizing::new(token), trust }, words)
}

async fn keep(url: CollectorUrl, trust: Trust, path: &Path) -> anyhow::Result<(TokenFile, String)> {
    let made = TokenFile { url, user: None, token: first_line(path)?, trust };
    let at = Collector::There(made.remote()?);
    let MeAnswer { who, role } = client::ask(&at, path::ME).await?.value;
    Ok((made, format!("{who} ({role})")))
}

/// `logout`.
pub(super) async fn end(setting: &Setting) -> anyhow::Result<Ending> {
    let Collector::There(remote) = &setting.collector else {
        bail!("say which collector by --url https://HOST:PORT");
    };
    let file = file_of(setting, remote.url())?;
    let ended = client::send::<SessionsAnswer>(&setting.collector, path::LOGOUT, &()).await;
    if let Err(error) = ended {
        // a session that is over already, or an API token, which has none
        let of_no_session = error.downcast_ref::<Refused>().is_some_and(|refused| {
            matches!(refused.status, StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST)
        });
        if !of_no_session {
            return Err(error.context(format!("{} stays", file.display())));
        }
    }
    fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
    if !setting.json {
        say(&format!("signed out at {}\n", remote.url()))?;
    }
    Ok(Ending::Done)
}
