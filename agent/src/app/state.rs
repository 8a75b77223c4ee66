//! How the agent is, in a line for the service manager: what `systemctl status` shows.

use mailsonde_proto::service::Manager;

use super::Agent;

impl Agent {
    /// Tells the manager that the schedule goes on, when that is due.
    pub(super) fn tell(&self, manager: &mut Manager) {
        let now = self.clock.monotonic();
        if manager.is_due(now) {
            manager.alive(now, &self.state());
        }
    }

    /// What it does, and what waits.
    pub(super) fn state(&self) -> String {
        let checks = self.checks.by_name.len();
        let collector = &self.config.collector.address;
        let spooled = self.kept.borrow().accounts.spooled;
        words(checks, self.runs.len(), (spooled, &collector.to_string()))
    }
}

fn words(checks: usize, runs: usize, (spooled, collector): (u64, &str)) -> String {
    let checks = if checks == 1 { "1 check".to_owned() } else { format!("{checks} checks") };
    let waits = match spooled {
        0 => format!("everything is at {collector}"),
        1 => format!("1 observation waits for {collector}"),
        _ => format!("{spooled} observations wait for {collector}"),
    };
    format!("{checks}, {runs} under way; {waits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_told_in_words() {
        for (checks, runs, spooled, expected) in [
            (1, 0, 0, "1 check, 0 under way; everything is at c:7443"),
            (2, 1, 1, "2 checks, 1 under way; 1 observation waits for c:7443"),
            (0, 0, 7, "0 checks, 0 under way; 7 observations wait for c:7443"),
        ] {
            assert_eq!(words(checks, runs, (spooled, "c:7443")), expected);
        }
    }
}
