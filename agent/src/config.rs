//! `agent.toml`: what is written there, made into types that cannot be wrong.

pub mod section;
