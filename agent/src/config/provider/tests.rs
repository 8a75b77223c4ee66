use std::path::Path;

use super::*;
use crate::config::mailbox::{self, MailboxConfig};
use crate::config::mistake::Report;
use crate::config::value::Table;
use crate::mail::endpoint::Endpoint;

/// What a mailbox with these keys comes to, or the mistakes.
fn read(keys: &[&str]) -> Result<MailboxConfig, String> {
    let mut pairs = vec!["address=probe@good.test"];
    pairs.extend(keys);
    let (table, _) = Table::of_settings(pairs);
    let report = Report::default();
    let mut section = Section::new(&table, &report, Path::new(""), "");
    let config = mailbox::read(&mut section, "main");
    section.finish();
    match report.into_result() {
        Ok(_) => Ok(config.unwrap()),
        Err((mistakes, _)) => {
            let words: Vec<_> = mistakes.0.iter().map(|m| m.message.clone()).collect();
            Err(words.join("; "))
        }
    }
}

fn server(endpoint: &Endpoint) -> String {
    let sign_in = match endpoint.login.as_ref().map(|login| login.token_source()) {
        None => "nobody".to_owned(),
        Some(None) => "a password".to_owned(),
        Some(Some(source)) => format!("{source:?}"),
    };
    format!("{}:{} {:?} by {sign_in}", endpoint.host, endpoint.port, endpoint.tls)
}

fn servers(config: &MailboxConfig) -> [String; 2] {
    let settings = &config.settings;
    [server(&settings.smtp), server(settings.imap().unwrap())]
}

const MICROSOFT: [&str; 4] = [
    "provider=microsoft365",
    "oauth2.tenant=good.test",
    "oauth2.client_id=c",
    "oauth2.client_secret=s",
];

#[test]
fn microsoft_365_in_five_lines() {
    let config = read(&MICROSOFT).unwrap();
    let by = "TokenSource(client_credentials c at https://login.microsoftonline.com/good.test/oauth2/v2.0/token \
              for \"https://outlook.office365.com/.default\" by Some(XOAuth2))";
    assert_eq!(
        servers(&config),
        [
            format!("smtp.office365.com:587 StartTls by {by}"),
            format!("outlook.office365.com:993 Implicit by {by}"),
        ]
    );
    let habits = &config.settings.habits;
    assert_eq!(habits.junk_folder.as_deref(), Some("Junk Email"));
    assert_eq!(habits.sent_folder.as_deref(), Some("Sent Items"));
    assert_eq!((habits.clean_sent, habits.most_messages), (true, Some((30, MINUTE))));
    assert!(config.settings.pop3().is_none());
}

#[test]
fn every_key_of_a_preset_can_be_written() {
    let mut keys = MICROSOFT.to_vec();
    keys.extend([
        "smtp.host=relay.good.test",
        "smtp.tls=implicit",
        "imap.port=1993",
        "oauth2.token_url=https://login.good.test/token",
        "oauth2.scope=a",
        "oauth2.mechanism=any",
        "clean_sent=false",
        "pop3.host=pop.good.test",
    ]);
    let config = read(&keys).unwrap();
    let by = "TokenSource(client_credentials c at https://login.good.test/token for \"a\" by None)";
    assert_eq!(
        servers(&config),
        [
            format!("relay.good.test:465 Implicit by {by}"),
            format!("outlook.office365.com:1993 Implicit by {by}"),
        ]
    );
    assert!(!config.settings.habits.clean_sent);
    assert_eq!(config.settings.pop3().unwrap().port, 995);
}

#[test]
fn the_others_in_a_few_lines() {
    let key_file = concat!(
        "oauth2.key_file=",
        env!("CARGO_MANIFEST_DIR"),
        "/src/mail/oauth/tests/service_account.json"
    );
    let google = read(&["provider=google", key_file]).unwrap();
    let by = "TokenSource(service_account probe@good.test at https://oauth2.googleapis.com/token for \
              \"https://mail.google.com/\" by None)";
    assert_eq!(
        servers(&google),
        [
            format!("smtp.gmail.com:465 Implicit by {by}"),
            format!("imap.gmail.com:993 Implicit by {by}"),
        ]
    );
    for (keys, expected) in [
        (
            &["provider=zoho"][..],
            ["smtppro.zoho.com:465 Implicit", "imappro.zoho.com:993 Implicit"],
        ),
        (
            &["provider=zoho", "data_centre=com.au"],
            ["smtppro.zoho.com.au:465 Implicit", "imappro.zoho.com.au:993 Implicit"],
        ),
        (
            &["provider=exchange", "host=mx.good.test"],
            ["mx.good.test:587 StartTls", "mx.good.test:993 Implicit"],
        ),
        (
            &["provider=mailgun", "data_centre=eu", "imap.host=a.test"],
            ["smtp.eu.mailgun.org:587 StartTls", "a.test:993 Implicit"],
        ),
    ] {
        let keys: Vec<_> = keys.iter().copied().chain(["password=hunter2"]).collect();
        let expected = expected.map(|server| format!("{server} by a password"));
        assert_eq!(servers(&read(&keys).unwrap()), expected, "{keys:?}");
    }
}

#[test]
fn what_only_the_operator_knows_must_be_said() {
    let password = "password=hunter2";
    for (keys, words) in [
        (&["provider=gmail", password][..], "must be one of \"microsoft365\", \"google\""),
        (&["provider=microsoft365"], "nobody can sign in: add [oauth2], by which microsoft365"),
        (&["provider=google"], "nobody can sign in: add [oauth2], by which google"),
        (&["provider=zoho"], "password is missing: an IMAP server wants one"),
        (&["provider=exchange", password], "host is missing"),
        (&["provider=mailgun", password], "imap.host is missing"),
        (&["provider=zoho", "data_centre=us", password], "must be one of \"com\""),
        (&["data_centre=eu", password], "data_centre is not known here"),
        (
            &["provider=microsoft365", "oauth2.client_id=c", "oauth2.client_secret=s"],
            "oauth2.tenant is missing",
        ),
        (
            &[
                "provider=microsoft365",
                "oauth2.tenant=a/b",
                "oauth2.client_id=c",
                "oauth2.client_secret=s",
            ],
            "tenant must be the tenant's domain",
        ),
        (&["provider=google", "oauth2.grant=service_account"], "oauth2.key_file is missing"),
        (&["provider=google", "oauth2.key_file=/nowhere"], "/nowhere: cannot be read"),
        (&["smtp.host=a", "imap.host=a", "oauth2.client_id=c"], "oauth2.grant is missing"),
        (
            &[
                "smtp.host=a",
                "imap.host=a",
                "oauth2.grant=refresh_token",
                "oauth2.client_id=c",
                "oauth2.token_url=http://login.good.test/",
            ],
            "token_url must begin with https://",
        ),
        (
            &["smtp.host=a", "imap.host=a", "oauth2.grant=refresh_token", "oauth2.client_id=c"],
            "oauth2.refresh_token is missing",
        ),
    ] {
        let told = read(keys).err().unwrap_or_default();
        assert!(told.contains(words), "{keys:?}: {told}");
    }
    let both: Vec<_> = MICROSOFT.into_iter().chain([password]).collect();
    assert!(read(&both).unwrap_err().contains("by password or by oauth2, not by both"));
}
