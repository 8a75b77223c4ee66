//! The `agent.toml` of a new branch: complete but for its mailbox and its check, which stand there as
//! comments to be filled in.

use crate::enrolment::Admission;

const EXAMPLE: &str = r#"
# 1. The mailbox: test mail is sent from it to itself, and looked for in it. Take off the # and fill in.
#[[mailbox]]
#name = "probe"
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
#mailbox = "probe"
#every = "60s"
#timeout = "45s"
"#;

/// The text of the file; paths in it are relative to its own folder.
pub(super) fn of(admission: &Admission) -> String {
    let Admission { name, labels, collector, .. } = admission;
    let labels: Vec<_> =
        labels.iter().map(|(key, value)| format!("{} = {}", quoted(key), quoted(value))).collect();
    let labels = match labels.as_slice() {
        [] => "#labels = { site = \"Durban\" }".to_owned(),
        labels => format!("labels = {{ {} }}", labels.join(", ")),
    };
    format!(
        "# Mailsonde's agent {name}. Fill in 1 and 2 below, then\n\
         #   mailsonde-agent check-config agent.toml\n\
         #   mailsonde-agent run --config agent.toml\n\
         \n\
         # Where results wait while the collector cannot be reached, at most 256 MiB.\n\
         #data = \"/var/lib/mailsonde-agent\"\n\
         \n\
         [collector]\n\
         address = {}\n\
         ca = \"ca.pem\"\n\
         certificate = \"agent.pem\"\n\
         key = \"agent.key\"\n\
         \n\
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

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(labels: &[(&str, &str)]) -> Admission {
        Admission {
            agent_id: "00".repeat(16),
            name: "branch-coast".into(),
            labels: labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            collector: "collector.example.org:7443".into(),
            authority: String::new(),
            certificate: String::new(),
            not_after: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn it_is_toml_with_and_without_the_example() {
        let text = of(&admission(&[("site", "Durban \"north\"\\"), ("a.b", "x = '1'")]));
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
        assert_eq!(table["check"][0]["mailbox"].as_str(), Some("probe"));
    }

    #[test]
    fn head_of_the_file() {
        let text = of(&admission(&[]));
        let head: Vec<_> = text.lines().take(17).collect();
        insta::assert_snapshot!(head.join("\n"), @r#"
        # Mailsonde's agent branch-coast. Fill in 1 and 2 below, then
        #   mailsonde-agent check-config agent.toml
        #   mailsonde-agent run --config agent.toml

        # Where results wait while the collector cannot be reached, at most 256 MiB.
        #data = "/var/lib/mailsonde-agent"

        [collector]
        address = "collector.example.org:7443"
        ca = "ca.pem"
        certificate = "agent.pem"
        key = "agent.key"

        [vantage_point]
        name = "branch-coast"
        #labels = { site = "Durban" }
        "#);
    }
}
