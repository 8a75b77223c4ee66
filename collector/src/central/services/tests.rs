use std::fs;

use super::*;
use crate::config::ConfigError;
use crate::judge::definition::{Exclusion, Quorum, Share, Sli, Window};

fn read(files: &[(&str, &str)]) -> Result<Definitions, Vec<Mistake>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    read_services(folder.path())
}

fn told(text: &str) -> String {
    ConfigError::Mistakes(read(&[("a.toml", text)]).unwrap_err()).to_string()
}

const EXAMPLE: &str = include_str!("../../../../deploy/examples/services.toml");

#[test]
fn the_example_is_right_and_says_everything() {
    let definitions = read(&[("services.toml", EXAMPLE)]).unwrap();
    assert_eq!(definitions.time_zone.as_deref(), Some("Africa/Johannesburg"));
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
    // what is not said stays unsaid
    assert_eq!((names.on.as_str(), names.down_when), ("*", Quorum::Half));
    assert!(names.objectives.is_empty() && names.agreements.is_empty() && names.hours.is_none());
    let of_incidents: Vec<_> =
        definitions.objectives.iter().map(|it| (it.name.as_str(), it.window)).collect();
    assert_eq!(of_incidents, [("resolved-24h", Window::Month), ("security", Window::Month)]);
}

#[test]
fn all_files_are_one() {
    assert_eq!(read_services(Path::new("/nowhere/services.d")), Ok(Definitions::default()));
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
    ), @"");
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
    )), @"");
    insta::assert_snapshot!(told(&format!(
        "{head}[[service.agreement]]\nsli = \"uptime\"\ntarget = \"99.5%\"\nwindow = \"30d\"\nexcludes = [\"rain\"]\n\
         credits = [{{ below = \"99.9%\", credit = \"10%\" }}, {{ below = \"99%\" }}, {{ below = \"98%\", credit = \"101%\" }}]\n\
         [[service.agreement]]\nname = \"x\"\nsli = \"uptime\"\ntarget = \"99.5%\"\ncredits = [\n\
         {{ below = \"99%\", credit = \"10%\" }}, {{ below = \"99.5%\", credit = \"10%\" }},\n\
         {{ below = \"99%\", credit = \"20%\", owed = 1 }}]\n"
    )), @"");
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
    let b = "time_zone = \"UTC\"\n".to_owned()
        + &service("c", "depends_on = [\"a\"]")
        + &service("fine", "")
        + &service("two", promised);
    let c = "time_zone = \"UTC\"\n";
    let mistakes = read(&[("a.toml", &a), ("b.toml", &b), ("c.toml", c)]).unwrap_err();
    insta::assert_snapshot!(ConfigError::Mistakes(mistakes).to_string(), @"");
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
        .replace("Africa/Johannesburg", "Africa/Maputo")
        .replace("name = \"names\"", "name = \"dns\"")
        .replace("[\"names\"]", "[\"dns\"]")
        .replace("target = \"1%\"", "target = \"2%\"");
    let then = read(&[("services.toml", &edited)]).unwrap();
    let difference = compare(&now, &then);
    let mut lines: Vec<_> =
        difference.changes.iter().map(|change| serde_json::to_string(change).unwrap()).collect();
    lines.push(serde_json::to_string(&difference.settings).unwrap());
    insta::assert_snapshot!(lines.join("\n"), @"");
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
    insta::assert_snapshot!(warnings(&definitions, &runners).join("\n"), @"");
}
