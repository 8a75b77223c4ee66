//! The collector: takes in what agents saw, keeps it, and tells how e-mail is doing.
//!
//! Imports run downwards only: `cli, app -> ingest, pipeline, api -> query -> registry, rollups -> judge,
//! store`. `judge` and `store` do not know each other: `rollups` joins them.

pub mod cli;

mod acceptance;
pub mod app;
pub mod backup;
pub mod config;

pub mod access;
pub mod api;
pub mod delivery;
pub mod enrolment;
pub mod fleet;
pub mod links;
pub mod live;
mod metrics;
pub mod oidc;
pub mod otlp;
pub mod planning;
pub mod public;
pub mod query;
pub mod report;
pub mod reporting;
pub mod review;
mod reviewing;
pub mod survey;
pub mod vendors;
pub mod watched;
pub mod web;

mod accept;
pub mod agents;
pub mod ingest;
pub mod registry;

pub mod pipeline;
pub mod rollups;
pub mod tally;

pub mod chart;
pub mod notifier;

pub mod central;
pub mod control;
pub mod judge;
pub mod store;

pub mod identity;

mod figures;
pub mod folder;
mod http;
pub mod outward;
pub mod period;
mod secret;
pub mod selector;
pub mod series;
pub mod text;
