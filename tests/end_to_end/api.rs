//! The API as others judge it: its description by a validator, every line of it by questions that a program makes up, the
//! metrics by Prometheus' own tool. A real collector with an agent whose checks pass and fail.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::{Timestamp, Unit};
use mailsonde_collector::api::path;
use mailsonde_collector::cli::client;
use mailsonde_collector::folder::Folder;
use mailsonde_collector::query::IncidentsAnswer;
use mailsonde_proto::Clock;
use serde_json::Value;

use crate::site::{AGENT, PATIENCE, Site, now, wait_until};

/// What tests/install made.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/python/bin");
/// What is for others to read /metrics by.
pub(crate) const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");
const ZABBIX: &str = "zabbix/mailsonde.yaml";
const DASHBOARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/grafana/mailsonde.json");
/// What never ends by itself: followed by tests of its own.
const ENDLESS: [&str; 1] = [path::EVENTS];

/// What takes away agents, users or authorities.
const DESTRUCTIVE: [&str; 5] =
    [path::AGENT_REVOKE, path::CA_ROTATE, path::CA_RETIRE, path::USER_REMOVE, path::LOGOUT];

/// A collector that answers over the network, and knows something.
pub(crate) fn running() -> (Site, SocketAddr) {
    let mut site = Site::new();
    let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let address = free();
    let config = site.collector_folder().join("collector.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}operators_listen = \"{address}\"\n")).unwrap();
    // nobody listens there any more
    let closed = free().port();
    site.add_check(&format!(
        "name = \"port\"\nkind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {closed}\nevery = \"2s\"\ntimeout = \"1s\"\n\n\
         [[check]]\nname = \"made-up\"\nkind = \"synthetic\"\nevery = \"1s\""
    ));
    site.start_collector();
    site.wait_for_operators();
    site.start_agent();
    wait_until("an incident is open", PATIENCE, || {
        let answer: IncidentsAnswer = site.ask(path::INCIDENTS);
        !answer.incidents.is_empty()
    });
    (site, address)
}

impl Site {
    pub(crate) fn text(&self, path: &str) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = Folder::at(self.collector_folder());
        runtime.block_on(client::ask_for_text(&folder, path)).unwrap()
    }

    /// An API token of this role.
    pub(crate) fn api_token(&self, role: &str) -> String {
        let made = self.collector(&["api-token", "create", "--name", "walker", "--role", role]);
        let token = made.said.lines().find(|line| line.starts_with("msa1_"));
        token.unwrap_or_else(|| panic!("no token: {}", made.said)).to_owned()
    }
}

pub(crate) fn python(name: &str) -> Command {
    let path = Path::new(PYTHON).join(name);
    assert!(path.exists(), "{} is missing: tests/install makes it", path.display());
    Command::new(path)
}

/// Runs it to its end; what it wrote, when it did well.
pub(crate) fn well(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    format!("{out}{err}")
}

#[test]
fn every_endpoint_answers_as_the_description_says_whatever_it_is_asked() {
    let (mut site, address) = running();
    let token = site.api_token("admin");
    let document = site.folder().join("openapi.json");
    let text = site.text(path::OPENAPI);
    fs::write(&document, &text).unwrap();
    well(python("openapi-spec-validator").arg(&document));

    let begun = now();
    let mut asked = String::new();
    for (number, choice) in passes().iter().enumerate() {
        let report = site.folder().join(format!("report-{number}.xml"));
        let mut walk = python("schemathesis");
        walk.current_dir(site.folder())
            .arg("run")
            .arg(&document)
            .arg(format!("--url=https://{address}"))
            .arg(format!("--header=Authorization: Bearer {token}"))
            .args(["--tls-verify=false", "--no-color", "--phases=coverage,fuzzing"])
            // two threads meet in a bug of Python 3.11: `AST constructor recursion depth mismatch`
            .arg("--workers=1")
            // what is asked too often is not asked at all
            .args(["--rate-limit=50/s", "--request-timeout=20", "--max-examples=5", "--seed=1"])
            .args(["--suppress-health-check=all", "--generation-database=none", "--no-shrink"])
            .args(["--warnings=off", "--continue-on-failure"])
            .arg(format!("--report-junit-path={}", report.display()))
            .arg(
                "--checks=not_a_server_error,status_code_conformance,content_type_conformance,\
                 response_schema_conformance",
            )
            .args(choice);
        // the last one may revoke its own token
        site.collector(&["api-token", "list"]).expect(0, "walker");
        let output = walk.stdin(Stdio::null()).output().unwrap();
        if !output.status.success() {
            // the logs of both ends come first: what is wrong should be the last that is told
            drop(site);
            let said = String::from_utf8_lossy(&output.stdout);
            panic!("{choice:?}:\n{}", said.split("FAILURES").last().unwrap_or(&said));
        }
        asked.push_str(&fs::read_to_string(report).unwrap());
    }
    println!("every endpoint was asked in {:?}", now() - begun);
    site.collector.as_mut().unwrap().expect_alive();
    let document: Value = serde_json::from_str(&text).unwrap();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let name = format!("\"{} {path}\"", method.to_ascii_uppercase());
            let is_asked = ENDLESS.contains(&path.as_str()) || asked.contains(&name);
            assert!(is_asked, "{name} was not asked");
        }
    }
    let acts = site.acts();
    assert!(acts.len() > 10, "what was asked was not done: {acts:?}");
}

