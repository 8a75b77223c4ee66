//! The lab of mail servers, the sandbox of the demo, and what the end-to-end tests and benchmarks
//! share.

pub mod sandbox;
