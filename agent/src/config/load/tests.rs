use std::fmt::Write;

use super::*;
use crate::config::samples::{HEAD, REST, folder, kinds};

/// What is told about a file, without its folder.
fn told(folder: &tempfile::TempDir, text: &str) -> String {
    let file = folder.path().join("agent.toml");
    let (mistakes, warnings) = match AgentConfig::parse(&file, text, &kinds()) {
        Ok(loaded) => (String::new(), loaded.warnings),
        Err(not_loaded) => (not_loaded.mistakes.to_string(), not_loaded.warnings),
    };
    let mut told = mistakes;
    for warning in warnings {
        write!(told, "\nwarning: {warning}").unwrap();
    }
    told.trim_start().replace(&format!("{}/", folder.path().display()), "")
}

fn loaded(folder: &tempfile::TempDir, text: &str) -> AgentConfig {
    AgentConfig::parse(&folder.path().join("agent.toml"), text, &kinds()).unwrap().config
}

#[test]
fn a_short_file_has_sane_defaults() {
    let folder = folder();
    let text = format!("{HEAD}{REST}");
    assert_eq!(told(&folder, &text), "");
    let config = loaded(&folder, &text);
    assert_eq!(config.collector.address.to_string(), "collector.example.org:7443");
    assert_eq!(config.collector.server_name, "collector.example.org");
    assert_eq!(config.collector.ca, folder.path().join("ca.pem"));
    assert_eq!(config.data, Path::new(DEFAULT_DATA));
    assert_eq!(config.limits.outbox_bytes, 256 << 20);
    let mailbox = &config.mailboxes["main"].settings;
    let imap = mailbox.imap().unwrap();
    assert_eq!((mailbox.smtp.port, imap.port), (587, 993));
    let login = imap.login.as_ref().unwrap();
    assert_eq!(
        (login.user.as_str(), login.password().unwrap().expose()),
        ("probe@good.test", "hunter2")
    );
    let check = &config.checks[0].check;
    assert_eq!((check.cadence.as_secs(), check.timeout.as_secs()), (60, 60));
    assert!(check.slot_offset < check.cadence);
    let surroundings = config.surroundings(Net::new(), Clock::system());
    assert!(config.checks[0].probe(&kinds(), &surroundings).is_ok());
}

