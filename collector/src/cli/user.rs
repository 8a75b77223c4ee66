//! `user`: who may sign in over the network, and as what.

use super::figures::roughly;
use super::terminal::{Terminal, lines, say, words};
use super::typed::PasswordArguments;
use super::{Ending, Setting, client};
use crate::access::{UserChange, UserWish, UsersAnswer};
use crate::api::path;
use crate::control::Role;

#[derive(Debug, clap::Subcommand)]
pub(super) enum UserCommand {
    /// Add a user; their password is asked for
    Add {
        /// 1 to 64 characters of a-z A-Z 0-9 . _ -
        name: String,
        /// viewer looks; operator also renames and labels; admin also lets in and puts out
        #[arg(long)]
        role: Role,
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
        /// Their name
        name: String,
        #[command(flatten)]
        password: PasswordArguments,
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
        UserCommand::Add { name, role, password } => {
            let password = password.read_new(name)?;
            let wish = UserWish { name: name.clone(), role: *role, password };
            client::send(at, path::USERS, &wish).await?
        }
        UserCommand::Role { name, role } => change(name, UserChange::Role(*role)).await?,
        UserCommand::Password { name, password } => {
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

fn shown(answer: &UsersAnswer, terminal: &Terminal) -> String {
    if answer.users.is_empty() {
        return "there is no user: `mailsonde-collector user add NAME --role ROLE`\n".into();
    }
    let mut table = terminal.table(["user", "role", "added", "by"]);
    for user in &answer.users {
        table.add_row([
            words(&user.name),
            words(user.role.as_str()),
            words(format!("{} ago", roughly(user.added_at, answer.now))),
            words(&user.added_by),
        ]);
    }
    lines(&table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::UserAnswer;
    use crate::cli::terminal::plain;

    #[test]
    fn each_user_has_a_line() {
        let user = |name: &str, role| UserAnswer {
            name: name.into(),
            role,
            added_at: "2026-11-24T10:00:00Z".parse().unwrap(),
            added_by: "uid 0 (root)".into(),
        };
        let answer = UsersAnswer {
            now: "2026-11-24T10:05:00Z".parse().unwrap(),
            users: vec![user("ann", Role::Admin), user("bob", Role::Viewer)],
        };
        insta::assert_snapshot!(shown(&answer, &plain(120)), @r"
        user  role    added      by
        ann   admin   5 min ago  uid 0 (root)
        bob   viewer  5 min ago  uid 0 (root)
        ");
        insta::assert_snapshot!(shown(&UsersAnswer { users: vec![], ..answer }, &plain(120)), @"there is no user: `mailsonde-collector user add NAME --role ROLE`");
    }
}
