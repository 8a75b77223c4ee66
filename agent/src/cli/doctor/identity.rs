//! Whether this agent was let in, and how long its certificates still are good.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::doctor::{Judged, Look, blocking};
use mailsonde_proto::file::is_odd;
use mailsonde_proto::{AgentId, WallTime};
use rustls::pki_types::pem;

use super::subject::Subject;
use crate::config::CollectorConfig;
use crate::identity::IdentityFiles;
use crate::uplink::credentials::{Authority, Credentials, CredentialsError, Identity, authorities};

/// An authority that ends within this is about to be too late to be replaced at leisure.
const AUTHORITY_LEFT: Duration = Duration::from_secs(30 * 86_400);
/// A renewal that is due waits at most so much of the certificate's validity for the next dial.
const OVERDUE_PARTS: u32 = 20;

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    now: WallTime,
    credentials: Result<Credentials, Missing>,
    authorities: Option<Vec<Authority>>,
}

/// Why there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Missing {
    /// It was never let in.
    NotEnrolled,
    /// This user may not see them.
    Denied(String),
    /// They cannot be used.
    Wrong(String),
    /// It took too long.
    Late,
}

/// Reads what stands on the disk.
pub(super) async fn read(subject: &Arc<Subject>) -> Found {
    let now = subject.clock.wall();
    let subject = Arc::clone(subject);
    let read = move || {
        let files = files(&subject);
        if let Some(odd) =
            [&files.ca, &files.certificate, &files.key].into_iter().find(|it| is_odd(it))
        {
            return (Err(Missing::Wrong(format!("{} is no file", odd.display()))), None);
        }
        let authorities = authorities(&files.ca).ok();
        (credentials(&files), authorities)
    };
    let (credentials, authorities) = blocking(read).await.unwrap_or((Err(Missing::Late), None));
    Found { now, credentials, authorities }
}

/// Where an identity stands, or would.
fn files(subject: &Subject) -> IdentityFiles {
    match &subject.collector {
        Some(CollectorConfig { ca, certificate, key, .. }) => {
            IdentityFiles { ca: ca.clone(), certificate: certificate.clone(), key: key.clone() }
        }
        None => IdentityFiles::of_data(&subject.data),
    }
}

fn credentials(files: &IdentityFiles) -> Result<Credentials, Missing> {
    let kind = |path: &Path| std::fs::metadata(path).err().map(|error| error.kind());
    match kind(&files.certificate) {
        Some(io::ErrorKind::NotFound) => return Err(Missing::NotEnrolled),
        Some(io::ErrorKind::PermissionDenied) => {
            return Err(Missing::Denied(files.certificate.display().to_string()));
        }
        _ => {}
    }
    Credentials::load_files(files).map_err(|error| match &error {
        CredentialsError::Unreadable { path, source: pem::Error::Io(io), .. }
            if io.kind() == io::ErrorKind::PermissionDenied =>
        {
            Missing::Denied(path.display().to_string())
        }
        _ => Missing::Wrong(error.to_string()),
    })
}

impl Found {
    /// What there is to say of it.
    pub(super) fn looks(&self, subject: &Subject, runs: bool) -> Vec<Look> {
        let certificate = match &self.credentials {
            Ok(credentials) => certificate(&credentials.identity, self.now, runs),
            Err(missing) => absent(missing, &subject.as_root),
        };
        let mut looks = vec![certificate.look("identity.certificate", "certificate")];
        if let Some(authorities) = &self.authorities {
            let judged = authority(authorities, self.now);
            looks.push(judged.look("identity.authority", "authority"));
        }
        looks
    }

    /// Whether it was never let in.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self.credentials, Err(Missing::NotEnrolled))
    }

    /// Who this agent is.
    pub(super) fn agent(&self) -> Option<AgentId> {
        self.credentials.as_ref().ok().map(|credentials| credentials.identity.agent)
    }

    /// What a dial needs, where it is there; and whether the certificate is good now.
    pub(super) fn credentials(&self) -> Option<(&Credentials, bool)> {
        let credentials = self.credentials.as_ref().ok()?;
        let Identity { not_before, not_after, .. } = credentials.identity;
        Some((credentials, not_before <= self.now && self.now < not_after))
    }
}

fn absent(missing: &Missing, as_root: &str) -> Judged {
    match missing {
        Missing::NotEnrolled => Judged::problem(
            "this agent was not let in yet",
            "on the collector `mailsonde-collector token create`, then here `mailsonde-agent enroll TOKEN`",
        ),
        Missing::Denied(path) => {
            Judged::unknown(format!("this user may not read {path}"), format!("`{as_root}`"))
        }
        Missing::Wrong(words) => Judged::problem(
            words.clone(),
            "let the agent in anew: on the collector `mailsonde-collector token create --agent NAME`, then here \
             `mailsonde-agent enroll TOKEN`",
        ),
        Missing::Late => mailsonde_proto::doctor::late("reading the identity"),
    }
}