#[test]
fn five_mistakes_are_five_lines() {
    let text = format!("{HEAD}{REST}")
        .replace("name = \"branch-north\"", "name = \"branch north\"")
        .replace("[mailbox.smtp]\n", "[mailbox.smtp]\ntls = \"ssl\"\n")
        .replace("[mailbox.imap]\nhost", "[mailbox.imap]\nhots")
        .replace("kind = \"round-trip\"", "kind = \"round-trip\"\nevery = 60\nlate = \"5\"");
    insta::assert_snapshot!(told(&folder(), &text), @r#"
    agent.toml:9:8: vantage_point.name must be 1 to 64 letters, digits, dots, dashes or underscores, not "branch north"
    agent.toml:17:7: mailbox "main": smtp.tls must be one of "starttls", "implicit", "none", "opportunistic", not "ssl"
    agent.toml:20:1: mailbox "main": imap.hots is not known here, did you mean "host"?
    agent.toml:25:9: check "mail": every needs a unit: write "60s" for seconds, "60m" for minutes
    agent.toml:26:8: check "mail": late needs a unit: write "5s" for seconds, "5m" for minutes
    "#);
}

#[test]
fn a_single_run_needs_no_collector_and_no_name() {
    let folder = folder();
    let file = folder.path().join("agent.toml");
    let text = format!("{HEAD}{REST}");
    let (_, rest) = text.split_once("[[mailbox]]").unwrap();
    std::fs::write(&file, format!("[[mailbox]]{rest}")).unwrap();
    let loaded = AgentConfig::load_alone(&file, &kinds(), None).unwrap();
    assert_eq!(loaded.config.checks.len(), 1);
    let not = AgentConfig::load(&file, &kinds()).unwrap_err().to_string();
    assert!(not.contains("[collector] is missing"), "{not}");
}

#[test]
fn an_empty_file_says_what_is_missing() {
    insta::assert_snapshot!(told(&folder(), ""), @r"
    agent.toml: [collector] is missing
    agent.toml: [vantage_point] is missing
    warning: agent.toml: there is no [[check]]: this agent has only what its collector gives it
    ");
}

#[test]
fn mistakes_of_names_and_kinds() {
    let check = "[[check]]\nname = \"mail\"\nkind = \"roundtrip\"\nwhatever = 1\n";
    let mailbox = "[[mailbox]]\naddress = \"x\"\n";
    let text = format!("{HEAD}{REST}{check}{mailbox}colour = 1\n[[chekc]]\n");
    insta::assert_snapshot!(told(&folder(), &text), @r#"
    agent.toml:25:8: check "mail": there is another check of this name: give each its own
    agent.toml:26:8: check "mail": kind "roundtrip" is not known, did you mean "round-trip"?
    agent.toml:28:1: mailbox: [imap] is missing
    agent.toml:28:1: mailbox: [smtp] is missing
    agent.toml:28:1: mailbox: name is missing
    agent.toml:29:11: mailbox: address must be a mail address such as "probe@example.org", not "x": something must stand before its one @, and a domain behind it
    agent.toml:30:1: mailbox: colour is not known here: use "address", "clean_sent", "imap", "login", "name", "oauth2", "password", "pop3", "provider", "receive", "smtp", "watch"
    agent.toml:31:3: chekc is not known here, did you mean "check"?
    "#);
}

#[test]
fn what_is_no_toml_is_told_beside_the_rest() {
    let text = format!("{HEAD}{REST}every = \ntimeout = 5\n");
    insta::assert_snapshot!(told(&folder(), &text), @r#"
    agent.toml:24:9: string values must be quoted, expected literal string
    agent.toml:25:11: check "mail": timeout needs a unit: write "5s" for seconds, "5m" for minutes
    "#);
}

#[test]
fn passwords_come_from_where_they_should() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let with = |password: &str| {
        told(&folder, &format!("{HEAD}{REST}").replace("{ file = \"password\" }", password))
    };
    let secret = with("\"hunter2\"");
    let told: Vec<_> = [
        with("{ file = \"nowhere\" }"),
        with("{ env = \"MAILSONDE_NO_SUCH_VARIABLE\" }"),
        with("{ credential = \"mail\" }"),
        with("{ file = \"password\", env = \"X\" }"),
        with("{ fiel = \"password\" }"),
        with("7"),
        secret.clone(),
    ]
    .into();
    assert!(!secret.contains("hunter2"));
    insta::assert_snapshot!(told.join("\n--\n"), @r#"
    agent.toml:15:21: mailbox "main": cannot read the password in nowhere: No such file or directory (os error 2)
    --
    agent.toml:15:20: mailbox "main": the environment has no MAILSONDE_NO_SUCH_VARIABLE: set it for the agent
    --
    agent.toml:15:27: mailbox "main": there are no credentials here: start the agent by systemd with LoadCredential=mail:…
    --
    agent.toml:15:12: mailbox "main": password must be one of { file = "…" }, { env = "…" } or { credential = "…" }
    --
    agent.toml:15:12: mailbox "main": password must be one of { file = "…" }, { env = "…" } or { credential = "…" }
    agent.toml:15:14: mailbox "main": password.fiel is not known here, did you mean "file"?
    --
    agent.toml:15:12: mailbox "main": password must be a text in quotes, not a number
    --
    warning: agent.toml:15:12: mailbox "main": the password stands in this file: put it into one of its own with mode 0600 and write password = { file = "…" }
    "#);
    let path = folder.path().join("password");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    insta::assert_snapshot!(with("{ file = \"password\" }"), @r#"warning: agent.toml:15:21: mailbox "main": others can read password: chmod 600 password"#);
}

#[test]
fn nothing_shows_the_password() {
    let folder = folder();
    let config = loaded(&folder, &format!("{HEAD}{REST}"));
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(!config.mailboxes["main"].canonical.contains("hunter2"));
}

#[test]
fn the_digest_follows_the_settings_and_not_the_password() {
    let folder = folder();
    let text = format!("{HEAD}{REST}");
    let digest = |text: &str| loaded(&folder, text).checks[0].check.settings_digest;
    let of_text = digest(&text);
    assert_eq!(digest(&format!("{text}late = \"5s\"")), of_text, "a default written out");
    assert_ne!(digest(&format!("{text}late = \"6s\"")), of_text);
    let other_port = text.replace("[mailbox.imap]\n", "[mailbox.imap]\nport = 1993\n");
    assert_ne!(digest(&other_port), of_text);
    std::fs::write(folder.path().join("password"), "other").unwrap();
    assert_eq!(digest(&text), of_text);
}

#[test]
fn checks_that_send_more_than_the_provider_accepts_are_a_warning() {
    let folder = folder();
    let text = |checks: &[&str]| {
        let mailbox = "[[mailbox]]\nname = \"main\"\nprovider = \"microsoft365\"\n\
            address = \"probe@good.test\"\npassword = { file = \"password\" }\n";
        let checks = checks.iter().enumerate().map(|(number, every)| {
            format!(
                "[[check]]\nname = \"c{number}\"\nkind = \"round-trip\"\nmailbox = \"main\"\n\
                 every = \"{every}\"\ntimeout = \"1s\"\n"
            )
        });
        format!("{HEAD}{mailbox}{}", checks.collect::<String>())
    };
    assert_eq!(told(&folder, &text(&["4s", "4s"])), "");
    assert_eq!(
        told(&folder, &text(&["4s", "3s"])),
        "warning: agent.toml:11:1: mailbox \"main\": its checks send 35 messages in 1m, and its provider \
         accepts 30: the others will be void; let them run less often"
    );
}

#[test]
fn slots_of_many_vantage_points_spread_over_the_cadence() {
    let cadence = Duration::from_secs(60);
    let mut tenths = [0; 10];
    for number in 0..1_000 {
        let offset = check::slot_offset(&format!("branch-{number}"), "mail", cadence);
        tenths[usize::try_from(offset.as_secs() / 6).unwrap()] += 1;
    }
    assert!(tenths.iter().all(|slots| (60..=140).contains(slots)), "{tenths:?}");
}

/// A key that no table has makes each tell the keys that it has. Those of a check are in the pages of its kind.
#[test]
fn the_example_says_every_key() {
    let example = include_str!("../../../../deploy/examples/agent.toml");
    let mut text = "nowhere = 1\n".to_owned();
    for line in example.lines() {
        let header = line.trim_start_matches(['#', ' ']);
        if header.starts_with('[') && !header.starts_with("[[check") {
            text.push_str(&format!("{header}\nnowhere = 1\n"));
        } else {
            text.push_str(&format!("{line}\n"));
        }
    }
    let told = told(&folder(), &text);
    let known = told.lines().filter_map(|line| line.split_once("nowhere is not known here: use "));
    let keys: Vec<_> = known.flat_map(|(_, keys)| keys.split(", ")).collect();
    assert!(keys.len() > 40, "{told}");
    let is_said = |key: &&str| {
        let key = key.trim_matches('"');
        let own = |line: &str| {
            let line = line.trim_start_matches(['#', ' ', '[']);
            line.strip_prefix(key).is_some_and(|rest| rest.starts_with([' ', ']', ',']))
        };
        example.lines().any(own) || example.contains(&format!(".{key}]"))
    };
    let missing: Vec<_> = keys.into_iter().filter(|key| !is_said(key)).collect();
    assert!(missing.is_empty(), "deploy/examples/agent.toml says nothing of {missing:?}");
}

#[test]
fn every_example_loads() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(&examples).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_ours = name.contains("agent") || name.contains("acceptance");
        if !(is_ours && name.ends_with(".toml")) {
            continue;
        }
        seen += 1;
        // The files that an example names are made beside a copy of it.
        let folder = folder();
        let key = include_str!("../../mail/oauth/tests/service_account.json");
        for (file, text) in [("client-secret", "s3cret\n"), ("service-account.json", key)] {
            use std::os::unix::fs::PermissionsExt;
            let path = folder.path().join(file);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap().replace("/etc/mailsonde-agent/", "");
        let file = folder.path().join("agent.toml");
        let loaded = AgentConfig::parse(&file, &text, &Kinds::standard());
        let loaded = loaded.unwrap_or_else(|not| panic!("{name}: {}", not.mistakes));
        assert!(loaded.warnings.is_empty(), "{name}: {:?}", loaded.warnings);
        assert!(!loaded.config.checks.is_empty(), "{name}");
    }
    assert!(seen > 6, "there are examples, one for each provider and an acceptance run among them");
}

proptest::proptest! {
    #[test]
    fn no_file_makes_it_panic(cut in 0..HEAD.len() + REST.len(), junk in "[\\PC\n]{0,20}") {
        let text = format!("{HEAD}{REST}");
        let (before, after) = text.split_at(cut);
        told(&folder(), &format!("{before}{junk}{after}"));
    }
}
