//! Tokens, identities and renewals, on a journal of their own.

use super::*;
use crate::folder::Folder;
use crate::identity::{Authority, PrivateKey, agent_of};

const NOW: WallTime = WallTime::from_s(1_800_000_000);

struct Site {
    _temporary: tempfile::TempDir,
    enrolment: Enrolment,
}

fn site() -> Site {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::at(temporary.path());
    let name = "localhost".parse().unwrap();
    Authority::create(&folder, &name, NOW).unwrap();
    let authorities = Arc::new(Authorities::open(&folder, &name).unwrap());
    let (control, _) = ControlJournal::open(&folder.control()).unwrap();
    let enrolment = Enrolment {
        authorities,
        control: Arc::new(control),
        collector: "localhost:7443".into(),
        validity: Duration::from_secs(86_400),
    };
    Site { _temporary: temporary, enrolment }
}

fn root() -> Author {
    Author { who: "uid 0 (root)".into(), from: "operators.sock".into() }
}

fn later(seconds: u64) -> WallTime {
    NOW.plus(Duration::from_secs(seconds))
}

impl Site {
    fn token(&self, wish: TokenWish) -> EnrolmentToken {
        let wish = TokenWish { ttl_s: 900, ..wish };
        let made = self.enrolment.make_token(wish, root(), NOW).unwrap();
        EnrolmentToken::from_line(&made.token).unwrap()
    }

    fn enroll(
        &self,
        token: &EnrolmentToken,
        key: &PrivateKey,
        now: WallTime,
    ) -> Result<Certified, String> {
        let request = EnrollRequest {
            secret: token.secret,
            signing_request: key.request().unwrap(),
            proposed_name: Some("mx1".into()),
            software: "mailsonde-agent".into(),
        };
        self.enrolment.enroll(request, "192.0.2.1:5", now).map_err(|error| error.to_string())
    }

    fn renew(&self, key: &PrivateKey, shown: Option<Shown>) -> Result<Certified, String> {
        let signing_request = key.request().unwrap();
        let request = RenewRequest { signing_request, software: String::new() };
        let renewed = self.enrolment.renew(&request, shown, "192.0.2.1:5", NOW);
        renewed.map_err(|error| error.to_string())
    }

    fn change(&self, name: &str, change: AgentChange) -> Result<Enrolled, String> {
        self.enrolment.change(name, change, root(), NOW).map_err(|error| error.to_string())
    }
}

fn key() -> PrivateKey {
    PrivateKey::generate().unwrap()
}

fn shown(certified: &Certified) -> Shown {
    agent_of(Some(&[certified.certificate.clone().into()])).unwrap()
}

#[test]
fn a_token_holds_where_and_whom_and_lets_one_key_in() {
    let site = site();
    let labels: BTreeMap<String, String> = [("site".to_owned(), "durban".to_owned())].into();
    let token = site.token(TokenWish { labels: labels.clone(), ..TokenWish::default() });
    assert_eq!(token.collector, "localhost:7443");
    assert_eq!(token.authority, site.enrolment.authorities.current().fingerprint());
    let first = key();
    let certified = site.enroll(&token, &first, NOW).unwrap();
    assert_eq!((certified.name.as_str(), &certified.labels), ("mx1", &labels));
    assert_eq!(shown(&certified).agent, certified.agent);
    let again = site.enroll(&token, &first, later(10_000)).unwrap();
    assert_eq!(again.agent, certified.agent, "its answer was lost");
    let stolen = site.enroll(&token, &key(), NOW).unwrap_err();
    assert!(stolen.starts_with("this token was used already"), "{stolen}");
    assert_eq!(site.enrolment.control.agents().len(), 1);
}

#[test]
fn what_a_token_does_not_let_in() {
    let site = site();
    let token = site.token(TokenWish::default());
    let late = site.enroll(&token, &key(), later(900)).unwrap_err();
    assert!(late.starts_with("this token expired at"), "{late}");
    let guessed = EnrolmentToken { secret: TokenSecret::random(), ..token.clone() };
    let unknown = site.enroll(&guessed, &key(), NOW).unwrap_err();
    assert!(unknown.starts_with("there is no such token"), "{unknown}");
    let request = EnrollRequest {
        secret: token.secret,
        signing_request: {
            // signed with another key than it names: the last byte of the signature is not its own
            let mut request = key().request().unwrap();
            *request.last_mut().unwrap() ^= 1;
            request
        },
        proposed_name: None,
        software: String::new(),
    };
    let refused = site.enrolment.enroll(request, "", NOW).unwrap_err().to_string();
    assert!(refused.contains("no certification request"), "{refused}");
    let id = TokenId::of(&token.secret.digest());
    site.enrolment.withdraw_token(id, root(), NOW).unwrap();
    assert!(site.enrolment.withdraw_token(id, root(), NOW).is_err());
    assert!(site.enroll(&token, &key(), NOW).unwrap_err().starts_with("there is no such token"));
    assert_eq!(site.enrolment.control.agents(), []);
}

