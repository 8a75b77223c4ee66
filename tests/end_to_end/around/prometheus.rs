//! A real Prometheus with the files of `deploy/prometheus`.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use mailsonde_collector::outward::Outward;
use serde_json::Value;

use super::deployed;
use crate::api::{DEPLOY, running, well};
use crate::process::{Process, write_secret};
use crate::site::{PATIENCE, Site, wait_until};
use crate::watched::free_address;

/// A Prometheus that scrapes this site's collector every second, by the shipped configuration.
struct Prometheus {
    _process: Process,
    address: SocketAddr,
}

impl Prometheus {
    fn start(site: &Site, operators: SocketAddr) -> Self {
        let folder = site.folder().join("prometheus");
        fs::create_dir(&folder).unwrap();
        let ca = site.collector_folder().join("ca.pem");
        fs::copy(ca, folder.join("mailsonde-ca.pem")).unwrap();
        write_secret(&folder.join("mailsonde.token"), &site.api_token("viewer"));
        // as they are shipped, but for whom is asked and how patient they are
        let config = deployed("prometheus/prometheus.yml");
        let target = format!("localhost:{}", operators.port());
        let config = config.replace("collector.example.org:7444", &target).replace("30s", "1s");
        fs::write(folder.join("prometheus.yml"), config).unwrap();
        let rules = deployed("prometheus/mailsonde.rules.yml");
        let impatient: String = (rules.lines())
            .map(|line| match line.trim_start().strip_prefix("for: ") {
                Some(_) => line.split("for: ").next().unwrap().to_owned() + "for: 1s\n",
                None => format!("{line}\n"),
            })
            .collect();
        assert_ne!(impatient, rules);
        fs::write(folder.join("mailsonde.rules.yml"), impatient).unwrap();
        well(Command::new("promtool").args(["check", "config"]).arg(folder.join("prometheus.yml")));
        let address = free_address();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn");
        Self { _process: Process::spawn("prometheus", command, site.folder()), address }
    }

    /// What it answers at this path of its API; null while it starts.
    fn asked(&self, path: &str) -> Value {
        let outward = Outward::new(rustls::RootCertStore::empty()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = format!("http://{}/api/v1/{path}", self.address);
        let asked = outward.exchange(outward.client().get(url), 1 << 20);
        let Ok(answer) = runtime.block_on(asked) else { return Value::Null };
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    /// The value of a metric at a check.
    fn value(&self, metric: &str, check: &str) -> Option<String> {
        let answer = self.asked(&format!("query?query={metric}%7Bcheck%3D%22{check}%22%7D"));
        Some(answer["data"]["result"].get(0)?["value"].get(1)?.as_str()?.to_owned())
    }

    /// The labels of each alert of this name that fires.
    fn firing(&self, name: &str) -> Vec<Value> {
        let answer = self.asked("alerts");
        let all = answer["data"]["alerts"].as_array().cloned().unwrap_or_default();
        all.into_iter()
            .filter(|alert| alert["state"] == "firing" && alert["labels"]["alertname"] == name)
            .map(|alert| alert["labels"].clone())
            .collect()
    }
}

#[test]
fn prometheus_scrapes_the_collector_by_its_token_and_raises_its_alerts() {
    let (mut site, operators) = running();
    let prometheus = Prometheus::start(&site, operators);
    let has = |metric, check, value: &str| {
        prometheus.value(metric, check).is_some_and(|found| found == value)
    };
    wait_until("checks are scraped", PATIENCE, || {
        has("mailsonde_check_up", "port", "0") && has("mailsonde_check_up", "made-up", "1")
    });
    wait_until("the check that fails is told of", PATIENCE, || {
        !prometheus.firing("MailsondeCheckFailing").is_empty()
    });
    let failing = prometheus.firing("MailsondeCheckFailing");
    let [labels] = failing.as_slice() else { panic!("{failing:?}") };
    assert_eq!((&labels["check"], &labels["severity"]), (&"port".into(), &"warning".into()));
    wait_until("its runs are counted", PATIENCE, || {
        has("check:mailsonde_run_failures:ratio_rate5m", "port", "1")
    });
    assert!(prometheus.firing("MailsondeCollectorAway").is_empty());
    site.stop_agent();
    wait_until("the agent is missed", PATIENCE, || {
        prometheus.firing("MailsondeAgentSilent").iter().any(|it| it["vantage_point"] == "branch")
    });
    site.stop_collector();
    wait_until("the collector is missed", PATIENCE, || {
        !prometheus.firing("MailsondeCollectorAway").is_empty()
    });
}

#[test]
fn the_rules_of_prometheus_do_as_their_own_tests_say() {
    let folder = format!("{DEPLOY}/prometheus");
    well(
        Command::new("promtool")
            .args(["check", "rules", "mailsonde.rules.yml"])
            .current_dir(&folder),
    );
    let tested = well(
        Command::new("promtool")
            .args(["test", "rules", "mailsonde.rules.test.yml"])
            .current_dir(&folder),
    );
    assert!(tested.contains("SUCCESS"), "{tested}");
    // each alert is in a test of its own, or here with the reason why not
    let untested = [
        "MailsondeAgentOutboxGrows",       // one comparison
        "MailsondeCollectorRestartsOften", // one function
        "MailsondePipelineBehind",         // one comparison
        "MailsondeNoticesWait",            // one comparison
        "MailsondeSeriesLeftOut",          // one comparison
    ];
    let tests = deployed("prometheus/mailsonde.rules.test.yml");
    for line in deployed("prometheus/mailsonde.rules.yml").lines() {
        let Some(name) = line.trim().strip_prefix("- alert: ") else { continue };
        assert!(
            tests.contains(&format!("alertname: {name}\n")) || untested.contains(&name),
            "{name}"
        );
    }
}
