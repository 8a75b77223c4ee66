//! Mistakes and warnings of a configuration: each with its place, all of them at once.
//!
//! Reading goes on after a mistake, so that whoever wrote the file is told everything in one go.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

/// Where something stands: in a file, or in a `--set key=value` of the command line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The file as a whole: it cannot be read, or something is missing in it.
    File {
        /// As it was named to us.
        file: Arc<str>,
    },
    /// A line and a column of a file, both counted from 1, columns in characters.
    Line {
        /// As it was named to us.
        file: Arc<str>,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// The command line as a whole: a setting is missing there.
    CommandLine,
    /// One `--set key=value`.
    Set {
        /// The whole dotted key.
        key: String,
    },
}

impl Place {
    /// Its line in a file.
    pub const fn line(&self) -> Option<usize> {
        match self {
            Self::Line { line, .. } => Some(*line),
            _ => None,
        }
    }

    /// Whether it is on the command line rather than in a file.
    pub const fn is_command_line(&self) -> bool {
        matches!(self, Self::CommandLine | Self::Set { .. })
    }
}

/// `agent.toml:12:7` or `--set smtp.tls`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file } => f.write_str(file),
            Self::Line { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::CommandLine => f.write_str("--set"),
            Self::Set { key } => write!(f, "--set {key}"),
        }
    }
}

/// One thing that is wrong, or one that is worth a warning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// Where it stands.
    pub place: Place,
    /// What is wrong and what to write instead: lower case, without a full stop.
    pub message: String,
}

/// `agent.toml:12:7: mailbox "main": smtp.tls must be one of "starttls", "implicit", "none"`.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// All mistakes of a configuration, in the order of the file; at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

/// Collects mistakes and warnings while a configuration is read.
#[derive(Debug, Default)]
pub struct Report {
    mistakes: RefCell<Vec<Mistake>>,
    warnings: RefCell<Vec<Mistake>>,
}

impl Report {
    /// Something is wrong; the configuration will not be used.
    pub fn mistake(&self, place: Place, message: impl Into<String>) {
        self.mistakes.borrow_mut().push(Mistake { place, message: message.into() });
    }

    /// Something works, and should be changed all the same.
    pub fn warning(&self, place: Place, message: impl Into<String>) {
        self.warnings.borrow_mut().push(Mistake { place, message: message.into() });
    }

    /// Takes a mistake back, because another one tells more.
    pub fn withdraw(&self, mistake: &Mistake) {
        self.mistakes.borrow_mut().retain(|told| told != mistake);
    }

    /// How many mistakes there are so far.
    pub fn mistakes_so_far(&self) -> usize {
        self.mistakes.borrow().len()
    }

    /// The warnings, in the order of the file.
    ///
    /// # Errors
    /// Every mistake, in the order of the file, when there was any; and the warnings beside it.
    pub fn into_result(self) -> Result<Vec<Mistake>, (Mistakes, Vec<Mistake>)> {
        let mut mistakes = self.mistakes.into_inner();
        let mut warnings = self.warnings.into_inner();
        mistakes.sort();
        mistakes.dedup();
        warnings.sort();
        warnings.dedup();
        if mistakes.is_empty() { Ok(warnings) } else { Err((Mistakes(mistakes), warnings)) }
    }
}
