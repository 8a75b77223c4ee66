//! Checks between two agents: from each that sends to each that receives, one check of the sender's. Pure.
//!
//! Invariant: nobody sends to itself here, and nobody to a mailbox that its owner did not announce as receiving. Absent
//! on purpose: whether the sender may write to that address, which its own policy says.

use std::collections::BTreeMap;

use mailsonde_proto::AgentId;
use mailsonde_proto::check::is_name;
use mailsonde_proto::convert::{
    AssignedCheck, MAX_ASSIGNMENT_BYTES, MAX_SETTINGS_BYTES, ReceivingMailbox,
};

use super::{CheckSet, MAX_CHECKS};
use crate::control::{AppliedCheck, Enrolled, Pair};
use crate::selector::Selector;

/// Pairs that are told one by one.
const TOLD: usize = 20;

/// An agent at which mail of others may arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Who it is.
    pub agent: AgentId,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Where mail may arrive.
    pub mailboxes: Vec<ReceivingMailbox>,
}

impl Receiver {
    fn mailbox(&self, name: &str) -> Option<&ReceivingMailbox> {
        self.mailboxes.iter().find(|mailbox| mailbox.name == name)
    }
}

/// What is wrong with the checks between two agents, as the agents are now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PairTrouble {
    /// Nothing can be put in force.
    pub mistakes: Vec<String>,
    /// Some pairs are not measured.
    pub warnings: Vec<String>,
}

/// The checks that `sender` runs for this one: one for each receiver. Those whose name would be too long are left out.
pub(super) fn expanded(
    check: &AppliedCheck,
    (pair, to): (&Pair, &Selector),
    sender: &Enrolled,
    receivers: &[Receiver],
) -> Vec<AssignedCheck> {
    let checks = of_sender((pair, to), sender, receivers).filter_map(|(receiver, mailbox)| {
        let name = name_of(check, &receiver.name);
        let settings = settings(check, &name, (receiver, mailbox), sender);
        is_name(&name).then_some(AssignedCheck { name, settings })
    });
    checks.collect()
}

/// To whom this sender writes, and in which mailbox.
pub(super) fn of_sender<'r>(
    (pair, to): (&'r Pair, &'r Selector),
    sender: &'r Enrolled,
    receivers: &'r [Receiver],
) -> impl Iterator<Item = (&'r Receiver, &'r ReceivingMailbox)> {
    receivers
        .iter()
        .filter(|receiver| receiver.agent != sender.agent)
        .filter(|receiver| to.selects(&receiver.name, &receiver.labels))
        .filter_map(|receiver| Some((receiver, receiver.mailbox(&pair.mailbox)?)))
}

/// As many as one agent may be told of: labels may have changed since they were looked at.
pub(super) fn bounded(checks: Vec<AssignedCheck>) -> Vec<AssignedCheck> {
    let mut bytes = 0;
    let fits = |check: &AssignedCheck| {
        bytes += check.settings.len();
        bytes <= MAX_ASSIGNMENT_BYTES && check.settings.len() <= MAX_SETTINGS_BYTES
    };
    checks.into_iter().take(MAX_CHECKS).take_while(fits).collect()
}

pub(super) fn name_of(check: &AppliedCheck, receiver: &str) -> String {
    format!("{}-{receiver}", check.name)
}

fn settings(
    check: &AppliedCheck,
    name: &str,
    (receiver, mailbox): (&Receiver, &ReceivingMailbox),
    sender: &Enrolled,
) -> String {
    let mut settings: toml::Table = toml::from_str(&check.settings).unwrap_or_default();
    let mut peer = toml::Table::new();
    for (key, value) in [
        ("name", receiver.name.as_str()),
        ("agent", &receiver.agent.to_string()),
        ("at", &mailbox.name),
        ("us", &sender.name),
    ] {
        peer.insert(key.to_owned(), value.into());
    }
    settings.insert("name".to_owned(), name.into());
    settings.insert("via".to_owned(), mailbox.address.as_str().into());
    settings.insert("peer".to_owned(), peer.into());
    toml::to_string(&settings).unwrap_or_default()
}

