//! What a run of the agent told, as JSON.

use std::collections::BTreeSet;

use serde::Deserialize;

/// What a run told, by `probe --json` or as a line of `demo round-trips`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Told {
    pub(crate) verdict: String,
    pub(crate) fault: Option<Fault>,
    pub(crate) void: Option<Void>,
    pub(crate) total_us: i64,
    pub(crate) phases: Vec<Phase>,
    pub(crate) facts: Vec<Fact>,
    /// A line of `demo round-trips` has none.
    #[serde(default)]
    pub(crate) findings: Vec<Finding>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Void {
    pub(crate) reason: String,
    pub(crate) detail: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) phase: String,
    pub(crate) class: String,
    pub(crate) basic_code: Option<u16>,
    pub(crate) enhanced_code: Option<String>,
    pub(crate) explanation: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Phase {
    pub(crate) name: String,
    pub(crate) us: i64,
    pub(crate) start_us: i64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Fact {
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Finding {
    pub(crate) rule: String,
    pub(crate) severity: String,
    pub(crate) evidence: String,
    pub(crate) source: String,
    pub(crate) advice: String,
}

/// What became known of a run after it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Amendment {
    pub(crate) amends: u64,
    pub(crate) fault: Fault,
    pub(crate) facts: Vec<Fact>,
}

impl Told {
    /// What a command with `--json` told by exit status, output and errors, which must agree.
    #[track_caller]
    pub(crate) fn of((exit, output, errors): (i32, String, String)) -> Self {
        let told: Self = serde_json::from_str(&output)
            .unwrap_or_else(|error| panic!("{error}: exit {exit}: {output}{errors}"));
        let expected = match told.verdict.as_str() {
            "pass" => 0,
            "fail" => 1,
            _ => 3,
        };
        assert_eq!(exit, expected, "{told:#?}\n{errors}");
        for finding in &told.findings {
            let Finding { evidence, source, advice, .. } = finding;
            assert!(![evidence, source, advice].iter().any(|text| text.is_empty()), "{finding:?}");
        }
        told
    }

    /// The rules that do not hold, each once.
    pub(crate) fn rules(&self) -> BTreeSet<&str> {
        self.findings.iter().map(|finding| finding.rule.as_str()).collect()
    }

    /// Those that are at least a warning, with their severity, in order.
    pub(crate) fn severe_rules(&self) -> Vec<String> {
        let severe = self.findings.iter().filter(|finding| finding.severity != "notice");
        let mut rules: Vec<_> =
            severe.map(|finding| format!("{} {}", finding.rule, finding.severity)).collect();
        rules.sort();
        rules
    }

    /// The first finding of a rule.
    #[track_caller]
    pub(crate) fn finding(&self, rule: &str) -> &Finding {
        let finding = self.findings.iter().find(|finding| finding.rule == rule);
        finding.unwrap_or_else(|| panic!("no finding {rule}: {self:#?}"))
    }

    #[track_caller]
    pub(crate) fn evidence(&self, rule: &str) -> &str {
        &self.finding(rule).evidence
    }

    /// The names of its phases, in order.
    pub(crate) fn phases(&self) -> Vec<&str> {
        self.phases.iter().map(|phase| phase.name.as_str()).collect()
    }

    #[track_caller]
    pub(crate) fn fact(&self, name: &str) -> &str {
        fact(&self.facts, name).unwrap_or_else(|| panic!("no fact {name}: {self:#?}"))
    }

    #[track_caller]
    pub(crate) fn phase(&self, name: &str) -> &Phase {
        let phase = self.phases.iter().find(|phase| phase.name == name);
        phase.unwrap_or_else(|| panic!("no phase {name}: {self:#?}"))
    }

    #[track_caller]
    pub(crate) fn assert_pass(&self) {
        assert_eq!(self.verdict, "pass", "{self:#?}");
    }

    /// The run failed in this phase, with this class of fault, and says these words about it.
    #[track_caller]
    pub(crate) fn assert_fault(&self, phase: &str, class: &str, words: &str) -> &Fault {
        let fault = self.fault.as_ref().unwrap_or_else(|| panic!("no fault: {self:#?}"));
        assert_eq!((fault.phase.as_str(), fault.class.as_str()), (phase, class), "{self:#?}");
        assert!(fault.explanation.contains(words), "{words:?} is not in {self:#?}");
        fault
    }
}

impl Amendment {
    pub(crate) fn fact(&self, name: &str) -> Option<&str> {
        fact(&self.facts, name)
    }
}

impl Phase {
    pub(crate) fn end_us(&self) -> i64 {
        self.start_us + self.us
    }
}

fn fact<'f>(facts: &'f [Fact], name: &str) -> Option<&'f str> {
    facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.as_str())
}
