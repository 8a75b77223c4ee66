//! A user signs in: throttled, verified beside the runtime's threads, written down.

use std::net::SocketAddr;

use jiff::Timestamp;
use mailsonde_proto::check::is_name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::Bearer;
use super::sessions::{SESSION_IDLE, Session};
use super::throttle::Charged;
use super::{Access, AccessError, Password, UserChange};
use crate::control::{
    AccessRecord as Record, Author, Control, ControlError, PeopleError, Role, User,
};

/// Somebody wants to sign in.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Their name.
    pub user: String,
    /// What only they know.
    pub password: Password,
}

/// A user wants another password.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnPassword {
    /// That which they have.
    pub old: Password,
    /// That which they are to have.
    pub new: Password,
}

/// They did.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
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
        self.proven(user, password, address, move |access, known| access.begin(known, address))
            .await
    }

    /// Gives a user another password who proves the one they have; their sessions end.
    ///
    /// # Errors
    /// When it is wrong, or the other one cannot be used, or too many tried.
    pub(crate) async fn change_own_password(
        &self,
        user: String,
        change: OwnPassword,
        (address, author): (SocketAddr, Author),
    ) -> Result<(), AccessError> {
        let OwnPassword { old, new } = change;
        new.check()?;
        self.proven(user, old, address, move |access, (user, _)| {
            access.change_user(&user.name, UserChange::Password(new), author)
        })
        .await
    }

    /// Does something for a user who proves to be the one: throttled, beside the runtime's threads.
    async fn proven<T: Send + 'static>(
        &self,
        user: String,
        password: Password,
        address: SocketAddr,
        then: impl FnOnce(&Self, (User, [u8; 32])) -> Result<T, AccessError> + Send + 'static,
    ) -> Result<T, AccessError> {
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
            let known = access.judge(&name, &password, address, charged);
            drop(verifying);
            let done = then(&access, known?);
            let now = access.0.clock.monotonic();
            match &done {
                Ok(_) => access.throttle().succeeded(&name, address.ip(), now),
                Err(_) => access.throttle().not_judged(&name, address.ip(), now),
            }
            done
        });
        judged.await.ok().ok_or(AccessError::Stopping)?
    }

    /// The user of this name, and of which password, if it is the right one.
    fn judge(
        &self,
        name: &str,
        password: &Password,
        address: SocketAddr,
        charged: Charged,
    ) -> Result<(User, [u8; 32]), AccessError> {
        let known = self.0.control.look(|roll| {
            let people = roll.people();
            Some((people.user(name)?.clone(), people.generation(name)?))
        });
        let kept = known.as_ref().and_then(|(user, _)| user.password.as_ref());
        let is_right = self.0.verifier.is_right(password, kept);
        match known {
            Some(known) if is_right => Ok(known),
            known => {
                self.refused(known.map(|(user, _)| user.name), address, charged);
                Err(AccessError::NotSignedIn)
            }
        }
    }

    /// Lets in for whom the OpenID provider vouched. It waits for the disk: not for a runtime's thread.
    ///
    /// # Errors
    /// When that is no user here.
    pub(crate) fn sign_in_vouched(
        &self,
        subject: &str,
        address: SocketAddr,
    ) -> Result<SignedIn, AccessError> {
        let known = self.0.control.look(|roll| {
            let people = roll.people();
            let user = people.user_vouched_for(subject)?;
            Some((user.clone(), people.generation(&user.name)?))
        });
        match known {
            Some(known) => self.begin(known, address),
            None => {
                // the first of somebody who is nobody's guess
                let charged = Charged { of_user: 1, of_address: 1 };
                self.refused(None, address, charged);
                Err(AccessError::NobodyHere(subject.to_owned()))
            }
        }
    }

    fn begin(
        &self,
        (user, generation): (User, [u8; 32]),
        address: SocketAddr,
    ) -> Result<SignedIn, AccessError> {
        let (bearer, now) = (Bearer::of_session(), self.now());
        let digest = bearer.digest();
        let author = Author { who: format!("user {}", user.name), from: address.to_string() };
        let decided = self.0.control.decide(now, author, |roll| {
            if roll.people().generation(&user.name) != Some(generation) {
                return Err(PeopleError::NoSuchUser { name: user.name.clone() }.into());
            }
            Ok((Control::Access(Record::SignedIn { session: digest.id() }), ()))
        });
        match decided {
            // removed, or given another password, while this one was verified
            Err(ControlError::People(_)) => return Err(AccessError::NotSignedIn),
            decided => decided?,
        }
        let session = Session::begun((&user.name, user.role), generation, address, now);
        let expires_at = now.plus(super::life(user.role)).timestamp();
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
        let (generation, role) = self.0.control.look(|roll| {
            let people = roll.people();
            (people.generation(user).unwrap(), people.user(user).unwrap().role)
        });
        let (bearer, address) = (Bearer::of_session(), "127.0.0.1:1".parse().unwrap());
        let session = Session::begun((user, role), generation, address, at);
        self.0.sessions.begin(bearer.digest(), session, at);
        bearer.into_text()
    }
}
