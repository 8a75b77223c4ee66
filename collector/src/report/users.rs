//! What users say, and what they asked the service desk, month by month.

use super::document::{Block, Table, cell};
use super::summary::SATISFACTION;
use super::words::{count, seconds, share};
use crate::query::ReportAnswer;

/// Twelve months of it.
pub(super) fn blocks(report: &ReportAnswer) -> Vec<Block> {
    let heads = [
        "month",
        "#answers",
        "#satisfied",
        "#tickets",
        "#resolved",
        "#in 24 h",
        "#in 48 h",
        "#median",
    ];
    let mut table = Table::new(&heads);
    let months = report.feedback_months();
    for month in months.iter().filter(|month| !month.is_empty()) {
        let (satisfaction, tickets) = (&month.satisfaction, &month.tickets);
        table.row([
            cell(month.month.to_string()),
            cell(count(satisfaction.answers)),
            cell(share(satisfaction.satisfied, satisfaction.answers)),
            cell(count(tickets.opened)),
            cell(count(tickets.resolved)),
            cell(share(tickets.within_24h, tickets.opened)),
            cell(share(tickets.within_48h, tickets.opened)),
            cell(seconds(tickets.median_s)),
        ]);
    }
    if table.rows.is_empty() {
        return vec![Block::text("Nobody answered, and nobody asked, in these twelve months.")];
    }
    let [least, aim] = SATISFACTION;
    let note = format!(
        "Satisfied is who answered 4 or 5 of 5; at least {least} % are to be, the aim is {aim} %. Tickets count in the \
         month in which they were opened; those that are not resolved count as not resolved in time."
    );
    vec![Block::Table(table), Block::note(note)]
}
