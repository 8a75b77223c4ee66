use super::*;
use crate::dns::zone::Zone;
use crate::posture::spf::examine;

async fn found(zone: &str) -> crate::posture::Told {
    examine(&Zone::new(zone), &name_of("a.test").unwrap()).await
}

/// One line a case: what the zone says, which rules do not hold, how many look-ups and voids.
async fn table(cases: Vec<(String, &str, &str)>) {
    for (zone, expected, costs) in cases {
        let told = found(&zone).await;
        assert_eq!(told.rules().join(" "), expected, "{zone}: {:?}", told.findings);
        let shown = |name| told.value(name).unwrap_or_default();
        let found = format!("{} {}", shown("spf.lookups"), shown("spf.voids"));
        assert_eq!(found.trim(), costs, "{zone}");
    }
}

#[tokio::test]
async fn what_goes_beyond_the_limits_has_its_finding() {
    let includes = |count: u32| {
        let terms: String = (1..=count).map(|n| format!("include:i{n}.test ")).collect();
        let records =
            (1..=count).map(|n| format!("i{n}.test. TXT \"v=spf1 ip4:192.0.2.{n} -all\"\n"));
        format!("a.test. TXT \"v=spf1 {terms}\" \"-all\"\n{}", records.collect::<String>())
    };
    let many_mx: String = (1..=11).map(|n| format!("a.test. MX 10 m{n}.test.\n")).collect();
    table(vec![
        (
            "a.test. TXT \"v=spf1 mx -all\"\na.test. MX 1 m.test.\nm.test. AAAA ::1".into(),
            "",
            "1 0",
        ),
        ("a.test. A 192.0.2.1".to_owned(), "spf.none", ""),
        (
            "a.test. TXT \"v=spf1 -all\"\na.test. TXT \"v=spf1 a -all\"".into(),
            "spf.several_records",
            "",
        ),
        ("a.test. TXT \"v=spf1 ipv4:192.0.2.1 -all\"".into(), "spf.syntax", "0 0"),
        (includes(8), "", "8 0"),
        (includes(9), "spf.near_the_lookup_limit", "9 0"),
        (includes(10), "spf.near_the_lookup_limit", "10 0"),
        (includes(11), "spf.too_many_lookups", "11 0"),
        ("a.test. TXT \"v=spf1 a:x.a.test a:y.a.test -all\"".into(), "spf.void_lookup", "2 2"),
        (
            "a.test. TXT \"v=spf1 a:x.a.test mx:y.a.test exists:z.a.test -all\"".into(),
            "spf.too_many_void_lookups",
            "3 3",
        ),
        (format!("a.test. TXT \"v=spf1 mx -all\"\n{many_mx}"), "spf.too_many_mx", "1 0"),
        ("a.test. TXT \"v=spf1 include:A.test -all\"".into(), "spf.loop", "1 0"),
        (
            "a.test. TXT \"v=spf1 redirect=b.test\"\nb.test. TXT \"v=spf1 include:a.test -all\""
                .into(),
            "spf.loop",
            "2 0",
        ),
        // What depends on the sender is counted and not followed.
        ("a.test. TXT \"v=spf1 exists:%{ir}.x.test include:%{l}.b.test -all\"".into(), "", "2 0"),
        (
            "a.test. TXT \"v=spf1 include:_spf.%{d} -all\"\n_spf.a.test. TXT \"v=spf1 -all\""
                .into(),
            "",
            "1 0",
        ),
    ])
    .await;
}

#[tokio::test]
async fn each_bad_term_has_its_finding() {
    table(vec![
        ("a.test. TXT \"v=spf1 all\"".into(), "spf.pass_all", "0 0"),
        ("a.test. TXT \"v=spf1 ?all\"".into(), "spf.neutral_all", "0 0"),
        ("a.test. TXT \"v=spf1 ip4:192.0.2.1\"".into(), "spf.no_all", "0 0"),
        ("a.test. TXT \"v=spf1 ptr -all\"".into(), "spf.ptr", "1 0"),
        ("a.test. TXT \"v=spf1 include:gone.test -all\"".into(), "spf.leads_nowhere", "1 0"),
        ("a.test. TXT \"v=spf1 redirect=gone.test\"".into(), "spf.leads_nowhere", "1 0"),
        ("a.test. TXT \"v=spf1 -all ip4:192.0.2.1\"".into(), "spf.unreachable", "0 0"),
        ("a.test. TXT \"v=spf1 -all redirect=b.test\"".into(), "spf.unreachable", "0 0"),
        ("a.test. TXT \"v=spf1 ip4:10.0.0.0/8 -all\"".into(), "spf.wide_network", "0 0"),
        ("a.test. TXT \"v=spf1 ip6:2000::/3 -all\"".into(), "spf.wide_network", "0 0"),
        (
            "a.test. TXT \"v=spf1 -all\"\na.test. TXT \"spf2.0/mfrom,pra -all\"".into(),
            "spf.sender_id",
            "0 0",
        ),
        (
            "a.test. TXT \"v=spf1 include:b.test -all\"\nb.test. TXT SERVFAIL".into(),
            "unanswered",
            "1 0",
        ),
        (
            "a.test. TXT \"v=spf1 include:b.test -all\"\nb.test. TXT \"v=spf1 +all\"".into(),
            "spf.pass_all",
            "1 0",
        ),
        (
            "a.test. TXT \"v=spf1 ?include:b.test -all\"\nb.test. TXT \"v=spf1 +all\"".into(),
            "",
            "1 0",
        ),
    ])
    .await;
}

#[tokio::test]
async fn the_tree_shows_where_the_look_ups_go() {
    let told = found(
        r#"
        a.test.      TXT "v=spf1 mx include:big.test exists:%{i}.x.test -all"
        a.test.      MX  10 mx.a.test.
        mx.a.test.   A   192.0.2.1
        big.test.    TXT "v=spf1 include:one.big.test a:gone.test ~all"
        one.big.test. TXT "v=spf1 ip4:192.0.2.0/24 -all"
        "#,
    )
    .await;
    insta::assert_snapshot!(told.value("spf.tree").unwrap(), @"
    a.test [5 look-ups, 1 void]
      mx [1 look-up]
      include:big.test [3 look-ups, 1 void]
        include:one.big.test [1 look-up]
          ip4:192.0.2.0/24
          -all
        a:gone.test: void [1 look-up, 1 void]
        ~all
      exists:%{i}.x.test: depends on the sender [1 look-up]
      -all
    ");
}

#[tokio::test]
async fn a_maze_ends() {
    // Each record includes the next ten: without bounds, 10 to the power of 10 look-ups.
    let zone: String = (0..40)
        .map(|n| {
            let terms: String = (1..=10).map(|m| format!("include:i{}.test ", n + m)).collect();
            let name = if n == 0 { "a.test".to_owned() } else { format!("i{n}.test") };
            format!("{name}. TXT \"v=spf1 {terms}\" \"-all\"\n")
        })
        .collect();
    let told = found(&zone).await;
    assert!(told.rules().contains(&"spf.too_many_lookups"));
    assert!(told.value("spf.tree").unwrap().len() <= 8 * 1024);
    assert!(told.facts.len() < 10 && told.findings.len() < 30);
}
