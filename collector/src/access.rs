//! Who may ask over the network: users by a password, programs by an API token, and the sessions between.
//!
//! Invariants: every change goes to the control journal first, with its author; whatever is shown by a peer is
//! looked up anew on each question, so that removing a user, or another role or password, holds from the next
//! question on; neither passwords nor tokens are kept, only what proves them. Sessions are kept in memory and end
//! with the collector: what is not written cannot be stolen from a backup, and what must outlive a restart is an
//! API token. Absent on purpose: what a role may do, which `api`'s table says.

mod administration;
mod answers;
mod password;
mod secret;
mod sessions;
mod sign_in;
mod throttle;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailsonde_proto::{Clock, WallTime};
use tokio::sync::Semaphore;

use crate::control::{ControlError, ControlJournal, Role};

pub use administration::{ApiTokenWish, NewApiToken, UserChange, UserWish};
pub use answers::{
    ApiTokenAnswer, ApiTokensAnswer, MeAnswer, SessionAnswer, SessionsAnswer, UserAnswer,
    UsersAnswer,
};
pub use password::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS, Password};
pub use sessions::{SESSION_IDLE, SESSION_LIFE, VIEWER_LIFE, life};
pub use sign_in::{OwnPassword, SignIn, SignedIn};

use password::Verifier;
pub(crate) use secret::BearerDigest;
use sessions::Sessions;
use throttle::Throttle;

/// Passwords that are verified at once: each takes 19 MiB and a core.
const VERIFIED_AT_ONCE: usize = 2;
/// Sign-ins that may wait for that.
const WAITING: usize = 32;

/// Why somebody was not let in, or who may ask was not changed.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Unknown user or wrong password: nobody is told which.
    #[error("the user name or the password is wrong")]
    NotSignedIn,
    /// Too many failed before: how long to wait, in whole seconds.
    #[error("too many sign-ins failed: try again in {}", humantime::format_duration(*.0))]
    Throttled(Duration),
    /// Too many are under way.
    #[error("too many sign-ins are under way: try again in a moment")]
    Busy,
    /// The OpenID provider vouches for somebody who is no user.
    #[error(
        "{0:?} is no user here: an admin adds one by `mailsonde-collector user add NAME --oidc`"
    )]
    NobodyHere(String),
    /// Nobody could sign in so.
    #[error("a user signs in by a password or by an OpenID provider, or both: give one of them")]
    NoSignIn,
    /// What the OpenID provider calls somebody is too long, or cannot be printed.
    #[error("an OpenID subject has 1 to 256 bytes, without control characters")]
    Subject,
    /// The name has another form.
    #[error("\"{0}\" is no name: use 1 to 64 characters of a-z A-Z 0-9 . _ -")]
    Name(String),
    /// The password is too short or too long.
    #[error(
        "a password has at least {MIN_PASSWORD_CHARS} characters and at most {MAX_PASSWORD_BYTES} bytes"
    )]
    Password,
    /// The password could not be made ready to be kept.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
    /// A token that would work too long or not long enough.
    #[error("an API token works for at least a minute and at most 366 days")]
    Ttl,
    /// There is no such session, or it is somebody else's.
    #[error("there is no such session (any more): `mailsonde-collector session list` shows them")]
    NoSuchSession,
    /// Only sessions are ended so.
    #[error("you are not signed in by a session: there is nothing to end")]
    NoSession,
    /// Only users have passwords.
    #[error("you are not signed in as a user: there is no password of yours to change")]
    NoPassword,
    /// The collector is stopping.
    #[error("the collector is stopping")]
    Stopping,
    /// It may not be so, or could not be written down.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// Who showed a token that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Principal {
    pub(crate) identity: Identity,
    /// What they may do at the moment.
    pub(crate) role: Role,
}

/// As whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// A user, by a session.
    User { name: String, session: BearerDigest },
    /// A program.
    ApiToken { name: String },
}

/// Who may ask; shared by every question.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    control: Arc<ControlJournal>,
    clock: Clock,
    sessions: Sessions,
    throttle: Mutex<Throttle>,
    verifier: Verifier,
    verifying: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Access {
    /// Over the journal; nobody is signed in yet.
    ///
    /// # Errors
    /// When no password can be hashed.
    pub fn new(control: Arc<ControlJournal>, clock: Clock) -> Result<Self, AccessError> {
        Ok(Self(Arc::new(Inner {
            control,
            clock,
            sessions: Sessions::default(),
            throttle: Mutex::new(Throttle::new(clock.monotonic())),
            verifier: Verifier::new()?,
            verifying: Arc::new(Semaphore::new(VERIFIED_AT_ONCE)),
            waiting: Arc::new(Semaphore::new(WAITING)),
        })))
    }

    /// Whose token this is; `None` when it is nobody's, or not any more.
    pub(crate) fn principal(&self, token: &str, address: SocketAddr) -> Option<Principal> {
        let (digest, now) = (BearerDigest::of(token)?, self.0.clock.wall());
        if let Some(session) = self.0.sessions.used(&digest, address, now) {
            let user = self.0.control.look(|roll| {
                let people = roll.people();
                let is_same = people.generation(&session.user) == Some(session.generation);
                let user = people.user(&session.user).filter(|_| is_same);
                user.filter(|user| !session.is_too_old_for(user.role, now)).cloned()
            });
            // another password, another user of the same name, or one who may do more by now: the session is over
            let Some(user) = user else {
                self.0.sessions.end(&digest);
                return None;
            };
            let identity = Identity::User { name: user.name, session: digest };
            return Some(Principal { identity, role: user.role });
        }
        self.0.control.look(|roll| {
            let token = roll.people().api_token_with(digest.bytes())?;
            (now < token.expires_at).then(|| Principal {
                identity: Identity::ApiToken { name: token.name.clone() },
                role: token.role,
            })
        })
    }

    /// Whether whoever was let in by this may still look on; asking is no use of a session.
    pub(crate) fn stands(&self, identity: &Identity) -> bool {
        match identity {
            Identity::User { session, .. } => self.0.sessions.stands(session, self.0.clock.wall()),
            // looked up with each question, and a stream does not outlive two minutes
            Identity::ApiToken { .. } => true,
        }
    }

    /// A panic leaves counts that are at most one too high.
    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.0.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> WallTime {
        self.0.clock.wall()
    }
}

/// What one host has: an IPv4 address, or an IPv6 network of 64 bits (RFC 7421 section 1).
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests;
