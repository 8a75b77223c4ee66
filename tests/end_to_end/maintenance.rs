//! Maintenance windows from the plan to the acceptance run, with restarts in between: real processes.

use std::time::Duration;

use icalendar::{Calendar, Component};
use mailsonde_collector::api::path;
use mailsonde_collector::query::planned::{ReadinessAnswer, WindowAnswer};

use crate::one_port::OnePort;
use crate::site::{AGENT, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

/// Of a year, most of which is to come or not known, half may fail.
const SERVICE: &str = "[[service]]\nname = \"port\"\nchecks = [\"port\"]\n\
                       [[service.objective]]\nsli = \"uptime\"\ntarget = \"50%\"\nwindow = \"year\"\n";

/// The agent looks at the port whenever it is asked to.
fn port_that_is_asked_for() -> OnePort {
    let mut port = OnePort::open("24h", "5s");
    port.site.start_agent();
    wait_until("the agent is here", PATIENCE, || port.site.runs(AGENT, &["port"]));
    port
}

impl OnePort {
    fn plan(&self, title: &str, said: &str) {
        let arguments =
            ["maintenance", "plan", title, "--service", "port", "--for", "2h", "--accept", "port"];
        self.site.collector(&arguments).expect(0, said);
    }

    fn window(&self, id: &str) -> WindowAnswer {
        self.site.ask::<ReadinessAnswer>(&path::with(path::WINDOW, id)).window
    }

    /// What is left of the budget of the first objective that it touches.
    fn left(&self, id: &str) -> Option<i64> {
        let answer: ReadinessAnswer = self.site.ask(&path::with(path::WINDOW, id));
        answer.affected.first()?.objectives.first()?.budget_left_ppm
    }

    /// What came of the acceptance run, once there is one: what failed.
    fn accepted(&self, id: &str) -> Vec<String> {
        wait_until("the acceptance run is done", PATIENCE, || self.window(id).accepted.is_some());
        let failed = self.window(id).accepted.unwrap().failed;
        failed.into_iter().map(|failed| format!("{}@{}", failed.check, failed.agent)).collect()
    }

    fn count(&self, act: &str) -> usize {
        self.site.acts().iter().filter(|what| *what == act).count()
    }
}

#[test]
fn a_window_is_planned_changed_and_accepted_or_not() {
    let mut port = port_that_is_asked_for();
    port.plan("new disks; in Durban", "planned W1: new disks; in Durban");
    port.site.collector(&["maintenance", "list"]).expect(0, "running");
    let told = port.site.collector(&["maintenance", "check", "W1"]);
    told.expect(0, "1 of 1");

    // what is left of its budgets is told with it
    port.define(SERVICE);
    wait_until("the budget is known", PATIENCE, || port.left("W1").is_some_and(|left| left > 0));
    let told = port.site.collector(&["maintenance", "check", "W1"]);
    told.expect(0, "50 %");
    told.expect(0, "100.0 %");

    // it outlives the collector, and others can plan around it
    port.restart_collector();
    let told = port.site.collector(&["maintenance", "export", "--service", "port"]);
    let calendar: Calendar = told.said.parse().unwrap();
    let events: Vec<_> = calendar.events().collect();
    assert_eq!(events.len(), 1, "{}", told.said);
    assert_eq!(events[0].get_summary(), Some("new disks; in Durban"));
    let none = port.site.collector(&["maintenance", "export", "--service", "another"]);
    assert_eq!(none.said.parse::<Calendar>().unwrap().events().count(), 0);

    port.site
        .collector(&["maintenance", "extend", "W1", "--by", "30min"])
        .expect(0, "W1 is over at");
    let time = port.window("1").time.unwrap();
    assert_eq!(time.until.duration_since(time.from).as_secs(), 9_000);

    // what was planned works afterwards
    wait_until("the agent is here again", PATIENCE, || port.site.is_here(AGENT));
    port.site.collector(&["maintenance", "end", "W1"]).expect(0, "its acceptance run follows");
    assert_eq!(port.accepted("W1"), Vec::<String>::new());
    port.site.collector(&["maintenance", "show", "W1"]).expect(0, "port passed");
    port.site.collector(&["maintenance", "end", "W1"]).expect(2, "W1 is over: plan another");

    // what was planned does not work afterwards, and that is said loudly
    port.plan("a new cable", "planned W2");
    port.close();
    port.site.collector(&["maintenance", "end", "W2"]).expect(0, "its acceptance run follows");
    assert_eq!(port.accepted("W2"), [format!("port@{AGENT}")]);
    port.site.collector(&["maintenance", "show", "W2"]).expect(0, "NOT ACCEPTED at");
    let log = port.site.log("collector");
    assert!(
        log.contains("ERROR") && log.contains("a check does not pass after maintenance"),
        "{log}"
    );

    // mended, and looked at again
    port.reopen();
    port.site.collector(&["maintenance", "accept", "W2"]).expect(0, "follows");
    wait_until("it is accepted", PATIENCE, || {
        port.window("W2").accepted.is_some_and(|accepted| accepted.failed.is_empty())
    });
    assert_eq!(port.count("did not accept maintenance W2: port"), 1);
    assert_eq!(port.count("accepted maintenance W2"), 1);
}

#[test]
fn an_acceptance_run_outlives_the_collector_and_waits_for_agents() {
    let mut port = port_that_is_asked_for();
    port.plan("new disks", "planned W1");
    port.site.stop_agent();
    port.site.collector(&["maintenance", "check", "W1"]).expect(1, "are not connected");
    port.site.collector(&["maintenance", "end", "W1"]).expect(0, "its acceptance run follows");
    port.restart_collector();
    assert_eq!(port.window("W1").accepted, None);
    port.site.start_agent();
    assert_eq!(port.accepted("W1"), Vec::<String>::new());
    port.restart_collector();
    wait_until("the agent is here again", PATIENCE, || port.site.is_here(AGENT));
    assert_eq!(port.count("accepted maintenance W1"), 1);
}

#[test]
fn silences_and_exclusions_are_kept_with_their_reasons() {
    let mut port = port_that_is_asked_for();
    let site = &port.site;
    let add = ["silence", "add", "--on", "*", "--for", "1h", "--reason", "the line is dug up"];
    site.collector(&add).expect(0, "S1: nobody is told of incidents in everything until");
    let past =
        ["exclusion", "add", "port", "--from", "2024-01-01 10:00", "--until", "2024-01-01 11:00"];
    site.collector(&[&past[..], &["--note", "x"]].concat()).expect(2, "at most 400 days ago");
    let now = mailsonde_proto::Clock::system().wall();
    let at = |ago_s| now.minus(Duration::from_secs(ago_s)).to_string();
    let (from, until) = (at(7_200), at(3_600));
    let noted = [
        "exclusion",
        "add",
        "port",
        "--from",
        &from,
        "--until",
        &until,
        "--note",
        "their power was off",
    ];
    site.collector(&noted).expect(0, "their power was off");
    port.restart_collector();
    let site = &port.site;
    site.collector(&["silence", "list"]).expect(0, "the line is dug up");
    site.collector(&["silence", "end", "S1"]).expect(0, "S1 is over now");
    site.collector(&["silence", "end", "S1"]).expect(2, "S1 is over already");
    site.collector(&["exclusion", "withdraw", "X1", "--note", "it was ours"])
        .expect(0, "it was ours");
    site.collector(&["exclusion", "list"]).expect(0, "nothing is excluded");
    site.collector(&["exclusion", "list", "--all"]).expect(0, "withdrawn by");
    let acts = site.acts().join("\n");
    for act in
        ["silenced everything until", "ended silence S1", "withdrew exclusion X1: it was ours"]
    {
        assert!(acts.contains(act), "{acts}");
    }
}
