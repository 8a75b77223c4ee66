//! One running server: how it is started, and what a test may do to it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdout, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use mailsonde_proto::time::{Clock, WallTime};
use rustix::process::Signal;

use super::folder::Folder;
use super::layout::{BAD_ENDPOINTS, MAIL, NAME_SERVER, NAME_SERVER_2, RESOLVER};
use super::supervisor::Supervisor;
use super::{LabError, process, within};
use crate::network::Network;

const LISTENS_WITHIN: Duration = Duration::from_secs(20);
const GONE_WITHIN: Duration = Duration::from_secs(10);
const LINE_MAX_BYTES: u64 = 64 * 1024;

/// A server of the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Server {
    /// Authoritative DNS.
    Knot,
    /// The second authoritative DNS server.
    SecondKnot,
    /// The validating resolver.
    Unbound,
    /// LMTP, IMAP, POP3 and the passwords of all.
    Dovecot,
    /// SMTP and submission.
    Postfix,
    /// The spam filter; [`super::Lab::start_filter`].
    Rspamd,
    /// Greylisting; [`super::Lab::start_greylisting`].
    Postgrey,
}

impl Server {
    /// Those of every lab, in the order in which they can be started.
    pub(super) const ALL: [Self; 5] =
        [Self::Knot, Self::SecondKnot, Self::Unbound, Self::Dovecot, Self::Postfix];

