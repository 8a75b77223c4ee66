//! The collector: takes in what agents saw, keeps it, and tells how e-mail is doing.
//!
//! Imports run downwards only.

// pub mod cli;

pub mod config;
pub mod control;
pub mod identity;

pub mod folder;
