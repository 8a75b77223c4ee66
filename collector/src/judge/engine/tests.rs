//! Scenarios on evidence alone: agents, runs, ticks; no clock, no disk.

mod burning;
mod comebacks;
mod outages;
mod outside;
mod scene;
mod scopes;
