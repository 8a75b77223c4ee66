use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::config::ConfigError;

/// A collector's folder with these files; `secrets/…` are for their owner only.
fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Folder) {
    let temporary = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = temporary.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let mode = if name.starts_with("secrets/") { 0o600 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let folder = Folder::at(temporary.path());
    (temporary, folder)
}

fn watched(host: &str) -> Option<String> {
    (host == "mail.example.org").then(|| "round-trip-durban".to_owned())
}

fn told(files: &[(&str, &str)]) -> String {
    let (_temporary, folder) = folder(files);
    ConfigError::Mistakes(Channels::read(&folder, &watched).unwrap_err()).to_string()
}

#[test]
fn none_where_there_is_no_folder() {
    let (_temporary, folder) = folder(&[]);
    assert!(Channels::read(&folder, &watched).unwrap().is_empty());
}

/// What the examples leave to the operator.
pub(crate) const SECRETS: [(&str, &str); 14] = [
    ("secrets/slack.url", "https://hooks.slack.com/services/T0/B0/xxxxxxxxxxxx"),
    ("secrets/slack.token", "xoxb-1234567890"),
    ("secrets/teams.url", "https://x.logic.azure.com/workflows/1/triggers/manual?sig=abcdefghi"),
    ("secrets/zoom.url", "https://integrations.zoom.us/chat/webhooks/incomingwebhook/abc"),
    ("secrets/zoom.token", "zoomtoken"),
    ("secrets/mattermost.url", "https://chat.example.org/hooks/abcdefghi"),
    ("secrets/discord.url", "https://discord.com/api/webhooks/1/abcdefghi"),
    ("secrets/google-chat.url", "https://chat.googleapis.com/v1/spaces/A/messages?key=a&token=b"),
    ("secrets/telegram.token", "123456:ABC-def_1"),
    ("secrets/pagerduty.key", "0123456789abcdef0123456789abcdef"),
    ("secrets/opsgenie.key", "01234567-89ab-cdef-0123-456789abcdef"),
    ("secrets/ntfy.token", "tk_abcdefgh"),
    ("secrets/webhook.secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ("secrets/relay.password", "hunter2hunter2"),
];

#[test]
fn the_examples_are_right() {
    let examples =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples/channels.d");
    let mut files = Vec::new();
    for entry in fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        files.push((format!("{FOLDER}/{name}"), fs::read_to_string(path).unwrap()));
    }
    files.extend(SECRETS.map(|(name, text)| (name.to_owned(), text.to_owned())));
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let (_temporary, folder) = folder(&files);
    let channels = match Channels::read(&folder, &watched) {
        Ok(channels) => channels,
        Err(mistakes) => panic!("{}", ConfigError::Mistakes(mistakes)),
    };
    let mut kinds: Vec<_> = channels.iter().map(|named| named.channel.kind()).collect();
    kinds.dedup();
    assert_eq!(kinds.len(), 13, "{kinds:?}");
    let shown: Vec<_> = channels
        .iter()
        .map(|it| format!("{} {} {}", it.name, it.channel.kind(), it.channel.destination()))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    sms command /bin/cat
    community-discord discord discord.com
    mail-outside email operations@example.net, desk@example.net by smtp.relay.example.net
    operations-google-chat google-chat chat.googleapis.com
    operations-mattermost mattermost mail at chat.example.org
    phones ntfy example-mail-operations at ntfy.sh
    on-call-opsgenie opsgenie api.opsgenie.com
    on-call-pagerduty pagerduty events.pagerduty.com
    mail-team slack hooks.slack.com
    mail-team-threads slack C0123456789 by slack.com
    operations-teams teams x.logic.azure.com
    on-call-telegram telegram -1001234567890 by api.telegram.org
    ticket-system webhook tickets.example.org
    operations-zoom zoom integrations.zoom.us
    ");
    let debugged = format!("{channels:?}");
    for (_, secret) in files.iter().filter(|(name, _)| name.starts_with("secrets/")) {
        let end = secret.rsplit('/').next().unwrap();
        assert!(!debugged.contains(secret) && !debugged.contains(end), "{secret}");
    }
}

#[test]
fn what_is_said_of_a_channel_is_kept() {
    let text = "[[channel]]\nname = \"a\"\nkind = \"ntfy\"\ntopic = \"t\"\ninstead = \"b\"\n\
                [[channel]]\nname = \"b\"\nkind = \"ntfy\"\ntopic = \"t\"\nenabled = false\n";
    let (_temporary, folder) = folder(&[("channels.d/a.toml", text)]);
    let channels = Channels::read(&folder, &watched).unwrap();
    let [a, b] = ["a", "b"].map(|name| channels.get(name).unwrap());
    assert_eq!((a.instead.as_deref(), a.is_enabled), (Some("b"), true));
    assert_eq!((b.instead.as_deref(), b.is_enabled), (None, false));
    assert!(channels.get("c").is_none());
}

const WRONG: &str = r#"
[[channel]]
name = "team"
kind = "slack"
url = "https://hooks.slack.com/services/1"
colour = "red"

[[channel]]
name = "team"
kind = "slak"
whatever = 1

[[channel]]
name = "two words"
kind = "ntfy"
topic = "a b"
server = "http://ntfy.example.org"
instead = "nobody"
"#;

const WRONG_TOO: &str = r#"
[[channel]]
name = "open"
kind = "teams"
url_file = "open.url"

[[channel]]
name = "hook"
kind = "webhook"
url = "https://user:pw@a.example/"
secret_file = "secrets/short"
token_env = "MAILSONDE_NO_SUCH_VARIABLE"
instead = "hook"

[[channel]]
name = "post"
kind = "email"
relay = "mail.example.org"
tls = "none"
user = "u"
password_file = "secrets/short"
from = "nobody"
to = []

[[channel]]
name = "run"
kind = "command"
run = ["send-sms"]
timeout = "3h"
"#;

#[test]
fn every_mistake_of_every_file_is_told_with_its_place() {
    insta::assert_snapshot!(told(&[
        ("channels.d/a.toml", WRONG),
        ("channels.d/b.toml", WRONG_TOO),
        ("channels.d/c.toml", "[[channel]"),
        ("open.url", "https://a.example/secret-path"),
        ("secrets/short", "whsec_aHVudGVyMg=="),
    ]).replace(env!("CARGO_MANIFEST_DIR"), "").lines().map(without_folder).collect::<Vec<_>>().join("\n"), @r#"
    channels.d/a.toml:5:7: channel "team": url is a secret: put it into a file of its own with mode 0600 and write url_file = "…", or url_env = "…"
    channels.d/a.toml:6:1: channel "team": colour is not known here: there is authority, enabled, instead, kind, name, url_env, url_file
    channels.d/a.toml:9:8: channel "team": there is another channel of this name at channels.d/a.toml:3
    channels.d/a.toml:10:8: channel "team": kind must be one of command, discord, email, google-chat, mattermost, ntfy, opsgenie, pagerduty, slack, teams, telegram, webhook, zoom, not "slak"
    channels.d/a.toml:14:8: channel: name must be 1 to 64 letters, digits, dots, dashes or underscores, not "two words"
    channels.d/a.toml:16:9: channel: topic must be 1 to 64 letters, digits, dashes or underscores
    channels.d/a.toml:17:10: channel: server must be an https URL; http is for 127.0.0.1, [::1] and localhost only
    channels.d/a.toml:18:11: channel: instead: there is no channel called nobody
    channels.d/b.toml:5:12: channel "open": url_file cannot be used: everybody on this machine can use open.url: chmod 600 open.url
    channels.d/b.toml:10:7: channel "hook": url must hold no user and no password
    channels.d/b.toml:11:15: channel "hook": secret_file: what is there is not whsec_ and base64 of 24 to 64 bytes; make one with: echo whsec_$(openssl rand -base64 32)
    channels.d/b.toml:12:13: channel "hook": token_env cannot be used: the environment has no MAILSONDE_NO_SUCH_VARIABLE: set it for the collector
    channels.d/b.toml:13:11: channel "hook": instead: must be another channel: it tells that this one does not work
    channels.d/b.toml:18:9: channel "post": relay: the check round-trip-durban watches mail.example.org: news of its outage would wait for its end; name another relay, or write watched_relay = true
    channels.d/b.toml:19:7: channel "post": tls: a password is never sent without TLS: write tls = "starttls" or "implicit"
    channels.d/b.toml:22:8: channel "post": from must be an address such as "Ops <ops@example.org>", not "nobody"
    channels.d/b.toml:23:6: channel "post": to is empty: there must be somebody to write to
    channels.d/b.toml:28:7: channel "run": run must begin with the whole path of a program that is there
    channels.d/b.toml:29:11: channel "run": timeout must be a time from "1s" to "2m"
    channels.d/c.toml:1:11: unclosed array table, expected `]`
    "#);
}

/// The folder is another each time.
fn without_folder(line: &str) -> String {
    let words = line.split(' ').map(|word| match word.rsplit_once('/') {
        Some((folder, file)) if folder.starts_with(&*std::env::temp_dir().to_string_lossy()) => {
            file
        }
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_watched_relay_is_a_mistake_unless_it_is_meant() {
    let text = |more: &str| {
        format!(
            "[[channel]]\nname = \"a\"\nkind = \"email\"\nrelay = \"mail.example.org\"\n{more}\n\
             from = \"a@example.org\"\nto = [\"b@example.org\"]\n"
        )
    };
    let wrong = told(&[("channels.d/a.toml", &text(""))]);
    assert!(wrong.contains("the check round-trip-durban watches mail.example.org"), "{wrong}");
    let meant = text("watched_relay = true");
    let (_temporary, folder) = folder(&[("channels.d/a.toml", &meant)]);
    assert!(Channels::read(&folder, &watched).is_ok());
}
