use std::fs;

use super::*;
use crate::config::ConfigError;
use crate::judge::definition::{Exclusion, Quorum, Share, Sli, Window};
use crate::judge::incident::Severity;

fn read(files: &[(&str, &str)]) -> Result<Definitions, Vec<Mistake>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    read_services(folder.path(), None)
}

fn told(text: &str) -> String {
    ConfigError::Mistakes(read(&[("a.toml", text)]).unwrap_err()).to_string()
}

const EXAMPLE: &str = include_str!("../../../../deploy/examples/services.toml");

#[test]
fn the_example_is_right_and_says_everything() {
    let definitions = read(&[("services.toml", EXAMPLE)]).unwrap();
    assert_eq!(definitions.time_zone.as_deref(), Some("Africa/Johannesburg"));
    assert!(definitions.instead.ends_with("call the service desk: 031 555 0100"));
    let [durban, names] = &definitions.services[..] else { panic!("{definitions:?}") };
    assert_eq!(durban.shown(), "Mail in Durban");
    assert_eq!(durban.checks, ["mail", "between-*"]);
    assert_eq!((durban.on.as_str(), durban.voice.as_str()), ("site=durban*", "site"));
    assert_eq!(durban.down_when, Quorum::AtLeastOrHalf(2));
    assert_eq!(durban.depends_on, ["names"]);
    assert_eq!((durban.users, durban.growth), (Some(120), Some(Share::from_ppm(100_000))));
    let hours = durban.hours.as_ref().unwrap();
    assert_eq!((hours.weekly.len(), hours.holidays.len()), (6, 2));
    let objectives: Vec<_> = durban
        .objectives
        .iter()
        .map(|objective| (objective.name.as_str(), objective.sli, objective.window))
        .collect();
    let latency = Sli::Latency { within_us: 30_000_000 };
    assert_eq!(
        objectives,
        [
            ("uptime", Sli::Uptime, Window::Rolling { days: 30 }),
            ("latency-30s-28d-in-hours", latency, Window::Rolling { days: 28 }),
        ]
    );
    let [contract] = &durban.agreements[..] else { panic!("{durban:?}") };
    assert_eq!(contract.excludes, [Exclusion::Maintenance, Exclusion::CustomerFault].into());
    let credits: Vec<_> =
        contract.credits.iter().map(|step| (step.below.ppm(), step.credit.ppm())).collect();
    assert_eq!(credits, [(995_000, 100_000), (990_000, 250_000)]);
    assert!(durban.instead.ends_with("031 555 0199"));
    // what is not said stays unsaid
    assert_eq!((names.on.as_str(), names.down_when), ("*", Quorum::Half));
    assert!(names.objectives.is_empty() && names.agreements.is_empty() && names.hours.is_none());
    let [desk, night] = &definitions.routes[..] else { panic!("{:?}", definitions.routes) };
    assert_eq!((desk.severity, desk.updates_s), (Severity::Minor, Some(3_600)));
    assert_eq!((&*desk.on, &desk.to.channels[..]), ("site=durban*", &["ops".to_owned()][..]));
    assert_eq!(desk.hours.as_ref().unwrap().weekly.len(), 5);
    assert_eq!((night.severity, &*night.services[0]), (Severity::Major, "*"));
    let steps: Vec<_> = night.steps.iter().map(|it| (it.after_s, it.repeat_s, it.times)).collect();
    assert_eq!(steps, [(600, Some(600), 3), (2_700, None, 0)]);
    let [mail] = &definitions.rotations[..] else { panic!("{:?}", definitions.rotations) };
    assert_eq!((mail.shift_s, mail.members.len(), mail.overrides.len()), (604_800, 2, 1));
    assert!(definitions.has_canary());
    let of_incidents: Vec<_> =
        definitions.objectives.iter().map(|it| (it.name.as_str(), it.window)).collect();
    assert_eq!(of_incidents, [("resolved-24h", Window::Month), ("security", Window::Month)]);
}

#[test]
fn all_files_are_one() {
    assert_eq!(read_services(Path::new("/nowhere/services.d"), None), Ok(Definitions::default()));
    let b =
        "time_zone = \"utc\"\n[[service]]\nname = \"b\"\nchecks = [\"*\"]\ndepends_on = [\"a\"]\n";
    let a = "[[service]]\nname = \"a\"\nchecks = [\"mail\"]\n[[service.agreement]]\nname = \"x\"\n\
             sli = \"success\"\ntarget = \"99%\"\nexcludes = []\n";
    let definitions = read(&[("b.toml", b), ("a.toml", a), (".c.toml", "=")]).unwrap();
    let names: Vec<_> = definitions.services.iter().map(|service| &service.name).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(definitions.time_zone.as_deref(), Some("UTC"), "by its own name");
    let agreement = &definitions.services[0].agreements[0];
    assert_eq!((agreement.window, agreement.excludes.len()), (Window::Month, 0));
}

