//! `top`: a live screen of services, vantage points and incidents, to look closer and to acknowledge.
//!
//! What is known is a value (`model`), what a key does a function of it (`update`), what is seen another (`view`); only this
//! file and `source`, `screen` touch the world. Invariant: whatever ends it, the terminal is as it was before.

mod chart;
mod model;
mod palette;
mod paper;
mod rows;
mod screen;
mod sheet;
mod source;
mod update;
mod view;

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::{Context, bail};
use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_util::StreamExt;
use mailsonde_proto::Clock;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

use super::client::Collector;
use super::terminal::{is_dumb, printable};
use super::{Ending, Setting};
use model::{Answered, Model, Question};
use palette::Palette;
use screen::Screen;
use source::Source;
use update::Wish;

/// How often the collector is asked.
const EVERY: Duration = Duration::from_secs(1);

pub(super) async fn run(setting: &Setting) -> anyhow::Result<Ending> {
    let Setting { collector, terminal, json, .. } = setting;
    if *json {
        bail!("top shows a screen and no JSON: use `status --watch --json`");
    }
    if !terminal.is_terminal || !std::io::stdin().is_terminal() || is_dumb() {
        bail!("top needs a terminal that shows a screen: use `status`, or `status --watch`");
    }
    let now = Clock::system().wall().timestamp();
    let mut model = Model::new(shown(collector), terminal.zone.clone(), now);
    // what is wrong at the start is the operator's to mend: said, and no screen is taken
    model.take(source::ask(collector, &Question::Status).await?);
    let source = Source::of(collector.clone());
    let live = Live { model, source, palette: Palette::new(terminal.colours) };
    let ends = Ends::listen()?;
    let screen = Screen::take().context("cannot take the terminal")?;
    live.run(screen, ends).await
}

/// Whom we ask, in words.
fn shown(collector: &Collector) -> String {
    match collector {
        Collector::Here(folder) => printable(&folder.path().display().to_string()),
        Collector::There(remote) => remote.url().to_string(),
    }
}

/// Signals that end it.
struct Ends([Signal; 3]);

impl Ends {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self([
            listen(SignalKind::terminate())?,
            listen(SignalKind::interrupt())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    async fn came(&mut self) {
        let Self([terminate, interrupt, hangup]) = self;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// All that runs.
struct Live {
    model: Model,
    source: Source,
    palette: Palette,
}

impl Live {
    async fn run(mut self, mut screen: Screen, mut ends: Ends) -> anyhow::Result<Ending> {
        let mut keys = EventStream::new();
        let mut second = tokio::time::interval(EVERY);
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.draw(&mut screen)?;
            let happened = tokio::select! {
                () = ends.came() => Happened::End,
                event = keys.next() => match event {
                    Some(event) => Happened::At(event.context("cannot read from the terminal")?),
                    None => Happened::End, // the terminal has gone
                },
                answers = self.source.next() => Happened::Answered(answers),
                _ = second.tick() => Happened::Second,
            };
            self.model.pass(Clock::system().wall().timestamp(), self.source.waited());
            match self.happens(happened) {
                Some(Wish::Quit) => return Ok(Ending::Done),
                Some(Wish::Ask) => self.source.ask(self.model.questions()),
                Some(Wish::Acknowledge(number, note)) => self.source.acknowledge(number, note),
                Some(Wish::Redraw) => screen.wipe()?,
                None => {}
            }
        }
    }

    fn draw(&mut self, screen: &mut Screen) -> anyhow::Result<()> {
        let Self { model, palette, .. } = self;
        let drawn = screen.terminal().draw(|frame| {
            model.size = (frame.area().width, frame.area().height);
            view::draw(frame, model, *palette);
        });
        drawn.map(drop).context("cannot write to the terminal")
    }

    fn happens(&mut self, happened: Happened) -> Option<Wish> {
        match happened {
            Happened::End => Some(Wish::Quit),
            Happened::Second => self.source.is_due().then_some(Wish::Ask),
            Happened::Answered(answers) => {
                answers.into_iter().for_each(|answer| self.model.take(answer));
                None
            }
            Happened::At(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                update::press(&mut self.model, key)
            }
            Happened::At(Event::Paste(text)) => {
                update::paste(&mut self.model, &text);
                None
            }
            // a change of size is followed by drawing
            Happened::At(_) => None,
        }
    }
}

/// What can happen.
enum Happened {
    /// It is to end.
    End,
    /// A second has passed.
    Second,
    Answered(Vec<Answered>),
    /// At the terminal.
    At(Event),
}

#[cfg(test)]
mod tests;
