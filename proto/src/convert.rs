//! The only judge of what a peer sent.
