//! Sessions of users who signed in: in memory, bounded in number and in time.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailsonde_proto::WallTime;

use super::secret::BearerDigest;
use crate::control::Role;

/// A session ends so long after it began, however much it is used.
pub const SESSION_LIFE: Duration = Duration::from_secs(12 * 3_600);
/// That of a viewer ends later: a screen on the wall has nobody who signs in each morning, and may do nothing.
pub const VIEWER_LIFE: Duration = Duration::from_secs(30 * 86_400);
/// A session ends when it was not used for so long.
pub const SESSION_IDLE: Duration = Duration::from_secs(2 * 3_600);
/// Sessions of one user at most; a further one ends the oldest.
const MOST_OF_ONE: usize = 16;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    /// Whose: a name in whatever case.
    pub(super) user: String,
    /// Of the password by which they signed in.
    pub(super) generation: [u8; 32],
    /// What they could do when they signed in; what they may do is asked each time.
    pub(super) role: Role,
    /// Where it was used last.
    pub(super) address: SocketAddr,
    pub(super) begun_at: WallTime,
    pub(super) used_at: WallTime,
}

impl Session {
    pub(super) fn begun(
        (user, role): (&str, Role),
        generation: [u8; 32],
        address: SocketAddr,
        now: WallTime,
    ) -> Self {
        let user = user.to_owned();
        Self { user, generation, role, address, begun_at: now, used_at: now }
    }

    /// Until when it works at most.
    pub(super) fn expires_at(&self) -> WallTime {
        self.begun_at.plus(life(self.role)).min(self.used_at.plus(SESSION_IDLE))
    }

    /// Whether it is too old for what its user may do by now.
    pub(super) fn is_too_old_for(&self, role: Role, now: WallTime) -> bool {
        now >= self.begun_at.plus(life(role))
    }
}

/// How long a session of this role lasts, however much it is used.
pub fn life(role: Role) -> Duration {
    if role == Role::Viewer { VIEWER_LIFE } else { SESSION_LIFE }
}

/// Every session that stands.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<BearerDigest, Session>>);

impl Sessions {
    /// Each change is one step: a panic leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, HashMap<BearerDigest, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more; what is over is forgotten, and one too many of this user ends the oldest.
    pub(super) fn begin(&self, digest: BearerDigest, session: Session, now: WallTime) {
        let mut sessions = self.lock();
        sessions.retain(|_, session| now < session.expires_at());
        let own = |other: &Session| other.user.eq_ignore_ascii_case(&session.user);
        let owned = sessions.iter().filter(|(_, other)| own(other));
        let mut owned: Vec<_> = owned.map(|(digest, other)| (other.begun_at, *digest)).collect();
        owned.sort_by_key(|(begun_at, _)| std::cmp::Reverse(*begun_at));
        for (_, digest) in owned.into_iter().skip(MOST_OF_ONE - 1) {
            sessions.remove(&digest);
        }
        sessions.insert(digest, session);
    }

    /// The session of this token, if it stands; it counts as used now.
    pub(super) fn used(
        &self,
        digest: &BearerDigest,
        address: SocketAddr,
        now: WallTime,
    ) -> Option<Session> {
        let mut sessions = self.lock();
        let session = sessions.get_mut(digest)?;
        if now >= session.expires_at() {
            sessions.remove(digest);
            return None;
        }
        (session.used_at, session.address) = (now, address);
        Some(session.clone())
    }

    /// Whether the session of this token stands; that is no use of it.
    pub(super) fn stands(&self, digest: &BearerDigest, now: WallTime) -> bool {
        self.lock().get(digest).is_some_and(|session| now < session.expires_at())
    }

    /// Ends one; what it was.
    pub(super) fn end(&self, digest: &BearerDigest) -> Option<Session> {
        self.lock().remove(digest)
    }

    /// Ends every session of a user.
    pub(super) fn end_all_of(&self, user: &str) {
        self.lock().retain(|_, session| !session.user.eq_ignore_ascii_case(user));
    }

    /// Those that stand, the last used first.
    pub(super) fn standing(&self, now: WallTime) -> Vec<(BearerDigest, Session)> {
        let sessions = self.lock();
        let standing = sessions.iter().filter(|(_, session)| now < session.expires_at());
        let mut standing: Vec<_> = standing.map(|(digest, it)| (*digest, it.clone())).collect();
        standing.sort_by_key(|(_, session)| std::cmp::Reverse(session.used_at));
        standing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::secret::Bearer;

    const NOW: WallTime = WallTime::from_s(1_800_000_000);

    fn address() -> SocketAddr {
        "192.0.2.1:5".parse().unwrap()
    }

    fn begin(sessions: &Sessions, user: &str, at: WallTime) -> BearerDigest {
        let digest = Bearer::of_session().digest();
        let role = if user == "wall" { Role::Viewer } else { Role::Operator };
        sessions.begin(digest, Session::begun((user, role), [1; 32], address(), at), at);
        digest
    }

    #[test]
    fn a_session_ends_when_idle_and_after_its_life() {
        let minutes = |minutes: u64| NOW.plus(Duration::from_secs(minutes * 60));
        for (used_at, asked_at, stands) in [
            (vec![], 119, true),
            (vec![], 120, false),
            (vec![100], 219, true),
            (vec![100], 220, false),
            (vec![100, 200, 300, 400, 500, 600, 700], 719, true),
            (vec![100, 200, 300, 400, 500, 600, 700], 720, false),
        ] {
            let sessions = Sessions::default();
            let digest = begin(&sessions, "ann", NOW);
            for used in used_at {
                assert!(sessions.used(&digest, address(), minutes(used)).is_some());
            }
            let used = sessions.used(&digest, address(), minutes(asked_at));
            assert_eq!(used.is_some(), stands, "after {asked_at} min");
        }
    }

    #[test]
    fn that_of_a_viewer_lasts_30_days() {
        let (sessions, hour) = (Sessions::default(), Duration::from_secs(3_600));
        let digest = begin(&sessions, "wall", NOW);
        let stands = |hours: u32| sessions.used(&digest, address(), NOW.plus(hour * hours));
        assert!((1..30 * 24).all(|hours| stands(hours).is_some()));
        let promoted = stands(13).is_some_and(|session| {
            session.is_too_old_for(Role::Operator, NOW.plus(hour * 13))
                && !session.is_too_old_for(Role::Viewer, NOW.plus(hour * 13))
        });
        assert!(promoted && stands(30 * 24).is_none());
    }

    #[test]
    fn one_user_has_so_many_and_all_of_them_end_together() {
        let sessions = Sessions::default();
        let other = begin(&sessions, "bob", NOW);
        let later = |s| NOW.plus(Duration::from_secs(s));
        let of_ann: Vec<_> = (1..=17).map(|s| begin(&sessions, "ann", later(s))).collect();
        let stands = |digest| sessions.used(digest, address(), later(20)).is_some();
        assert!(!stands(&of_ann[0]) && of_ann[1..].iter().all(stands) && stands(&other));
        sessions.end_all_of("Ann");
        assert!(!of_ann.iter().any(stands) && stands(&other));
        assert!(sessions.stands(&other, later(20)) && !sessions.stands(&of_ann[1], later(20)));
        assert!(sessions.end(&other).is_some() && !stands(&other));
        assert!(!sessions.stands(&other, later(20)));
    }
}
