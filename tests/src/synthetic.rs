//! A probe kind that touches nothing: observations with nine phases, as fast as they are wanted, so that
//! the way of an observation can be tested without the way of a mail.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use mailsonde_agent::config::section::Section;
use mailsonde_agent::probe::{Kind, Outcome, Probe, Run, Setting, Surroundings};
use mailsonde_proto::{Fault, FaultClass, Phase, Verdict};

/// The kind `synthetic`.
pub struct Synthetic;

const PHASES: [&str; 9] =
    ["resolve", "connect", "greeting", "tls", "auth", "envelope", "data", "transit", "arrival"];
const DEFAULT_TAKES: Duration = Duration::from_millis(1);

impl Kind for Synthetic {
    fn name(&self) -> &'static str {
        "synthetic"
    }

    fn summary(&self) -> &'static str {
        "waits and makes up an observation, for tests of everything but mail"
    }

    fn settings(&self) -> &'static [Setting] {
        &[Setting {
            name: "takes",
            form: "duration",
            default: Some("1ms"),
            help: "how long a run takes",
        }]
    }

    fn configure(&self, section: &mut Section<'_>, _: &Surroundings) -> Option<Arc<dyn Probe>> {
        let takes = section.duration("takes", DEFAULT_TAKES);
        let probe: Arc<dyn Probe> = Arc::new(MadeUp { takes });
        section.is_clean().then_some(probe)
    }
}

struct MadeUp {
    takes: Duration,
}

impl Probe for MadeUp {
    fn run(&self, run: Run) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            tokio::time::sleep(self.takes).await;
            outcome(run.id.intent)
        })
    }
}

/// Every seventh run fails; durations vary with the run's number.
fn outcome(number: u64) -> Outcome {
    let mut start_us = 0;
    let phases = PHASES.map(|name| {
        let duration_us = i64::try_from(200 + number * 37 % 1_900).unwrap_or(200);
        let phase = Phase { name: name.to_owned(), start_us, duration_us, uncertainty_us: 0 };
        start_us += duration_us;
        phase
    });
    let verdict = match number % 7 {
        0 => Verdict::Fail(Fault::new("data", FaultClass::Temporary, "made up")),
        _ => Verdict::Pass,
    };
    Outcome {
        verdict,
        total_us: u64::try_from(start_us).unwrap_or(0),
        phases: phases.to_vec(),
        facts: Vec::new(),
        findings: Vec::new(),
        transcript: String::new(),
    }
}
