//! The channels of the files, none of which may go by a mail relay that is watched: when that one does not work, nobody
//! would hear of it.

use toml::Value;

use crate::config::{Mistake, ReportConfig};
use crate::control::AppliedCheck;
use crate::folder::Folder;
use crate::judge::definition::Definitions;
use crate::judge::draft::Audience;
use crate::judge::incident::Severity;
use crate::judge::routing::{Recipients, Route};
use crate::notifier::{Channels, EMAIL};

/// Reads `channels.d`; `checks` are those that the collector gives to agents, with the hosts that they watch.
///
/// # Errors
/// Every mistake, in the order of files and lines.
pub fn read_channels(folder: &Folder, checks: &[AppliedCheck]) -> Result<Channels, Vec<Mistake>> {
    Channels::read(folder, &|host| watching(checks, host))
}

/// The same; what is right of it, whatever else is wrong.
pub fn right_channels(folder: &Folder, checks: &[AppliedCheck]) -> (Channels, Vec<Mistake>) {
    Channels::read_right(folder, &|host| watching(checks, host))
}

/// What keeps the reports that collector.toml names from being mailed, a sentence each.
pub fn report_trouble(reports: &[ReportConfig], channels: &Channels) -> Vec<String> {
    let troubles = reports.iter().filter_map(|report| {
        let ReportConfig { name, channel, .. } = report;
        let why = match channels.get(channel) {
            None => format!("channels.d has no channel \"{channel}\""),
            Some(named) if !named.is_enabled => format!("the channel \"{channel}\" is not enabled"),
            Some(named) if named.channel.kind() != EMAIL => {
                format!("the channel \"{channel}\" is no e-mail channel: a report goes by mail")
            }
            Some(_) => return None,
        };
        Some(format!("collector.toml: the report \"{name}\" will not be mailed: {why}"))
    });
    troubles.collect()
}

/// The check that watches a host.
fn watching(checks: &[AppliedCheck], host: &str) -> Option<String> {
    checks.iter().find(|check| watches(&check.settings, host)).map(|check| check.name.clone())
}

/// The same definitions; where nobody is told of anything although there are channels, all of them are told of
/// everything that fails.
pub(super) fn routed(definitions: Definitions, channels: &Channels) -> Definitions {
    let enabled = channels.iter().filter(|named| named.is_enabled);
    let names: Vec<String> = enabled.map(|named| named.name.clone()).collect();
    if !definitions.routes.is_empty() || names.is_empty() {
        return definitions;
    }
    let everything = Route {
        name: "everything".to_owned(),
        services: vec!["*".to_owned()],
        on: "*".to_owned(),
        severity: Severity::Notice,
        hours: None,
        to: Recipients { channels: names, on_call: Vec::new() },
        audience: Audience::Technical,
        updates_s: None,
        steps: Vec::new(),
    };
    Definitions { routes: vec![everything], ..definitions }
}

/// Whether a check's settings name a host.
fn watches(settings: &str, host: &str) -> bool {
    let names = |text: &str| {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let rest = rest.split(['/', '?']).next().unwrap_or(rest);
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        let bare = rest.strip_prefix('[').and_then(|rest| rest.split(']').next());
        let name = bare.unwrap_or_else(|| match rest.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') && port.parse::<u16>().is_ok() => name,
            _ => rest,
        });
        name.trim_end_matches('.').eq_ignore_ascii_case(host.trim_end_matches('.'))
    };
    let mut all = vec![settings.parse::<toml::Table>().map(Value::Table)];
    while let Some(value) = all.pop() {
        match value {
            Ok(Value::String(text)) if names(&text) => return true,
            Ok(Value::Table(table)) => all.extend(table.into_iter().map(|(_, value)| Ok(value))),
            Ok(Value::Array(array)) => all.extend(array.into_iter().map(Ok)),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_needs_an_enabled_channel_of_mail() {
        let folder = tempfile::tempdir().unwrap();
        let data = Folder::at(folder.path());
        std::fs::create_dir(data.channels()).unwrap();
        let mail = "[[channel]]\nname = \"mail\"\nkind = \"email\"\nrelay = \"relay.example.org\"\n\
                    from = \"m@example.org\"\nto = [\"ops@example.org\"]\n";
        let command = "[[channel]]\nname = \"run\"\nkind = \"command\"\nrun = [\"/bin/true\"]\n";
        let off = mail.replace("\"mail\"", "\"off\"") + "enabled = false\n";
        std::fs::write(data.channels().join("a.toml"), [mail, command, &off].concat()).unwrap();
        let channels = read_channels(&data, &[]).unwrap();
        let report = |name: &str, channel: &str| ReportConfig {
            name: name.to_owned(),
            channel: channel.to_owned(),
            to: Vec::new(),
            services: Vec::new(),
            day: 4,
            at: jiff::civil::Time::midnight(),
        };
        let reports =
            [report("good", "mail"), report("a", "mial"), report("b", "run"), report("c", "off")];
        insta::assert_snapshot!(report_trouble(&reports, &channels).join("\n"), @r#"
        collector.toml: the report "a" will not be mailed: channels.d has no channel "mial"
        collector.toml: the report "b" will not be mailed: the channel "run" is no e-mail channel: a report goes by mail
        collector.toml: the report "c" will not be mailed: the channel "off" is not enabled
        "#);
    }

    #[test]
    fn a_host_is_found_wherever_settings_name_it() {
        for (settings, expected) in [
            ("submit = { server = \"relay.example.org:587\" }", true),
            ("submit = { server = \"RELAY.example.org.\" }", true),
            ("url = \"https://relay.example.org/owa?x=1\"", true),
            ("hosts = [\"a.example.org\", \"relay.example.org\"]", true),
            ("server = \"[2001:db8::1]:25\"", false),
            ("server = \"other-relay.example.org:587\"", false),
            ("server = \"relay.example.org.evil:587\"", false),
            ("to = \"probe@relay.example.org\"", true),
            ("no TOML", false),
        ] {
            assert_eq!(watches(settings, "relay.example.org"), expected, "{settings}");
        }
        assert!(watches("server = \"[2001:db8::1]:25\"", "2001:db8::1"));
    }
}
