//! How many observations a second a collector acknowledges durable, and what that costs it.
//!
//! A collector of its own process, and in this one 100 agents' streams over mutual TLS, on the same cores.
//! Every observation has nine phases; batches of 100. The last line printed is JSON.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark: it stops at the first surprise, and prints"
)]
#![allow(
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "figures for people"
)]

#[path = "ingest/agents.rs"]
mod agents;
#[path = "ingest/collector.rs"]
mod collector;

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use mailsonde_proto::Clock;

/// How long agents send.
const MEASURED: Duration = Duration::from_secs(15);
const STREAMS: usize = 100;
const BATCH: usize = 100;
/// Batches that each stream keeps under way.
const UNDER_WAY: usize = 4;

fn main() {
    if let Some(folder) = std::env::args().skip_while(|arg| arg != "--collector").nth(1) {
        collector::serve(Path::new(&folder));
        return;
    }
    rustls::crypto::ring::default_provider().install_default().expect("the provider is set once");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let fsyncs_per_s = plain_fsyncs(folder.path());
    println!("plain disk: {fsyncs_per_s:.0} fsyncs/s of 4 KiB");

    let collector = collector::Collector::start(folder.path(), STREAMS);
    let sent = agents::send(&collector, STREAMS, BATCH, UNDER_WAY, MEASURED);
    let observations_per_s = sent.acknowledged as f64 / sent.seconds;
    println!(
        "{STREAMS} streams, batches of {BATCH}, {UNDER_WAY} under way each: {} observations in {:.1} s \
         = {observations_per_s:.0}/s acknowledged durable",
        sent.acknowledged, sent.seconds
    );
    let (p50, p99) = (sent.ack_us(0.50), sent.ack_us(0.99));
    println!("acknowledged after p50 {:.1} ms, p99 {:.1} ms", p50 as f64 / 1e3, p99 as f64 / 1e3);
    let folded = collector.folded(sent.acknowledged, BATCH);
    println!(
        "pipeline: {:.0}/s while agents sent, {:.0}/s when alone",
        folded.beside_per_s(&sent),
        folded.alone_per_s
    );
    let peak_rss_mib = collector.peak_rss_mib();
    let bytes_per_observation = collector.ledger_bytes() as f64 / sent.acknowledged as f64;
    println!(
        "collector: {peak_rss_mib:.0} MiB at most, {bytes_per_observation:.0} bytes of ledger an observation"
    );
    collector.stop();
    println!(
        "{{\"observations_per_s\": {observations_per_s:.0}, \"ack_p50_us\": {p50}, \"ack_p99_us\": {p99}, \
         \"pipeline_per_s\": {:.0}, \"bytes_per_observation\": {bytes_per_observation:.0}, \
         \"peak_rss_mib\": {peak_rss_mib:.0}, \"fsyncs_per_s\": {fsyncs_per_s:.0}}}",
        folded.beside_per_s(&sent)
    );
}

/// What the disk under the folder can do without us: 4 KiB appended and flushed, for two seconds.
fn plain_fsyncs(folder: &Path) -> f64 {
    let path = folder.join("plain");
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).unwrap();
    let clock = Clock::system();
    let start = clock.monotonic();
    let mut count = 0;
    while start.elapsed() < Duration::from_secs(2) {
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    std::fs::remove_file(path).unwrap();
    f64::from(count) / start.elapsed().as_secs_f64()
}
