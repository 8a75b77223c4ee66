//! Checks that the collector gives its agents, and runs that are asked for: real processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use mailsonde_collector::fleet::RunLine;
use mailsonde_collector::query::{AgentAnswer, State, StatusAnswer};
use rustix::process::Signal;

use crate::site::{AGENT, PROGRAM, Process, Site, files_with, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);

impl Site {
    /// `mailsonde-collector …`, to its end.
    pub(crate) fn collector(&self, arguments: &[&str]) -> Told {
        let mut command = Command::new(PROGRAM);
        command.args(["collector", "--data"]).arg(self.collector_folder()).args(arguments);
        Told::of(command.env("NO_COLOR", "1").output().unwrap())
    }

    pub(crate) fn write_checks(&self, file: &str, text: &str) {
        let folder = self.collector_folder().join("checks.d");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(file), text).unwrap();
    }

    /// Puts the files in force; every agent that is here must answer.
    pub(crate) fn apply(&self) -> Told {
        self.collector(&["config", "apply", "--yes"])
    }

    fn agent_named(&self, name: &str) -> AgentAnswer {
        self.listed(name).unwrap_or_else(|| panic!("{name} is not listed"))
    }

    pub(crate) fn runs(&self, name: &str, checks: &[&str]) -> bool {
        self.listed(name).is_some_and(|agent| agent.checks == checks)
    }

    fn status(&self) -> StatusAnswer {
        self.ask(mailsonde_collector::api::path::STATUS)
    }
}

/// How a command ended, and what it said.
pub(crate) struct Told {
    exit: i32,
    pub(crate) said: String,
    complained: String,
}

impl Told {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            exit: output.status.code().unwrap_or(-1),
            said: String::from_utf8_lossy(&output.stdout).into_owned(),
            complained: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.exit != 0
    }

    #[track_caller]
    pub(crate) fn expect(&self, exit: i32, said: &str) {
        let all = format!("{}{}", self.said, self.complained);
        assert!(self.exit == exit && all.contains(said), "{said}: exit {}\n{all}", self.exit);
    }
}

fn check(name: &str, on: &str, rest: &str) -> String {
    format!(
        "[[check]]\nname = \"{name}\"\non = \"{on}\"\nkind = \"synthetic\"\nevery = \"1s\"\n{rest}\n"
    )
}

/// One collector; the site's agent at site=durban, another at site=cape.
struct Two {
    site: Site,
    cape: Option<Process>,
    cape_folder: PathBuf,
}

impl Two {
    fn running() -> Self {
        let mut site = Site::new();
        site.set_checks(1, "1s");
        site.start_collector();
        site.wait_for_operators();
        site.ask_collector(&["agents", "label", AGENT, "site=durban"]);
        site.start_agent();
        let cape_folder = site.enrol("cape").unwrap();
        site.ask_collector(&["agents", "label", "cape", "site=cape"]);
        let cape = Process::agent("cape", &cape_folder.join("agent.toml"), &cape_folder);
        let two = Self { site, cape: Some(cape), cape_folder };
        for name in [AGENT, "cape"] {
            wait_until("an agent is here", PATIENCE, || two.site.is_here(name));
        }
        two
    }
}