#[test]
fn a_token_that_cannot_be_is_refused_in_words() {
    let site = site();
    site.enroll(
        &site.token(TokenWish { name: Some("hq".into()), ..Default::default() }),
        &key(),
        NOW,
    )
    .unwrap();
    let label = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
    let wish = TokenWish { ttl_s: 900, ..TokenWish::default() };
    for (wish, expected) in [
        (TokenWish { ttl_s: 1, ..wish.clone() }, "at least a minute"),
        (TokenWish { ttl_s: 31 * 86_400, ..wish.clone() }, "at most 30 days"),
        (TokenWish { name: Some("HQ".into()), ..wish.clone() }, "an agent called hq already"),
        (TokenWish { name: Some("a b".into()), ..wish.clone() }, "cannot name an agent"),
        (TokenWish { labels: label("a b", ""), ..wish.clone() }, "the label \"a b=\""),
        (TokenWish { labels: label("a", "b\nc"), ..wish.clone() }, "cannot be used"),
        (TokenWish { agent: Some("nobody".into()), ..wish }, "no agent called nobody"),
    ] {
        let refused = site.enrolment.make_token(wish, root(), NOW).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn a_registered_key_renews_and_rejoins_and_no_other_does() {
    let site = site();
    let (first, other) = (key(), key());
    let certified = site.enroll(&site.token(TokenWish::default()), &first, NOW).unwrap();
    let elses = site.enroll(&site.token(TokenWish::default()), &other, NOW).unwrap();
    assert_eq!(elses.name, "mx1-2");
    let renewed = site.renew(&first, Some(shown(&certified))).unwrap();
    assert_eq!(renewed.agent, certified.agent);
    assert_eq!(site.renew(&first, None).unwrap().agent, certified.agent, "off for a month");
    let mixed = site.renew(&first, Some(shown(&elses))).unwrap_err();
    assert!(mixed.contains("another agent's than the key"), "{mixed}");
    let stranger = site.renew(&key(), None).unwrap_err();
    assert!(stranger.starts_with("this key is not enrolled"), "{stranger}");
    site.change("mx1", AgentChange::Revoke).unwrap();
    let revoked = site.renew(&first, Some(shown(&certified))).unwrap_err();
    assert!(revoked.starts_with("this key was revoked"), "{revoked}");
    let again = site.enroll(&site.token(TokenWish::default()), &first, NOW).unwrap_err();
    assert!(again.starts_with("this key was revoked"), "{again}");
}

#[test]
fn an_agent_whose_disk_was_lost_comes_back_as_itself() {
    let site = site();
    let (first, second) = (key(), key());
    let before = site.enroll(&site.token(TokenWish::default()), &first, NOW).unwrap();
    let wish = TokenWish { agent: Some("MX1".into()), ..TokenWish::default() };
    let after = site.enroll(&site.token(wish), &second, NOW).unwrap();
    assert_eq!((after.agent, after.name.as_str()), (before.agent, "mx1"));
    assert!(site.renew(&first, None).is_err(), "the lost key is worth nothing any more");
    assert!(site.renew(&second, None).is_ok());
    // a key has one identity
    let taken = site.enroll(&site.token(TokenWish::default()), &second, NOW).unwrap_err();
    assert!(taken.contains("this key is enrolled already, as mx1"), "{taken}");
}

#[test]
fn agents_are_renamed_and_labelled() {
    let site = site();
    site.enroll(&site.token(TokenWish::default()), &key(), NOW).unwrap();
    site.enroll(&site.token(TokenWish::default()), &key(), NOW).unwrap();
    let label =
        |key: &str, value: Option<&str>| Label { key: key.into(), value: value.map(str::to_owned) };
    let set = AgentChange::Label(vec![label("site", Some("durban")), label("b", Some("1"))]);
    site.change("mx1", set).unwrap();
    let changed = site.change("mx1", AgentChange::Label(vec![label("b", None)])).unwrap();
    assert_eq!(changed.labels, [("site".to_owned(), "durban".to_owned())].into());
    let taken = site.change("mx1", AgentChange::Rename("MX1-2".into())).unwrap_err();
    assert!(taken.contains("an agent called mx1-2 already"), "{taken}");
    assert_eq!(site.change("mx1", AgentChange::Rename("MX1".into())).unwrap().name, "MX1");
    assert!(site.change("nobody", AgentChange::Revoke).unwrap_err().contains("no agent called"));
    assert!(site.change("mx1", AgentChange::Rename("a b".into())).is_err());
}