    /// The programs the lab needs, by where Debian's packages put them.
    pub(super) const fn program(self) -> &'static str {
        match self {
            Self::Knot | Self::SecondKnot => "/usr/sbin/knotd",
            Self::Unbound => "/usr/sbin/unbound",
            Self::Dovecot => "/usr/sbin/dovecot",
            Self::Postfix => "/usr/sbin/postfix",
            Self::Rspamd => "/usr/bin/rspamd",
            Self::Postgrey => "/usr/sbin/postgrey",
        }
    }

    /// Its log in the lab's folder, with microseconds.
    pub(super) const fn log(self) -> &'static str {
        match self {
            Self::Knot => "log/knot.log",
            Self::SecondKnot => "log/knot2.log",
            Self::Unbound => "log/unbound.log",
            Self::Dovecot => "log/dovecot.log",
            Self::Postfix => "log/postfix.log",
            Self::Rspamd => "log/rspamd.log",
            Self::Postgrey => "log/postgrey.log",
        }
    }

    fn arguments(self, folder: &Folder) -> Vec<String> {
        let path = |name: &str| folder.join(name).display().to_string();
        match self {
            Self::Knot => vec!["-c".to_owned(), path("knot/knot.conf")],
            Self::SecondKnot => vec!["-c".to_owned(), path("knot2/knot.conf")],
            Self::Unbound => {
                vec!["-d".to_owned(), "-c".to_owned(), path("unbound/unbound.conf")]
            }
            Self::Dovecot => {
                vec!["-F".to_owned(), "-c".to_owned(), path("dovecot/dovecot.conf")]
            }
            Self::Postfix => vec!["-c".to_owned(), path("postfix"), "start-fg".to_owned()],
            Self::Rspamd => {
                let user = ["-f", "-u", "_rspamd", "-g", "_rspamd", "-c"].map(str::to_owned);
                user.into_iter().chain([path("rspamd/rspamd.conf")]).collect()
            }
            Self::Postgrey => {
                let text = std::fs::read_to_string(folder.join("postgrey/arguments"));
                text.unwrap_or_default().lines().map(str::to_owned).collect()
            }
        }
    }

    /// The unix socket at which it answers, in the lab's folder.
    const fn socket(self) -> Option<&'static str> {
        match self {
            Self::Rspamd => Some("rspamd/milter.sock"),
            _ => None,
        }
    }

    fn listens(self) -> Vec<(Ipv4Addr, u16)> {
        match self {
            Self::Knot => vec![(NAME_SERVER, 53)],
            Self::SecondKnot => vec![(NAME_SERVER_2, 53)],
            Self::Unbound => vec![(RESOLVER, 53)],
            Self::Dovecot => [143, 993, 110, 995].map(|port| (MAIL, port)).to_vec(),
            Self::Postfix => vec![(MAIL, 25), (MAIL, 587), (MAIL, 465), (BAD_ENDPOINTS, 587)],
            Self::Postgrey => vec![(Ipv4Addr::LOCALHOST, 10_023)],
            Self::Rspamd => Vec::new(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Running {
    server: Server,
    child: Child,
    stamper: Option<JoinHandle<()>>,
}

impl Running {
    pub(super) fn start(
        server: Server,
        folder: &Folder,
        supervisor: &Supervisor,
    ) -> Result<Self, LabError> {
        let what = || format!("start {}", server.program());
        let start_log = File::create(folder.join(&format!("{}.start", server.log())))
            .map_err(LabError::io(what()))?;
        let mut command = supervisor.server_command("mail");
        command.arg(server.program()).args(server.arguments(folder)).stderr(start_log);
        // Postfix's own log has whole seconds, so it says its lines to us
        let stamped = server == Server::Postfix;
        command.stdout(if stamped { Stdio::piped() } else { Stdio::null() });
        let mut child = command.spawn().map_err(LabError::io(what()))?;
        let stamper = match child.stdout.take() {
            Some(lines) => Some(stamp(lines, folder, server).map_err(LabError::io(what()))?),
            None => None,
        };
        Ok(Self { server, child, stamper })
    }

    /// Waits until every port answers.
    pub(super) fn wait_until_it_listens(
        &mut self,
        network: &Network,
        folder: &Folder,
    ) -> Result<(), LabError> {
        let listens = self.server.listens();
        let socket = self.server.socket().map(|name| folder.join(name));
        let child = &mut self.child;
        let up = network
            .inside(|| {
                let answers = |&(host, port): &(Ipv4Addr, u16)| {
                    let address = SocketAddr::from((host, port));
                    std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
                };
                let mut left = listens;
                let socket = socket.as_ref();
                let ready = || socket.is_none_or(|path| UnixStream::connect(path).is_ok());
                Ok(within(LISTENS_WITHIN, || {
                    left.retain(|endpoint| !answers(endpoint));
                    left.is_empty() && ready() || !matches!(child.try_wait(), Ok(None))
                }) && left.is_empty())
            })
            .map_err(LabError::io("look for the servers' ports"))?;
        if up {
            return Ok(());
        }
        Err(LabError::NotReady {
            program: self.server.program(),
            log: [self.server.log().to_owned(), format!("{}.start", self.server.log())]
                .iter()
                .map(|name| tail(&folder.join(name)))
                .collect(),
        })
    }

    /// SIGSTOP: connections are still accepted by the kernel, and nothing answers.
    pub(super) fn stop(&self) {
        process::signal(&process::family(self.child.id()), Signal::STOP);
    }

    /// SIGCONT.
    pub(super) fn resume(&self) {
        process::signal(&process::family(self.child.id()), Signal::CONT);
    }

    /// SIGKILL to all of the server's processes at once.
    pub(super) fn kill(mut self) -> io::Result<()> {
        self.stop(); // so that none is born while we look for them
        let mut family = process::family(self.child.id());
        // nsenter stays, to reap the server: a dead one that is not reaped still has its pid, and
        // servers look at their old pid before they start again
        family.retain(|id| *id != self.child.id());
        process::signal(&family, Signal::KILL);
        let ended = within(GONE_WITHIN, || {
            // nsenter stops itself when it sees its child stopped, perhaps only now
            process::signal(&[self.child.id()], Signal::CONT);
            !matches!(self.child.try_wait(), Ok(None))
        });
        if !ended {
            process::signal(&[self.child.id()], Signal::KILL);
        }
        self.finish()
    }

    /// Memory of all its processes, shared pages counted by their part, in bytes.
    pub(super) fn memory_bytes(&self) -> u64 {
        process::family(self.child.id()).into_iter().map(process::memory_bytes).sum()
    }

    /// Waits for the process and its log, which end with the namespace or a kill.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let id = self.child.id();
        within(GONE_WITHIN, || {
            let has_ended = !matches!(self.child.try_wait(), Ok(None));
            if !has_ended {
                // nsenter of a server that was stopped and resumed may have stopped itself since
                process::signal(&[id], Signal::CONT);
            }
            has_ended
        });
        self.child.wait()?;
        if let Some(stamper) = self.stamper.take() {
            drop(stamper.join());
        }
        Ok(())
    }
}

/// Copies lines into the log, each with the wall time at which it came.
fn stamp(lines: ChildStdout, folder: &Folder, server: Server) -> io::Result<JoinHandle<()>> {
    let path = folder.join(server.log());
    let mut log = OpenOptions::new().create(true).append(true).open(path)?;
    std::thread::Builder::new().name("stamper".to_owned()).spawn(move || {
        let clock = Clock::system();
        let mut lines = BufReader::new(lines);
        let mut line = Vec::new();
        loop {
            line.clear();
            match lines.by_ref().take(LINE_MAX_BYTES).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    let mut entry = seconds(clock.wall()).into_bytes();
                    entry.push(b' ');
                    entry.extend_from_slice(&line);
                    // the folder may be gone already: then nobody reads the log either
                    drop(log.write_all(&entry));
                }
            }
        }
    })
}

/// As Dovecot writes it: `1764000000.000123`.
fn seconds(time: WallTime) -> String {
    let us = time.as_us();
    format!("{}.{:06}", us.div_euclid(1_000_000), us.rem_euclid(1_000_000))
}

/// The end of a log, for people.
pub(super) fn tail(path: &std::path::Path) -> String {
    const LINES: usize = 40;
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let skip = lines.len().saturating_sub(LINES);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    lines.into_iter().skip(skip).map(|line| format!("{name}: {line}\n")).collect()
}
