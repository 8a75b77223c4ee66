//! Why a lab does not do what it was asked.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::certificates::CertificateError;

/// Why there is no lab, or why it did not do what it was asked. `Debug` says it in words too, because
/// tests show it by `expect`.
#[derive(thiserror::Error)]
pub enum LabError {
    /// Network namespaces need root.
    #[error(
        "the lab makes network namespaces, which needs root: run `sudo tests/run`, \
         or `cargo test` in a root shell"
    )]
    NotRoot,
    /// A program is not installed.
    #[error("the lab needs {0}, which is not there: run tests/install")]
    Missing(&'static str),
    /// The system refused something.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A program failed.
    #[error("{what} failed: {output}")]
    Program {
        /// Which one.
        what: &'static str,
        /// What it said.
        output: String,
    },
    /// A server did not come up.
    #[error("{program} does not listen; its logs end with:\n{log}")]
    NotReady {
        /// Which one.
        program: &'static str,
        /// The end of its logs.
        log: String,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {within:?}")]
    TooLate {
        /// What was waited for.
        what: String,
        /// For how long.
        within: Duration,
    },
    /// Certificates could not be made.
    #[error("cannot make the lab's certificates")]
    Certificate(#[from] CertificateError),
}

impl fmt::Debug for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut source = std::error::Error::source(self);
        while let Some(reason) = source {
            write!(f, ": {reason}")?;
            source = reason.source();
        }
        Ok(())
    }
}

impl LabError {
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
