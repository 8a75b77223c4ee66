//! Servers for the tests of this crate: scripted ones that say what they are told to, and a small IMAP
//! and a small POP3 server over folders in memory. Real servers are spoken to in the end-to-end tests.

mod pop3;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailsonde_proto::Clock;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::dial::Patience;
use super::endpoint::{Endpoint, Login, Tls};
use crate::net::TlsTrust;
use crate::secret::Secret;

/// An endpoint on this machine, without TLS, with the login `probe` and the password `hunter2`.
pub(crate) fn endpoint(port: u16) -> Endpoint {
    let login = Login::with_password("probe", Secret::new("hunter2".into()));
    let trust = TlsTrust::native();
    Endpoint { host: "localhost".into(), port, tls: Tls::None, trust, login: Some(login) }
}

/// Patience of so many milliseconds a step.
pub(crate) fn patience(step_ms: u64) -> Patience {
    let clock = Clock::system();
    let step = Duration::from_millis(step_ms);
    Patience { clock, step, deadline: clock.monotonic() + Duration::from_secs(10) }
}

/// One server on a port of its own; it ends when it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Says `greeting`, then to the first line that begins with each word its answer, in order. An answer
    /// of `…` is silence, one of `!` hangs up. After the last one it only listens.
    pub(crate) async fn scripted(greeting: &'static str, script: Script) -> Self {
        let script = Arc::new(script);
        Self::listen(move |stream| scripted(stream, greeting, Arc::clone(&script))).await
    }

    /// An IMAP server over these folders.
    pub(crate) async fn imap(folders: Folders, has_idle: bool) -> Self {
        Self::listen(move |stream| imap(stream, folders.clone(), has_idle)).await
    }

    /// A POP3 server over the first of these folders.
    pub(crate) async fn pop3(folders: Folders) -> Self {
        Self::listen(move |stream| pop3::serve(stream, folders.clone())).await
    }

    /// An SMTP server that hands each accepted message to `deliver`.
    pub(crate) async fn smtp(deliver: impl Fn(String) + Clone + Send + Sync + 'static) -> Self {
        Self::smtp_by(|_, _| None, deliver).await
    }

    /// The same with a rule that may answer instead: to a line of the session with this number, from 1, or
    /// to `.` where a message ends.
    pub(crate) async fn smtp_by(
        rule: Rule,
        deliver: impl Fn(String) + Clone + Send + Sync + 'static,
    ) -> Self {
        let sessions = AtomicUsize::new(0);
        Self::listen(move |stream| {
            let session = sessions.fetch_add(1, Ordering::Relaxed) + 1;
            smtp(stream, move |line| rule(session, line), deliver.clone())
        })
        .await
    }

    /// Handshakes TLS with whoever comes, and says nothing.
    pub(crate) async fn accepting(acceptor: TlsAcceptor) -> Self {
        Self::listen(move |stream| accepting(stream, acceptor.clone())).await
    }

    /// Hands each connection to the first of these ports that still listens.
    pub(crate) async fn relay(ports: Vec<u16>) -> Self {
        Self::listen(move |stream| relay(stream, ports.clone())).await
    }

    async fn listen<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Option<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                connections.spawn(serve(stream));
            }
        });
        Self { port, _tasks: tasks }
    }
}

async fn accepting(stream: TcpStream, acceptor: TlsAcceptor) -> Option<()> {
    let mut stream = acceptor.accept(stream).await.ok()?;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.ok().map(drop)
}

async fn relay(mut stream: TcpStream, ports: Vec<u16>) -> Option<()> {
    for port in ports {
        if let Ok(mut target) = TcpStream::connect(("127.0.0.1", port)).await {
            let ended = tokio::io::copy_bidirectional(&mut stream, &mut target).await;
            return ended.ok().map(drop);
        }
    }
    None
}

pub(crate) type Script = Vec<(&'static str, &'static str)>;

async fn scripted(stream: TcpStream, greeting: &str, script: Arc<Script>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(greeting.as_bytes()).await.ok()?;
    for (word, answer) in script.iter() {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
        }
        let tag = line.split(' ').next().unwrap_or_default();
        match *answer {
            "…" => break,
            "!" => return None,
            answer => stream.write_all(answer.replace("TAG", tag).as_bytes()).await.ok()?,
        }
    }
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.ok().map(drop)
}