/// Its own certificate, which renews itself while the agent runs and reaches the collector.
fn certificate(identity: &Identity, now: WallTime, runs: bool) -> Judged {
    let Identity { agent, not_before, not_after } = identity;
    let minute = |at: &WallTime| at.timestamp().strftime("%Y-%m-%d %H:%M UTC").to_string();
    let by_itself = match runs {
        true => {
            "it renews itself as soon as the collector is reached: see the lines of the collector"
        }
        false => "start the agent: it renews itself, also after its end, by its key",
    };
    if now < *not_before {
        let says =
            format!("it begins {} only, and here it is {}", minute(not_before), minute(&now));
        return Judged::problem(
            says,
            "set this machine's clock, which is behind: `timedatectl set-ntp true`",
        );
    }
    if now >= *not_after {
        let says = format!("it ended {}, and here it is {}", minute(not_after), minute(&now));
        return Judged::problem(
            says,
            format!("look at `date -u`: where that is right, {by_itself}"),
        );
    }
    let due = identity.renew_at(u8::MAX);
    let left = not_after.since(now).as_secs();
    let says = format!("agent {agent}, until {} ({})", minute(not_after), span(left));
    if now >= due.plus(identity.whole() / OVERDUE_PARTS) {
        let says = format!("{says}; its renewal was due {}", minute(&due));
        return Judged::warning(says, by_itself);
    }
    Judged::ok(says)
}

/// Whom the agent believes to be its collector.
fn authority(authorities: &[Authority], now: WallTime) -> Judged {
    let Some(last) = authorities.iter().map(|authority| authority.not_after).max() else {
        return Judged::problem(
            "its file holds no certificate",
            "let the agent in anew by a token",
        );
    };
    let day = last.timestamp().strftime("%Y-%m-%d").to_string();
    let many = match authorities.len() {
        1 => String::new(),
        many => format!(", the last of {many}"),
    };
    if now >= last {
        return Judged::problem(
            format!("it ended {day}{many}"),
            "look at `date -u`: where that is right, let the agent in anew: `mailsonde-collector token create --agent NAME`, \
             then `mailsonde-agent enroll TOKEN`",
        );
    }
    let says = format!("until {day}{many}");
    if last.since(now) < AUTHORITY_LEFT {
        return Judged::warning(says, "on the collector: `mailsonde-collector ca rotate`");
    }
    Judged::ok(says)
}

/// `5 h 12 min`, `3 d 2 h`.
fn span(seconds: u64) -> String {
    match seconds {
        0..3_600 => format!("{} min left", seconds / 60),
        3_600..172_800 => format!("{} h {} min left", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d left", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::AgentId;
    use mailsonde_proto::doctor::State;

    use super::*;

    const HOUR: i64 = 3_600;

    #[test]
    fn a_certificate_is_judged_by_its_renewal() {
        // dated back by as long as it lives: 24 h from hour 24 on, due for renewal at hour 36
        let identity = Identity {
            agent: AgentId([7; 16]),
            not_before: WallTime::from_s(0),
            not_after: WallTime::from_s(48 * HOUR),
        };
        for (hour, runs, state, todo) in [
            (-1, true, State::Problem, "set this machine's clock"),
            (24, true, State::Ok, ""),
            (37, true, State::Ok, ""),
            (40, true, State::Warning, "as soon as the collector is reached"),
            (40, false, State::Warning, "start the agent"),
            (
                48,
                true,
                State::Problem,
                "look at `date -u`: where that is right, it renews itself as soon",
            ),
            (90, false, State::Problem, "start the agent"),
        ] {
            let judged = certificate(&identity, WallTime::from_s(hour * HOUR), runs);
            assert_eq!(judged.state, state, "hour {hour}");
            assert!(judged.todo.unwrap_or_default().contains(todo), "hour {hour}");
        }
    }

    #[test]
    fn an_authority_is_replaced_in_time() {
        let until = |days: i64| Authority { not_after: WallTime::from_s(days * 24 * HOUR) };
        for (authorities, state) in [
            (vec![], State::Problem),
            (vec![until(400)], State::Ok),
            (vec![until(20)], State::Warning),
            (vec![until(20), until(4000)], State::Ok),
            (vec![until(0)], State::Problem),
        ] {
            assert_eq!(
                authority(&authorities, WallTime::from_s(1)).state,
                state,
                "{authorities:?}"
            );
        }
    }

    #[test]
    fn what_is_missing_says_what_to_do() {
        for (missing, state, todo) in [
            (Missing::NotEnrolled, State::Problem, "token create"),
            (Missing::Denied("/k".into()), State::Unknown, "`sudo x`"),
            (Missing::Wrong("keys differ".into()), State::Problem, "enroll TOKEN"),
            (Missing::Late, State::Unknown, "disk"),
        ] {
            let judged = absent(&missing, "sudo x");
            assert_eq!(judged.state, state, "{missing:?}");
            assert!(judged.todo.unwrap().contains(todo), "{missing:?}");
        }
    }

    #[test]
    fn what_is_left_is_told_by_its_size() {
        for (seconds, text) in
            [(59, "0 min left"), (18_720, "5 h 12 min left"), (864_000, "10 d left")]
        {
            assert_eq!(span(seconds), text);
        }
    }

    #[tokio::test]
    async fn an_identity_that_is_a_pipe_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let arguments = super::super::DoctorArguments {
            data: Some(folder.path().to_owned()),
            ..Default::default()
        };
        let clock = mailsonde_proto::Clock::system();
        let subject = Arc::new(Subject::unread(&arguments, clock));
        let files = files(&subject);
        std::fs::create_dir(files.ca.parent().unwrap()).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&files.ca).status().unwrap();
        assert!(made.success());
        std::fs::write(&files.certificate, "").unwrap();
        let found = read(&subject).await;
        assert!(
            matches!(&found.credentials, Err(Missing::Wrong(words)) if words.contains("is no file"))
        );
    }
}
