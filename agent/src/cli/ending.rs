//! How commands end.

use std::process::ExitCode;

use super::report::nagios::Status;

/// How a command ended, for whoever called it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// 0: done; of a probe: pass.
    Pass,
    /// 1: a probe's fail; or the agent could not go on.
    Fail,
    /// 2: the command line or the configuration is wrong.
    Usage,
    /// 3: a probe could not judge.
    Void,
    /// As a plugin ends: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    Plugin(Status),
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(match ending {
            Ending::Pass => 0,
            Ending::Fail => 1,
            Ending::Usage => 2,
            Ending::Void => 3,
            Ending::Plugin(status) => status.code(),
        })
    }
}
