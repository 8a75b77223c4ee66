//! The words that Mailsonde's two ends share, on the wire and on disk.
//!
//! A check is configured; a run carries it out; an observation says what the run found. Everything
//! here is plain data without I/O, but for `journal` and `file`, by which both ends keep things on disk,
//! `service`, by which both live under a service manager, and `doctor`, which looks at an installation.
//!
//! Absent on purpose: anything about how a probe works (the agent's matter) and about what a result
//! means (the collector's). Kinds, phases, facts and findings are names and values here, so that a
//! new kind of probe changes nothing in this crate.

pub mod time;

pub mod check;
pub mod vantage;

pub mod sender_key;
pub mod token;

pub mod fault;
pub mod observation;
pub mod phase;

pub mod convert;
pub mod wire;

pub mod file;
pub mod journal;

pub mod service;

pub mod doctor;

pub use check::{Check, SettingsDigest};
pub use fault::{EnhancedCode, Fault, FaultClass};
pub use observation::{Cause, Fact, Finding, Observation, RunId, Severity, Verdict, VoidReason};
pub use phase::Phase;
pub use sender_key::SenderKey;
pub use time::{Clock, WallTime};
pub use token::{EnrolmentToken, TokenSecret};
pub use vantage::{AgentId, Epoch, VantagePoint};
