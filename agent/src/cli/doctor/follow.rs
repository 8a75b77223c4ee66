//! One cause is one problem: an agent that was not let in yet has no configuration, no data folder and does not run, and
//! none of that is to be mended by itself.

use mailsonde_proto::doctor::{Look, State};

use super::subject::Subject;

/// What follows from not being let in, besides what is not there.
const ALWAYS: [&str; 2] = ["process.running", "configuration.checks"];
/// What follows where there is no configuration.
const OF_FILE: [&str; 2] = ["configuration.file", "permissions.configuration"];
/// What follows where there is no data folder.
const OF_DATA: [&str; 5] =
    ["permissions.data", "permissions.files", "disk.space", "disk.writable", "disk.outbox"];

/// What an agent has before it is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    is_let_in: bool,
    /// Or somebody said that there is one.
    has_file: bool,
    has_data: bool,
}

impl Seen {
    /// Looks at the disk.
    pub(super) fn of(subject: &Subject, is_let_in: bool) -> Self {
        let has_file = subject.is_named || subject.file.exists();
        Self { is_let_in, has_file, has_data: subject.data.exists() }
    }

    fn explains(self, id: &str) -> bool {
        !self.is_let_in
            && (ALWAYS.contains(&id)
                || (!self.has_file && OF_FILE.contains(&id))
                || (!self.has_data && OF_DATA.contains(&id)))
    }
}

/// What only follows is not known, until the cause is mended.
pub(super) fn suppress(looks: &mut [Look], seen: &Seen) {
    for look in
        looks.iter_mut().filter(|look| look.state > State::Unknown && seen.explains(look.id))
    {
        look.state = State::Unknown;
        look.todo = Some("let this agent in first: see the line of the certificate".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::doctor::Judged;

    use super::*;

    #[test]
    fn what_only_follows_is_no_problem_of_its_own() {
        let ids = [
            "configuration.file",
            "permissions.data",
            "process.running",
            "identity.certificate",
            "permissions.secret",
            "disk.writable",
        ];
        let seen = |is_let_in, has_file, has_data| Seen { is_let_in, has_file, has_data };
        for (seen, problems) in [
            (seen(false, false, false), vec!["identity.certificate", "permissions.secret"]),
            (
                seen(false, true, false),
                vec!["configuration.file", "identity.certificate", "permissions.secret"],
            ),
            (
                seen(false, false, true),
                vec![
                    "permissions.data",
                    "identity.certificate",
                    "permissions.secret",
                    "disk.writable",
                ],
            ),
            (seen(true, false, false), ids.to_vec()),
        ] {
            let mut looks: Vec<_> =
                ids.map(|id| Judged::problem("x", "mend it").look(id, "t")).into();
            suppress(&mut looks, &seen);
            let left = looks.iter().filter(|look| look.state == State::Problem);
            assert_eq!(left.map(|look| look.id).collect::<Vec<_>>(), problems, "{seen:?}");
            assert!(looks.iter().all(|look| look.todo.is_some()));
        }
    }
}
