//! Doubles of the services that channels send to: each takes what the real one takes and refuses what that refuses,
//! by a schema written from what the service publishes (`doubles/schemas`), and can be told to answer badly.
//!
//! They listen on loopback. Absent on purpose: what a service does with a message afterwards.

mod chat;
mod http;
mod server;

pub mod feeds;
pub mod heartbeat;
pub mod otlp;

pub use chat::{PATH_SECRET, SIGNING_SECRET, Service, TOKEN, all};
pub use http::{Received, Reply};
pub use server::{Answering, Double};
