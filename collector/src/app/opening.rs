//! What a collector opens when it starts: its folder, the journals, the views; and what it says of damage.

use std::sync::Arc;
use std::thread::JoinHandle;

use mailsonde_proto::Clock;
use mailsonde_proto::journal::Damage;

use crate::config::Config;
use crate::control::ControlJournal;
use crate::folder::Folder;
use crate::rollups::Rollups;
use crate::store::Extent;
use crate::store::ledger::{Ledger, LedgerOptions, Opened};

/// Nobody else looks into the folder.
pub(super) fn shut(folder: &Folder) -> anyhow::Result<()> {
    if folder.shut()? {
        tracing::warn!("the folder was open to everybody, and is not any more");
    }
    Ok(())
}

/// Opens both journals; says what was mended in them.
pub(super) fn journals(
    folder: &Folder,
    config: &Config,
    clock: Clock,
) -> anyhow::Result<(Arc<ControlJournal>, Ledger, JoinHandle<()>)> {
    let (control, damage) = ControlJournal::open(&folder.control())?;
    tell("control journal", &damage);
    let options = LedgerOptions { segment_bytes: config.segment_bytes };
    let Opened { ledger, damage, writer } = Ledger::open(folder.path(), options, clock)?;
    tell("ledger", &damage);
    control.go_with(ledger.index().clone());
    Ok((Arc::new(control), ledger, writer))
}

/// Opens the views; says where they are made anew.
pub(super) fn rollups(folder: &Folder, extent: Extent, clock: Clock) -> anyhow::Result<Rollups> {
    let (rollups, recovered) = Rollups::open(&folder.views(), extent, clock.wall())?;
    tell_of_views(&recovered, extent, &rollups);
    Ok(rollups)
}

/// Says that the views are made anew, and why.
fn tell_of_views(recovered: &[impl std::fmt::Display], extent: Extent, rollups: &Rollups) {
    for recovery in recovered {
        tracing::warn!(%recovery, "the views are made anew behind what agents send");
    }
    let next = rollups.cursors().next;
    let unread = extent.next.saturating_sub(next);
    if recovered.is_empty() && unread > 0 && next <= extent.first {
        tracing::warn!(unread, "the views are made anew behind what agents send: there were none");
    }
}

fn tell(what: &'static str, damage: &[Damage]) {
    for damage in damage {
        if damage.loses_records() {
            tracing::error!(what, %damage, "damage was found; what is missing is shown as a gap");
        } else {
            tracing::info!(what, %damage, "mended");
        }
    }
}
