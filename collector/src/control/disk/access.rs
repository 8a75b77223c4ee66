//! The records about operators as bytes: the fields 30 to 39 of a control record.

use mailsonde_proto::WallTime;
use prost::Message;

use super::{Body, NotAControlRecord, token, wrong};
use crate::control::access::{AccessRecord, ApiToken, PasswordHash, Role, User};

#[derive(Clone, PartialEq, Message)]
pub(super) struct UserOnDisk {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "2")]
    role: u32,
    /// PHC form.
    #[prost(string, optional, tag = "3")]
    password: Option<String>,
    #[prost(string, optional, tag = "4")]
    subject: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NameOnDisk {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ApiTokenOnDisk {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "2")]
    role: u32,
    #[prost(bytes = "vec", tag = "3")]
    digest: Vec<u8>,
    #[prost(sfixed64, tag = "4")]
    expires_at_ns: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SessionOnDisk {
    #[prost(bytes = "vec", tag = "1")]
    session: Vec<u8>,
    #[prost(string, tag = "2")]
    user: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RefusedOnDisk {
    #[prost(string, optional, tag = "1")]
    user: Option<String>,
    #[prost(uint32, tag = "2")]
    failures: u32,
    #[prost(uint64, tag = "3")]
    unwritten: u64,
}

const fn number(role: Role) -> u32 {
    match role {
        Role::Viewer => 1,
        Role::Operator => 2,
        Role::Admin => 3,
    }
}

/// A role that we do not know is none: whoever has it may not do anything.
fn role(read: u32) -> Result<Role, NotAControlRecord> {
    let role = Role::ALL.into_iter().find(|role| number(*role) == read);
    role.ok_or_else(|| wrong(&"an unknown role"))
}

pub(super) fn body_of(access: &AccessRecord) -> Body {
    match access {
        AccessRecord::UserSet(User { name, role, password, subject }) => {
            Body::UserSet(UserOnDisk {
                name: name.clone(),
                role: number(*role),
                password: password.as_ref().map(|hash| hash.as_phc().to_owned()),
                subject: subject.clone(),
            })
        }
        AccessRecord::UserRemoved { name } => Body::UserRemoved(NameOnDisk { name: name.clone() }),
        AccessRecord::ApiTokenMade(made) => Body::ApiTokenMade(ApiTokenOnDisk {
            name: made.name.clone(),
            role: number(made.role),
            digest: made.digest.to_vec(),
            expires_at_ns: made.expires_at.as_ns(),
        }),
        AccessRecord::ApiTokenRevoked { name } => {
            Body::ApiTokenRevoked(NameOnDisk { name: name.clone() })
        }
        AccessRecord::SignedIn { session } => {
            Body::SignedIn(SessionOnDisk { session: session.0.to_vec(), user: String::new() })
        }
        AccessRecord::SignInRefused { user, failures, unwritten } => {
            Body::SignInRefused(RefusedOnDisk {
                user: user.clone(),
                failures: *failures,
                unwritten: *unwritten,
            })
        }
        AccessRecord::SessionEnded { session, user } => {
            Body::SessionEnded(SessionOnDisk { session: session.0.to_vec(), user: user.clone() })
        }
    }
}

impl TryFrom<UserOnDisk> for AccessRecord {
    type Error = NotAControlRecord;

    fn try_from(read: UserOnDisk) -> Result<Self, NotAControlRecord> {
        let (name, role) = (read.name, role(read.role)?);
        let password = read.password.map(PasswordHash::from_phc);
        Ok(Self::UserSet(User { name, role, password, subject: read.subject }))
    }
}

impl TryFrom<ApiTokenOnDisk> for AccessRecord {
    type Error = NotAControlRecord;

    fn try_from(read: ApiTokenOnDisk) -> Result<Self, NotAControlRecord> {
        Ok(Self::ApiTokenMade(ApiToken {
            name: read.name,
            role: role(read.role)?,
            digest: read.digest.try_into().ok().ok_or(wrong(&"a digest has 32 bytes"))?,
            expires_at: WallTime::from_ns(read.expires_at_ns),
        }))
    }
}

pub(super) fn user_removed(read: NameOnDisk) -> AccessRecord {
    AccessRecord::UserRemoved { name: read.name }
}

pub(super) fn api_token_revoked(read: NameOnDisk) -> AccessRecord {
    AccessRecord::ApiTokenRevoked { name: read.name }
}

pub(super) fn signed_in(read: &SessionOnDisk) -> Result<AccessRecord, NotAControlRecord> {
    Ok(AccessRecord::SignedIn { session: token(&read.session)? })
}

pub(super) fn sign_in_refused(read: RefusedOnDisk) -> AccessRecord {
    let RefusedOnDisk { user, failures, unwritten } = read;
    AccessRecord::SignInRefused { user, failures, unwritten }
}

pub(super) fn session_ended(read: SessionOnDisk) -> Result<AccessRecord, NotAControlRecord> {
    Ok(AccessRecord::SessionEnded { session: token(&read.session)?, user: read.user })
}
