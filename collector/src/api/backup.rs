//! Up to where a backup goes that is made now. The files themselves are read where they stand.

use axum::extract::State;

use super::Shared;
use super::typed::Told;
use crate::backup::Mark;
use crate::query::QueryError;

pub(super) async fn mark(State(shared): State<Shared>) -> Told<Mark> {
    let mark = |operators: &super::Operators| {
        let quarantine = operators.fleet.ledger.quarantine_index();
        let now = operators.clock.wall().timestamp();
        Ok::<_, QueryError>(Mark::of_running(&operators.enrolment.control, quarantine, now))
    };
    shared.work(mark).await
}
