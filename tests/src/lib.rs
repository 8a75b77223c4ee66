//! What the tests, the demo and the benchmarks stand on: real mail servers, servers that misbehave on
//! purpose, and the demo's sandbox servers.
//!
//! Nothing here is shipped. Everything that is started here ends when its handle is dropped.

pub mod demo;

pub mod lab;

pub mod captured;
pub mod doubles;
pub mod hostile;
pub mod proxy;
pub mod sandbox;
pub mod synthetic;
pub mod year;

pub mod certificates;
pub mod enrolment;
pub mod network;
