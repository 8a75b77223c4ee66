//! Room for the outbox, and how full it is.

use std::sync::Arc;

use mailsonde_proto::doctor::disk::{Room, barred, inodes, size, space, try_writing, writable};
use mailsonde_proto::doctor::service::Service;
use mailsonde_proto::doctor::tree::Tree;
use mailsonde_proto::doctor::{Judged, Look, blocking, late};

use super::subject::Subject;

/// What the ledger of intents takes beside the observations.
const LEDGER_BYTES: u64 = 64 << 20;

/// Everything about the disk of the data folder.
pub(super) async fn looks(subject: &Arc<Subject>) -> Vec<Look> {
    let read_by = Arc::clone(subject);
    let (found, tried) =
        tokio::join!(blocking(move || read(&read_by)), try_writing(&subject.data, subject.writer),);
    let late = || vec![late("the disk of the data folder").look("disk.space", "space")];
    let (mut looks, barred) = found.unwrap_or_else(|| (late(), None));
    let tried = writable(&subject.data, tried.as_ref(), barred.as_ref());
    looks.push(tried.look("disk.writable", "writing"));
    looks
}

/// What there is to say, and the service where it may not write.
fn read(subject: &Subject) -> (Vec<Look>, Option<Service>) {
    let (folder, limit) = (&subject.data, subject.limits.outbox_bytes);
    let service = subject.service.as_ref();
    let spool = Tree::of(folder, &["spool"], subject.us);
    let spooled = spool.bytes;
    let ledger = Tree::of(folder, &["ledger"], subject.us).bytes;
    let need = limit.saturating_sub(spooled).saturating_add(LEDGER_BYTES.saturating_sub(ledger));
    let mut looks = Vec::new();
    // it may be a link to a larger disk
    let place = &folder.join("spool");
    let found = Room::of(place).map(|room| (room, place));
    match found.or_else(|_| Room::of(folder).map(|room| (room, folder))) {
        Ok((room, place)) => {
            looks.push(space(room, place, need, "the outbox").look("disk.space", "space"));
            looks.push(inodes(room, place).look("disk.inodes", "inodes"));
        }
        Err(error) => {
            let judged = Judged::unknown(
                format!("the file system of {} does not tell: {error}", folder.display()),
                "see the line of the data folder",
            );
            looks.push(judged.look("disk.space", "space"));
        }
    }
    let outbox = match spool.hidden {
        0 if spool.is_cut => Judged::warning(
            format!(
                "more than {} of {}, in too many files to be counted",
                size(spooled),
                size(limit)
            ),
            "see that the collector is reached",
        ),
        0 => outbox(spooled, limit),
        _ => Judged::unknown("it cannot be looked at", "see the lines of permissions"),
    };
    looks.push(outbox.look("disk.outbox", "outbox"));
    (looks, service.and_then(|service| barred(folder, service)).cloned())
}

/// How full the outbox is: it fills while the collector is away, and then the oldest goes.
fn outbox(spooled: u64, limit: u64) -> Judged {
    let percent = u128::from(spooled) * 100 / u128::from(limit.max(1));
    let says = format!("{} of {} ({percent} %)", size(spooled), size(limit));
    let todo = "see that the collector is reached, or give it more room: \
                `outbox` under [limits] in agent.toml, then restart the agent";
    match percent {
        95.. => Judged::problem(format!("{says}: the oldest observations are given up"), todo),
        80.. => Judged::warning(format!("{says}: soon the oldest observations are given up"), todo),
        _ => Judged::ok(says),
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::doctor::State;

    use super::*;

    #[test]
    fn an_outbox_that_fills_up_is_told_of() {
        for (spooled, limit, state) in [
            (0, 256 << 20, State::Ok),
            (79, 100, State::Ok),
            (80, 100, State::Warning),
            (95, 100, State::Problem),
            (120, 100, State::Problem),
            (1, 0, State::Problem),
        ] {
            let judged = outbox(spooled, limit);
            assert_eq!(judged.state, state, "{spooled} of {limit}");
            assert_eq!(judged.todo.is_some(), state != State::Ok);
        }
    }
}
