//! Signing in, and what ends a session at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::{Clock, WallTime};

use super::*;
use crate::control::{Author, Control, ControlNext};

const NOW: WallTime = WallTime::from_s(1_800_000_000);
const PASSWORD: &str = "correct horse battery";

fn address() -> SocketAddr {
    "192.0.2.7:4711".parse().unwrap()
}

fn root() -> Author {
    Author { who: "uid 0 (root)".into(), from: "operators.sock".into() }
}

struct Setup {
    access: Access,
    control: Arc<ControlJournal>,
    _folder: tempfile::TempDir,
}

impl Setup {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let control = Arc::new(ControlJournal::open(folder.path()).unwrap().0);
        let access = Access::new(control.clone(), Clock::starting_at(NOW)).unwrap();
        let setup = Self { access, control, _folder: folder };
        setup.add("ann", Role::Operator);
        setup
    }

    fn add(&self, name: &str, role: Role) {
        let password = Some(Password::new(PASSWORD.into()));
        let wish = UserWish { name: name.into(), role, password, subject: None };
        self.access.add_user(wish, root()).unwrap();
    }

    async fn sign_in(&self, user: &str, password: &str) -> Result<SignedIn, AccessError> {
        let wish = SignIn { user: user.into(), password: Password::new(password.into()) };
        self.access.sign_in(wish, address()).await
    }

    fn role(&self, token: &str) -> Option<Role> {
        self.access.principal(token, address()).map(|principal| principal.role)
    }

    fn change(&self, change: UserChange) {
        self.access.change_user("ann", change, root()).unwrap();
    }

    /// What stands in the journal of failed sign-ins.
    fn refusals(&self) -> Vec<(Option<String>, u32, u64)> {
        let mut reader = self.control.follow(1);
        let mut found = Vec::new();
        while let ControlNext::Record { record, .. } = reader.read().unwrap() {
            if let Control::Access(crate::control::AccessRecord::SignInRefused {
                user,
                failures,
                unwritten,
            }) = record.control
            {
                found.push((user, failures, unwritten));
            }
        }
        found
    }
}

#[tokio::test]
async fn what_becomes_of_a_user_holds_for_their_sessions_at_once() {
    let setup = Setup::new();
    let token = setup.sign_in("Ann", PASSWORD).await.unwrap().token;
    assert_eq!(setup.role(&token), Some(Role::Operator));
    setup.change(UserChange::Role(Role::Viewer));
    assert_eq!(setup.role(&token), Some(Role::Viewer));
    setup.change(UserChange::Password(Password::new(PASSWORD.into())));
    assert_eq!(setup.role(&token), None, "another password, though it reads the same");
    let token = setup.sign_in("ann", PASSWORD).await.unwrap().token;
    setup.access.remove_user("ANN", root()).unwrap();
    assert_eq!(setup.role(&token), None);
    setup.add("ann", Role::Admin);
    assert_eq!(setup.role(&token), None, "another user of the same name");
    assert!(setup.access.remove_user("bob", root()).is_err());
}

#[tokio::test]
async fn a_user_who_proves_their_password_gets_another_and_signs_in_anew() {
    let setup = Setup::new();
    let token = setup.sign_in("ann", PASSWORD).await.unwrap().token;
    let change = |old: &str, new: &str| {
        let [old, new] = [old, new].map(|text| Password::new(text.into()));
        let by = (address(), Author { who: "user ann".into(), from: address().to_string() });
        setup.access.change_own_password("ann".into(), OwnPassword { old, new }, by)
    };
    let another = "quite another password";
    assert!(matches!(change("wrong", another).await, Err(AccessError::NotSignedIn)));
    assert!(matches!(change(PASSWORD, "short").await, Err(AccessError::Password)));
    assert_eq!(setup.role(&token), Some(Role::Operator), "nothing was changed");
    change(PASSWORD, another).await.unwrap();
    assert_eq!(setup.role(&token), None);
    assert!(setup.sign_in("ann", PASSWORD).await.is_err());
    assert!(setup.sign_in("ann", another).await.is_ok());
    assert_eq!(setup.refusals().len(), 2);
}

/// A password may be changed between being verified and the session's beginning, which is then not among those
/// that are ended.
#[tokio::test]
async fn a_session_that_was_missed_when_others_ended_is_over_too() {
    let setup = Setup::new();
    let elsewhere = Access::new(setup.control.clone(), Clock::starting_at(NOW)).unwrap();
    for change in [true, false] {
        let token = setup.sign_in("ann", PASSWORD).await.unwrap().token;
        assert!(setup.role(&token).is_some());
        if change {
            let password = UserChange::Password(Password::new(PASSWORD.into()));
            elsewhere.change_user("ann", password, root()).unwrap();
        } else {
            elsewhere.remove_user("ann", root()).unwrap();
            setup.add("ann", Role::Admin);
        }
        assert_eq!(setup.role(&token), None);
    }
}

#[tokio::test]
async fn an_api_token_works_until_it_is_revoked_or_over() {
    let setup = Setup::new();
    let wish = ApiTokenWish { name: "wall".into(), role: Role::Viewer, ttl_s: 3_600 };
    let made = setup.access.make_api_token(wish.clone(), root()).unwrap();
    assert_eq!(setup.role(&made.token), Some(Role::Viewer));
    assert!(setup.access.make_api_token(wish.clone(), root()).is_err(), "its name is taken");
    setup.access.revoke_api_token("wall", root()).unwrap();
    assert_eq!(setup.role(&made.token), None);
    let later = Access::new(
        setup.control.clone(),
        Clock::starting_at(NOW.plus(Duration::from_secs(7_200))),
    );
    let made = setup.access.make_api_token(wish.clone(), root()).unwrap();
    assert!(setup.access.principal(&made.token, address()).is_some());
    assert_eq!(later.unwrap().principal(&made.token, address()), None);
    for ttl_s in [0, 59, 400 * 86_400] {
        let wish = ApiTokenWish { name: "other".into(), ttl_s, ..wish.clone() };
        assert!(setup.access.make_api_token(wish, root()).is_err(), "{ttl_s}");
    }
}

#[tokio::test]
async fn sessions_end_with_the_collector_and_users_stay() {
    let setup = Setup::new();
    let token = setup.sign_in("ann", PASSWORD).await.unwrap().token;
    let again = Access::new(setup.control.clone(), Clock::starting_at(NOW)).unwrap();
    assert_eq!(again.principal(&token, address()), None);
    assert_eq!(again.users().users.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn refusals_are_all_alike_slowed_down_and_written_sparingly() {
    let setup = Setup::new();
    let long = "x".repeat(2_000);
    for (user, password) in [
        ("ann", "wrong password"),
        ("ann", ""),
        ("nobody", PASSWORD),
        ("no name", PASSWORD),
        ("ann", long.as_str()),
    ] {
        let refused = setup.sign_in(user, password).await.err().unwrap();
        assert_eq!(refused.to_string(), "the user name or the password is wrong", "{user}");
    }
    let refused = setup.sign_in("ann", "wrong password").await.err().unwrap();
    assert!(matches!(refused, AccessError::NotSignedIn), "the fourth of this name: {refused}");
    let refused = setup.sign_in("ann", PASSWORD).await.err().unwrap();
    assert!(matches!(refused, AccessError::Throttled(_)), "{refused}");
    let ann = || Some("ann".to_owned());
    // the third of nobody's is at the fourth of this address; a throttled one is counted for the next
    assert_eq!(setup.refusals(), [(ann(), 1, 0), (ann(), 2, 0), (None, 4, 1), (ann(), 4, 1)]);
}
