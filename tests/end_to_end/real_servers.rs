//! Round trips through real Postfix and Dovecot: none lost, none double, and timed truthfully.

use std::time::Duration;

use mailsonde_proto::time::WallTime;
use mailsonde_tests::lab::{Host, MAIL, MailLog, SPARE, User};
use mailsonde_tests::proxy::Proxy;

use crate::agent::{Config, Ended, RoundTrips, Told, alone, lab, name_of, settings, somebody};

const SUBMISSION: [&str; 7] = ["resolve", "connect", "greeting", "tls", "auth", "envelope", "data"];
const COMMANDS_MOST: u64 = 100;
const NOTICED_WITHIN_US: i64 = 25_000;

/// The submission's phases begin at zero and leave no gap, arrival begins with the acceptance, and the
/// last end of all is the total.
fn assert_phases_agree(told: &Told) {
    let near = |left: i64, right: i64| (left - right).abs() < 1_000;
    let mut end_us = 0;
    for name in SUBMISSION {
        let phase = told.phase(name);
        assert!(near(phase.start_us, end_us) && phase.us >= 0, "{name} at {end_us}: {told:#?}");
        end_us = phase.end_us();
    }
    let arrival = told.phase("arrival");
    assert!(near(arrival.start_us, end_us), "{told:#?}");
    assert!(near(told.total_us, end_us.max(arrival.end_us())), "{told:#?}");
}

/// None lost and none double, by what the agent told and by what Dovecot wrote.
fn assert_each_stored_once(round_trips: &RoundTrips, count: usize, log: &MailLog) {
    assert_eq!(round_trips.told.len(), count);
    let mut ids: Vec<&str> = round_trips.told.iter().map(|told| told.fact("message_id")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "a Message-ID twice");
    for told in &round_trips.told {
        told.assert_pass();
        assert_phases_agree(told);
        let stored = log.deliveries_of(told.fact("message_id"));
        assert_eq!(stored.len(), 1, "{stored:?}");
        let commands: u64 = told.fact("arrival.commands").parse().expect("a number");
        assert!(commands <= COMMANDS_MOST, "{commands} commands: {told:#?}");
    }
    assert!(round_trips.amendments.is_empty(), "{:#?}", round_trips.amendments);
}

/// How long after Dovecot's line each message was noticed, in order.
fn notice_delays_us(round_trips: &RoundTrips, log: &MailLog) -> Vec<i64> {
    let mut delays: Vec<i64> = round_trips
        .told
        .iter()
        .map(|told| {
            // The agent tells the server's date in whole seconds, and transit as the way from the
            // acceptance to the middle of that second: together they say when the acceptance was.
            let stored: jiff::Timestamp = told.fact("arrival.stored").parse().expect("a time");
            let middle_us = stored.as_microsecond() + 500_000;
            let accepted_us = middle_us - told.phase("transit").us;
            let noticed = WallTime::from_ns((accepted_us + told.phase("arrival").us) * 1_000);
            let line = log.delivery_of(told.fact("message_id")).expect("a delivery");
            noticed.signed_us_since(line)
        })
        .collect();
    delays.sort_unstable();
    delays
}

fn figures(what: &str, round_trips: &RoundTrips, delays_us: &[i64], server_lines: u64) {
    let count = round_trips.told.len();
    let mut totals: Vec<i64> = round_trips.told.iter().map(|told| told.total_us).collect();
    totals.sort_unstable();
    let Ended { elapsed_us, commands, peak_rss_kib } = round_trips.ended();
    let took = Duration::from_micros(elapsed_us);
    println!(
        "{what}: {count} round trips in {took:.1?}, total p50 {} us p95 {} us, noticed after p50 {} us \
         p95 {} us, {commands} commands ({server_lines} lines at the server), {peak_rss_kib} KiB",
        totals[count / 2],
        totals[count * 95 / 100],
        delays_us[count / 2],
        delays_us[count * 95 / 100],
    );
}

