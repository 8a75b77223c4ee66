//! A command on the collector's host, for what no other kind reaches: a modem, a siren, a ticket system.
//!
//! ```toml
//! kind = "command"
//! run = ["/usr/local/bin/send-sms", "--to", "+27831234567"]   # argv; no shell reads it
//! #timeout = "30s"
//! ```
//!
//! It gets the JSON of `body.rs` on standard input, the system's usual folders as PATH, and nothing of the collector's
//! environment. Exit code 0 says that it was sent, 75 (EX_TEMPFAIL of sysexits.h) that it is worth another attempt, any
//! other that it is not; the first line it writes is told. Invariants: bounded in time and output; at the deadline, and
//! where nobody waits any more, all of its process group is killed. Absent on purpose: a shell.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::body::body;
use super::source::Source;
use super::text::PLAIN;
use super::{Channel, Outcome, Post};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_TIMEOUT: Duration = Duration::from_secs(120);
const MAX_ARGUMENTS: usize = 64;
/// Bytes of its output that are kept; the rest is read and dropped.
const MAX_OUTPUT_BYTES: usize = 4 << 10;
/// How long its output is waited for after it has ended: a process that it left behind may hold it open.
const OUTPUT_LIMIT: Duration = Duration::from_secs(1);
/// EX_TEMPFAIL of sysexits.h.
const TEMPORARY: i32 = 75;
const MAX_SAID: usize = 200;
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Its arguments may hold what is nobody's business: shown is the program only.
struct Run {
    program: String,
    arguments: Vec<String>,
    limit: Duration,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("program", &self.program).finish_non_exhaustive()
    }
}

/// Reads its settings.
pub(super) fn read(source: &mut Source<'_, '_>) -> Option<Arc<dyn Channel>> {
    source.section.require(
        "run",
        "the program and its arguments, such as run = [\"/usr/local/bin/send-sms\"]",
    );
    let run = source.section.list("run", MAX_ARGUMENTS, |text| {
        if text.contains('\0') { Err("must not contain a null") } else { Ok(text.to_owned()) }
    });
    let limit = source.duration("timeout", DEFAULT_TIMEOUT, MAX_TIMEOUT);
    let mut run = run.into_iter().map(|(_, word)| word);
    let program = run.next();
    let is_there = |program: &String| {
        let path = Path::new(program);
        path.is_absolute() && path.is_file()
    };
    if source.section.is_empty("run") || program.as_ref().is_some_and(|program| !is_there(program))
    {
        let words = "run must begin with the whole path of a program that is there";
        source.section.wrong("run", words);
    }
    Some(Arc::new(Run { program: program?, arguments: run.collect(), limit: limit? }))
}

impl Channel for Run {
    fn send<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Outcome> {
        async move { self.attempt(body(post.message)).await }.boxed()
    }

    fn kind(&self) -> &'static str {
        "command"
    }

    fn destination(&self) -> String {
        self.program.clone()
    }
}

impl Run {
    async fn attempt(&self, input: Vec<u8>) -> Outcome {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().env("PATH", PATH).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let spawned = command.process_group(0).kill_on_drop(true).spawn();
        let group = match spawned {
            Ok(child) => Group(child),
            Err(error) => return self.not_started(&error),
        };
        let Some(ended) = self.converse(group, input).await else {
            let seconds = self.limit.as_secs();
            let why = format!("{} did not end within {seconds} s and was killed", self.program);
            return Outcome::Later { after: None, why, may_have_arrived: true };
        };
        match ended {
            Ok((status, said)) => self.ended(status, &said),
            Err(error) => {
                let why = format!("{} cannot be waited for: {error}", self.program);
                Outcome::Later { after: None, why, may_have_arrived: true }
            }
        }
    }

    /// `None` at the deadline, when all of the group is killed.
    async fn converse(
        &self,
        mut group: Group,
        input: Vec<u8>,
    ) -> Option<std::io::Result<(ExitStatus, String)>> {
        let Group(child) = &mut group;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (mut said, mut complained) = (Vec::new(), Vec::new());
        let ended = async {
            let told = async move {
                // who does not read it knows enough
                if let Some(mut stdin) = stdin {
                    drop(stdin.write_all(&input).await);
                }
            };
            let output = async {
                tokio::join!(kept(stdout, &mut said), kept(stderr, &mut complained), told);
            };
            let mut output = std::pin::pin!(output);
            let mut is_read = false;
            let status = loop {
                tokio::select! {
                    status = child.wait() => break status,
                    () = &mut output, if !is_read => is_read = true,
                }
            };
            if !is_read && timeout(OUTPUT_LIMIT, output).await.is_err() {
                tracing::debug!("something that the command left behind holds its output open");
            }
            status
        };
        let status = timeout(self.limit, ended).await.ok()?;
        let text = String::from_utf8_lossy(if said.is_empty() { &complained } else { &said });
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let first = PLAIN.line(first, MAX_SAID);
        Some(status.map(|status| (status, first)))
    }

    fn not_started(&self, error: &std::io::Error) -> Outcome {
        use std::io::ErrorKind::{NotFound, PermissionDenied};
        let why = format!("{} cannot be started: {error}", self.program);
        match error.kind() {
            NotFound | PermissionDenied => Outcome::Refused { why },
            _ => Outcome::Later { after: None, why, may_have_arrived: false },
        }
    }

    fn ended(&self, status: ExitStatus, said: &str) -> Outcome {
        let words = if said.is_empty() { String::new() } else { format!(": {said}") };
        match (status.code(), status.signal()) {
            (Some(0), _) => Outcome::Sent {
                handle: None,
                confirmed: false,
                said: format!("exit code 0{words}"),
            },
            (Some(TEMPORARY), _) => Outcome::Later {
                after: None,
                why: format!("exit code {TEMPORARY}{words}"),
                may_have_arrived: false,
            },
            (Some(code), _) => Outcome::Refused { why: format!("exit code {code}{words}") },
            (None, signal) => {
                let signal = signal.unwrap_or_default();
                let why = format!("ended by signal {signal}{words}");
                Outcome::Later { after: None, why, may_have_arrived: true }
            }
        }
    }
}

/// A command with all that it started: killed when this is dropped before the command was seen to end.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // None once it was waited for: its number may be another's then
        let id = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(Err(error)) = id.map(|id| kill_process_group(id, Signal::KILL)) {
            tracing::debug!(%error, "the command's process group was gone already");
        }
    }
}

/// The beginning of what is written; all of it is read, so that nobody waits for a reader.
async fn kept(pipe: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = pipe.read(&mut chunk).await {
        let room = MAX_OUTPUT_BYTES.saturating_sub(kept.len());
        kept.extend(chunk.iter().take(read).take(room));
    }
}

#[cfg(test)]
mod tests;