#[test]
fn checks_reach_the_agents_they_are_for_and_each_says_what_it_does() {
    let mut two = Two::running();
    let site = &two.site;
    site.write_checks("a.toml", &check("both", "*", ""));
    let text = check("only-cape", "site=cape", "takes = \"7ms\"")
        + &check("made-up-0", "site=durban", "")
        + "[[check]]\nname = \"newer\"\non = \"site=durban\"\nkind = \"telepathy\"\n";
    site.write_checks("b.toml", &text);

    // shown first, with what agents would say; nothing changes by it
    let told = site.collector(&["config", "check"]);
    told.expect(1, "4 added, 0 changed, 0 removed");
    told.expect(1, "would refuse newer (b.toml:13): branch: kind \"telepathy\" is not known");
    told.expect(
        1,
        "would refuse made-up-0 (b.toml:7): branch: this agent has a check \"made-up-0\" already",
    );
    told.expect(1, "2 agents answered");
    assert!(site.runs(AGENT, &["made-up-0"]));

    site.apply().expect(1, "4 changes in force");
    wait_until("they run", PATIENCE, || {
        site.runs(AGENT, &["made-up-0", "both"]) && site.runs("cape", &["both", "only-cape"])
    });
    let durban = site.agent_named(AGENT);
    assert_eq!((durban.assigned, durban.has_answered), (3, true));
    let refused: Vec<_> =
        durban.refused_checks.iter().map(|refusal| (&*refusal.check, &*refusal.place)).collect();
    assert_eq!(refused, [("made-up-0", "b.toml:7"), ("newer", "b.toml:13")]);
    wait_until("what they find comes in", PATIENCE, || {
        let told = site.collector(&["observations", "--check", "only-cape", "--json"]);
        told.said.contains("\"check\":\"only-cape\"")
    });
    // an agent is told what is for it, and nothing else
    assert_eq!(files_with(&site.outbox_folder(), b"only-cape"), Vec::<PathBuf>::new());
    assert!(!files_with(&two.cape_folder, b"only-cape").is_empty());
    // who did it
    assert!(site.acts().contains(&"put 4 checks in force".to_owned()), "{:?}", site.acts());

    // labels decide
    site.ask_collector(&["agents", "label", AGENT, "site=cape"]);
    wait_until("it moved", PATIENCE, || site.runs(AGENT, &["made-up-0", "both", "only-cape"]));
    site.apply().expect(0, "nothing to change: 4 checks in force");

    // by a signal: what is not in the files any more stops
    site.write_checks("b.toml", "");
    site.collector.as_ref().unwrap().signal(Signal::HUP);
    wait_until("they stop", PATIENCE, || {
        site.runs(AGENT, &["made-up-0", "both"]) && site.runs("cape", &["both"])
    });
    assert!(site.log("collector").contains("checks.d check=\"only-cape\" what=\"removed\""));
    assert!(site.acts().contains(&"put 1 checks in force".to_owned()), "{:?}", site.acts());
    two.cape.take().unwrap().stop();
}

#[test]
fn an_agent_keeps_its_checks_while_the_collector_is_away() {
    let mut site = Site::new();
    site.set_checks(1, "24h");
    site.start_collector();
    site.wait_for_operators();
    site.start_agent();
    wait_until("the agent is here", PATIENCE, || site.is_here(AGENT));
    site.write_checks("a.toml", &check("kept", "*", ""));
    site.apply().expect(0, "1 change in force");
    wait_until("it runs", PATIENCE, || site.runs(AGENT, &["made-up-0", "kept"]));
    site.stop_agent();
    site.stop_collector();
    let before = site.accounts().produced;
    site.start_agent();
    std::thread::sleep(Duration::from_secs(4));
    site.stop_agent();
    assert!(site.accounts().produced >= before + 2, "it ran without its collector");
    // the collector remembers what is in force, whatever its files say
    site.write_checks("a.toml", "");
    site.start_collector();
    site.wait_for_operators();
    site.start_agent();
    wait_until("it is told again", PATIENCE, || {
        site.listed(AGENT).is_some_and(|agent| agent.assigned == 1 && agent.has_answered)
    });
    // damage to what was kept costs a warning
    site.stop_agent();
    fs::write(site.outbox_folder().join("assignment"), b"\xff").unwrap();
    site.start_agent();
    wait_until("it is told so and is given them again", PATIENCE, || {
        let log = site.log("agent");
        let damaged = log.rfind("is damaged; the collector will send its checks again");
        let given = log.rfind("agent: checks from the collector checks=1 refused=0");
        damaged.is_some() && given > damaged
    });
}

#[test]
fn mistakes_are_told_with_their_places_and_change_nothing() {
    let mut site = Site::new();
    site.set_checks(1, "24h");
    site.write_checks(
        "a.toml",
        "[[check]]\nname = \"a\"\nkind = \"tcp\"\npassword = \"hunter2\"\n",
    );
    site.write_checks("b.toml", "[[check]\n");
    // without a collector too
    let told = site.collector(&["config", "check"]);
    told.expect(2, "a.toml:1:1: on is missing: say which agents run it");
    told.expect(2, "b.toml:1:");
    told.expect(2, "the collector is not running: agents were not asked");
    site.start_collector();
    site.wait_for_operators();
    for command in [&["config", "check"][..], &["config", "apply", "--yes"]] {
        let told = site.collector(command);
        told.expect(2, "a.toml:4:12: check \"a\": password has no place here");
        told.expect(2, "nothing was changed");
        assert!(!told.complained.contains("hunter2"), "{}", told.complained);
    }
    site.collector.as_ref().unwrap().signal(Signal::HUP);
    wait_until("the log says so", PATIENCE, || {
        site.log("collector")
            .contains("checks.d or services.d has mistakes; what was in force stays")
    });
    assert!(!site.log("collector").contains("hunter2"));
    site.write_checks("a.toml", &check("a", "*", ""));
    site.write_checks("b.toml", "");
    let told = site.collector(&["config", "apply"]);
    told.expect(2, "say --yes to put this in force");
    assert!(!site.acts().iter().any(|act| act.starts_with("put ")), "{:?}", site.acts());
    // the agent's program reads these files as well
    let file = site.collector_folder().join("checks.d/c.toml");
    site.write_checks("c.toml", &check("a", "*", "takes = 7"));
    let check_config = |file: &Path| {
        let mut command = Command::new(PROGRAM);
        Told::of(command.args(["agent", "check-config"]).arg(file).output().unwrap())
    };
    check_config(&file).expect(2, "c.toml:6:9: check \"a\": takes needs a unit");
    check_config(&site.collector_folder().join("checks.d/a.toml")).expect(0, "is fine");
}

