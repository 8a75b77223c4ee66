//! Scenarios on evidence alone: agents, runs, ticks; no clock, no disk.

mod outages;
mod scene;
