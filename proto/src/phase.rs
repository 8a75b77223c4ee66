//! The timed parts of a run.

/// One timed part of a run, relative to the run's start.
///
/// Phases may overlap, and both start and duration may be negative: a message can be stored before the
/// client has seen the server's acceptance. So a run is checked by starts and ends, never by a sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// One of [`name`], or another word of the probe's own.
    pub name: String,
    /// From the start of the run, in microseconds.
    pub start_us: i64,
    /// In microseconds; negative when the end was observed before the start.
    pub duration_us: i64,
    /// The end is known to within this, in microseconds.
    pub uncertainty_us: u64,
}

impl Phase {
    /// When it ended, in microseconds from the run's start.
    pub fn end_us(&self) -> i64 {
        self.start_us.saturating_add(self.duration_us)
    }

    /// Whether the figure says more than its own uncertainty; only such phases enter percentiles.
    pub fn is_known(&self) -> bool {
        self.uncertainty_us == 0 || self.duration_us.unsigned_abs() > self.uncertainty_us
    }
}

/// Names of phases that more than one place knows.
pub mod name {
    /// Look-up of the server's addresses.
    pub const RESOLVE: &str = "resolve";
    /// TCP connection.
    pub const CONNECT: &str = "connect";
    /// TLS handshake, with the STARTTLS command before it where there is one.
    pub const TLS: &str = "tls";
    /// The server's greeting and its answer to EHLO.
    pub const GREETING: &str = "greeting";
    /// An access token is had from a token server; absent where one was kept.
    pub const TOKEN: &str = "token";
    /// Authentication.
    pub const AUTH: &str = "auth";
    /// MAIL FROM and RCPT TO.
    pub const ENVELOPE: &str = "envelope";
    /// DATA until the server's answer that it has queued the message.
    pub const DATA: &str = "data";
    /// From accepted to stored, by the storing server's own date.
    pub const TRANSIT: &str = "transit";
    /// From accepted to first seen in the mailbox.
    pub const ARRIVAL: &str = "arrival";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_within_its_own_uncertainty_is_not_known() {
        for (duration_us, uncertainty_us, known) in [
            (10, 0, true),
            (0, 0, true),
            (10, 9, true),
            (10, 10, false),
            (-500, 499, true),
            (-1, 500_000, false),
        ] {
            let phase = Phase { name: "transit".into(), start_us: 0, duration_us, uncertainty_us };
            assert_eq!(phase.is_known(), known, "{duration_us} ± {uncertainty_us}");
        }
    }
}