#[test]
fn a_run_at_once_is_told_as_it_comes() {
    let mut two = Two::running();
    let site = &two.site;
    let text = check("daily", "*", "takes = \"50ms\"").replace("1s", "24h")
        + &check("slow", "site=cape", "takes = \"2s\"").replace("1s", "24h");
    site.write_checks("a.toml", &text);
    site.apply().expect(0, "2 changes in force");
    wait_until("they are known", PATIENCE, || {
        site.runs("cape", &["daily", "slow"]) && site.runs(AGENT, &["made-up-0", "daily"])
    });
    let lines = |told: &Told| -> Vec<RunLine> {
        told.said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let observed = |lines: &[RunLine]| -> Vec<(String, String)> {
        let mut observed: Vec<_> = lines
            .iter()
            .filter_map(|line| match line {
                RunLine::Observed(seen) => Some((seen.agent.clone(), seen.cause.clone())),
                _ => None,
            })
            .collect();
        observed.sort();
        observed
    };
    let by = |names: &[&str]| -> Vec<(String, String)> {
        names.iter().map(|name| ((*name).to_owned(), "on_demand".to_owned())).collect()
    };
    let told = site.collector(&["run", "daily", "--json"]);
    assert_eq!(observed(&lines(&told)), by(&[AGENT, "cape"]), "{}", told.said);
    let told = site.collector(&["run", "daily", "--on", "site=cape", "--json"]);
    assert_eq!(observed(&lines(&told)), by(&["cape"]), "{}", told.said);
    site.collector(&["run", "slow"]).expect(0, "cape ");
    // every seventh of these fails, and the collector asks for one more then
    let endings: Vec<i32> = (0..7).map(|_| site.collector(&["run", "slow"]).exit).collect();
    let failed = endings.iter().filter(|exit| **exit == 1).count();
    assert!((1..=2).contains(&failed), "{endings:?}");
    // a run that was asked for says nothing of the slots
    let daily = |status: StatusAnswer| {
        let here = status.vantage_points.into_iter().find(|vantage| vantage.name == "cape");
        here.unwrap().checks.into_iter().find(|check| check.check == "daily").unwrap()
    };
    assert_eq!(daily(site.status()).availability_24h.map(|day| day.lower), None);

    for (arguments, expected) in [
        (&["run", "daly"][..], "runs a check called daly"),
        (&["run", "slow", "--on", "site=durban"], "runs a check called slow"),
        (&["run", "slow", "--on", "site="], "is no term of a selector"),
    ] {
        site.collector(arguments).expect(2, expected);
    }
    two.cape.take().unwrap().stop();
    let told = two.site.collector(&["run", "daily"]);
    told.expect(1, "it is not connected");
    told.expect(1, "passed");
}

#[test]
fn a_lost_agent_is_unknown_and_never_down() {
    let mut site = Site::new();
    site.set_checks(1, "1s");
    site.start_collector();
    site.wait_for_operators();
    site.start_agent();
    let state = |site: &Site| site.status().vantage_points[0].state;
    wait_until("it is judged", PATIENCE, || state(&site) != State::Unknown);
    // it hangs: its connection stands, and says nothing
    let agent = site.agent.take().unwrap();
    agent.signal(Signal::STOP);
    wait_until("it is lost", Duration::from_secs(60), || {
        site.status().vantage_points[0].lost_since.is_some()
    });
    assert_eq!(state(&site), State::Unknown);
    let told = site.collector(&["status"]);
    told.expect(0, &format!("agent lost: {AGENT} since"));
    assert!(site.log("collector").contains("nothing was heard for three heartbeats"));
    agent.signal(Signal::CONT);
    wait_until("it is back", PATIENCE, || state(&site) != State::Unknown);
    agent.stop();
}
