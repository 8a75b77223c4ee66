//! Mailsonde's agent: sends real test mail from where it stands, times it phase by phase, and reports
//! what it saw to a collector.
//!
//! Imports run downwards only: `cli, app -> schedule, runner, uplink -> probe, outbox -> mail -> net -> policy`.
//! Absent on purpose: any listening port, and any judgement beyond a single run.

pub mod app;
pub mod cli;

pub mod config;

pub mod runner;
pub mod schedule;

pub mod backoff;
pub mod uplink;

pub mod identity;

pub mod assignment;
pub mod offset;
pub mod outbox;
pub mod peers;
pub mod probe;

pub mod http;
pub mod mail;

pub mod posture;

pub mod dns;
pub mod net;

pub mod policy;

pub mod secret;
pub mod stopwatch;
pub mod transcript;
