//! Which agents a check is for: `on`; or `from`, `to` and `to_mailbox`, for mail from some agents to others.

use mailsonde_proto::check::is_name;
use toml::de::DeTable;

use super::super::folder::File;
use super::Reading;
use crate::control::Pair;
use crate::selector::Selector;

/// The kind of a check between two agents.
const KIND: &str = "round-trip";
/// What the collector writes for each pair.
const OF_PAIRS: [&str; 2] = ["via", "peer"];

/// Which agents a check is for.
pub(super) struct Whom {
    pub(super) on: String,
    pub(super) pair: Option<Pair>,
}

impl Whom {
    /// The keys that say it, which are no settings of the check's.
    pub(super) fn keys(&self) -> &'static [&'static str] {
        if self.pair.is_some() { &["from", "to", "to_mailbox"] } else { &["on"] }
    }

    /// What is wrong with it, by key.
    pub(super) fn mistakes(&self, values: &toml::Table) -> Vec<(&'static str, String)> {
        let mut mistakes = Vec::new();
        let mut selects = |key: &'static str, text: &str| {
            if let Err(error) = text.parse::<Selector>() {
                mistakes.push((key, format!("{key} {error}")));
            }
        };
        let Some(pair) = &self.pair else {
            selects("on", &self.on);
            for key in ["from", "to_mailbox"].into_iter().filter(|key| values.contains_key(*key)) {
                let words = "say either on, or from, to and to_mailbox";
                mistakes.push((key, words.to_owned()));
            }
            return mistakes;
        };
        selects("from", &self.on);
        selects("to", &pair.to);
        if !is_name(&pair.mailbox) {
            let words = "to_mailbox must be the name of a mailbox in the receivers' agent.toml";
            mistakes.push(("to_mailbox", words.to_owned()));
        }
        if values.get("kind").and_then(toml::Value::as_str).is_some_and(|kind| kind != KIND) {
            let words =
                format!("only a {KIND} goes from one agent to another: say on instead of from");
            mistakes.push(("kind", words));
        }
        for key in OF_PAIRS.into_iter().filter(|key| values.contains_key(*key)) {
            mistakes
                .push((key, format!("{key} has no place here: to_mailbox says where it arrives")));
        }
        mistakes
    }
}

impl Reading {
    pub(super) fn whom(
        &mut self,
        file: &File<'_>,
        (head, table): (usize, &DeTable<'_>),
    ) -> Option<Whom> {
        let is_pair = ["from", "to_mailbox"].iter().any(|key| table.get(*key).is_some());
        if !is_pair || table.get("on").is_some() {
            let on = self.text(file, (head, table), "on")?;
            return Some(Whom { on, pair: None });
        }
        let on = self.text(file, (head, table), "from");
        let to = self.text(file, (head, table), "to");
        let mailbox = self.text(file, (head, table), "to_mailbox");
        Some(Whom { on: on?, pair: Some(Pair { to: to?, mailbox: mailbox? }) })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::read_folder;
    use crate::config::ConfigError;

    #[test]
    fn checks_between_agents_say_from_where_to_where() {
        let folder = tempfile::tempdir().unwrap();
        let head = "[[check]]\nkind = \"round-trip\"\nmailbox = \"out\"\n";
        let fine = format!(
            "{head}name = \"a\"\nfrom = \"site=durban\"\nto = \"site=cape\"\nto_mailbox = \"main\"\n\
             {head}name = \"b\"\non = \"*\"\nto = \"alias@a.test\"\n"
        );
        fs::write(folder.path().join("a.toml"), fine).unwrap();
        let checks = read_folder(folder.path()).unwrap();
        let pair = checks[0].pair.as_ref().unwrap();
        assert_eq!(
            (checks[0].on.as_str(), pair.to.as_str(), pair.mailbox.as_str()),
            ("site=durban", "site=cape", "main")
        );
        assert_eq!(checks[0].settings, "kind = \"round-trip\"\nmailbox = \"out\"\nname = \"a\"\n");
        assert_eq!(checks[1].pair, None);
        assert!(checks[1].settings.contains("to = \"alias@a.test\""));
        let wrong = format!(
            "{head}name = \"c\"\nfrom = \"*\"\n\
             {head}name = \"d\"\nfrom = \"*\"\nto = \"\"\nto_mailbox = \"m a\"\nvia = \"a@b.test\"\n\
             {head}name = \"e\"\non = \"*\"\nfrom = \"*\"\n\
             [[check]]\nname = \"f\"\nkind = \"tcp\"\nfrom = \"*\"\nto = \"*\"\nto_mailbox = \"m\"\n"
        );
        fs::write(folder.path().join("a.toml"), wrong).unwrap();
        let told = ConfigError::Mistakes(read_folder(folder.path()).unwrap_err()).to_string();
        insta::assert_snapshot!(told, @r#"
        a.toml:1:1: to is missing: mail goes from some agents to others
        a.toml:1:1: to_mailbox is missing: say in which mailbox of the receivers it arrives
        a.toml:11:6: check "d": to is empty: write "*" for every agent, or such as "site=durban, network!=lte"
        a.toml:12:14: check "d": to_mailbox must be the name of a mailbox in the receivers' agent.toml
        a.toml:13:7: check "d": via has no place here: to_mailbox says where it arrives
        a.toml:19:8: check "e": say either on, or from, to and to_mailbox
        a.toml:22:8: check "f": only a round-trip goes from one agent to another: say on instead of from
        "#);
    }
}
