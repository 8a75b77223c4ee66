//! What the tests stand on, as a library: real mail servers, and servers that misbehave on purpose.
//!
//! Nothing here is shipped. Everything that is started here ends when its handle is dropped.

pub mod certificates;
pub mod hostile;
pub mod lab;
pub mod network;
pub mod proxy;