impl CheckSet {
    /// Looks at every check between two agents, with these agents.
    pub fn pair_trouble(&self, agents: &[Enrolled], receivers: &[Receiver]) -> PairTrouble {
        let mut trouble = PairTrouble::default();
        // How many each agent runs, at most.
        let ordinary = self.0.iter().filter(|chosen| chosen.to.is_none()).count();
        let mut runs: BTreeMap<&str, usize> = BTreeMap::new();
        for chosen in &self.0 {
            let Some(to) = &chosen.to else { continue };
            let selected = |by: &Selector| -> Vec<&Enrolled> {
                agents.iter().filter(|agent| by.selects(&agent.name, &agent.labels)).collect()
            };
            let (senders, targets) = (selected(&chosen.on), selected(to));
            for sender in &senders {
                *runs.entry(&sender.name).or_insert(ordinary) += targets.len();
            }
            of_one(&chosen.check, (&senders, targets), receivers, &mut trouble);
        }
        if let Some((agent, runs)) = runs.into_iter().max_by_key(|(_, runs)| *runs)
            && runs > MAX_CHECKS
        {
            trouble.mistakes.push(format!(
                "{agent} would run {runs} checks, and {MAX_CHECKS} are the most: let from and to select fewer"
            ));
        }
        trouble
    }
}

fn of_one(
    check: &AppliedCheck,
    (senders, targets): (&[&Enrolled], Vec<&Enrolled>),
    receivers: &[Receiver],
    trouble: &mut PairTrouble,
) {
    let place = format!("{}:{}: check \"{}\"", check.file, check.line, check.name);
    let is_alone = |target: &Enrolled| senders.iter().all(|s| s.agent == target.agent);
    if targets.iter().all(|target| is_alone(target)) {
        return trouble.warnings.push(format!(
            "{place}: no agent that from selects has another that to selects: nothing is measured"
        ));
    }
    let mailbox = check.pair.as_ref().map_or("", |pair| pair.mailbox.as_str());
    let mut without = Vec::new();
    for target in targets.into_iter().filter(|target| !is_alone(target)) {
        let name = name_of(check, &target.name);
        if !is_name(&name) {
            trouble.mistakes.push(format!(
                "{place}: its agents would call it {name}, and a name has 64 characters at most: give it a shorter \
                 one"
            ));
        }
        let receiver = receivers.iter().find(|receiver| receiver.agent == target.agent);
        if receiver.is_none_or(|receiver| receiver.mailbox(mailbox).is_none()) {
            without.push(target.name.as_str());
        }
    }
    without.sort_unstable();
    if !without.is_empty() {
        trouble.warnings.push(format!(
            "{place}: nothing can arrive at {}: each needs a [[mailbox]] \"{mailbox}\" with receive = true in its \
             agent.toml",
            listed(&without)
        ));
    }
}

