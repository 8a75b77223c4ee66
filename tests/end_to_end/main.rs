//! The end-to-end tests: scenarios against real servers. The list below is their contents page.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a test says by ending what is wrong; clippy's own exception leaves out their helpers"
)]

mod real_servers;

mod outcomes;

mod expectations;

mod plugin_formats;

mod mailbox_probes;
mod server_probes;
mod sign_in;
mod web_pages;

mod secrets;

mod explain;

mod bad_input;
mod bad_lines;

mod nothing_lost;

mod backup;

mod doctor;

mod api;
mod around;
mod central_checks;
mod fleet;
mod maintenance;
mod operators;
mod pairs;

mod channels;
mod services;
mod telling;

mod browser;
mod outages;
mod reports;
mod reviews;

mod live_screen;
mod tables;

mod book;

mod watched;

mod dns_posture;

mod dead_resolver;

mod findings;

mod canaries;
mod policy;

mod lab;
mod lab_ends;

mod agent;
mod dialogue;
mod one_port;
mod process;
mod pty;
mod site;
mod told;
