//! `health`: whether the agent of a data folder runs and goes on, for what restarts it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mailsonde_proto::Clock;

use super::{Ending, terminal};
use crate::app::vital::{STALE_AFTER, age};
use crate::config::DEFAULT_DATA;

#[derive(Debug, clap::Args)]
pub(super) struct HealthArguments {
    /// The folder of outbox and identity of the agent that runs
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA)]
    data: PathBuf,
}

pub(super) fn health(arguments: &HealthArguments) -> Ending {
    let age = age(&arguments.data, Clock::system().wall());
    match told(&arguments.data, age) {
        Ok(words) => match terminal::say(&words) {
            Ok(()) => Ending::Pass,
            Err(_nobody_reads) => Ending::Fail,
        },
        Err(words) => {
            terminal::complain(&format!("mailsonde-agent: {words}"));
            Ending::Fail
        }
    }
}

fn told(data: &Path, age: Result<Duration, String>) -> Result<String, String> {
    let seconds = age?.as_secs();
    if seconds <= STALE_AFTER.as_secs() {
        return Ok(format!("the agent goes on: its last sign of life is {seconds} s old\n"));
    }
    let data = data.display();
    Err(format!(
        "the agent of {data} was killed or stands still: its last sign of life is {seconds} s old; restart it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_old_stands_still() {
        let told = |age| told(Path::new("/data"), age);
        assert!(told(Ok(Duration::from_secs(60))).unwrap().contains("60 s old"));
        assert!(told(Ok(Duration::from_secs(61))).unwrap_err().contains("stands still"));
        assert_eq!(told(Err("none".into())), Err("none".into()));
    }
}