#[test]
fn every_mistake_of_a_service_is_told_with_its_place() {
    insta::assert_snapshot!(told(
        "time_zone = \"Africa/Durban\"\nservices = 5\n[[service]]\nname = \"m a\"\n[[service]]\n\
         name = \"mail\"\nchecks = [\"mail\", 5, \"im ap\"]\non = \"site=\"\nvoice = \"a b\"\n\
         down_when = \"3 of 2\"\ndepends_on = \"dns\"\nusers = -1\ngrowth = \"10\"\nholidays = [\"today\"]\n\
         colour = \"red\"\n[[service]]\nname = \"b\"\nchecks = []\nhours = [\"mon 08:00-18:00\", \"mon 17:00-19:00\"]\n\
         title = \"a\\u0007\"\n[[service]]\nchecks = [\"*\"]\nhours = [\"monday\"]\n"
    ), @r#"
    services.d/a.toml:1:13: time_zone must be a time zone by its IANA name, such as "Africa/Johannesburg", not "Africa/Durban"
    services.d/a.toml:2:1: services is not known here: there is instead, objective, rotation, route, service, time_zone
    services.d/a.toml:3:1: service: checks is missing: say which checks it is made of, such as checks = ["mail", "imap-*"]
    services.d/a.toml:4:8: service: name must be 1 to 64 letters, digits, dots, dashes or underscores, not "m a"
    services.d/a.toml:7:19: service "mail": checks must be a text in quotes
    services.d/a.toml:7:22: service "mail": checks must be names of checks, in which * stands for any characters, not "im ap"
    services.d/a.toml:8:6: service "mail": on "site=" is no term of a selector: write key=value, key=a|b, key!=value, key or !key, with commas between them
    services.d/a.toml:9:9: service "mail": voice must be a label such as "site", or "name"
    services.d/a.toml:10:13: service "mail": down_when must be "any", "half", "all", a number such as "2" or "2 of 3", or "2 or half"
    services.d/a.toml:11:14: service "mail": depends_on must be a list of texts, such as depends_on = ["…", "…"]
    services.d/a.toml:12:9: service "mail": users must be a whole number from 0 to 10000000000
    services.d/a.toml:13:10: service "mail": growth must be a percentage with at most four decimals, such as "99.9%"
    services.d/a.toml:14:12: service "mail": holidays are days without hours: say hours as well
    services.d/a.toml:14:13: service "mail": holidays must be dates, such as "2026-12-25"
    services.d/a.toml:15:1: service "mail": colour is not known here: there is agreement, checks, depends_on, description, down_when, growth, holidays, hours, instead, name, objective, on, owner, title, users, voice
    services.d/a.toml:18:10: service "b": checks is empty: a service without checks can be judged by nothing
    services.d/a.toml:19:9: service "b": hours overlap on mon: write each hour of it once
    services.d/a.toml:20:9: service "b": title must have no control characters
    services.d/a.toml:21:1: service: name is missing
    services.d/a.toml:23:10: service: hours must be days and hours, such as "mon-fri 08:00-18:00" or "sat,sun 09:00-24:00"
    "#);
}

#[test]
fn every_mistake_of_a_target_is_told_with_its_place() {
    let head = "[[service]]\nname = \"m\"\nchecks = [\"*\"]\n";
    insta::assert_snapshot!(told(&format!(
        "{head}[[service.objective]]\nsli = \"up\"\n[[service.objective]]\nsli = \"latency\"\ntarget = \"101%\"\n\
         [[service.objective]]\nsli = \"resolution\"\ntarget = \"0%\"\nwithin = \"5\"\n\
         [[service.objective]]\nsli = \"uptime\"\ntarget = \"99.9%\"\nwithin = \"5s\"\nwindow = \"30\"\nhours_only = true\n\
         [[service.objective]]\nsli = \"delivery\"\ntarget = \"98%\"\n\
         [[service.objective]]\nsli = \"delivery\"\ntarget = \"99%\"\nhours_only = 1\n\
         [[objective]]\nsli = \"uptime\"\ntarget = \"1%\"\n\
         [[objective]]\nsli = \"security\"\ntarget = \"1%\"\nhours_only = true\n"
    )), @r#"
    services.d/a.toml:4:1: service "m": objective: target is missing: such as target = "99.9%"
    services.d/a.toml:5:7: service "m": objective: sli must be "uptime", "delivery", "success" or "latency", not "up"
    services.d/a.toml:6:1: service "m": objective: within is missing: say how long it may take, such as within = "5s"
    services.d/a.toml:8:10: service "m": objective: target must be more than 0% and 100% at most
    services.d/a.toml:10:7: service "m": objective: sli "resolution" is measured of the organisation: write it as [[objective]]
    services.d/a.toml:11:10: service "m": objective: target must be more than 0% and 100% at most
    services.d/a.toml:12:10: service "m": objective: within must be a number and a unit, such as "5s" or "24h"
    services.d/a.toml:16:10: service "m": objective: within has no meaning for uptime
    services.d/a.toml:17:10: service "m": objective: window must be "7d", "28d", "30d" or "90d", or "month", "quarter" or "year"
    services.d/a.toml:18:14: service "m": objective: the service has no hours: say them, or leave this out
    services.d/a.toml:22:1: service "m": objective: another one at services.d/a.toml:19 is called delivery as well: give it a name of its own
    services.d/a.toml:25:14: service "m": objective: hours_only must be true or false
    services.d/a.toml:27:7: objective: sli "uptime" is measured of a service: write it below one, as [[service.objective]]
    services.d/a.toml:32:14: objective: hours are a service's: incidents are counted always
    "#);
    insta::assert_snapshot!(told(&format!(
        "{head}[[service.agreement]]\nsli = \"uptime\"\ntarget = \"99.5%\"\nwindow = \"30d\"\nexcludes = [\"rain\"]\n\
         credits = [{{ below = \"99.9%\", credit = \"10%\" }}, {{ below = \"99%\" }}, {{ below = \"98%\", credit = \"101%\" }}]\n\
         [[service.agreement]]\nname = \"x\"\nsli = \"uptime\"\ntarget = \"99.5%\"\ncredits = [\n\
         {{ below = \"99%\", credit = \"10%\" }}, {{ below = \"99.5%\", credit = \"10%\" }},\n\
         {{ below = \"99%\", credit = \"20%\", owed = 1 }}]\n"
    )), @r#"
    services.d/a.toml:4:1: service "m": agreement: name is missing: it is what figures and reports are asked for by
    services.d/a.toml:7:10: service "m": agreement: an agreement has a calendar window: "month", "quarter" or "year"
    services.d/a.toml:8:13: service "m": agreement: excludes may have "maintenance" and "customer", not "rain"
    services.d/a.toml:9:22: service "m": agreement: credits: below must not be more than the target, 99.5 %
    services.d/a.toml:9:49: service "m": agreement: credits: credit is missing: such as { below = "99.5%", credit = "10%" }
    services.d/a.toml:9:94: service "m": agreement: credits: credit must be 100% at most
    services.d/a.toml:14:11: service "m": agreement: credits must grow the less is reached: 10 % is owed below 99.5 %, and 10 % below 99 %
    services.d/a.toml:16:11: service "m": agreement: credits: below is there twice
    services.d/a.toml:16:34: service "m": agreement: credits: owed is not known here: there is below, credit
    "#);
}

#[test]
fn services_of_all_files_fit_together() {
    let service = |name: &str, rest: &str| {
        format!("[[service]]\nname = \"{name}\"\nchecks = [\"*\"]\n{rest}\n")
    };
    let promised = "[[service.agreement]]\nname = \"x\"\nsli = \"uptime\"\ntarget = \"99%\"\n";
    let a = service("a", "depends_on = [\"b\", \"dsn\"]")
        + &service("b", "depends_on = [\"c\"]")
        + &service("itself", "depends_on = [\"itself\"]")
        + &service("fine", "depends_on = [\"a\"]")
        + &service("one", promised);
    let b = "time_zone = \"UTC\"\ninstead = \"call them\"\n".to_owned()
        + &service("c", "depends_on = [\"a\"]")
        + &service("fine", "")
        + &service("two", promised);
    let c = "time_zone = \"UTC\"\ninstead = \"call us\"\n";
    let mistakes = read(&[("a.toml", &a), ("b.toml", &b), ("c.toml", c)]).unwrap_err();
    insta::assert_snapshot!(ConfigError::Mistakes(mistakes).to_string(), @r#"
    services.d/a.toml:2:8: service "a": depends_on goes in a circle: a -> b -> c -> a
    services.d/a.toml:4:20: service "a": depends_on: there is no service called dsn
    services.d/a.toml:10:8: service "itself": depends_on goes in a circle: itself -> itself
    services.d/b.toml:8:8: service "fine": there is another service of this name at services.d/a.toml:14
    services.d/b.toml:15:8: service "two": there is another agreement called x at services.d/a.toml:21
    services.d/c.toml:1:13: time_zone is said at services.d/b.toml:1 already: there is one for all
    services.d/c.toml:2:11: instead is said at services.d/b.toml:2 already: there is one for all, and a service may have its own
    "#);
}

#[test]
fn what_is_too_much_is_refused() {
    let many: String =
        (0..1_001).map(|n| format!("[[service]]\nname='s{n}'\nchecks=['*']\n")).collect();
    assert!(told(&many).contains("holds more than 1000 services"), "{}", told(&many));
    let long =
        format!("[[service]]\nname='a'\nchecks=['*']\ndescription='{}'\n", "x".repeat(2_001));
    assert!(told(&long).contains("description must have 2000 characters at most"));
    let listed = format!("[[service]]\nname='a'\nchecks=[{}]\n", "'a',".repeat(101));
    assert!(told(&listed).contains("checks must have 100 entries at most"));
    let services = |of: std::ops::Range<usize>| -> String {
        let (title, text) = ("\u{e4}".repeat(128), "\u{e4}".repeat(2_000));
        let one = |n| {
            format!(
                "[[service]]\nname='s{n}'\nchecks=['*']\ntitle='{title}'\ndescription='{text}'\n"
            )
        };
        of.map(one).collect()
    };
    assert!(told(&services(0..300)).ends_with("a.toml: holds more than 1 MiB"));
    let files: Vec<_> =
        (0..5).map(|n| (format!("{n}.toml"), services(n * 200..n * 200 + 200))).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
    assert!(read(&files[..4]).is_ok());
    let told = ConfigError::Mistakes(read(&files).unwrap_err()).to_string();
    assert!(told.ends_with("the services hold more than 4 MiB"), "{told}");
}

#[test]
fn what_changes_is_told_key_by_key() {
    let now = read(&[("services.toml", EXAMPLE)]).unwrap();
    let edited = EXAMPLE
        .replace("target = \"99.5%\"", "target = \"99.7%\"")
        .replace("sat 08:00-12:00", "sat 09:00-12:00")
        .replace("users = 120\n", "")
        .replace("031 555 0199", "031 555 0200")
        .replace("call the service desk", "call")
        .replace("Africa/Johannesburg", "Africa/Maputo")
        .replace("name = \"names\"", "name = \"dns\"")
        .replace("[\"names\"]", "[\"dns\"]")
        .replace("target = \"1%\"", "target = \"2%\"");
    let then = read(&[("services.toml", &edited)]).unwrap();
    let difference = compare(&now, &then);
    let mut lines: Vec<_> =
        difference.changes.iter().map(|change| serde_json::to_string(change).unwrap()).collect();
    lines.push(serde_json::to_string(&difference.settings).unwrap());
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"service":"dns","what":"added","settings":[["checks","","[\"dns\", \"posture\"]"],["down_when","","\"half\""],["on","","\"*\""],["title","","\"DNS\""],["voice","","\"site\""]]}
    {"service":"mail-durban","what":"changed","settings":[["agreement.contract-2026.target","\"99.5%\"","\"99.7%\""],["depends_on","[\"names\"]","[\"dns\"]"],["hours","[\"mon-fri 08:00-18:00\", \"sat 08:00-12:00\"]","[\"mon-fri 08:00-18:00\", \"sat 09:00-12:00\"]"],["instead","\"use the group on the phone: 031 555 0199\"","\"use the group on the phone: 031 555 0200\""],["users","120",""]]}
    {"service":"names","what":"removed","settings":[["checks","[\"dns\", \"posture\"]",""],["down_when","\"half\"",""],["on","\"*\"",""],["title","\"DNS\"",""],["voice","\"site\"",""]]}
    [["instead","\"call the service desk: 031 555 0100\"","\"call: 031 555 0100\""],["objective.security.target","\"1%\"","\"2%\""],["time_zone","\"Africa/Johannesburg\"","\"Africa/Maputo\""]]
    "#);
    assert_eq!((difference.unchanged, difference.is_implicit), (0, false));
    assert!(compare(&now, &now).is_empty());
    let gone = compare(&now, &Definitions::default());
    assert_eq!((gone.changes.len(), gone.is_implicit), (2, true));
}

#[test]
fn what_will_not_work_as_it_reads_is_told() {
    let runner = |name: &str, site: &str, checks: &[(&str, &str)]| Runner {
        name: name.into(),
        labels: [("site".to_owned(), site.to_owned())].into(),
        checks: checks.iter().map(|(name, kind)| ((*name).into(), (*kind).into())).collect(),
    };
    let runners = [
        runner("one", "durban", &[("mail", "round-trip"), ("dns", "dns")]),
        runner("two", "durban", &[("mail", "round-trip")]),
        runner("three", "cape", &[("dns", "dns")]),
    ];
    let text = "[[service]]\nname = \"fine\"\nchecks = [\"mail\"]\n\
         [[service]]\nname = \"half\"\nchecks = [\"mail\", \"imap\", \"pop*\"]\n\
         [[service]]\nname = \"nobody\"\nchecks = [\"mail\"]\non = \"site=paris\"\n\
         [[service]]\nname = \"unrun\"\nchecks = [\"mail\"]\non = \"site=cape\"\n\
         [[service]]\nname = \"never\"\nchecks = [\"web\"]\n\
         [[service]]\nname = \"few\"\nchecks = [\"mail\", \"dns\"]\ndown_when = \"3\"\n\
         [[service]]\nname = \"enough\"\nchecks = [\"mail\", \"dns\"]\ndown_when = \"3\"\nvoice = \"name\"\n\
         [[service]]\nname = \"silent\"\nchecks = [\"dns\"]\n\
         [[service.objective]]\nsli = \"delivery\"\ntarget = \"98%\"\n";
    let definitions = read(&[("a.toml", text)]).unwrap();
    insta::assert_snapshot!(warnings(&definitions, &runners).join("\n"), @r#"
    service "half": nobody runs a check called imap or pop*
    service "nobody": no agent is selected by on = "site=paris": nothing is known of it
    service "unrun": no agent that on selects runs any of its checks: nothing is known of it
    service "never": no agent that on selects runs any of its checks: nothing is known of it
    service "few": down_when = "3" cannot be reached, because there are 2 voices by site: it is down when all of them fail
    service "silent": delivery and latency count checks of kind round-trip, and it has none
    "#);
}

#[test]
fn every_mistake_of_who_is_told_has_its_place() {
    let text = r#"
canary = "no"
[[route]]
channels = []
severity = "bad"
[[route]]
name = "a"
channels = ["ops", "nowhere"]
on_call = ["nobody"]
audience = "all"
updates = "1s"
step = [{ channels = ["ops"], times = 3 }, { after = "5m", repeat = "5m", on_call = ["week"] }]
[[route]]
name = "a"
[[rotation]]
name = "week"
from = "monday"
[[rotation]]
name = "day"
from = "2026-12-07 09:00"
shift = "5m"
member = [{ name = "Ann", channel = "ann" }]
override = [{ name = "Ben", from = "2026-12-09 09:00", until = "2026-12-08 09:00" }]
"#;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), text).unwrap();
    let channels = ["ops".to_owned()].into();
    let mistakes = read_services(folder.path(), Some(&channels)).unwrap_err();
    insta::assert_snapshot!(ConfigError::Mistakes(mistakes), @r#"
    services.d/a.toml:2:10: canary must be true or false
    services.d/a.toml:3:1: route: name is missing: it is what its notices are told by
    services.d/a.toml:5:12: route: severity must be "notice", "minor", "major" or "critical", not "bad"
    services.d/a.toml:8:20: route "a": there is no channel "nowhere" in channels.d: ops
    services.d/a.toml:9:12: route "a": there is no rotation "nobody"
    services.d/a.toml:10:12: route "a": audience must be "technical", "management", "users" or "public", not "all"
    services.d/a.toml:11:11: route "a": updates must be a number and a unit from "1m" to "7d"
    services.d/a.toml:12:9: route "a": step: after is missing: how long nobody has taken it on, such as after = "10m"
    services.d/a.toml:12:39: route "a": step: times says how often it is told again: say repeat as well
    services.d/a.toml:12:69: route "a": step: say how often at most by times, such as times = 3
    services.d/a.toml:13:1: route "a": channels is missing: say who is told, by channels = ["…"] or on_call = ["…"]
    services.d/a.toml:14:8: route "a": there is another one of this name at services.d/a.toml:7
    services.d/a.toml:15:1: rotation "week": member is missing: say who is on call, as [[rotation.member]]
    services.d/a.toml:17:8: rotation "week": from must be a time in the organisation's zone, such as "2026-12-07 09:00", not "monday"
    services.d/a.toml:21:9: rotation "day": shift must be a number and a unit from "1h" to "366d"
    services.d/a.toml:22:37: rotation "day": member: there is no channel "ann" in channels.d: ops
    services.d/a.toml:23:22: rotation "day": override: name "Ben" is no member: there is Ann
    services.d/a.toml:23:64: rotation "day": override: until must lie behind from
    "#);
}
