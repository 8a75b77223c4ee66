//! What a stream tells its agent to do, and what the agent answers.

use mailsonde_proto::convert::{Assignment, FromCollector};
use tonic::Status;

use super::Session;

impl Session {
    /// Tells the agent which of the collector's checks it runs, when that is not what it was told last.
    pub(super) async fn assign(&mut self) -> Result<(), Status> {
        let assignment = self.ingest.registry.assignment(self.agent);
        let Assignment { revision, checks, .. } = &assignment;
        self.ingest.registry.told(self.agent, *revision);
        if self.told == Some(*revision) {
            return Ok(());
        }
        tracing::info!(checks = checks.len(), "assigned");
        self.told = Some(*revision);
        self.say(FromCollector::Assignment(assignment)).await
    }
}
