//! Doubles of services elsewhere, on this host: they answer as the real ones do, and keep what they were asked.

pub mod feeds;
pub mod heartbeat;

mod answering;

pub use answering::{Answering, Question, Reply};
