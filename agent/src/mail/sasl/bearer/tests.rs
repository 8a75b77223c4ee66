use mailsonde_proto::Clock;
use proptest::prelude::*;

use super::*;
use crate::mail::oauth::{Client, Grant, TokenSettings};
use crate::mail::sasl::Exchange;
use crate::mail::{Credential, Login};
use crate::net::TlsTrust;

/// A source that keeps the token `t0k`, for this mechanism.
fn source(mechanism: Option<Mechanism>) -> Arc<TokenSource> {
    let client = Client { id: "id".into(), secret: None, by_header: false };
    let settings = TokenSettings {
        url: crate::http::url("https://login.good.test/token").unwrap(),
        grant: Grant::ClientCredentials(client),
        scope: String::new(),
        mechanism,
    };
    let source = TokenSource::new(settings, TlsTrust::native());
    source.keep_for_tests("t0k", Clock::system().monotonic());
    Arc::new(source)
}

fn login(mechanism: Option<Mechanism>) -> (Login, Arc<TokenSource>) {
    let source = source(mechanism);
    let credential = Credential::Token(Arc::clone(&source));
    (Login { user: "a=b,c@good.test".into(), credential }, source)
}

#[test]
fn the_standard_mechanism_comes_first_and_passwords_never() {
    let (xoauth2, oauthbearer) = (Some(Mechanism::XOAuth2), Some(Mechanism::OAuthBearer));
    for (offered, wanted, chosen) in [
        ("PLAIN XOAUTH2 OAUTHBEARER", None, Some("OAUTHBEARER")),
        ("PLAIN XOAUTH2 OAUTHBEARER", xoauth2, Some("XOAUTH2")),
        ("xoauth2", None, Some("XOAUTH2")),
        ("PLAIN XOAUTH2", oauthbearer, None),
        ("PLAIN LOGIN SCRAM-SHA-256", None, None),
        ("", None, None),
    ] {
        let begun = Exchange::begin(offered.split_whitespace(), &login(wanted).0);
        assert_eq!(begun.ok().map(|e| e.mechanism()), chosen, "{offered}");
    }
    let refused = Exchange::begin(["PLAIN"], &login(None).0).err().unwrap();
    assert_eq!(
        refused.to_string(),
        "the server does not take the access token that is configured: it offers PLAIN"
    );
    let password = Login::with_password("a", Secret::new("hunter2".into()));
    assert!(Exchange::begin(["XOAUTH2", "OAUTHBEARER"], &password).is_err());
}

#[test]
fn what_is_said() {
    for (mechanism, first, last) in [
        (Mechanism::XOAuth2, "user=a=b,c@good.test\u{1}auth=Bearer t0k\u{1}\u{1}", ""),
        (Mechanism::OAuthBearer, "n,a=a=3Db=2Cc@good.test,\u{1}auth=Bearer t0k\u{1}\u{1}", "\u{1}"),
    ] {
        let (login, _) = login(Some(mechanism));
        let mut exchange = Exchange::begin(["XOAUTH2", "OAUTHBEARER"], &login).unwrap();
        assert_eq!(exchange.first().unwrap().unwrap(), first.as_bytes());
        assert!(exchange.is_finished());
        assert_eq!(exchange.answer(b"{}").unwrap(), last.as_bytes());
        assert!(!exchange.is_finished(), "a sign-in that was complained about does not succeed");
        assert!(exchange.answer(b"{}").is_err());
    }
    let (mut login, _) = login(None);
    login.user.push('\u{1}');
    assert!(Exchange::begin(["XOAUTH2"], &login).is_err());
}

#[test]
fn a_refusal_is_explained_and_drops_the_token() {
    let (login, source) = login(None);
    let now = Clock::system().monotonic();
    let mut exchange = Exchange::begin(["OAUTHBEARER"], &login).unwrap();
    let challenge = br#"{"status":"invalid_token","schemes":"bearer","scope":"mail","openid-configuration":"https://login.good.test/.well-known"}"#;
    exchange.answer(challenge).unwrap();
    let failure = |class| Failure::new("auth", class, "wrong login or password");
    let refused = exchange.refused(failure(FaultClass::Temporary), now);
    assert!(refused.fault.explanation.ends_with("the token is kept"), "{}", refused.fault);
    assert!(source.current().is_some());
    let refused = exchange.refused(failure(FaultClass::Permanent), now);
    insta::assert_snapshot!(refused.fault, @"auth: permanent: the server refused the sign-in by access token (OAUTHBEARER), status invalid_token: the token has expired, was revoked, or is not for this mailbox; it wants the scope mail; see https://login.good.test/.well-known; the token, 0 s old, is dropped: the next run asks for a new one");
    assert!(source.current().is_none());
    let none = Exchange::begin(["OAUTHBEARER"], &login).err().unwrap();
    assert_eq!(none, SaslError::NoTokenNow);
}

#[test]
fn complaints() {
    for (challenge, status, scope) in [
        (
            &br#"{"status":"401","schemes":"Bearer","scope":"https://mail.google.com/"}"#[..],
            Some("401"),
            Some("https://mail.google.com/"),
        ),
        (br#"{"status":400}"#, Some("400"), None),
        (br#"{"status":["401"]}"#, None, None),
        (b"nonsense", None, None),
        (b"", None, None),
    ] {
        let complaint = Complaint::read(challenge);
        assert_eq!((complaint.status.as_deref(), complaint.scope.as_deref()), (status, scope));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_challenge_panics_or_is_kept_beyond_its_bounds(
        challenge in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "\\{(\"(status|scope|schemes|openid-configuration)\":(\"\\PC{0,300}\"|[0-9]{1,5}|null),?){0,4}\\}?"
                .prop_map(String::into_bytes),
        ],
    ) {
        let complaint = Complaint::read(&challenge);
        for text in [&complaint.status, &complaint.scope, &complaint.configuration].into_iter().flatten() {
            prop_assert!(!text.is_empty() && text.chars().count() <= MOST_WORDS);
            prop_assert!(!text.contains(char::is_control));
        }
        prop_assert!(complaint.words().chars().count() <= 3 * MOST_WORDS + 200);
    }
}
