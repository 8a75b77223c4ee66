//! A user signs in: throttled, verified beside the runtime's threads, written down.

use std::net::SocketAddr;

use jiff::Timestamp;
use mailsonde_proto::check::is_name;
use serde::{Deserialize, Serialize};

use super::secret::Bearer;
use super::sessions::{SESSION_IDLE, Session};
use super::throttle::Charged;
use super::{Access, AccessError, Password};
use crate::control::{
    AccessRecord as Record, Author, Control, ControlError, PeopleError, Role, User,
};

/// Somebody wants to sign in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Their name.
    pub user: String,
    /// What only they know.
    pub password: Password,
}

/// They did.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignedIn {
    /// To be shown with each question. It is shown this once.
    pub token: String,
    /// Their name, as it was added.
    pub user: String,
    /// What they may do at the moment.
    pub role: Role,
    /// Until when the session lasts at most.
    pub expires_at: Timestamp,
    /// It ends when it was not used for so long, in seconds.
    pub idle_s: u64,
}

impl Access {
    /// Lets a user in.
    ///
    /// # Errors
    /// When name or password is wrong (nobody is told which), or too many tried.
    pub async fn sign_in(
        &self,
        wish: SignIn,
        address: SocketAddr,
    ) -> Result<SignedIn, AccessError> {
        let SignIn { user, password } = wish;
        // all that is no name is one name that nobody has
        let name = if is_name(&user) { user } else { String::new() };
        let Ok(_waiting) = self.0.waiting.clone().try_acquire_owned() else {
            return Err(AccessError::Busy);
        };
        let now = self.0.clock.monotonic();
        let charged =
            self.throttle().begin(&name, address.ip(), now).map_err(AccessError::Throttled)?;
        let verifying = self.0.verifying.clone().acquire_owned().await;
        let verifying = verifying.ok().ok_or(AccessError::Stopping)?;
        let access = self.clone();
        // goes on when the peer has gone: what it tried is still told
        let judged = tokio::task::spawn_blocking(move || {
            let judged = access.judge(&name, &password, address, charged);
            drop(verifying);
            judged
        });
        judged.await.ok().ok_or(AccessError::Stopping)?
    }

    fn judge(
        &self,
        name: &str,
        password: &Password,
        address: SocketAddr,
        charged: Charged,
    ) -> Result<SignedIn, AccessError> {
        let known = self.0.control.look(|roll| roll.people().user(name).cloned());
        let is_right = self.0.verifier.is_right(password, known.as_ref().map(|it| &it.password));
        let judged = match known {
            Some(user) if is_right => self.begin(user, address),
            known => {
                self.refused(known.map(|user| user.name), address, charged);
                return Err(AccessError::NotSignedIn);
            }
        };
        let now = self.0.clock.monotonic();
        match &judged {
            Ok(_) => self.throttle().succeeded(name, address.ip(), now),
            Err(_) => self.throttle().not_judged(name, address.ip(), now),
        }
        judged
    }

    fn begin(&self, user: User, address: SocketAddr) -> Result<SignedIn, AccessError> {
        let (bearer, now) = (Bearer::of_session(), self.now());
        let (digest, generation) = (bearer.digest(), user.password.generation());
        let author = Author { who: format!("user {}", user.name), from: address.to_string() };
        let decided = self.0.control.decide(now, author, |roll| {
            let known = roll.people().known_user(&user.name)?;
            if known.password.generation() != generation {
                return Err(PeopleError::NoSuchUser { name: user.name.clone() }.into());
            }
            Ok((Control::Access(Record::SignedIn { session: digest.id() }), ()))
        });
        match decided {
            // removed, or given another password, while this one was verified
            Err(ControlError::People(_)) => return Err(AccessError::NotSignedIn),
            decided => decided?,
        }
        let session = Session::begun(&user.name, generation, address, now);
        let expires_at = now.plus(super::SESSION_LIFE).timestamp();
        self.0.sessions.begin(digest, session, now);
        tracing::info!(user = user.name, session = %digest.id(), %address, "signed in");
        Ok(SignedIn {
            token: bearer.into_text(),
            user: user.name,
            role: user.role,
            expires_at,
            idle_s: SESSION_IDLE.as_secs(),
        })
    }

    /// Writes a refusal down, unless too many were: then it is counted.
    fn refused(&self, user: Option<String>, address: SocketAddr, charged: Charged) {
        let failures = if user.is_some() { charged.of_user } else { charged.of_address };
        let written = self.throttle().write(failures, self.0.clock.monotonic());
        let Some(unwritten) = written else { return };
        tracing::warn!(%address, failures, unwritten, "a sign-in was refused");
        let author = Author { who: "somebody".to_owned(), from: address.to_string() };
        let refused = Record::SignInRefused { user, failures, unwritten };
        let decided =
            self.0.control.decide(self.now(), author, |_| Ok((Control::Access(refused), ())));
        if let Err(error) = decided {
            tracing::error!(%error, "a refused sign-in cannot be written down");
        }
    }
}

#[cfg(test)]
impl Access {
    /// A session of this user that began back then: without the time that a password takes.
    pub(crate) fn begun_at(&self, user: &str, at: mailsonde_proto::WallTime) -> String {
        let known = self.0.control.look(|roll| roll.people().user(user).cloned()).unwrap();
        let (bearer, address) = (Bearer::of_session(), "127.0.0.1:1".parse().unwrap());
        let session = Session::begun(&known.name, known.password.generation(), address, at);
        self.0.sessions.begin(bearer.digest(), session, at);
        bearer.into_text()
    }
}