/// An answer instead of the usual one.
pub(crate) type Rule = fn(usize, &str) -> Option<&'static str>;

async fn smtp(
    stream: TcpStream,
    rule: impl Fn(&str) -> Option<&'static str>,
    deliver: impl Fn(String),
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 sandbox ESMTP\r\n").await.ok()?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if let Some(answer) = rule(line.trim_end()) {
            stream.write_all(answer.as_bytes()).await.ok()?;
            continue;
        }
        let answer = match line.split_whitespace().next()? {
            "EHLO" => "250-sandbox\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN\r\n",
            "AUTH" => "235 2.7.0 welcome\r\n",
            "QUIT" => "221 2.0.0 bye\r\n",
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                let mut message = String::new();
                loop {
                    // A line of its own: what read_line appends to it looks through as a whole.
                    let mut line = String::new();
                    if stream.read_line(&mut line).await.ok()? == 0 {
                        return None;
                    }
                    if line == ".\r\n" {
                        break;
                    }
                    message.push_str(&line);
                }
                match rule(".") {
                    Some(answer) => answer,
                    None => {
                        deliver(message);
                        "250 2.0.0 queued as 1\r\n"
                    }
                }
            }
            _ => "250 2.1.0 ok\r\n",
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

/// INBOX, Junk, and `Filtered/Lab`, which comes to be with its first message, in memory.
#[derive(Clone)]
pub(crate) struct Folders(
    Arc<Mutex<[Vec<Stored>; 3]>>,
    watch::Sender<u32>,
    Arc<Mutex<Option<&'static str>>>,
);

#[derive(Clone)]
struct Stored {
    uid: u32,
    text: String,
    deleted: bool,
}

impl Folders {
    pub(crate) fn new() -> Self {
        Self(Arc::default(), watch::Sender::new(1), Arc::default())
    }

    /// From now on the server never answers this command.
    pub(crate) fn hang_at(&self, command: &'static str) {
        *self.2.lock().unwrap() = Some(command);
    }

    fn hangs_at(&self, command: &str) -> bool {
        self.2.lock().unwrap().is_some_and(|word| command.starts_with(word))
    }

    /// Stores a message; 0 is INBOX, 1 is Junk, 2 is `Filtered/Lab`.
    pub(crate) fn store(&self, folder: usize, text: &str) {
        let text = format!("Received: by sandbox\r\n{text}");
        self.1.send_modify(|uid| *uid += 1);
        let uid = *self.1.borrow();
        self.0.lock().unwrap()[folder].push(Stored { uid, text, deleted: false });
    }

    pub(crate) fn texts(&self, folder: usize) -> Vec<String> {
        self.0.lock().unwrap()[folder].iter().map(|stored| stored.text.clone()).collect()
    }

    fn all(&self, folder: usize) -> Vec<Stored> {
        self.0.lock().unwrap()[folder].clone()
    }

    /// Removes what a POP3 session has marked.
    fn forget(&self, folder: usize, marked: &[Stored]) {
        let is_marked = |stored: &Stored| marked.iter().any(|m| m.deleted && m.uid == stored.uid);
        self.0.lock().unwrap()[folder].retain(|stored| !is_marked(stored));
    }

    fn fetch(&self, folder: usize, command: &str) -> String {
        let mut answer = String::new();
        let set = command.split(' ').nth(3).unwrap();
        for (index, stored) in self.all(folder).iter().enumerate() {
            if !holds(set, stored.uid) {
                continue;
            }
            let head = stored.text.split_once("\r\n\r\n").unwrap().0;
            let (section, data) = match command.contains("HEADER.FIELDS") {
                true => ("BODY[HEADER.FIELDS (X)]<0>", format!("{head}\r\n\r\n")),
                false => ("BODY[]<0>", stored.text.clone()),
            };
            let partial = command.rsplit_once('<').unwrap().1.trim_end_matches([')', '>']);
            let (from, most) = partial.split_once('.').unwrap();
            let (from, most): (usize, usize) = (from.parse().unwrap(), most.parse().unwrap());
            let data = data.get(from..).unwrap_or_default();
            let data = data.get(..most.min(data.len())).unwrap();
            answer += &format!(
                "* {} FETCH (UID {} INTERNALDATE \"24-Nov-2025 16:00:00 +0000\" RFC822.SIZE {} \
                 {section} {{{}}}\r\n{data})\r\n",
                index + 1,
                stored.uid,
                stored.text.len(),
                data.len()
            );
        }
        answer
    }

