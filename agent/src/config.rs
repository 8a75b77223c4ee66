//! `agent.toml`: what is written there, made into types that cannot be wrong.

pub mod section;

pub mod mistake;
pub mod spelling;
pub mod units;
pub mod value;
