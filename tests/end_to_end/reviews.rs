//! What people are told of an outage, what it came to, and what is learnt from it: a server that goes and comes back, a
//! collector that is killed in between, and the documents about it. Real processes.

use std::fs;
use std::time::Duration;

use mailsonde_collector::api::path;
use mailsonde_collector::judge::incident::{Incident, State};
use mailsonde_collector::query::{
    ActionsAnswer, DraftAnswer, IncidentAnswer, IncidentsAnswer, ObservationsAnswer, ReviewAnswer,
};

use crate::one_port::OnePort;
use crate::site::wait_until;

const PATIENCE: Duration = Duration::from_secs(90);

const SERVICES: &str = "time_zone = \"Africa/Johannesburg\"\ninstead = \"call 031 555 0100\"\n\
     [[service]]\nname = \"port\"\ntitle = \"Mail in Durban\"\nchecks = [\"port\"]\nusers = 120\n";

/// The agent looks at the port every second, and all is well so far.
fn outage_to_come() -> OnePort {
    let mut outage = OnePort::open("1s", "900ms");
    outage.define(SERVICES);
    outage.site.start_agent();
    wait_until("it passes", PATIENCE, || {
        let question = format!("{}?check=port&verdict=pass", path::OBSERVATIONS);
        !outage.site.ask::<ObservationsAnswer>(&question).observations.is_empty()
    });
    outage
}

impl OnePort {
    /// The port is closed: an incident is opened.
    fn begins(&mut self) -> Incident {
        self.close();
        wait_until("an incident is opened", PATIENCE, || {
            !self.site.ask::<IncidentsAnswer>(path::INCIDENTS).incidents.is_empty()
        });
        self.incident()
    }

    /// It is open again: the incident is over.
    fn ends(&mut self) {
        self.reopen();
        wait_until("it is verified", PATIENCE, || self.incident().state == State::Verified);
    }

    fn incident(&self) -> Incident {
        self.site.ask::<IncidentAnswer>(&path::with(path::INCIDENT, "1")).incident
    }

    fn says(&self, words: &[&str], said: &str) {
        self.site.collector(words).expect(0, said);
    }

    fn draft(&self, parameters: &str) -> DraftAnswer {
        self.site.ask(&format!("{}?{parameters}", path::with(path::DRAFT, "1")))
    }
}

#[test]
fn an_outage_is_told_reviewed_and_followed_up() {
    let mut outage = outage_to_come();
    outage.site.collector(&["reviews", "list"]).expect(0, "no incident is over");
    outage.begins();
    people_are_told(&mut outage);
    outage.site.collector(&["reviews", "show", "1"]).expect(2, "its review is made when runs");
    outage.ends();
    what_was_is_written_down(&mut outage);
    what_is_to_be_done_is_tracked(&mut outage);
}

fn people_are_told(outage: &mut OnePort) {
    let users = ["incidents", "draft", "1", "--for", "users"];
    outage.says(&users, "Subject: Mail in Durban does");
    outage.says(&users, "- call 031 555 0100\n");
    outage.says(
        &users,
        "We know of it and are looking into it. When it will work again is not known yet.",
    );
    let estimate = ["incidents", "estimate", "1"];
    for (words, said) in [
        (&["--in", "0s"][..], "has passed: say when it is to work again"),
        (&["--at", "25:00"], "is no time: write such as"),
        (&[], "required arguments were not provided"),
    ] {
        outage.site.collector(&[&estimate[..], words].concat()).expect(2, said);
    }
    outage.says(&[&estimate[..], &["--in", "2h", "--note", "a new disk"]].concat(), "is open");
    outage.says(&["incidents", "ack", "1"], "is acknowledged");
    outage.restart_collector();
    let told = outage.draft("for=management&next_s=600");
    assert!(told.draft.text.contains("Outlook: It is expected to work again by "), "{told:#?}");
    assert!(
        told.public.contains("we are working on it. It is expected to work again by "),
        "{told:#?}"
    );
    assert!(told.draft.text.contains("there is a new estimate"), "{told:#?}");
    outage.says(&["incidents", "show", "1"], "to work again by ");

    // what operators wrote takes the place, and what is broken does not
    let folder = outage.site.collector_folder().join("templates");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("users-update.txt"), "{{ what }}: nuus\n\n{{ expected }}\n").unwrap();
    outage.says(&users, "Subject: Mail in Durban: nuus\n");
    fs::write(folder.join("users-update.txt"), "{{ what }}\n\n{{ nothing }}\n").unwrap();
    outage.says(&users, "Subject: Mail in Durban does");
    outage.says(&users, "templates/users-update.txt:3: undefined value");
    outage.says(&["config", "check"], "templates/users-update.txt:3: undefined value");
}

