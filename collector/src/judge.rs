//! What the observations mean. Pure: everything here is a function of (state, observation or tick,
//! now); there is no clock and no I/O, and nothing here knows how figures are kept.

pub mod chronicle;
pub mod definition;

pub mod action;
pub mod diagnosis;
pub mod draft;
pub mod engine;
pub mod feedback;
pub mod followup;
pub mod incident;
pub mod message;
pub mod outside;
pub mod planned;
pub mod reported;
pub mod review;
pub mod routing;
pub mod telling;
pub mod timeline;

pub mod agreement;
pub mod burn;
pub mod capacity;
pub mod gauge;
pub mod objective;
pub mod slots;
pub mod stated;
pub mod window;

pub mod fold;

pub mod availability;
pub mod live;
pub mod registry;
pub mod watch;

pub mod column;
pub mod rollup;
pub mod sketch;

#[cfg(test)]
pub(crate) mod sample;
