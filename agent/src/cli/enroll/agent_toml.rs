//! The `agent.toml` of a new branch: complete but for its mailbox and its check, which stand there as
//! comments to be filled in.

use std::path::Path;

use mailsonde_proto::convert::Certified;

use crate::config::DEFAULT_DATA;

const EXAMPLE: &str = r#"
# 1. The mailbox: test mail is sent from it to itself, and looked for in it. Take off the # and fill in.
#[[mailbox]]
#name = "main"
#address = "mailsonde@example.org"
#password = { file = "mailbox.password" }    # a file of its own with mode 0600; or { env = "NAME" },
#                                            # or { credential = "NAME" } for one of systemd's
#[mailbox.smtp]
#host = "mail.example.org"
#tls = "starttls"                            # on 587; "implicit" on 465; "none" on 25
#[mailbox.imap]
#host = "mail.example.org"
#tls = "implicit"                            # on 993; "starttls" or "none" on 143

# 2. The check: one round trip a minute.
#[[check]]
#name = "mail"
#kind = "round-trip"
#mailbox = "main"
#every = "60s"
#timeout = "45s"
"#;

/// The text of the file for an agent that was let in by `collector`, a host and a port.
pub(super) fn of(collector: &str, certified: &Certified, data: &Path) -> String {
    let Certified { name, labels, .. } = certified;
    let is_own = data == Path::new(DEFAULT_DATA);
    let folder = quoted(&data.display().to_string());
    let data = if is_own { format!("#data = {folder}") } else { format!("data = {folder}") };
    let labels: Vec<_> =
        labels.iter().map(|(key, value)| format!("{} = {}", bare(key), quoted(value))).collect();
    let labels = match labels.as_slice() {
        [] => "#labels = { site = \"Durban\" }".to_owned(),
        labels => format!("labels = {{ {} }}", labels.join(", ")),
    };
    format!(
        "# Mailsonde's agent {name}. Fill in 1 and 2 below, then\n\
         #   mailsonde-agent check-config FILE\n\
         #   mailsonde-agent run --config FILE\n\
         \n\
         # Where results wait while the collector cannot be reached, at most 256 MiB; and the agent's identity.\n\
         {data}\n\
         \n\
         [collector]\n\
         address = {}\n\
         \n\
         # For whoever reads this. The collector selects by the name and labels that it has; they change there, by\n\
         # `mailsonde-collector agents rename` and `agents label`.\n\
         [vantage_point]\n\
         name = {}\n\
         {labels}\n\
         {EXAMPLE}",
        quoted(collector),
        quoted(name)
    )
}

/// As a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// As a TOML key: without quotes where it can be.
fn bare(key: &str) -> String {
    let is_bare = key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if is_bare { key.to_owned() } else { quoted(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(labels: &[(&str, &str)], data: &str) -> String {
        let certified = Certified {
            agent: Default::default(),
            name: "branch-coast".into(),
            labels: labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            certificate: Vec::new(),
            authorities: Vec::new(),
        };
        of("collector.example.org:7443", &certified, Path::new(data))
    }

    #[test]
    fn it_is_toml_with_and_without_the_example() {
        let labels = [("site", "Durban \"north\"\\"), ("a.b", "x = '1'")];
        let text = text(&labels, DEFAULT_DATA);
        let uncommented: String = text
            .lines()
            .filter(|line| !line.starts_with("# ") && !line.starts_with("#   "))
            .map(|line| format!("{}\n", line.strip_prefix('#').unwrap_or(line)))
            .collect();
        for text in [&text, &uncommented] {
            let table: toml::Table = text.parse().unwrap();
            assert_eq!(table["vantage_point"]["labels"]["a.b"].as_str(), Some("x = '1'"));
            let site = table["vantage_point"]["labels"]["site"].as_str();
            assert_eq!(site, Some("Durban \"north\"\\"));
        }
        let table: toml::Table = uncommented.parse().unwrap();
        assert_eq!(table["mailbox"][0]["imap"]["tls"].as_str(), Some("implicit"));
        assert_eq!(table["check"][0]["mailbox"].as_str(), Some("main"));
    }

    #[test]
    fn head_of_the_file() {
        let text = text(&[], "/srv/agent");
        let head: Vec<_> = text.lines().take(16).collect();
        insta::assert_snapshot!(head.join("\n"), @r#"
        # Mailsonde's agent branch-coast. Fill in 1 and 2 below, then
        #   mailsonde-agent check-config FILE
        #   mailsonde-agent run --config FILE

        # Where results wait while the collector cannot be reached, at most 256 MiB; and the agent's identity.
        data = "/srv/agent"

        [collector]
        address = "collector.example.org:7443"

        # For whoever reads this. The collector selects by the name and labels that it has; they change there, by
        # `mailsonde-collector agents rename` and `agents label`.
        [vantage_point]
        name = "branch-coast"
        #labels = { site = "Durban" }
        "#);
    }
}
