//! `user`: who may sign in over the network, and as what.

use std::path::{Path, PathBuf};

use super::figures::roughly;
use super::terminal::{Terminal, lines, say, words};
use super::typed::{PasswordArguments, read};
use super::{Ending, Setting, client};
use crate::access::{MeAnswer, OwnPassword, UserAnswer, UserChange, UserWish, UsersAnswer};
use crate::api::path;
use crate::control::Role;

#[derive(Debug, clap::Subcommand)]
pub(super) enum UserCommand {
    /// Add a user; their password is asked for
    Add {
        /// 1 to 64 characters of a-z A-Z 0-9 . _ -
        name: String,
        /// viewer looks; operator also renames, labels, applies checks and runs them; admin also lets in and puts out
        #[arg(long)]
        role: Role,
        /// What the OpenID provider calls them, such as ann@example.org; no password is asked for then
        #[arg(long, value_name = "CLAIM", conflicts_with = "password_file")]
        oidc: Option<String>,
        #[command(flatten)]
        password: PasswordArguments,
    },
    /// Every user
    List,
    /// Give a user another role, at once
    Role {
        /// Their name
        name: String,
        /// viewer, operator or admin
        role: Role,
    },
    /// Give a user another password; their sessions end
    Password {
        /// Their name; your own password without it
        name: Option<String>,
        #[command(flatten)]
        password: PasswordArguments,
        /// Read the password that you have from a file instead of asking for it; - is standard input
        #[arg(long, value_name = "FILE", conflicts_with = "name")]
        old_password_file: Option<PathBuf>,
    },
    /// Remove a user; their sessions end
    Remove {
        /// Their name
        name: String,
    },
}

pub(super) async fn run(setting: &Setting, command: &UserCommand) -> anyhow::Result<Ending> {
    let at = &setting.collector;
    let change = |name: &str, change: UserChange| {
        let path = path::with(path::USER, name);
        async move { client::send::<UsersAnswer>(at, &path, &change).await }
    };
    let answer = match command {
        UserCommand::List => client::ask(at, path::USERS).await?,
        UserCommand::Add { name, role, oidc, password } => {
            let password = match oidc {
                Some(_) => None,
                None => Some(password.read_new(name)?),
            };
            let (name, subject) = (name.clone(), oidc.clone());
            let wish = UserWish { name, role: *role, password, subject };
            client::send(at, path::USERS, &wish).await?
        }
        UserCommand::Role { name, role } => change(name, UserChange::Role(*role)).await?,
        UserCommand::Password { name: None, password, old_password_file } => {
            return own_password(setting, password, old_password_file.as_deref()).await;
        }
        UserCommand::Password { name: Some(name), password, .. } => {
            change(name, UserChange::Password(password.read_new(name)?)).await?
        }
        UserCommand::Remove { name } => {
            client::send(at, &path::with(path::USER_REMOVE, name), &()).await?
        }
    };
    let text = match setting.json {
        true => format!("{}\n", answer.raw),
        false => shown(&answer.value, &setting.terminal),
    };
    say(&text)?;
    Ok(Ending::Done)
}

async fn own_password(
    setting: &Setting,
    password: &PasswordArguments,
    old: Option<&Path>,
) -> anyhow::Result<Ending> {
    let old = read(old, "the password that you have: ")?;
    let change = OwnPassword { old, new: password.read_new("yours")? };
    let answer = client::send::<MeAnswer>(&setting.collector, path::ME_PASSWORD, &change).await?;
    let text = match setting.json {
        true => format!("{}\n", answer.raw),
        false => format!("{} has another password: sign in again\n", answer.value.who),
    };
    say(&text)?;
    Ok(Ending::Done)
}

fn shown(answer: &UsersAnswer, terminal: &Terminal) -> String {
    if answer.users.is_empty() {
        return "there is no user: `mailsonde-collector user add NAME --role ROLE`\n".into();
    }
    let mut table = terminal.table(["user", "role", "signs in by", "added", "by"]);
    for user in &answer.users {
        table.add_row([
            words(&user.name),
            words(user.role.as_str()),
            words(signs_in_by(user)),
            words(format!("{} ago", roughly(user.added_at, answer.now))),
            words(&user.added_by),
        ]);
    }
    lines(&table)
}

fn signs_in_by(user: &UserAnswer) -> String {
    match (&user.subject, user.has_password) {
        (None, _) => "password".to_owned(),
        (Some(subject), false) => format!("OpenID {subject}"),
        (Some(subject), true) => format!("OpenID {subject}, password"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;

    #[test]
    fn each_user_has_a_line() {
        let user = |name: &str, role| UserAnswer {
            name: name.into(),
            role,
            added_at: "2026-11-24T10:00:00Z".parse().unwrap(),
            added_by: "uid 0 (root)".into(),
            has_password: matches!(role, Role::Admin),
            subject: matches!(role, Role::Viewer).then(|| format!("{name}@example.org")),
        };
        let answer = UsersAnswer {
            now: "2026-11-24T10:05:00Z".parse().unwrap(),
            users: vec![user("ann", Role::Admin), user("bob", Role::Viewer)],
        };
        insta::assert_snapshot!(shown(&answer, &plain(120)), @r"
        user  role    signs in by             added      by
        ann   admin   password                5 min ago  uid 0 (root)
        bob   viewer  OpenID bob@example.org  5 min ago  uid 0 (root)
        ");
        insta::assert_snapshot!(shown(&UsersAnswer { users: vec![], ..answer }, &plain(120)), @"there is no user: `mailsonde-collector user add NAME --role ROLE`");
    }
}
