//! The collector's checks for this agent, kept on its disk: after a restart they run on, collector or not.
//!
//! Invariant: what is kept is somebody's, and is used under that identity alone. Absent on purpose: any judgement of a
//! check, which is made anew at each start, by the configuration of then.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mailsonde_proto::convert::Assignment;
use mailsonde_proto::file::{self, PRIVATE};
use mailsonde_proto::{AgentId, wire};
use prost::Message;

/// The file's name in the data folder.
const NAME: &str = "assignment";
/// The largest file that is read, in bytes: an assignment has a limit of its own.
const LARGEST: u64 = 4 << 20;

/// Why the kept assignment cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// The system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is no assignment.
    #[error("{} is damaged; the collector will send its checks again", .0.display())]
    Damaged(PathBuf),
}

#[derive(Clone, PartialEq, Message)]
struct OnDisk {
    #[prost(bytes = "vec", tag = "1")]
    agent: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    assignment: Option<wire::Assignment>,
}

/// Reads what was kept for this identity; `None` where there is nothing. Blocks on the disk, shortly.
///
/// # Errors
/// When it is there and cannot be used.
pub fn load(data: &Path, agent: AgentId) -> Result<Option<Assignment>, NotKept> {
    let path = data.join(NAME);
    let io = |source| NotKept::Io { action: "read", path: path.clone(), source };
    let length = match fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let damaged = || NotKept::Damaged(path.clone());
    if length > LARGEST {
        return Err(damaged());
    }
    let bytes = fs::read(&path).map_err(io)?;
    let kept = OnDisk::decode(bytes.as_slice()).ok().ok_or_else(damaged)?;
    if kept.agent != agent.0 {
        return Ok(None);
    }
    let assignment = kept.assignment.unwrap_or_default();
    Assignment::try_from(assignment).map(Some).ok().ok_or_else(damaged)
}

/// Keeps an assignment in the place of the one before. Blocks on the disk, shortly.
///
/// # Errors
/// When the system refuses; what was kept before stays.
pub fn store(data: &Path, agent: AgentId, assignment: &Assignment) -> Result<(), NotKept> {
    let path = data.join(NAME);
    let assignment = Some(assignment.clone().into());
    let bytes = OnDisk { agent: agent.0.to_vec(), assignment }.encode_to_vec();
    file::replace(&path, &bytes, PRIVATE).map_err(|source| NotKept::Io {
        action: "write",
        path,
        source,
    })
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::convert::AssignedCheck;

    use super::*;

    #[test]
    fn what_is_kept_is_for_one_identity_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (own, other) = (AgentId([1; 16]), AgentId([2; 16]));
        assert_eq!(load(folder.path(), own).unwrap(), None);
        let check = AssignedCheck { name: "a".into(), settings: "kind = 'tcp'".into() };
        let assignment = Assignment::new(vec![check]);
        store(folder.path(), own, &assignment).unwrap();
        assert_eq!(load(folder.path(), own).unwrap(), Some(assignment));
        assert_eq!(load(folder.path(), other).unwrap(), None);
    }

    #[test]
    fn damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let own = AgentId([1; 16]);
        store(folder.path(), own, &Assignment::default()).unwrap();
        let path = folder.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        for damaged in [&whole[..whole.len() - 1], b"\xff\xff\xff"] {
            fs::write(&path, damaged).unwrap();
            let told = load(folder.path(), own).unwrap_err().to_string();
            assert!(told.contains("is damaged"), "{told}");
        }
    }
}
