//! The page for users while everybody looks at it: how long it takes to be made of 1,000 checks and a year, and how many it
//! is given to a second from what is kept, over TLS with a new connection for each, as those who look have it, and over
//! one that stays.
//!
//! The year is made first (`demo year`), or taken from the folder that YEAR_DATA names, whose collector.toml then gets the
//! page; the collector is a process of its own, and shares the machine's cores with those who look.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark: it stops at the first surprise, and prints"
)]

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use mailsonde_collector::identity::authorities;
use mailsonde_proto::Clock;
use mailsonde_proto::time::Instant;
use mailsonde_tests::year::{Size, make};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

const SIZE: Size = Size { seed: 1, checks: 1_000, days: 365 };
/// Services on the page: as many as may be, of as many regions of the year.
const CHECKS: [&str; 10] = [
    "mail-in",
    "mail-out",
    "relay",
    "submission",
    "imap",
    "pop3",
    "mx",
    "posture",
    "certificate",
    "webmail",
];
const REGIONS: usize = 3;
/// Times that it is made anew, each after what is kept is old.
const RENDERS: usize = 10;
const OLD: Duration = Duration::from_millis(5_200);
/// Those who look at once.
const LOOKERS: usize = 32;
const LOOKING: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(60);

const MADE_MS: f64 = 100.0;
const PAGE_KIB: f64 = 300.0;

fn main() {
    let made = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let data = year_data().unwrap_or_else(|| {
        let data = made.path().join("year");
        println!("{:?}", make(&data, SIZE, Clock::system().wall()).expect("a year"));
        data
    });
    let address = configure(&data);
    let collector = Collector::start(&data);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        collector.wait(address, &data).await;
        let socket = data.join("operators.sock");
        let mut took = Vec::new();
        for _ in 0..RENDERS {
            tokio::time::sleep(OLD).await;
            let begun = now();
            let page = one(UnixStream::connect(&socket).await.unwrap(), "/status").await;
            took.push(begun.elapsed().as_secs_f64() * 1_000.0);
            assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        }
        took.sort_by(f64::total_cmp);
        bar("made anew, median", took[RENDERS / 2], MADE_MS, "ms");
        bar("made anew, worst", took[RENDERS - 1], MADE_MS, "ms");
        for path in [
            "/status",
            "/status/setup",
            "/status/history",
            "/status/feed.xml",
            "/status/status.json",
        ] {
            let page = one(UnixStream::connect(&socket).await.unwrap(), path).await;
            // programs read it, not people
            let most = if path.ends_with(".json") { f64::INFINITY } else { PAGE_KIB };
            bar(&format!("{path}, bytes"), kib(page.len()), most, "KiB");
        }
        let before = collector.cpu_s();
        let count = many(|| over_tls(address, &data), false).await;
        told("a new connection over TLS each", count, collector.cpu_s() - before);
        let before = collector.cpu_s();
        let count = many(|| async { UnixStream::connect(&socket).await.unwrap() }, true).await;
        told("connections that stay, over the socket", count, collector.cpu_s() - before);
    });
}

#[allow(clippy::disallowed_methods, reason = "a benchmark's setting, which cargo hands on so")]
fn year_data() -> Option<PathBuf> {
    std::env::var_os("YEAR_DATA").map(PathBuf::from)
}

fn now() -> Instant {
    Clock::system().monotonic()
}

fn kib(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes).unwrap()) / 1_024.0
}

fn bar(what: &str, found: f64, bar: f64, unit: &str) {
    let word = if found < bar { "holds" } else { "DOES NOT HOLD" };
    println!("{what:44} {found:>8.1} {unit:3} (bar {bar:.0}): {word}");
}

fn told(what: &str, count: usize, cpu_s: f64) {
    let each_s = f64::from(u32::try_from(count).unwrap()) / LOOKING.as_secs_f64();
    let cores = cpu_s / LOOKING.as_secs_f64();
    println!("{what:44} {each_s:>8.0} answers/s, {cores:.2} cores of the collector");
}

/// Writes the page into the collector's configuration; where it will answer.
fn configure(data: &Path) -> SocketAddr {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let config = data.join("collector.toml");
    let text = fs::read_to_string(&config).unwrap();
    let own = text.split("\noperators_listen").next().unwrap();
    let mut page = format!(
        "{own}\noperators_listen = \"{address}\"\n[status_page]\ntitle = \"E-mail\"\npublic = true\n"
    );
    for region in 0..REGIONS {
        for check in CHECKS {
            page.push_str(&format!("[[status_page.service]]\nname = \"{check}-{region}\"\n"));
        }
    }
    page.push_str(
        "[[mail_client]]\ndomains = [\"example.org\"]\n[[mail_client.server]]\nprotocol = \"imap\"\n\
         host = \"mail.example.org\"\nchecks = [\"*\"]\n[[mail_client.server]]\nprotocol = \"submission\"\n\
         host = \"mail.example.org\"\nchecks = [\"*\"]\n",
    );
    fs::write(config, page).unwrap();
    address
}

/// The whole answer to one question; the connection ends with it.
async fn one(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> String {
    let ask = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // TLS may end without a farewell
    stream.read_to_end(&mut answer).await.ok();
    String::from_utf8(answer).unwrap()
}

/// One answer of a connection that stays.
async fn next(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), buffer: &mut [u8]) {
    stream.write_all(b"GET /status HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let (mut got, mut whole) = (0, usize::MAX);
    while got < whole {
        let read = stream.read(&mut buffer[got..]).await.unwrap();
        assert!(read > 0, "the connection ended");
        got += read;
        let text = String::from_utf8_lossy(&buffer[..got.min(2_048)]).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            whole = head.len() + 4 + length.unwrap().parse::<usize>().unwrap();
        }
    }
}

async fn over_tls(address: SocketAddr, data: &Path) -> tokio_rustls::client::TlsStream<TcpStream> {
    let roots = authorities(&fs::read_to_string(data.join("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

/// How often it is looked at while [`LOOKING`], by [`LOOKERS`] at once.
async fn many<S, F>(connect: impl Fn() -> F, stays: bool) -> usize
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = S>,
{
    let until = now() + LOOKING;
    let look = async || {
        let mut count = 0;
        let mut buffer = vec![0; 1 << 20];
        let mut kept = if stays { Some(connect().await) } else { None };
        while now() < until {
            match &mut kept {
                Some(stream) => next(stream, &mut buffer).await,
                None => drop(one(connect().await, "/status").await),
            }
            count += 1;
        }
        count
    };
    let all = futures_util::future::join_all((0..LOOKERS).map(|_| look())).await;
    all.into_iter().sum()
}

/// The collector as a process; it ends with this.
struct Collector(Child);

impl Collector {
    fn start(data: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
        command.arg("collector").arg("--data").arg(data).arg("serve").stdin(Stdio::null());
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    async fn wait(&self, address: SocketAddr, data: &Path) {
        let begun = now();
        let socket = data.join("operators.sock");
        while UnixStream::connect(&socket).await.is_err()
            || TcpStream::connect(address).await.is_err()
        {
            assert!(begun.elapsed() < PATIENCE, "the collector does not answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The time that it had on all cores.
    fn cpu_s(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks: f64 =
            fields.split(' ').skip(11).take(2).map(|it| it.parse::<f64>().unwrap()).sum();
        ticks / 100.0
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
