//! DNS checks beside many round trips of one agent: they shift no measured phase.

use std::collections::BTreeMap;

use crate::agent::{Config, RoundTrips, alone, lab, somebody};

/// 100 a minute.
const EVERY_MS: &str = "600";
const AT_ONCE: usize = 50;
/// With and without in turn, so that whatever else the machine does meets both.
const ROUNDS: usize = 4;
const MOST_SHIFT_US: i64 = 10_000;

type Phases = BTreeMap<String, Vec<i64>>;

fn collect(round_trips: &RoundTrips, phases: &mut Phases) {
    for told in &round_trips.told {
        told.assert_pass();
        for phase in &told.phases {
            phases.entry(phase.name.clone()).or_default().push(phase.us);
        }
    }
}

fn medians(phases: Phases) -> BTreeMap<String, i64> {
    let median = |mut figures: Vec<i64>| {
        figures.sort_unstable();
        figures[figures.len() / 2]
    };
    phases.into_iter().map(|(name, figures)| (name, median(figures))).collect()
}

#[test]
#[ignore = "measures milliseconds under load: for a machine with nothing else to do"]
fn a_hundred_dns_checks_a_minute_shift_no_phase_of_fifty_round_trips_at_once() {
    let _alone = alone();
    let checks: Vec<_> = (0..AT_ONCE).map(|n| (format!("mail-{n}"), somebody().1)).collect();
    let config = Config::of(&checks).with(&format!(
        "\n[[check]]\nname = \"posture\"\nkind = \"dns\"\ndomain = \"good.test\"\ntimeout = \"20s\"\n\
         own_networks = [\"198.18.0.0/15\"]\nselectors = [\"s2048\"]\ntrust_anchor = \"{}\"\n",
        lab().trust_anchor().display()
    ));
    let (mut without, mut with, mut beside) = (Phases::new(), Phases::new(), 0);
    for _ in 0..ROUNDS {
        // An hour apart is never beside.
        for (every, phases) in [("3600000", &mut without), (EVERY_MS, &mut with)] {
            let ran = config.round_trips(&[
                "--count",
                "150",
                "--at-once",
                &AT_ONCE.to_string(),
                "--beside-every-ms",
                every,
            ]);
            collect(&ran, phases);
            if every == EVERY_MS {
                beside += ran.ended().beside;
            }
        }
    }
    assert!(beside > 0, "no DNS check passed beside");
    let (without, with) = (medians(without), medians(with));
    println!(
        "{beside} DNS checks beside; median of each phase in us, without {without:?}, with {with:?}"
    );
    for (phase, figure) in &with {
        let shift = figure - without.get(phase).copied().unwrap_or_default();
        assert!(shift.abs() <= MOST_SHIFT_US, "{phase} is shifted by {shift} us");
    }
}