fn what_was_is_written_down(outage: &mut OnePort) {
    outage.says(&["reviews", "list"], "nobody yet");
    let review: ReviewAnswer = outage.site.ask(&path::with(path::REVIEW, "1"));
    let runs = review.figures.runs;
    assert!(runs.fail >= 1, "{runs:?}");
    assert!(review.figures.course.sites[0].failed.iter().flatten().sum::<u64>() >= runs.fail);
    assert!(!review.are_final);
    let show = ["reviews", "show", "1"];
    for said in [
        "# Review of incident 1: Mail in Durban failed",
        "not reviewed yet",
        "Times of Africa/Johannesburg.",
        "What failed: port in connect (refused). About 120 people use it.",
        "| estimated | it is to work again by",
        "- somebody took it on ",
        "- it was over by the time that was stated last",
        "None yet: `mailsonde-collector actions add 1",
    ] {
        outage.says(&show, said);
    }
    let page = outage.site.collector_folder().join("review.html");
    let into = ["--format", "html", "-o", page.to_str().unwrap()];
    outage.says(&[&show[..], &into].concat(), "");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.matches("<svg ").count() == 2, "{page}");
    outage.says(&["incidents", "review", "1", "watch the disk <b>"], "is reviewed");
    outage.says(&show, "watch the disk \\<b\\>");

    // what came to pass reads the same after a restart; runs of the last minute may still come in
    let told = |outage: &OnePort| {
        let whole = outage.site.collector(&show).said;
        let from = whole.find("## Timeline").unwrap();
        whole[from..whole.find("### Runs that failed").unwrap()].to_owned()
    };
    let before = told(outage);
    outage.restart_collector();
    wait_until("the views are there", PATIENCE, || {
        outage.site.collector(&["incidents", "show", "1"]).said.contains("reviewed")
    });
    assert_eq!(told(outage), before);
}

fn what_is_to_be_done_is_tracked(outage: &mut OnePort) {
    let add = |title: &'static str, due: &'static str| {
        ["actions", "add", "1", "--title", title, "--owner", "Ann", "--due", due]
    };
    outage.says(&add("alert on the disk", "2999-12-31"), "A1");
    outage.says(&add("write to the vendor", "2020-01-01"), "overdue");
    let nowhere = ["actions", "add", "9", "--title", "x", "--owner", "Ann", "--due", "2999-12-31"];
    outage.site.collector(&nowhere).expect(2, "there is no incident 9");
    outage.says(&["actions", "done", "A1", "--note", "it is on"], "it is on");
    outage.site.collector(&["actions", "done", "A1"]).expect(2, "A1 is done already");
    outage.says(&["incidents", "show", "1"], "write to the vendor");
    outage.says(&["reviews", "list"], "1 open, 1 overdue");
    outage.restart_collector();
    let open: ActionsAnswer = outage.site.ask(&format!("{}?open=true", path::ACTIONS));
    let open: Vec<_> = open.actions.iter().map(|it| (it.number, it.is_overdue)).collect();
    assert_eq!(open, [(2, Some(true))]);
    outage.says(&["actions", "drop", "A2", "--note", "they called"], "dropped");
    outage.says(&["actions", "list", "--open"], "nothing is to be done");
    outage.says(&["actions", "reopen", "A1"], "open");
    wait_until("the views are there", PATIENCE, || {
        outage.site.collector(&["reviews", "show", "1"]).said.contains("| A1 | alert on the disk |")
    });
    outage.says(
        &["reviews", "show", "1"],
        "| A2 | write to the vendor | Ann | 2020-01-01 | dropped: they called |",
    );
    let acts = outage.site.acts().join("\n");
    for act in [
        "estimated the end of incident 1: it is to work again by ",
        "added an action item to incident 1: alert on the disk; Ann, due 2999-12-31",
        "did action item A1: it is on",
        "dropped action item A2: they called",
        "reopened action item A1",
    ] {
        assert!(acts.contains(act), "{act}\n{acts}");
    }
}
