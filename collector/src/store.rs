//! What is true on the collector's disk.

pub mod ledger;
