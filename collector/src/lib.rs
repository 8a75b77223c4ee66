//! The collector: takes in what agents saw, keeps it, and tells how e-mail is doing.
//!
//! Imports run downwards only: `cli, app -> ingest, pipeline, api -> query -> registry, store, judge`.

pub mod app;
pub mod config;

pub mod ingest;
pub mod registry;

pub mod control;
pub mod store;

pub mod identity;

pub mod folder;
