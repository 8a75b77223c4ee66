//! Scenarios on evidence alone: agents, runs, ticks; no clock, no disk.

mod comebacks;
mod outages;
mod outside;
mod scene;
mod scopes;
