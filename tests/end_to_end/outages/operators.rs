//! What operators do to an incident, and a collector that is killed in the middle of one.

use mailsonde_collector::judge::incident::State;
use mailsonde_collector::query::AuditAnswer;
use mailsonde_tests::lab::Server;

use super::{Company, PATIENCE, everywhere, path, wait_until};

#[test]
fn an_incident_is_dealt_with_and_outlives_the_collector() {
    let mut company = Company::running();
    let scenario = company.scenario("acted", &["mail"]);
    let ends = |lab: &super::Lab| lab.kill(Server::Postfix).unwrap();
    let opened = scenario.breaks(ends, "mail is refused", everywhere(&["connect"]));
    let (number, before) = (opened.number, scenario.before);
    let shown = number.to_string();
    let act = |company: &Company, words: &[&str], state: &str| {
        let arguments = [&["incidents"], words].concat();
        company.collector(&arguments).expect(0, &format!("incident {number} is {state}"));
    };
    act(&company, &["ack", &shown, "--note", "I look at it"], "acknowledged");
    act(&company, &["note", &shown, "postfix is gone"], "acknowledged");

    company.collector.take().unwrap().kill();
    company.start_collector();
    let known = company.incident(number);
    assert_eq!((known.state, known.opened_at), (State::Acknowledged, opened.opened_at));
    // an operator who is wrong: runs fail, so it is not resolved
    // a run that fails may be quicker than the answer
    act(&company, &["resolve", &shown, "--note", "started"], "");
    wait_until("runs do not agree", PATIENCE, || {
        let incident = company.incident(number);
        let was_told = incident.timeline.iter().any(|entry| entry.what == "resolved");
        was_told && incident.state == State::Acknowledged
    });
    company
        .collector(&["incidents", "review", &shown, "too soon"])
        .expect(2, "is acknowledged: it is reviewed when");

    company.lab.restart(Server::Postfix).unwrap();
    wait_until("it is verified", PATIENCE, || company.incident(number).state == State::Verified);
    assert_eq!(company.incidents().len(), before + 1, "{:#?}", company.incidents());
    let told = company.collector(&["reviews", "show", &shown]);
    told.expect(0, &format!("# Review of incident {number}: Mail failed"));
    told.expect(0, ", from all 3 sites. What failed: mail-acted in ");
    told.expect(0, "| acknowledged | I look at it |");
    told.expect(0, "### Runs that failed, by site");
    act(&company, &["review", &shown, "a watchdog is to start it", "--security", "no"], "reviewed");
    let over = company.incident(number);
    assert_eq!((over.reopened, over.is_security), (0, false), "{:#?}", over.timeline);
    let acts = company.ask::<AuditAnswer>(path::AUDIT);
    assert!(acts.breaks.is_empty(), "{:?}", acts.breaks);
    for words in [
        "acknowledged incident 1: I look at it",
        "noted on incident 1: postfix is gone",
        "resolved incident 1: started",
        "reviewed incident 1: a watchdog is to start it",
    ] {
        assert!(acts.newest.iter().any(|act| act.what == words), "{words}: {:#?}", acts.newest);
    }
}
