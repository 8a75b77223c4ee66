//! What the audit log tells of operators: users, API tokens, sign-ins. Never what proves them.

use std::collections::BTreeMap;

use crate::control::{AccessRecord, User};

/// The users as the records so far left them.
#[derive(Default)]
pub(super) struct Users(BTreeMap<String, User>);

impl Users {
    /// What a record says, for people.
    pub(super) fn words(&mut self, access: &AccessRecord) -> String {
        match access {
            AccessRecord::UserSet(user) => {
                let (name, role) = (&user.name, user.role);
                match self.0.insert(name.to_ascii_lowercase(), user.clone()) {
                    None => match &user.subject {
                        None => format!("added user {name} as {role}"),
                        Some(subject) => format!("added user {name} as {role}, who is {subject}"),
                    },
                    Some(before) if before.role != role => {
                        format!("made user {name} {role} instead of {}", before.role)
                    }
                    Some(before) if before.password != user.password => {
                        format!("set a new password for user {name}")
                    }
                    Some(_) => format!("changed user {name}"),
                }
            }
            AccessRecord::UserRemoved { name } => {
                self.0.remove(&name.to_ascii_lowercase());
                format!("removed user {name}")
            }
            AccessRecord::ApiTokenMade(made) => {
                let until = made.expires_at.timestamp().strftime("%Y-%m-%d %H:%M UTC");
                format!("made API token {} as {}, until {until}", made.name, made.role)
            }
            AccessRecord::ApiTokenRevoked { name } => format!("revoked API token {name}"),
            AccessRecord::SignedIn { session } => format!("signed in (session {session})"),
            AccessRecord::SignInRefused { user, failures, unwritten } => {
                let whom = match user {
                    Some(user) => format!("as {user}, failure {failures} in a row"),
                    None => {
                        format!("as a user that does not exist, failure {failures} of this address")
                    }
                };
                match unwritten {
                    0 => format!("could not sign in {whom}"),
                    more => format!(
                        "could not sign in {whom}; {more} more failed since the last that is told"
                    ),
                }
            }
            AccessRecord::SessionEnded { session, user } => {
                format!("ended session {session} of {user}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::WallTime;

    use super::*;
    use crate::control::{ApiToken, PasswordHash, Role, TokenId};

    #[test]
    fn each_record_has_its_words() {
        let user = |role, hash: &str| {
            let password = PasswordHash::from_phc(hash.into());
            let (password, subject) = (Some(password), None);
            AccessRecord::UserSet(User { name: "ann".into(), role, password, subject })
        };
        let session = TokenId([1, 2, 3, 4]);
        let expires_at = WallTime::from_s(1_800_000_000);
        let (name, role, digest) = ("wall".to_owned(), Role::Viewer, [7; 32]);
        let refused = |user: Option<&str>, unwritten| AccessRecord::SignInRefused {
            user: user.map(str::to_owned),
            failures: 4,
            unwritten,
        };
        let records = [
            user(Role::Viewer, "a"),
            user(Role::Admin, "a"),
            user(Role::Admin, "b"),
            AccessRecord::ApiTokenMade(ApiToken { name: name.clone(), role, digest, expires_at }),
            AccessRecord::ApiTokenRevoked { name },
            AccessRecord::SignedIn { session },
            refused(Some("ann"), 0),
            refused(None, 57),
            AccessRecord::SessionEnded { session, user: "ann".into() },
            AccessRecord::UserRemoved { name: "ann".into() },
            user(Role::Viewer, "c"),
            AccessRecord::UserSet(User {
                name: "bob".into(),
                role: Role::Operator,
                password: None,
                subject: Some("bob@example.org".into()),
            }),
        ];
        let mut users = Users::default();
        let words: Vec<_> = records.iter().map(|record| users.words(record)).collect();
        insta::assert_snapshot!(words.join("\n"), @r"
        added user ann as viewer
        made user ann admin instead of viewer
        set a new password for user ann
        made API token wall as viewer, until 2027-01-15 08:00 UTC
        revoked API token wall
        signed in (session 01020304)
        could not sign in as ann, failure 4 in a row
        could not sign in as a user that does not exist, failure 4 of this address; 57 more failed since the last that is told
        ended session 01020304 of ann
        removed user ann
        added user ann as viewer
        added user bob as operator, who is bob@example.org
        ");
    }
}
