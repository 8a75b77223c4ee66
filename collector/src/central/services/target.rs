//! Objectives and agreements as operators write them: what is measured, the target, the window.

use std::collections::BTreeSet;
use std::time::Duration;

use mailsonde_proto::check::is_name;

use crate::config::section::Section;
use crate::judge::definition::{
    Agreement, Credit, Exclusion, NotAShare, Objective, Share, Sli, Window,
};

/// Objectives of one service, or of the organisation, at most; agreements of one service too.
pub(super) const MAX_TARGETS: usize = 20;
/// Steps of a credits table at most.
const MAX_CREDITS: usize = 20;
/// Days of a rolling window at most.
const MAX_DAYS: u16 = 366;

/// Whose objective it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// A service's: about its runs.
    Service {
        /// It has business hours.
        has_hours: bool,
    },
    /// The organisation's: about incidents.
    Organisation,
}

/// The window where none is said.
const ROLLING: Window = Window::Rolling { days: 30 };

/// Reads an objective; `None` where it has mistakes.
pub(super) fn objective(section: &mut Section<'_>, whose: Whose) -> Option<Objective> {
    let name = section.read("name", name);
    let sli = sli(section, whose);
    let target = target(section);
    let usual = if whose == Whose::Organisation { Window::Month } else { ROLLING };
    let window = window(section);
    let in_hours = in_hours(section, whose);
    let window = if section.has("window") { window? } else { usual };
    let sli = sli?;
    let named = || default_name(sli, (window != usual).then_some(window), in_hours);
    Some(Objective { name: name.unwrap_or_else(named), sli, target: target?, window, in_hours })
}

/// Reads an agreement; `None` where it has mistakes.
pub(super) fn agreement(section: &mut Section<'_>, has_hours: bool) -> Option<Agreement> {
    section.require("name", "it is what figures and reports are asked for by");
    let name = section.read("name", name);
    let customer = section.words("customer", 128);
    let sli = sli(section, Whose::Service { has_hours });
    let target = target(section);
    let window = window(section);
    if let Some(Window::Rolling { .. }) = window {
        let words = "an agreement has a calendar window: \"month\", \"quarter\" or \"year\"";
        section.wrong("window", words);
    }
    let in_hours = in_hours(section, Whose::Service { has_hours });
    let excludes = excludes(section);
    let credits = credits(section, target);
    Some(Agreement {
        name: name?,
        customer,
        sli: sli?,
        target: target?,
        window: window.unwrap_or(Window::Month),
        in_hours,
        excludes,
        credits,
    })
}

/// A name of its own.
pub(super) fn name(text: &str) -> Result<String, String> {
    if is_name(text) {
        return Ok(text.to_owned());
    }
    Err(format!("must be 1 to 64 letters, digits, dots, dashes or underscores, not \"{text}\""))
}

fn sli(section: &mut Section<'_>, whose: Whose) -> Option<Sli> {
    let of_runs = "\"uptime\", \"delivery\", \"success\" or \"latency\"";
    let of_incidents = "\"resolution\" or \"security\"";
    let known = if whose == Whose::Organisation { of_incidents } else { of_runs };
    section.require("sli", &format!("say what is measured: {known}"));
    let is_of_incidents = whose == Whose::Organisation;
    let word = section.read("sli", |text| {
        let is_here = match text {
            "uptime" | "delivery" | "success" | "latency" => !is_of_incidents,
            "resolution" | "security" => is_of_incidents,
            _ => return Err(format!("must be {known}, not \"{text}\"")),
        };
        let elsewhere = if is_of_incidents {
            format!(
                "\"{text}\" is measured of a service: write it below one, as [[service.objective]]"
            )
        } else {
            format!("\"{text}\" is measured of the organisation: write it as [[objective]]")
        };
        if is_here { Ok(text.to_owned()) } else { Err(elsewhere) }
    });
    let within = within(section);
    let takes_time = matches!(word.as_deref(), Some("latency" | "resolution"));
    let word = word?;
    if takes_time {
        section.require("within", "say how long it may take, such as within = \"5s\"");
    } else if section.has("within") {
        section.wrong("within", format!("within has no meaning for {word}"));
    }
    Some(match word.as_str() {
        "uptime" => Sli::Uptime,
        "delivery" => Sli::Delivery,
        "success" => Sli::Success,
        "security" => Sli::Security,
        "latency" => Sli::Latency { within_us: u64::try_from(within?.as_micros()).ok()? },
        _ => Sli::Resolution { within_s: within?.as_secs().max(1) },
    })
}

fn within(section: &mut Section<'_>) -> Option<Duration> {
    section.read("within", |text| {
        let form = "must be a number and a unit, such as \"5s\" or \"24h\"";
        let duration = humantime::parse_duration(text).map_err(|_no_duration| form)?;
        let allowed = Duration::from_millis(1)..=Duration::from_secs(366 * 86_400);
        if allowed.contains(&duration) {
            Ok(duration)
        } else {
            Err("must be from \"1ms\" to \"366d\"")
        }
    })
}

fn target(section: &mut Section<'_>) -> Option<Share> {
    section.require("target", "such as target = \"99.9%\"");
    section.read("target", |text| {
        let share: Share = text.parse().map_err(|error: NotAShare| error.to_string())?;
        if share == Share::from_ppm(0) || share > Share::ALL {
            return Err("must be more than 0% and 100% at most".to_owned());
        }
        Ok(share)
    })
}

