//! Scenarios of incidents as they change and time as it passes; no clock, no disk, no channel.

mod desk;
mod life;
mod over_time;
mod passed_on;
mod storm;