    fn store_and_expunge(&self, folder: usize, command: &str) -> String {
        let mut answer = String::new();
        let mut folders = self.0.lock().unwrap();
        if command.contains("STORE") {
            let set = command.split(' ').nth(3).unwrap();
            for stored in folders[folder].iter_mut().filter(|stored| holds(set, stored.uid)) {
                stored.deleted = true;
            }
        } else {
            while let Some(at) = folders[folder].iter().position(|stored| stored.deleted) {
                folders[folder].remove(at);
                answer += &format!("* {} EXPUNGE\r\n", at + 1);
            }
        }
        answer
    }
}

fn holds(set: &str, uid: u32) -> bool {
    set.split(',').any(|part| match part.split_once(':') {
        Some((from, _)) => uid >= from.parse().unwrap(),
        None => part == uid.to_string(),
    })
}

async fn imap(stream: TcpStream, folders: Folders, has_idle: bool) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"* OK sandbox\r\n").await.ok()?;
    let (mut folder, mut told) = (0, 0);
    let capability = if has_idle { " IDLE" } else { "" };
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        let (tag, command) = line.split_once(' ').unwrap_or((line, ""));
        let count = folders.all(folder).len();
        if folders.hangs_at(command) {
            return std::future::pending().await;
        }
        let mut answer = match command.split(' ').take(2).collect::<Vec<_>>()[..] {
            ["CAPABILITY", ..] => {
                format!("* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS{capability}\r\n")
            }
            ["LIST", ..] => "* LIST (\\Junk) \"/\" Spamverdacht\r\n".to_owned(),
            ["SELECT", "Filtered/Lab"] if folders.all(2).is_empty() => {
                stream.write_all(format!("{tag} NO no such folder\r\n").as_bytes()).await.ok()?;
                continue;
            }
            ["SELECT", name] => {
                folder = match name {
                    "INBOX" => 0,
                    "Filtered/Lab" => 2,
                    _ => 1,
                };
                told = folders.all(folder).len();
                let next = *folders.1.borrow() + 1;
                format!("* {told} EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n* OK [UIDNEXT {next}] n\r\n")
            }
            ["UID", "SEARCH"] => {
                let uids = folders.all(folder);
                let uids: String = uids.iter().map(|stored| format!(" {}", stored.uid)).collect();
                format!("* SEARCH{uids}\r\n")
            }
            ["UID", "FETCH"] => folders.fetch(folder, line),
            ["UID", "STORE" | "EXPUNGE"] => {
                let answer = folders.store_and_expunge(folder, line);
                told = folders.all(folder).len();
                answer
            }
            ["IDLE", ..] => {
                told = idle(&mut stream, &folders, folder, told).await?;
                String::new()
            }
            _ => String::new(),
        };
        if count > told && command == "NOOP" {
            told = count;
            answer += &format!("* {count} EXISTS\r\n");
        }
        stream.write_all(format!("{answer}{tag} OK done\r\n").as_bytes()).await.ok()?;
    }
}

/// Until DONE; says at once what has come. How many messages the client knows of then.
async fn idle(
    stream: &mut BufReader<TcpStream>,
    folders: &Folders,
    folder: usize,
    mut told: usize,
) -> Option<usize> {
    stream.write_all(b"+ idling\r\n").await.ok()?;
    let mut changes = folders.1.subscribe();
    if folders.all(folder).len() > told {
        changes.mark_changed();
    }
    let mut done = String::new();
    tokio::select! {
        _changed = changes.changed() => {
            told = folders.all(folder).len();
            stream.write_all(format!("* {told} EXISTS\r\n").as_bytes()).await.ok()?;
            stream.read_line(&mut done).await.ok()?;
        }
        read = stream.read_line(&mut done) => drop(read.ok()?),
    }
    Some(told)
}
