//! Services of `services.d`: looked at, put in force, changed and withdrawn: real processes.

use std::fs;
use std::time::Duration;

use mailsonde_collector::api::{ApplyWish, path};
use mailsonde_collector::cli::client;
use mailsonde_collector::fleet::Plan;
use mailsonde_collector::folder::Folder;
use rustix::process::Signal;

use crate::site::{AGENT, Site, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);

/// A service of the site's one agent.
const MADE_UP: &str =
    "[[service]]\nname = \"made-up\"\nchecks = [\"made-up-*\"]\non = \"site=durban\"\n";

impl Site {
    fn write_services(&self, file: &str, text: &str) {
        let folder = self.collector_folder().join("services.d");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(file), text).unwrap();
    }

    /// Everything that was put in force.
    fn put(&self) -> Vec<String> {
        self.acts().into_iter().filter(|act| act.starts_with("put ")).collect()
    }
}

fn running() -> Site {
    let mut site = Site::new();
    site.set_checks(1, "1s");
    site.start_collector();
    site.wait_for_operators();
    site.ask_collector(&["agents", "label", AGENT, "site=durban"]);
    site.start_agent();
    wait_until("it runs", PATIENCE, || site.runs(AGENT, &["made-up-0"]));
    site
}

#[test]
fn services_are_looked_at_put_in_force_changed_and_withdrawn() {
    let mut site = running();
    // nothing is defined, and that is nothing to put in force
    site.apply().expect(0, "nothing to change: 0 checks in force");
    assert_eq!(site.put(), Vec::<String>::new());

    site.write_services("a.toml", &format!("{MADE_UP}down_when = \"2\"\n"));
    let told = site.collector(&["config", "check"]);
    told.expect(0, "+ service made-up\n    checks = [\"made-up-*\"]\n    down_when = \"2\"\n");
    told.expect(0, "services: 1 added, 0 changed, 0 removed, 0 as before");
    told.expect(0, "down_when = \"2\" cannot be reached, because there is 1 voice by site");
    assert_eq!(site.put(), Vec::<String>::new());
    site.apply().expect(0, "1 change in force");
    assert_eq!(site.put(), ["put 1 services in force"]);

    // it outlives the collector
    site.stop_collector();
    site.start_collector();
    site.wait_for_operators();
    site.apply().expect(0, "1 service in force as in ");

    // by a signal, together with a check
    let more =
        "time_zone = \"Africa/Johannesburg\"\n[[service]]\nname = \"never\"\nchecks = [\"x\"]\n";
    site.write_services("b.toml", more);
    site.write_services("a.toml", MADE_UP);
    site.write_checks(
        "a.toml",
        "[[check]]\nname = \"made-up-1\"\non = \"*\"\nkind = \"synthetic\"\nevery = \"1s\"\n",
    );
    site.collector.as_ref().unwrap().signal(Signal::HUP);
    wait_until("both are in force", PATIENCE, || site.put().len() == 3);
    assert_eq!(site.put()[1..], ["put 1 checks in force", "put 2 services in force"]);
    wait_until("it says what will not work", PATIENCE, || {
        site.log("collector").contains("no agent that on selects runs any of its checks")
    });
    let log = site.log("collector");
    for line in [
        "services.d service=\"made-up\" what=\"changed\"",
        "services.d service=\"never\" what=\"added\"",
        "services.d key=\"time_zone\" from=\"\" to=\"\\\"Africa/Johannesburg\\\"\"",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    wait_until("the check is run", PATIENCE, || site.runs(AGENT, &["made-up-0", "made-up-1"]));

    // without their files they are withdrawn, and that is said
    fs::remove_dir_all(site.collector_folder().join("services.d")).unwrap();
    let told = site.apply();
    told.expect(0, "- service made-up\n- service never\n");
    told.expect(0, "time_zone = \"Africa/Johannesburg\", no more");
    told.expect(0, "no service is defined then: each check is a service of its own");
    told.expect(0, "3 changes in force");
    assert_eq!(site.put()[3], "put no services in force: each check is one of its own");
    site.apply().expect(0, "nothing to change: 1 check in force");
    site.ask_collector(&["audit", "verify"]);
}

#[test]
fn mistakes_in_services_are_told_with_their_places_and_change_nothing() {
    let mut site = Site::new();
    site.write_services("a.toml", &format!("{MADE_UP}depends_on = [\"dns\"]\n"));
    site.write_services("b.toml", "[[service]\n");
    site.write_checks("a.toml", "[[check]]\nname = \"a\"\non = \"\"\nkind = \"tcp\"\n");
    // without a collector too
    let told = site.collector(&["config", "check"]);
    told.expect(
        2,
        "services.d/a.toml:5:15: service \"made-up\": depends_on: there is no service called dns",
    );
    told.expect(2, "services.d/b.toml:1:");
    told.expect(2, "a.toml:3:6: check \"a\": on is empty");
    let folder = site.collector_folder().join("services.d");
    let told = site.collector(&["config", "check", folder.to_str().unwrap()]);
    told.expect(2, "2 mistakes: nothing was changed");
    site.start_collector();
    site.wait_for_operators();
    for command in [&["config", "check"][..], &["config", "apply", "--yes"]] {
        site.collector(command).expect(2, "services.d/a.toml:5:15: service \"made-up\"");
    }
    site.write_services("a.toml", MADE_UP);
    site.write_services("b.toml", "");
    site.collector(&["config", "check", folder.to_str().unwrap()]).expect(0, "is fine: 1 service");
    // a mistake in the checks keeps the services back as well
    site.apply().expect(2, "a.toml:3:6: check \"a\": on is empty");
    assert_eq!(site.put(), Vec::<String>::new());
}

#[test]
fn nothing_is_put_in_force_that_was_not_shown() {
    let site = running();
    site.write_services("a.toml", MADE_UP);
    let shown: Plan = site.ask(path::PLAN);
    let id = shown.difference.unwrap().id;
    site.write_services("a.toml", &format!("{MADE_UP}users = 7\n"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = Folder::at(site.collector_folder());
    let apply = |id: String| {
        let wish = ApplyWish { id };
        runtime.block_on(client::send::<Plan>(&folder, path::APPLY, &wish))
    };
    let refused = apply(id).err().unwrap().to_string();
    assert!(refused.contains("look at the difference again"), "{refused}");
    assert_eq!(site.put(), Vec::<String>::new());
    let shown: Plan = site.ask(path::PLAN);
    let id = shown.difference.unwrap().id;
    assert!(apply(id.clone()).unwrap().value.is_applied);
    // the same plan again is another one: what is in force is not what it was
    assert!(apply(id).is_err());
    assert_eq!(site.put(), ["put 1 services in force"]);
}
