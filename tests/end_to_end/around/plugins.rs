//! Icinga 2 and Nagios with the commands of `deploy/icinga` and `deploy/nagios`, in process namespaces of their own.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{deployed, programs};
use crate::api::{DEPLOY, running, well};
use crate::process::{Process, write_secret};
use crate::site::{PATIENCE, Site, wait_until};

/// The token file that `login` makes of an API token.
fn token_file(site: &Site, operators: SocketAddr) -> PathBuf {
    let (token, file) = (site.folder().join("token"), site.folder().join("login.token"));
    write_secret(&token, &site.api_token("viewer"));
    let url = format!("https://localhost:{}", operators.port());
    let ca = site.collector_folder().join("ca.pem");
    let [token, written, ca] = [&token, &file, &ca].map(|path| path.to_str().unwrap());
    let there = ["--url", &url, "--token-file", written];
    site.ask_collector(&[&there[..], &["login", "--api-token", token, "--ca", ca]].concat());
    file
}

/// A file as it is shipped, but for where programs, the collector and its names are.
fn here(site: &Site, operators: SocketAddr, token: &Path, file: &str) -> PathBuf {
    let bin = programs(site.folder());
    let mut text = deployed(file);
    for (shipped, here) in [
        ("/usr/bin/mailsonde-", format!("{}/mailsonde-", bin.display())),
        ("collector.example.org:7444", format!("localhost:{}", operators.port())),
        ("/etc/icinga2/mailsonde.token", token.display().to_string()),
        ("/etc/nagios4/mailsonde.token", token.display().to_string()),
        ("/etc/icinga2/mailsonde-probe.toml", site.agent_config().display().to_string()),
        ("/etc/nagios4/mailsonde-probe.toml", site.agent_config().display().to_string()),
        ("mail-durban", "made-up".to_owned()),
        ("mail-cape", "port".to_owned()),
        ("!durban\n", "!branch\n".to_owned()),
        (".token!mail\n", ".token!port\n".to_owned()),
        ("host=mail.example.org", "host=127.0.0.1".to_owned()),
        // Icinga spreads the first checks over their interval; of a check that fails now and then the next one tells
        ("_interval = 1m", "_interval = 2s".to_owned()),
        ("_interval = 5m", "_interval = 2s".to_owned()),
        ("_interval = 30s", "_interval = 2s".to_owned()),
    ] {
        text = text.replace(shipped, &here);
    }
    let path = site.folder().join(file.replace('/', "-"));
    fs::write(&path, text).unwrap();
    path
}

/// A daemon with all its children, which end with it.
fn in_namespace(program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc", program]);
    command
}

/// What somebody's files say of each service: its state and the line.
type Seen = BTreeMap<String, (String, String)>;

/// Waits until each service has been seen in its state with these words.
fn expect(expected: &[(&str, &str, &str)], seen: impl Fn() -> Seen) {
    let mut last = Seen::new();
    let is_so = || {
        last = seen();
        expected.iter().all(|(service, state, words)| {
            last.get(*service).is_some_and(|(is, line)| is == state && line.contains(words))
        })
    };
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_until("everything is as expected", PATIENCE, is_so);
    }));
    assert!(told.is_ok(), "{expected:#?} is not {last:#?}");
}