fn window(section: &mut Section<'_>) -> Option<Window> {
    section.read("window", |text| {
        let form =
            "must be \"7d\", \"28d\", \"30d\" or \"90d\", or \"month\", \"quarter\" or \"year\"";
        match text {
            "month" => return Ok(Window::Month),
            "quarter" => return Ok(Window::Quarter),
            "year" => return Ok(Window::Year),
            _ => {}
        }
        let days = text.strip_suffix('d').and_then(|days| days.parse().ok()).ok_or(form)?;
        if (1..=MAX_DAYS).contains(&days) { Ok(Window::Rolling { days }) } else { Err(form) }
    })
}

fn in_hours(section: &mut Section<'_>, whose: Whose) -> bool {
    let in_hours = section.flag("hours_only");
    match whose {
        Whose::Organisation if in_hours => {
            section.wrong("hours_only", "hours are a service's: incidents are counted always");
        }
        Whose::Service { has_hours: false } if in_hours => {
            section.wrong("hours_only", "the service has no hours: say them, or leave this out");
        }
        _ => {}
    }
    in_hours
}

fn excludes(section: &mut Section<'_>) -> BTreeSet<Exclusion> {
    let said = section.list("excludes", 2, |text| match text {
        "maintenance" => Ok(Exclusion::Maintenance),
        "customer" => Ok(Exclusion::CustomerFault),
        _ => Err(format!("may have \"maintenance\" and \"customer\", not \"{text}\"")),
    });
    if section.has("excludes") {
        return said.into_iter().map(|(_, exclusion)| exclusion).collect();
    }
    [Exclusion::Maintenance, Exclusion::CustomerFault].into()
}

/// The highest bound first.
fn credits(section: &mut Section<'_>, target: Option<Share>) -> Vec<Credit> {
    let mut credits: Vec<Credit> = Vec::new();
    let label = format!("{}credits: ", section.label());
    for mut step in section.tables("credits", MAX_CREDITS, &label) {
        for key in ["below", "credit"] {
            step.require(key, "such as { below = \"99.5%\", credit = \"10%\" }");
        }
        let below = step.read("below", str::parse::<Share>);
        let credit = step.read("credit", str::parse::<Share>);
        if let Some((below, target)) = below.zip(target)
            && below > target
        {
            let words = format!("below must not be more than the target, {target}");
            step.wrong("below", words);
        }
        if credit.is_some_and(|credit| credit > Share::ALL) {
            step.wrong("credit", "credit must be 100% at most");
        }
        let again = below.is_some_and(|below| credits.iter().any(|other| other.below == below));
        if again {
            step.wrong("below", "below is there twice");
        }
        credits.extend(below.zip(credit).map(|(below, credit)| Credit { below, credit }));
        section.take_over(step);
    }
    credits.sort_by_key(|step| std::cmp::Reverse(step.below));
    let falls =
        credits.iter().zip(credits.iter().skip(1)).find(|(one, worse)| worse.credit <= one.credit);
    if let Some((one, worse)) = falls {
        let words = format!(
            "credits must grow the less is reached: {} is owed below {}, and {} below {}",
            one.credit, one.below, worse.credit, worse.below
        );
        section.wrong("credits", words);
    }
    credits
}

/// `uptime`, `latency-5s`, `delivery-month-in-hours`: what an objective is called that has no name.
fn default_name(sli: Sli, window: Option<Window>, in_hours: bool) -> String {
    let mut name = match sli {
        Sli::Uptime | Sli::Delivery | Sli::Success | Sli::Security => sli_word(sli).to_owned(),
        Sli::Latency { within_us } => format!("latency-{}", span(within_us)),
        Sli::Resolution { within_s } => {
            format!("resolved-{}", span(within_s.saturating_mul(1_000_000)))
        }
    };
    if let Some(window) = window {
        name.push_str(&format!("-{}", window_word(window)));
    }
    if in_hours {
        name.push_str("-in-hours");
    }
    name
}

/// An indicator's word.
pub(super) const fn sli_word(sli: Sli) -> &'static str {
    match sli {
        Sli::Uptime => "uptime",
        Sli::Delivery => "delivery",
        Sli::Success => "success",
        Sli::Latency { .. } => "latency",
        Sli::Resolution { .. } => "resolution",
        Sli::Security => "security",
    }
}

/// What an indicator allows, where it is about time.
pub(super) fn sli_within(sli: Sli) -> Option<String> {
    match sli {
        Sli::Latency { within_us } => Some(span(within_us)),
        Sli::Resolution { within_s } => Some(span(within_s.saturating_mul(1_000_000))),
        Sli::Uptime | Sli::Delivery | Sli::Success | Sli::Security => None,
    }
}

/// A window as it is written.
pub(super) fn window_word(window: Window) -> String {
    match window {
        Window::Rolling { days } => format!("{days}d"),
        Window::Month => "month".to_owned(),
        Window::Quarter => "quarter".to_owned(),
        Window::Year => "year".to_owned(),
    }
}

/// In the largest unit that has a whole number of it, hours at most.
fn span(us: u64) -> String {
    let units = [(3_600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s"), (1_000, "ms")];
    let whole = units.into_iter().find(|(unit, _)| us.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{us}us"), |(unit, word)| format!("{}{word}", us / unit))
}
