//! What must show nowhere: passwords, client secrets and tokens, in whatever form a run is printed, with the
//! finest log, and in whatever disguise a protocol gives them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailsonde_tests::hostile::{Script, Step};
use mailsonde_tests::lab::User;

use crate::agent::{bounded, hostile, in_company, lab, output_of};

const FORMATS: [&str; 4] = ["human", "json", "nagios", "prometheus"];
const PASSWORD: (&str, &str) = ("PROBE_PASSWORD", "Xq7-unheard/of+Zw");
const CLIENT_SECRET: (&str, &str) = ("PROBE_CLIENT_SECRET", "lab-secret");
/// What each token begins with: an object's brace, in base64url.
const TOKEN: &str = "eyJ";

/// The parts of a secret's base64 that do not depend on what stands before and behind it.
fn encoded(secret: &str) -> [String; 3] {
    [0, 1, 2].map(|before| {
        let text = STANDARD.encode([&vec![b'x'; before], secret.as_bytes()].concat());
        let from = (before * 8).div_ceil(6);
        let to = (before + secret.len()) * 8 / 6;
        text[from..to].to_owned()
    })
}

/// In which disguise a text shows a secret, if it does.
fn shown(text: &str, secret: &str) -> Option<String> {
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let url = secret.replace('/', "%2F").replace('+', "%2B");
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let disguises = encoded(secret).into_iter().chain([secret.to_owned(), percent, url, hex]);
    disguises.into_iter().find(|disguise| text.contains(disguise.as_str()))
}

/// Carries a probe out in every format with the finest log; what was printed, and what was logged.
fn everywhere(kind: &str, keys: &BTreeMap<&str, String>, password: &str) -> Vec<[String; 2]> {
    let printed = FORMATS.into_iter().map(|format| {
        let mut command = bounded(&[]);
        command.args(["agent", "--log", "trace", "probe", kind, "--format", format]);
        command.env(PASSWORD.0, password).env(CLIENT_SECRET.0, CLIENT_SECRET.1);
        command.env("RUST_LOG", "trace");
        for (key, value) in keys {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        let (exit, output, errors) = output_of(&mut command);
        assert!((0..=2).contains(&exit) && !output.is_empty(), "{format}: {exit}: {errors}");
        assert!(errors.contains("TRACE"), "{format}: the log is not that fine: {errors}");
        [output, errors]
    });
    printed.collect()
}

#[track_caller]
fn assert_hidden(what: &str, printed: &[[String; 2]], secrets: &[&str]) {
    for (text, secret) in
        printed.iter().flatten().flat_map(|text| secrets.iter().map(move |secret| (text, secret)))
    {
        if let Some(disguise) = shown(text, secret) {
            let at = text.find(&disguise).unwrap_or_default();
            let before = text[..at].rfind('\n').map_or(0, |end| end + 1);
            let line: String = text[before..].lines().next().unwrap_or_default().to_owned();
            panic!("{what} shows {secret} as {disguise}: {line}");
        }
    }
}

/// Where the lab's Dovecot is, and who signs in.
fn at_dovecot(user: &User) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("host", "imap.good.test".to_owned()),
        ("ca_file", lab().ca_file().display().to_string()),
        ("login", user.address.clone()),
        ("timeout", "20s".to_owned()),
    ])
}

#[test]
fn a_secret_is_known_in_every_disguise() {
    let secret = "lab-secret/+";
    for (text, is_shown) in [
        ("AUTH PLAIN AGEAbGFiLXNlY3JldC8r", true),
        ("client_secret=lab-secret%2F%2B&scope=a", true),
        ("[6c 61 62] 6c61622d7365637265742f2b", true),
        ("\"lab-secret/+\"", true),
        ("the secret of the lab", false),
        ("bGFiLXNl", false),
    ] {
        assert_eq!(shown(text, secret).is_some(), is_shown, "{text}");
    }
    for before in ["", "a", "ab", "user=a\u{1}auth=Bearer "] {
        let text = STANDARD.encode(format!("{before}{secret}\u{1}\u{1}"));
        assert!(shown(&text, secret).is_some(), "{text}");
    }
}

#[test]
fn a_password_shows_nowhere() {
    let _company = in_company();
    let user = lab().claim_user().expect("a user");
    for kind in ["imap", "pop3"] {
        let mut keys = at_dovecot(&user);
        keys.insert("password_env", PASSWORD.0.to_owned());
        // Refused, so that there is a transcript, and accepted.
        assert_hidden(kind, &everywhere(kind, &keys, PASSWORD.1), &[PASSWORD.1]);
        assert_hidden(kind, &everywhere(kind, &keys, &user.password), &[PASSWORD.1]);
    }
    // Servers that have it said to them as it is, and one that says it again.
    for (kind, script) in [
        ("imap", Script::imap().answer_at(Step::Auth, &format!("{{tag}} NO {}", PASSWORD.1))),
        ("pop3", Script::pop3().answer_at(Step::Auth, &format!("-ERR {}", PASSWORD.1))),
        ("smtp", Script::smtp().answer_at(Step::Auth, &format!("535 5.7.8 {}", PASSWORD.1))),
    ] {
        let good = lab().identity(&["spare.lab.test"]).expect("a certificate");
        let (server, port) = hostile(script.implicit_tls(&good).expect("TLS"));
        let mut keys = at_dovecot(&user);
        keys.insert("host", "spare.lab.test".to_owned());
        keys.insert("port", port.to_string());
        keys.insert("tls", "implicit".to_owned());
        keys.insert("password_env", PASSWORD.0.to_owned());
        let printed = everywhere(kind, &keys, PASSWORD.1);
        assert!(server.connections() >= 4, "{kind}");
        assert_hidden(kind, &printed, &[PASSWORD.1]);
    }
}

#[test]
fn a_token_and_the_secret_behind_it_show_nowhere() {
    let _company = in_company();
    let user = lab().claim_user().expect("a user");
    let ca = lab().ca_file().display().to_string();
    for (kind, lifetime, mechanism) in [
        ("imap", 600, "xoauth2"),
        ("imap", -60, "oauthbearer"),
        ("pop3", 600, "oauthbearer"),
        ("pop3", -60, "xoauth2"),
    ] {
        let mut keys = at_dovecot(&user);
        let url = format!("https://login.lab.test/token?user={}&lifetime={lifetime}", user.address);
        keys.extend([
            ("oauth2.grant", "client_credentials".to_owned()),
            ("oauth2.token_url", url),
            ("oauth2.client_id", "sonde".to_owned()),
            ("oauth2.client_secret_env", CLIENT_SECRET.0.to_owned()),
            ("oauth2.scope", "mail".to_owned()),
            ("oauth2.ca_file", ca.clone()),
            ("oauth2.mechanism", mechanism.to_owned()),
        ]);
        let printed = everywhere(kind, &keys, "");
        let what = format!("{kind} by {mechanism}");
        assert_hidden(&what, &printed, &[CLIENT_SECRET.1, TOKEN, "auth=Bearer eyJ"]);
    }
}