#[test]
#[allow(clippy::too_many_lines, reason = "its configuration is here to be read")]
fn icinga_asks_by_the_commands_and_knows_up_down_and_unknown() {
    let (site, operators) = running();
    let token = token_file(&site, operators);
    let [commands, example] = ["icinga/mailsonde.conf", "icinga/example.conf"]
        .map(|file| here(&site, operators, &token, file));
    let folder = site.folder().join("icinga");
    for name in ["log", "data", "cache", "run", "seen"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    let config = folder.join("icinga2.conf");
    let seen = folder.join("seen");
    let text = format!(
        "include <itl>\nconst NodeName = \"test\"\nconst ZoneName = \"test\"\n\
         include \"{}\"\ninclude \"{}\"\nobject CheckerComponent \"checker\" {{ }}\n\
         object PerfdataWriter \"seen\" {{\n\
         service_perfdata_path = \"{seen}/service\"\nservice_temp_path = \"{seen}/service.tmp\"\n\
         host_perfdata_path = \"{seen}/host\"\nhost_temp_path = \"{seen}/host.tmp\"\n\
         rotation_interval = 1s\nservice_format_template = \
         \"$service.name$\\t$service.state$\\t$service.output$\\t$service.perfdata$\"\n}}\n",
        commands.display(),
        example.display(),
        seen = seen.display(),
    );
    fs::write(&config, text).unwrap();
    let set = |name: &str, value: &str| format!("--define={name}={value}");
    let at = |name: &str| folder.join(name).display().to_string();
    let defines = [
        set("LogDir", &at("log")),
        set("DataDir", &at("data")),
        set("CacheDir", &at("cache")),
        set("InitRunDir", &at("run")),
        set("RunAsUser", "root"),
        set("RunAsGroup", "root"),
    ];
    let checked = ["daemon", "--validate", "--config"];
    let shipped = folder.join("shipped.conf");
    let text = format!(
        "include <itl>\nconst NodeName = \"test\"\nconst ZoneName = \"test\"\n\
         include \"{DEPLOY}/icinga/mailsonde.conf\"\ninclude \"{DEPLOY}/icinga/example.conf\"\n"
    );
    fs::write(&shipped, text).unwrap();
    well(Command::new("icinga2").args(checked).arg(&shipped).args(&defines));
    let mut command = in_namespace("icinga2");
    command.args(["daemon", "--config"]).arg(&config).args(&defines);
    let _icinga = Process::spawn("icinga", command, site.folder());
    let read = || {
        let files = fs::read_dir(&seen).unwrap().filter_map(|entry| entry.ok());
        let mut all = Seen::new();
        for file in files {
            let text = fs::read_to_string(file.path()).unwrap_or_default();
            for line in text.lines() {
                let mut parts = line.splitn(3, '\t');
                if let (Some(name), Some(state), Some(rest)) =
                    (parts.next(), parts.next(), parts.next())
                {
                    all.insert(name.to_owned(), (state.to_owned(), rest.to_owned()));
                }
            }
        }
        all
    };
    expect(
        &[
            ("Mail in Durban", "OK", "MAILSONDE OK - made-up is up; 1 of 1 sites are up"),
            ("Mail in Durban", "OK", "sites_up=1;;;0;1"),
            ("Mail in Cape Town", "CRITICAL", "MAILSONDE CRITICAL - port is down"),
            ("collector", "OK", "MAILSONDE OK - the collector is healthy"),
            // there is no such check, and nobody listens at that port
            ("round trip", "UNKNOWN", "there is no [[check]] of kind"),
            ("submission", "CRITICAL", "MAILSONDE CRITICAL - "),
        ],
        read,
    );
}

#[test]
#[allow(clippy::too_many_lines, reason = "its configuration is here to be read")]
fn nagios_asks_by_the_commands_and_knows_up_down_and_unknown() {
    let (site, operators) = running();
    let token = token_file(&site, operators);
    let [commands, example] = ["nagios/mailsonde.cfg", "nagios/example.cfg"]
        .map(|file| here(&site, operators, &token, file));
    let folder = site.folder().join("nagios");
    for name in ["spool", "archives"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    // Nagios wants somebody to tell, which every site has already
    let people = folder.join("people.cfg");
    fs::write(
        &people,
        "define command {\ncommand_name nobody\ncommand_line /bin/true\n}\n\
         define contact {\ncontact_name ops\nhost_notification_period always\n\
         service_notification_period always\nhost_notification_commands nobody\n\
         service_notification_commands nobody\n}\n",
    )
    .unwrap();
    let main = |name: &str, files: [&Path; 2]| {
        let path = folder.join(name);
        let at = folder.display();
        let text = format!(
            "cfg_file={}\ncfg_file={}\ncfg_file={}\nlog_file={at}/log\nobject_cache_file={at}/objects\n\
             status_file={at}/status.dat\nlock_file={at}/lock\ntemp_file={at}/tmp\ntemp_path={at}\n\
             check_result_path={at}/spool\ncommand_file={at}/command\nquery_socket={at}/query\n\
             state_retention_file={at}/retention\nlog_archive_path={at}/archives\n\
             interval_length=2\nnagios_user=root\nnagios_group=root\ncheck_for_updates=0\nstatus_update_interval=1\n\
             service_inter_check_delay_method=n\nhost_inter_check_delay_method=n\n\
             execute_service_checks=1\ncheck_result_reaper_frequency=1\n",
            files[0].display(),
            files[1].display(),
            people.display()
        );
        fs::write(&path, text).unwrap();
        path
    };
    let shipped =
        ["mailsonde.cfg", "example.cfg"].map(|name| Path::new(DEPLOY).join("nagios").join(name));
    let checked = main("shipped.cfg", [&shipped[0], &shipped[1]]);
    well(Command::new("nagios4").arg("--verify-config").arg(checked));
    let mut command = in_namespace("nagios4");
    command.arg(main("nagios.cfg", [&commands, &example]));
    let _nagios = Process::spawn("nagios", command, site.folder());
    let read = || {
        let text = fs::read_to_string(folder.join("status.dat")).unwrap_or_default();
        let blocks = text.split("servicestatus {").skip(1);
        let value = |block: &str, key: &str| {
            let begin = format!("{key}=");
            let line = block.lines().find_map(|line| line.trim().strip_prefix(&begin));
            line.unwrap_or_default().to_owned()
        };
        blocks
            .filter(|block| value(block, "has_been_checked") == "1")
            .map(|block| {
                let told = format!(
                    "{}\t{}",
                    value(block, "plugin_output"),
                    value(block, "performance_data")
                );
                (value(block, "service_description"), (value(block, "current_state"), told))
            })
            .collect()
    };
    expect(
        &[
            ("Mail in Durban", "0", "MAILSONDE OK - made-up is up"),
            ("Mail in Durban", "0", "sites_up=1;;;0;1"),
            ("Mail", "2", "MAILSONDE CRITICAL - mail FAILS from branch"),
            ("Check from everywhere", "2", "port passes at 0 of 1 vantage points"),
            ("Agent in Durban", "0", "branch is connected since "),
            ("Collector", "0", "the collector is healthy"),
            ("Round trip", "3", "MAILSONDE UNKNOWN - "),
        ],
        read,
    );
}

#[test]
fn whatever_goes_wrong_on_the_way_to_an_answer_is_unknown() {
    let site = Site::new();
    for (arguments, words) in [
        (&["plugin", "mail"][..], "MAILSONDE UNKNOWN - the collector is not running"),
        (&["--url", "https://localhost:1", "plugin", "mail"], "MAILSONDE UNKNOWN - "),
        (&["plugin", "service"], "MAILSONDE UNKNOWN - "),
        (&["plugin", "male"], "MAILSONDE UNKNOWN - "),
        (
            &["--token-file", "/none", "plugin", "collector"],
            "MAILSONDE UNKNOWN - cannot read /none",
        ),
    ] {
        let told = site.collector(arguments);
        told.expect(3, words);
        assert_eq!(told.said.lines().count(), 1, "{}", told.said);
    }
}
