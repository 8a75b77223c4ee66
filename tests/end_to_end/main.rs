//! The end-to-end tests: scenarios against real servers. The list below is their contents page.

mod dialogue;
mod lab;
mod lab_ends;
