//! Messages about incidents, without a lab: journals as a day would have left them, and a collector that reads them.

mod at_least_once;
mod history;
