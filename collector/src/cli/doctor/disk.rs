//! Room for the journals, and where their growth leads.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mailsonde_proto::doctor::disk::{Room, barred, inodes, size, space, try_writing, writable};
use mailsonde_proto::doctor::service::Service;
use mailsonde_proto::doctor::tree::Tree;
use mailsonde_proto::doctor::{Judged, Look, blocking, late};

use super::Subject;
use crate::config::DEFAULT_RAW_RETENTION;

/// A pace that was seen for less says little.
const LEAST_SEEN: Duration = Duration::from_secs(86_400);
const DAY_S: u64 = 86_400;

/// Everything about the disk of the folder.
pub(super) async fn looks(subject: &Arc<Subject>) -> Vec<Look> {
    let (folder, read_by) = (subject.folder.path(), Arc::clone(subject));
    let (found, tried) =
        tokio::join!(blocking(move || read(&read_by)), try_writing(folder, subject.writer));
    let late = || vec![late("the disk of the folder").look("health.space", "disk space")];
    let (mut looks, barred) = found.unwrap_or_else(|| (late(), None));
    let tried = writable(folder, tried.as_ref(), barred.as_ref());
    looks.push(tried.look("health.writable", "writing"));
    looks
}

/// What there is to say, and the service where it may not write.
fn read(subject: &Subject) -> (Vec<Look>, Option<Service>) {
    let folder = subject.folder.path();
    let retention = subject.config.as_ref().map_or(DEFAULT_RAW_RETENTION, |it| it.raw_retention);
    let mut looks = Vec::new();
    // it may be a link to a larger disk
    let place = &subject.folder.observations();
    let found = Room::of(place).map(|room| (room, place.as_path()));
    match found.or_else(|_| Room::of(folder).map(|room| (room, folder))) {
        Ok((room, place)) => {
            let journal = Tree::of(folder, &["observations"], subject.us);
            let now = SystemTime::from(subject.clock.wall().timestamp());
            let seen = journal.oldest.and_then(|oldest| now.duration_since(oldest).ok());
            let journal = match journal.hidden {
                0 => journals(journal.bytes, seen.unwrap_or_default(), retention, room.free_bytes),
                _ => Judged::unknown("they cannot be looked at", "see the lines of permissions"),
            };
            looks.push(space(room, place, 0, "the collector").look("health.space", "disk space"));
            looks.push(inodes(room, place).look("health.inodes", "inodes"));
            looks.push(journal.look("health.journals", "journals"));
        }
        Err(error) => {
            let judged = Judged::unknown(
                format!("the file system of {} does not tell: {error}", folder.display()),
                "see the line of the data folder",
            );
            looks.push(judged.look("health.space", "disk space"));
        }
    }
    let service = subject.service.as_ref();
    (looks, service.and_then(|service| barred(folder, service)).cloned())
}

/// Where the journal of observations leads at the pace that was seen, if nothing else takes or gives room.
fn journals(bytes: u64, seen: Duration, retention: Duration, free: u64) -> Judged {
    let days = retention.as_secs() / DAY_S;
    let says = format!("{} of observations, kept {days} d", size(bytes));
    if seen < LEAST_SEEN {
        return Judged::ok(format!("{says}; too young to tell where that leads"));
    }
    if seen >= retention {
        return Judged::ok(format!("{says}; it grows no more"));
    }
    let at_pace = |time: Duration| {
        u128::from(bytes) * u128::from(time.as_secs()) / u128::from(seen.as_secs().max(1))
    };
    let (end, a_day) = (at_pace(retention), at_pace(Duration::from_secs(DAY_S)));
    let still = end.saturating_sub(u128::from(bytes));
    let shown = size(u64::try_from(end).unwrap_or(u64::MAX));
    if still <= u128::from(free) {
        return Judged::ok(format!("{says}; at this pace it ends at {shown}"));
    }
    let full_in = u128::from(free) / a_day.max(1);
    Judged::warning(
        format!("{says}; at this pace it would be {shown}, and the disk is full in {full_in} d"),
        "give it a larger disk, or keep less: `raw_retention` in collector.toml, then restart it",
    )
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::doctor::State;

    use super::*;

    #[test]
    fn the_pace_of_journals_leads_somewhere() {
        let days = |days: u64| Duration::from_secs(days * DAY_S);
        for (bytes, seen, free, state, words) in [
            (1_000, Duration::from_secs(5), 0, State::Ok, "too young"),
            (1_000, days(40), 0, State::Ok, "grows no more"),
            (10 << 30, days(10), 25 << 30, State::Ok, "ends at 35.0 GiB"),
            (10 << 30, days(10), 24 << 30, State::Warning, "full in 24 d"),
            (0, days(10), 0, State::Ok, "ends at 0 B"),
        ] {
            let judged = journals(bytes, seen, days(35), free);
            assert_eq!(judged.state, state, "{words}");
            assert!(judged.says.contains(words), "{}", judged.says);
        }
    }
}