fn listed(names: &[&str]) -> String {
    let told = names.iter().take(TOLD).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(TOLD) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{agent, check};
    use super::*;

    fn receiver(of: &Enrolled, mailbox: &str) -> Receiver {
        let address = format!("probe@{}.test", of.name);
        Receiver {
            agent: of.agent,
            name: of.name.clone(),
            labels: of.labels.clone(),
            mailboxes: vec![ReceivingMailbox { name: mailbox.into(), address }],
        }
    }

    fn pair(name: &str, from: &str, to: &str) -> AppliedCheck {
        let settings = "kind = \"round-trip\"\nmailbox = \"out\"\nname = \"x\"\nevery = \"1m\"\n";
        let pair = Some(Pair { to: to.into(), mailbox: "main".into() });
        AppliedCheck { pair, ..check(name, from, settings) }
    }

    #[test]
    fn each_that_sends_has_a_check_for_each_other_that_receives() {
        let agents = [agent("a", "durban"), agent("bb", "durban"), agent("ccc", "cape")];
        let [a, bb, ccc] = &agents;
        let all = [receiver(a, "main"), receiver(bb, "main"), receiver(ccc, "main")];
        let mixed = [receiver(a, "main"), receiver(bb, "other")];
        let told = |from: &str, to: &str, sender: &Enrolled, receivers: &[Receiver]| {
            let set = CheckSet::new(vec![pair("mail", from, to)]).unwrap();
            let checks = set.assignment(sender, receivers).checks;
            checks.into_iter().map(|check| check.name).collect::<Vec<_>>().join(" ")
        };
        for (from, to, sender, receivers, expected) in [
            ("*", "*", a, &all[..], "mail-bb mail-ccc"),
            ("*", "*", ccc, &all[..], "mail-a mail-bb"),
            ("site=durban", "site=cape", a, &all[..], "mail-ccc"),
            ("site=durban", "site=cape", ccc, &all[..], ""),
            ("*", "name=a", a, &all[..], ""),
            ("*", "*", ccc, &mixed[..], "mail-a"),
            ("*", "*", a, &mixed[..], ""),
            ("*", "*", a, &[][..], ""),
        ] {
            assert_eq!(told(from, to, sender, receivers), expected, "{from} -> {to}");
        }
        let set = CheckSet::new(vec![pair("mail", "site=durban", "site=cape")]).unwrap();
        let checks = set.assignment(a, &all).checks;
        insta::assert_snapshot!(checks[0].settings, @r#"
        every = "1m"
        kind = "round-trip"
        mailbox = "out"
        name = "mail-ccc"
        via = "probe@ccc.test"

        [peer]
        agent = "03030303030303030303030303030303"
        at = "main"
        name = "ccc"
        us = "a"
        "#);
        assert!(set.is_pair(a, ccc) && !set.is_pair(ccc, a) && !set.is_pair(a, bb));
        let everybody = CheckSet::new(vec![pair("mail", "*", "*")]).unwrap();
        assert!(everybody.is_pair(a, ccc) && everybody.is_pair(ccc, a) && !everybody.is_pair(a, a));
        assert_eq!(set.check("mail-ccc").map(|check| check.name.as_str()), Some("mail"));
        assert!(set.check("mails-ccc").is_none());
    }

    #[test]
    fn pairs_that_cannot_be_are_told() {
        let agents = [agent("a", "durban"), agent("bb", "durban"), agent("ccc", "cape")];
        let receivers = [receiver(&agents[0], "main"), receiver(&agents[1], "other")];
        let long = "x".repeat(61);
        let set = CheckSet::new(vec![
            pair("mail", "*", "*"),
            pair("fine", "*", "name=a"),
            pair("alone", "name=a", "name=a"),
            pair(&long, "name=a", "name=bb|ccc"),
        ])
        .unwrap();
        let told = set.pair_trouble(&agents, &receivers);
        assert_eq!(told.mistakes.len(), 1, "{told:?}");
        assert!(told.mistakes[0].contains("xx-ccc, and a name has 64 characters"), "{told:?}");
        assert_eq!(
            told.warnings[..2],
            [
                "mail.toml:1: check \"mail\": nothing can arrive at bb, ccc: each needs a [[mailbox]] \"main\" \
                 with receive = true in its agent.toml"
                    .to_owned(),
                "mail.toml:1: check \"alone\": no agent that from selects has another that to selects: nothing is \
                 measured"
                    .to_owned(),
            ]
        );
        let unknown = set.pair_trouble(&[], &[]);
        let many: Vec<_> = (0..1_001_u32)
            .map(|n| Enrolled { name: format!("b{n}"), ..agent("x", "durban") })
            .collect();
        let all = CheckSet::new(vec![pair("mail", "*", "*")]).unwrap();
        let told = all.pair_trouble(&many, &[]);
        assert!(told.mistakes[0].contains("would run 1001 checks"), "{told:?}");
        let receivers = many.iter().enumerate().map(|(n, agent)| {
            let id = AgentId(u128::try_from(n).unwrap().to_le_bytes());
            Receiver { agent: id, ..receiver(agent, "main") }
        });
        let receivers: Vec<_> = receivers.collect();
        assert_eq!(all.assignment(&agents[2], &receivers).checks.len(), MAX_CHECKS);
        assert_eq!((unknown.mistakes.len(), unknown.warnings.len()), (0, 4));
    }
}
