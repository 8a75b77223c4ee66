//! The messages of `uplink.proto` and `enrolment.proto` and the services around them, as generated.
//!
//! Nothing outside `convert` looks into what a peer sent; what this module decodes is unchecked.

#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    elided_lifetimes_in_paths,
    clippy::all,
    clippy::as_conversions,
    clippy::too_many_lines,
    clippy::allow_attributes_without_reason,
    reason = "generated code; the comments stand in the .proto files"
)]

tonic::include_proto!("mailsonde.v1");
