//! The collector: takes in what agents saw, keeps it, and tells how e-mail is doing.
//!
//! Imports run downwards only. `judge` and `store` do not know each other: `rollups` joins them.

pub mod rollups;

pub mod judge;
pub mod store;

pub mod period;
pub mod series;
