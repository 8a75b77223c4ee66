//! Sign-in by access token at real Dovecot, with tokens of a real token endpoint: by IMAP, POP3 and submission,
//! good, expired, refused, busy, and rubbish.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use std::time::Duration;

use mailsonde_proto::Clock;
use mailsonde_tests::lab::User;
use serde_json::json;

use crate::agent::{Config, Settings, Told, bounded, in_company, lab, output_of, settings};

/// What the token endpoint knows the client by.
const SECRET: (&str, &str) = ("PROBE_PASSWORD", "lab-secret");
const REFRESH_TOKEN: (&str, &str) = ("PROBE_REFRESH", "lab-refresh");

fn somebody() -> User {
    lab().claim_user().expect("a user")
}

/// Where a token for this user's mailbox is had; `query` says what the endpoint does beside.
fn endpoint(user: &User, query: &str) -> String {
    format!("https://login.lab.test/token?user={}{query}", user.address)
}

/// How often the endpoint was asked at this very URL.
fn times_asked(url: &str) -> usize {
    let target = url.trim_start_matches("https://login.lab.test");
    let requests = lab().web_requests();
    requests.iter().filter(|r| r.host == "login.lab.test" && r.target == target).count()
}

/// `mailsonde-agent probe KIND --json` in branch 1, at the lab's Dovecot as this user, with a token of the
/// client's from this URL; later keys win.
fn look(kind: &str, user: &User, url: &str, keys: &[(&str, &str)]) -> Told {
    let ca = lab().ca_file().display().to_string();
    let mut all = std::collections::BTreeMap::from([
        ("host", "imap.good.test"),
        ("ca_file", &ca),
        ("login", &user.address),
        ("timeout", "20s"),
        ("oauth2.grant", "client_credentials"),
        ("oauth2.token_url", url),
        ("oauth2.client_id", "sonde"),
        ("oauth2.client_secret_env", SECRET.0),
        ("oauth2.scope", "mail"),
        ("oauth2.ca_file", &ca),
    ]);
    for (key, value) in keys {
        match *value {
            "" => all.remove(key),
            value => all.insert(key, value),
        };
    }
    let mut command = bounded(&[]);
    command.args(["agent", "probe", kind, "--json"]);
    command.env(SECRET.0, SECRET.1).env(REFRESH_TOKEN.0, REFRESH_TOKEN.1);
    for (key, value) in all {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    // That no token shows is seen to in `secrets`.
    Told::of(output_of(&mut command))
}

/// A round trip whose mailbox signs in by a token from this URL everywhere.
fn round_trip(user: &User, url: &str) -> Settings {
    let ca = lab().ca_file().display().to_string();
    let client = User { password: SECRET.1.to_owned(), ..user.clone() };
    settings(&client)
        .without("password_env")
        .with("oauth2.grant", "client_credentials")
        .with("oauth2.token_url", url)
        .with("oauth2.client_id", "sonde")
        .with("oauth2.client_secret_env", SECRET.0)
        .with("oauth2.scope", "mail")
        .with("oauth2.ca_file", ca)
}

#[test]
fn a_mailbox_is_read_by_token_in_either_mechanism() {
    let _company = in_company();
    let user = somebody();
    for kind in ["imap", "pop3"] {
        for mechanism in ["xoauth2", "oauthbearer", "any"] {
            let told = look(kind, &user, &endpoint(&user, ""), &[("oauth2.mechanism", mechanism)]);
            told.assert_pass();
            let phases: Vec<_> = told.phases.iter().map(|phase| phase.name.as_str()).collect();
            assert_eq!(phases.first(), Some(&"token"), "{phases:?}");
            assert_eq!(phases.iter().filter(|phase| **phase == "token").count(), 1);
            assert!(phases.contains(&"auth"), "{phases:?}");
        }
    }
}

#[test]
fn one_token_serves_submission_and_both_folders_of_a_round_trip() {
    let _company = in_company();
    let user = somebody();
    let url = endpoint(&user, "&lifetime=600");
    for (mechanism, spoken) in [("oauthbearer", "OAUTHBEARER"), ("xoauth2", "XOAUTH2")] {
        let before = times_asked(&url);
        let told = round_trip(&user, &url).with("oauth2.mechanism", mechanism).probe();
        told.assert_pass();
        assert_eq!(told.fact("smtp.auth"), spoken);
        assert!(told.phase("imap.token").us > 0);
        assert_eq!(times_asked(&url) - before, 1, "INBOX, junk and submission share one token");
    }
}

#[test]
fn a_token_is_renewed_before_it_expires_while_the_agent_runs_on() {
    const LIFETIME: Duration = Duration::from_secs(10);
    let _company = in_company();
    let user = somebody();
    let url = endpoint(&user, &format!("&lifetime={}", LIFETIME.as_secs()));
    let began = Clock::system().monotonic();
    let config = Config::one("mail", round_trip(&user, &url));
    let mut agent = config.start(&["--count", "100000"]);
    let mut runs = 0;
    let mut until_asked = |times| {
        while times_asked(&url) < times {
            agent.told().assert_pass();
            runs += 1;
            assert!(began.elapsed() < 3 * LIFETIME, "{runs} runs, and no other token");
        }
        began.elapsed()
    };
    until_asked(1);
    let renewed = until_asked(2);
    assert!(LIFETIME / 2 < renewed && renewed < LIFETIME, "renewed after {renewed:?}");
    // Far beyond the first one's time.
    let again = until_asked(3);
    assert!(LIFETIME < again && again < 2 * LIFETIME, "renewed again after {again:?}");
    agent.told().assert_pass();
    println!("{runs} runs by three tokens in {again:?}");
}

#[test]
fn a_service_account_and_a_refresh_token_get_in_too() {
    let _company = in_company();
    let user = somebody();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key.json");
    let mut file = std::fs::OpenOptions::new();
    let mut file = file.write(true).create_new(true).mode(0o600).open(&path).expect("a file");
    let key = json!({
        "type": "service_account",
        "client_email": "sonde@lab.iam.good.test",
        "private_key_id": "lab",
        "private_key": lab().service_account_key(),
        "token_uri": "https://login.lab.test/token",
    });
    file.write_all(key.to_string().as_bytes()).expect("a file");
    let path = path.display().to_string();
    let by_account = [
        ("oauth2.grant", "service_account"),
        ("oauth2.key_file", &path),
        ("oauth2.token_url", ""),
        ("oauth2.client_id", ""),
        ("oauth2.client_secret_env", ""),
    ];
    look("imap", &user, "", &by_account).assert_pass();
    let by_refresh_token = [
        ("oauth2.grant", "refresh_token"),
        ("oauth2.refresh_token_env", REFRESH_TOKEN.0),
        ("oauth2.client_auth", "header"),
    ];
    look("imap", &user, &endpoint(&user, ""), &by_refresh_token).assert_pass();
    let revoked = look(
        "imap",
        &user,
        &endpoint(&user, ""),
        &[("oauth2.grant", "refresh_token"), ("oauth2.refresh_token_env", SECRET.0)],
    );
    let fault = revoked.assert_fault("token", "permanent", "has expired, was revoked");
    assert_eq!(fault.basic_code, Some(400));
}

#[test]
fn a_server_refuses_an_expired_token_and_says_why() {
    let _company = in_company();
    let user = somebody();
    let url = endpoint(&user, "&lifetime=-60");
    for kind in ["imap", "pop3"] {
        for mechanism in ["xoauth2", "oauthbearer"] {
            let told = look(kind, &user, &url, &[("oauth2.mechanism", mechanism)]);
            let fault =
                told.assert_fault("auth", "permanent", "refused the sign-in by access token");
            for words in ["status ", "is dropped: the next run asks for a new one"] {
                assert!(fault.explanation.contains(words), "{fault:?}");
            }
        }
    }
    // Another user's token opens no mailbox of this one's.
    let other = endpoint(&somebody(), "");
    look("imap", &user, &other, &[]).assert_fault("auth", "permanent", "by access token");
}

#[test]
fn submission_by_an_expired_token_is_told_with_the_servers_code() {
    let _company = in_company();
    let user = somebody();
    let ca = lab().ca_file().display().to_string();
    let told = settings(&user)
        .with("smtp.oauth2.grant", "client_credentials")
        .with("smtp.oauth2.token_url", endpoint(&user, "&lifetime=-60"))
        .with("smtp.oauth2.client_id", "sonde")
        .with("smtp.oauth2.client_secret", SECRET.1)
        .with("smtp.oauth2.scope", "mail")
        .with("smtp.oauth2.ca_file", ca)
        .probe();
    let fault = told.assert_fault("auth", "permanent", "refused the sign-in by access token");
    assert_eq!(fault.basic_code, Some(535), "{fault:?}");
    assert!(told.phase("token").us > 0);
}

#[test]
fn a_token_endpoint_that_gives_none_is_a_fault_of_the_token() {
    let _company = in_company();
    let user = somebody();
    for (answer, class, code, words) in [
        ("401", "permanent", Some(401), "the client secret is wrong (AADSTS7000215)"),
        ("429", "temporary", Some(429), "it was asked too often"),
        ("500", "temporary", Some(500), "it does not work just now"),
        ("rubbish", "protocol", Some(200), "its answer is no token of OAuth 2"),
        ("html", "protocol", Some(200), "its answer is no token of OAuth 2"),
        ("empty", "protocol", Some(200), "its answer is no token of OAuth 2"),
        ("huge", "protocol", Some(200), "its answer is too large"),
    ] {
        let told = look("imap", &user, &endpoint(&user, &format!("&answer={answer}")), &[]);
        let fault = told.assert_fault("token", class, words);
        assert_eq!(fault.basic_code, code, "{answer}: {fault:?}");
        assert!(told.phases.is_empty(), "nothing was connected: {told:#?}");
    }
    let slow = endpoint(&user, "&answer=slow");
    let told = look("pop3", &user, &slow, &[("timeout", "2s")]);
    told.assert_fault("token", "timeout", "login.lab.test");
    assert!(told.total_us < 2_500_000, "{told:#?}");
}

#[test]
fn a_wrong_secret_and_an_untrusted_endpoint_are_told_apart() {
    let _company = in_company();
    let user = somebody();
    let url = endpoint(&user, "");
    let told = look("imap", &user, &url, &[("oauth2.client_id", "somebody-else")]);
    told.assert_fault("token", "permanent", "AADSTS7000215");
    let told = look("imap", &user, &url, &[("oauth2.ca_file", "")]);
    told.assert_fault("token", "mismatch", "the certificate of login.lab.test is not accepted");
}
