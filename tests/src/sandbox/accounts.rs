//! Who can sign in and receive mail, and their mailboxes.

use std::fmt;
use std::sync::Arc;

use mailsonde_proto::WallTime;

use super::Limits;
use super::chance::Fates;
use super::mailbox::Mailbox;

/// Someone who can sign in with the whole address, and receive mail there.
#[derive(Clone)]
pub struct User {
    /// Mail address and login, such as `hq@sandbox.test`.
    pub address: String,
    /// The password for SMTP and IMAP.
    pub password: String,
}

/// Without the password.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Why a sign-in was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignInRefused {
    /// Unknown login or wrong password: a server does not say which.
    Wrong,
    /// Try again later.
    ForNow,
}

/// A user's mailboxes.
pub(super) struct Account {
    user: User,
    inbox: Arc<Mailbox>,
    junk: Arc<Mailbox>,
}

impl Account {
    pub(super) fn inbox(&self) -> &Arc<Mailbox> {
        &self.inbox
    }

    pub(super) fn junk(&self) -> &Arc<Mailbox> {
        &self.junk
    }

    pub(super) fn address(&self) -> &str {
        &self.user.address
    }
}

/// All users of one sandbox.
pub(super) struct Accounts(Vec<Arc<Account>>);

impl Accounts {
    /// Empty mailboxes for everybody; `now` gives them their UIDVALIDITY.
    pub(super) fn new(users: &[User], limits: Limits, now: WallTime) -> Self {
        let open = |user: &User| {
            Arc::new(Account {
                user: user.clone(),
                inbox: Arc::new(Mailbox::new(limits, now)),
                junk: Arc::new(Mailbox::new(limits, now)),
            })
        };
        Self(users.iter().map(open).collect())
    }

    /// Whom mail for this address reaches; `name+detail@domain` reaches `name@domain` (RFC 5233).
    pub(super) fn by_address(&self, address: &str) -> Option<&Arc<Account>> {
        let (local, domain) = address.rsplit_once('@')?;
        let local = local.split_once('+').map_or(local, |(name, _detail)| name);
        let reached = format!("{local}@{domain}");
        self.0.iter().find(|account| account.user.address.eq_ignore_ascii_case(&reached))
    }

    pub(super) fn sign_in(
        &self,
        login: &str,
        password: &str,
        fates: &Fates,
    ) -> Result<Arc<Account>, SignInRefused> {
        if fates.refuses_sign_in() {
            return Err(SignInRefused::ForNow);
        }
        self.0
            .iter()
            .find(|account| account.user.address.eq_ignore_ascii_case(login))
            .filter(|account| account.user.password == password)
            .cloned()
            .ok_or(SignInRefused::Wrong)
    }

    /// SASL PLAIN: authorization identity, login and password with NULs between (RFC 4616).
    pub(super) fn sign_in_plain(
        &self,
        response: &[u8],
        fates: &Fates,
    ) -> Result<Arc<Account>, SignInRefused> {
        let text = std::str::from_utf8(response).unwrap_or_default();
        let mut parts = text.splitn(3, '\0').skip(1);
        match (parts.next(), parts.next()) {
            (Some(login), Some(password)) => self.sign_in(login, password, fates),
            _ => Err(SignInRefused::Wrong),
        }
    }
}
