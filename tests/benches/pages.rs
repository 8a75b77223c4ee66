//! Pages on a year of 1,000 checks every minute: how long the collector takes for each, how large it is, and what 200 viewers
//! cost who follow one page while the views change.
//!
//! The year is made first (`demo year`), or taken from the folder that YEAR_DATA names; the collector is a process of its
//! own. Each page is asked for 40 times over the collector's socket, its whole answer read; the bars stand beside the
//! figures. For the viewers, the views are made to change twice a second by notes of capacity, and the collector's processor
//! time is read before and after.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a benchmark: it stops at the first surprise, and prints"
)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mailsonde_collector::folder::Folder;
use mailsonde_proto::Clock;
use mailsonde_proto::time::Instant;
use mailsonde_tests::year::{Size, make};

const TIMES: usize = 40;
const SIZE: Size = Size { seed: 1, checks: 1_000, days: 365 };
const PATIENCE: Duration = Duration::from_secs(60);
const VIEWERS: usize = 200;
const WATCHED: Duration = Duration::from_secs(20);
const CHANGE: Duration = Duration::from_millis(500);

/// What Prometheus scrapes, told of with the pages.
const METRICS: &str = "/metrics";
const PAGE_MS: f64 = 100.0;
const PAGE_KIB: f64 = 300.0;
const CORES: f64 = 0.5;
/// Ticks of a processor's time in a second (`sysconf(_SC_CLK_TCK)` on Linux).
const TICKS: f64 = 100.0;

fn main() {
    let made = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let data = year_data().unwrap_or_else(|| {
        let data = made.path().join("year");
        println!("{:?}", make(&data, SIZE, Clock::system().wall()).expect("a year"));
        data
    });
    let collector = Collector::start(&data);
    // the first look at anything reads what is kept afterwards
    let checks = collector.get("/checks");
    let checks = String::from_utf8_lossy(&checks).into_owned();
    let check = first(&checks, "href=\"/checks/").expect("a check");
    let overview = String::from_utf8_lossy(&collector.get("/")).into_owned();
    let service = first(&overview, "href=\"/services/").expect("a service");
    let agent = first(&String::from_utf8_lossy(&collector.get("/agents")), "href=\"/agents/");
    let agent = agent.expect("an agent");
    let pages = [
        "/".to_owned(),
        "/?page=3".to_owned(),
        "/matrix".to_owned(),
        format!("/services/{service}"),
        "/checks".to_owned(),
        format!("/checks/{check}"),
        format!("/checks/{check}?range=30d"),
        format!("/checks/{check}?range=1y"),
        "/dns".to_owned(),
        "/incidents".to_owned(),
        "/sla".to_owned(),
        "/maintenance".to_owned(),
        "/agents".to_owned(),
        format!("/agents/{agent}"),
        "/notices".to_owned(),
        METRICS.to_owned(),
    ];
    let mut broken = 0;
    for page in &pages {
        let mut took = Vec::new();
        let mut bytes = 0;
        for _ in 0..TIMES {
            std::thread::sleep(Duration::from_millis(50));
            let begun = now();
            bytes = collector.get(page).len();
            took.push(begun.elapsed().as_secs_f64() * 1_000.0);
        }
        took.sort_by(f64::total_cmp);
        let (median, p95) = (took[TIMES / 2], took[TIMES * 95 / 100]);
        let kib = bytes as f64 / 1_024.0;
        // programs that scrape have no bar on the size
        let holds = p95 < PAGE_MS && (kib < PAGE_KIB || page == METRICS);
        broken += usize::from(!holds);
        let word = if holds { "holds" } else { "DOES NOT HOLD" };
        println!(
            "{page:44} median {median:6.1} ms, p95 {p95:6.1} ms (bar {PAGE_MS}), {kib:6.1} KiB (bar {PAGE_KIB}): {word}"
        );
    }
    broken += usize::from(!viewers(&collector));
    println!("{broken} bars do not hold");
}

/// Whether viewers cost no more than they may.
fn viewers(collector: &Collector) -> bool {
    let streams: Vec<UnixStream> = (0..VIEWERS).map(|_| collector.ask("/live?of=%2F")).collect();
    let readers: Vec<_> = streams
        .iter()
        .map(|stream| {
            let mut stream = stream.try_clone().unwrap();
            std::thread::spawn(move || {
                let (mut bytes, mut buffer) = (0, [0; 64 * 1_024]);
                while let Ok(read) = stream.read(&mut buffer) {
                    if read == 0 {
                        break;
                    }
                    bytes += read;
                }
                bytes
            })
        })
        .collect();
    std::thread::sleep(Duration::from_secs(3));
    let (begun, before) = (now(), collector.processor_s());
    let mut changes = 0;
    while begun.elapsed() < WATCHED {
        std::thread::sleep(CHANGE);
        collector.change();
        changes += 1;
    }
    let cores = (collector.processor_s() - before) / begun.elapsed().as_secs_f64();
    streams.iter().for_each(|stream| stream.shutdown(std::net::Shutdown::Both).unwrap());
    let bytes: usize = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
    let holds = cores < CORES;
    let word = if holds { "holds" } else { "DOES NOT HOLD" };
    let mib = bytes as f64 / 1_048_576.0;
    println!(
        "{VIEWERS} viewers of the overview, {changes} changes in {WATCHED:?}, {mib:.0} MiB sent: {cores:.2} of a core (bar {CORES}): {word}"
    );
    holds
}

/// What stands between these words and the next quotation mark.
fn first(text: &str, after: &str) -> Option<String> {
    let (_, rest) = text.split_once(after)?;
    rest.split_once('"').map(|(found, _)| found.to_owned())
}

#[allow(clippy::disallowed_methods, reason = "a benchmark's setting, which cargo hands on so")]
fn year_data() -> Option<PathBuf> {
    std::env::var_os("YEAR_DATA").map(PathBuf::from)
}

fn now() -> Instant {
    Clock::system().monotonic()
}

struct Collector {
    process: Child,
    socket: PathBuf,
}

impl Collector {
    fn start(data: &Path) -> Self {
        let process = Command::new(env!("CARGO_BIN_EXE_demo"))
            .arg("collector")
            .arg("--data")
            .arg(data)
            .arg("serve")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the collector");
        let socket = Folder::at(data).operators_socket().expect("its socket");
        let begun = now();
        while UnixStream::connect(&socket).is_err() {
            assert!(begun.elapsed() < PATIENCE, "the collector does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, socket }
    }

    fn ask(&self, path: &str) -> UnixStream {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream
    }

    fn get(&self, path: &str) -> Vec<u8> {
        let mut answer = Vec::new();
        self.ask(path).read_to_end(&mut answer).unwrap();
        assert!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{path}: {}",
            String::from_utf8_lossy(&answer)
        );
        answer
    }

    /// Makes the views change.
    fn change(&self) {
        let body = "{\"scope\":{\"checks\":[\"no-such-check\"]},\"reason\":\"a benchmark\",\"length_s\":60}";
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        let head = format!(
            "POST /api/v1/silences HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }

    /// How much of a processor it has used, in seconds.
    fn processor_s(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let (_, rest) = stat.rsplit_once(')').unwrap();
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks: f64 = [11, 12].map(|at| fields[at].parse::<f64>().unwrap()).iter().sum();
        ticks / TICKS
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
