//! How it is counted: what readers must know to believe a figure, or to dispute it.

use super::document::Block;
use super::words::{moment, zone};
use crate::judge::sketch::RELATIVE_ERROR_PER_MILLE;
use crate::query::ReportAnswer;

/// The last part.
pub(super) fn blocks(report: &ReportAnswer) -> Vec<Block> {
    let zone = zone(report);
    let paragraphs = [
        "Agents at the sites send real test mail, time it, and try servers and DNS, at the pace that each check says. \
         Every slot of a check ends in exactly one result: passed, failed, or unknown. Only scheduled runs count; runs \
         that were made to confirm a failure are evidence for incidents and count in no figure."
            .to_owned(),
        "Unknown is never counted as up, and never as down. A slot is unknown where the agent's own network or clock was \
         at fault, where it was interrupted, or where nothing was heard of it. A figure is therefore an interval: its lower \
         bound takes all that is unknown as bad, its upper bound takes it as good. An agreement is met when the lower bound \
         reaches what was promised, missed when the upper bound does not, and else not proven."
            .to_owned(),
        "Uptime counts a service's minutes: a minute is down when as many sites failed as the service's definition says, \
         and unknown when it depends on sites that told nothing. Delivery counts round trips, success counts all runs, \
         latency counts round trips that arrived in time. Maintenance and what was the customer's own fault are left out \
         only of agreements that say so, minute by minute, and stand under 'What was left out'; the figures of services \
         and sites above leave nothing out."
            .to_owned(),
        format!(
            "Counts are exact. Times that half or 95 of 100 runs did not exceed come from sketches that are within {} % of \
             the true value, whichever span they are summed over; they are no averages. Runs of sites are those of whole UTC \
             hours that begin in the month.",
            RELATIVE_ERROR_PER_MILLE / 10
        ),
        "An incident begins with the first slot that failed; the time to detect runs from there until it was opened, the \
         time to resolve until it was mended. Its minutes are measured once, some minutes after it is over. Times are \
         medians, because one long incident would hide all others in a mean."
            .to_owned(),
        "The outlook on capacity is a trend over days with its range at 95 %: a date is told only where a rise is surer \
         than chance. Deliverability posture is the last look at each domain in the month."
            .to_owned(),
        format!(
            "The month runs from {} to {} in {}. Figures are as of {}{}.",
            moment(report.from, &zone),
            moment(report.until, &zone),
            report.time_zone,
            moment(report.made_at, &zone),
            match report.is_kept {
                true => "; they are kept since, and this report says the same whenever it is asked for",
                false => ", and preliminary: what comes late may still change them",
            }
        ),
    ];
    let mut blocks = vec![Block::heading(1, "How it is counted")];
    blocks.extend(paragraphs.into_iter().map(Block::Text));
    blocks
}