/// How many lines Dovecot was told as this user.
fn imap_lines(user: &User) -> u64 {
    u64::try_from(lab().imap_commands(name_of(user))).expect("a number")
}

/// No test message stays.
fn assert_empty(user: &User) {
    let maildir = lab().folder().join(format!("mail/good.test/{}/Maildir", name_of(user)));
    for part in ["new", "cur"] {
        let left = std::fs::read_dir(maildir.join(part)).expect("a folder").count();
        assert_eq!(left, 0, "messages stay in {part}");
    }
}

#[test]
fn two_hundred_round_trips_one_after_another_and_fifty_at_once() {
    let _alone = alone();
    let (user, settings) = somebody();
    lab().record_imap(name_of(&user)).expect("recording starts");
    let config = Config::one("mail", settings);
    let lonely = config.round_trips(&["--count", "150", "--linger-ms", "500"]);
    let checks: Vec<_> = (0..50).map(|n| (format!("mail-{n}"), somebody().1)).collect();
    let crowd = Config::of(&checks).round_trips(&[
        "--count",
        "50",
        "--at-once",
        "50",
        "--linger-ms",
        "500",
    ]);
    let log = lab().mail_log();
    assert_each_stored_once(&lonely, 150, &log);
    assert_each_stored_once(&crowd, 50, &log);

    let mut delays = notice_delays_us(&lonely, &log);
    let server_lines = imap_lines(&user);
    figures("one after another", &lonely, &delays, server_lines);
    // the agent counts tags, the server lines: an IDLE is two lines, and both saw every command
    assert!(server_lines >= lonely.ended().commands, "{server_lines}");
    assert!(server_lines <= 150 * 100, "{server_lines} commands");
    assert!(lonely.ended().commands <= 150 * COMMANDS_MOST, "{:?}", lonely.ended());
    assert!(crowd.ended().commands <= 50 * COMMANDS_MOST, "{:?}", crowd.ended());
    assert_empty(&user);

    let crowded = notice_delays_us(&crowd, &log);
    figures("50 mailboxes at once", &crowd, &crowded, 0);
    delays.extend(crowded);
    delays.sort_unstable();
    println!("all 200: noticed after p50 {} us, p95 {} us", delays[100], delays[190]);
    assert!(delays[100] <= NOTICED_WITHIN_US, "median {} us", delays[100]);
}

#[test]
fn fifty_round_trips_at_once_in_one_mailbox() {
    let _alone = alone();
    let (user, settings) = somebody();
    lab().record_imap(name_of(&user)).expect("recording starts");
    let round_trips = Config::one("mail", settings).round_trips(&[
        "--count",
        "50",
        "--at-once",
        "50",
        "--linger-ms",
        "500",
    ]);
    let log = lab().mail_log();
    assert_each_stored_once(&round_trips, 50, &log);
    let server_lines = imap_lines(&user);
    assert!(server_lines <= 50 * 100, "{server_lines} commands");
    let delays = notice_delays_us(&round_trips, &log);
    figures("one mailbox, 50 at once", &round_trips, &delays, server_lines);
    assert_empty(&user);
}

#[test]
fn a_message_that_is_seen_before_its_acceptance_is_told_so() {
    let _alone = alone();
    let user = lab().claim_user().expect("a user");
    let network = lab().network(Host::Mail).expect("the mail host");
    let target = (MAIL, 587).into();
    let proxy = Proxy::start_in(&network, (SPARE, 0).into(), target).expect("a proxy");
    proxy.delay(Duration::from_millis(250));
    let told = settings(&user)
        .with("smtp.host", "spare.lab.test")
        .with("smtp.port", proxy.address().port())
        .probe();
    told.assert_pass();
    assert_phases_agree(&told);
    let (arrival, data) = (told.phase("arrival"), told.phase("data"));
    println!("seen {} us before the acceptance", -arrival.us);
    assert!(arrival.us < 0, "{told:#?}");
    assert!((told.total_us - data.end_us()).abs() < 1_000, "the total ends with the acceptance");
}
