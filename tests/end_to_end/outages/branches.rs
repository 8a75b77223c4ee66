//! Trouble of one branch: the others are fine, and nobody takes it for the mail server's.

use std::time::Duration;

use mailsonde_collector::judge::incident::{Kind, Scope};

use super::{Company, SITES};

#[test]
fn a_branch_that_is_cut_off_and_one_that_loses_packets() {
    let company = Company::running();
    let of_durban = || Scope::Branch { site: SITES[0].into() };

    let scenario = company.scenario("losses", &["mail", "imap"]);
    let opened = scenario.breaks_some_time(
        |lab| lab.lose_packets(1, 40).unwrap(),
        "durban loses packets",
        |incident| incident.scope == of_durban(),
    );
    scenario.is_over(|lab| lab.lose_no_packets().unwrap(), opened.number, SITES[0]);

    company.wait_until_silence_counts();
    // an agent of which nothing is heard is told after three heartbeats: 30 s after the last, which may have come late
    let pace = (Duration::from_secs(10), Duration::from_secs(20));
    let scenario = company.paced("cut", &["mail"], pace);
    let opened = scenario.breaks(
        |lab| lab.take_link_down(1).unwrap(),
        "durban is cut off",
        |incident| incident.scope == of_durban(),
    );
    assert_eq!(opened.kind, Kind::Silence);
    scenario.is_over(|lab| lab.bring_link_up(1).unwrap(), opened.number, "durban only");
}