/// What is asked in each pass: what takes away what others need comes after them.
fn passes() -> [Vec<String>; 3] {
    let (is, is_not) =
        (|path| format!("--include-path={path}"), |path| format!("--exclude-path={path}"));
    let last = path::API_TOKEN_REVOKE;
    let rest = ENDLESS.iter().chain(&DESTRUCTIVE).copied().chain([last]);
    [rest.map(is_not).collect(), DESTRUCTIVE.map(is).to_vec(), vec![is(last)]]
}

/// Names of metrics, as their samples have them or would have.
fn names(text: &str) -> BTreeSet<&str> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.filter_map(|line| line.split(['{', ' ']).next());
    // what is not measured yet, or waits for nobody, has no sample
    let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    samples.chain(families).collect()
}

#[test]
fn prometheus_takes_the_metrics_and_who_reads_them_knows_no_others() {
    let (site, _) = running();
    wait_until("runs are counted", PATIENCE, || {
        let text = site.text("/metrics");
        text.contains(
            "mailsonde_round_trip_seconds_bucket{vantage_point=\"branch\",check=\"made-up\"",
        ) && text.contains("verdict=\"fail\"")
    });
    let text = site.text("/metrics");
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is missing: tests/install brings it");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
    assert!(
        text.contains("mailsonde_check_up{vantage_point=\"branch\",check=\"port\"} 0"),
        "{text}"
    );
    assert!(
        text.contains("mailsonde_check_up{vantage_point=\"branch\",check=\"made-up\"} 1"),
        "{text}"
    );

    let dashboard = fs::read_to_string(DASHBOARD).unwrap();
    let json: Value = serde_json::from_str(&dashboard).unwrap();
    assert!(json["panels"].as_array().unwrap().len() > 10);
    let known = names(&text);
    for (file, least) in
        [("grafana/mailsonde.json", 15), ("prometheus/mailsonde.rules.yml", 12), (ZABBIX, 12)]
    {
        let read = fs::read_to_string(Path::new(DEPLOY).join(file)).unwrap();
        let used = used(&read);
        let unknown: Vec<_> = used.iter().filter(|name| !known.contains(*name)).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?} are not in /metrics: {known:?}");
        assert!(used.len() > least, "{file} uses {used:?}");
    }
}

/// Names of metrics that a file of somebody else's uses, without those that it makes itself, which have a colon.
fn used(text: &str) -> BTreeSet<&str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':');
    let words = text.split(|letter| !is_part(letter));
    words.filter(|word| word.starts_with("mailsonde_")).collect()
}

/// Runs that are waited for on the page.
const SEEN: usize = 6;

/// A page that is followed is sent what an observation changes; how soon is printed: it should be within a second.
#[test]
fn a_run_is_on_the_page_soon_after_it_has_ended() {
    let mut site = Site::new();
    site.add_check("name = \"made-up\"\nkind = \"synthetic\"\nevery = \"3s\"");
    site.start_collector();
    site.wait_for_operators();
    site.start_agent();
    wait_until("the page is there", PATIENCE, || site.log("agent").contains("run{check=made-up"));
    let socket = Folder::at(site.collector_folder()).operators_socket().unwrap();
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /live?of=%2Fchecks%2Fmade-up%2F{AGENT} HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    let mut delays = Vec::new();
    let mut buffer = [0; 64 * 1_024];
    let mut known = site.log("agent").matches("run{check=made-up").count();
    while delays.len() < SEEN {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "the page's stream ended");
        let now = Clock::system().wall().timestamp();
        let log = site.log("agent");
        let ended = log.lines().filter(|line| line.contains("run{check=made-up"));
        let ended: Vec<Timestamp> =
            ended.filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
        // what came with the stream itself, and what is sent in two pieces, is of no new run
        if ended.len() > known {
            delays.push((now - *ended.last().unwrap()).total(Unit::Second).unwrap());
        }
        known = ended.len();
    }
    delays.sort_by(f64::total_cmp);
    println!(
        "from a run's end to the page: median {:.3} s, at most {:.3} s",
        delays[SEEN / 2],
        delays[SEEN - 1]
    );
}
