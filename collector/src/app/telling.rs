//! Telling people, joined: channels of the files, links, and where what the pipeline wants goes.

use std::sync::Arc;

use mailsonde_proto::Clock;
use tokio::sync::mpsc;

use crate::config::Config;
use crate::control::ControlJournal;
use crate::delivery::{self, Delivery};
use crate::fleet::{confirm, right_channels};
use crate::folder::Folder;
use crate::judge::engine::Wish;
use crate::links::Links;
use crate::live::Live;
use crate::pipeline::Outlets;
use crate::tally::Tally;

/// Who sends messages by the channels of the files, and knows the links in them. A channel that is
/// wrong keeps no other from sending, and nobody from measuring.
pub(super) fn open(
    folder: &Folder,
    config: &Config,
    control: &Arc<ControlJournal>,
    clock: Clock,
) -> anyhow::Result<(Delivery, Arc<Links>)> {
    let applied = control.look(|roll| roll.applied().to_vec());
    let (channels, mistakes) = right_channels(folder, &applied);
    for mistake in &mistakes {
        tracing::error!(%mistake, "a channel of channels.d sends nothing until it is mended");
    }
    let links = Arc::new(Links::open(folder, config.operators_url.clone())?);
    let known = links.clone();
    let compose: delivery::Compose = Arc::new(move |notice| known.composed(notice));
    let delivery = Delivery::new(control.clone(), channels, compose, clock);
    if !mistakes.is_empty() {
        delivery.lacks_channels(mistakes.len());
    }
    Ok((delivery, links))
}

/// Where what the pipeline wants goes: runs come out here, messages go to who sends them.
pub(super) fn outlets(
    delivery: Delivery,
    live: Live,
    tally: Tally,
) -> (Outlets, mpsc::Receiver<Wish>) {
    let (wish, wishes) = mpsc::channel(confirm::WAITING);
    // more than fit are a flood, in which there is evidence enough
    let confirm = Box::new(move |it| drop(wish.try_send(it)));
    let notify = Box::new(move |waiting| delivery.offer(waiting));
    (Outlets { confirm, notify, live, tally }, wishes)
}
