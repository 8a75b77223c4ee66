use proptest::prelude::*;

use super::*;

const DATE: &str = "Mon, 24 Nov 2025 16:00:00 +0000";

/// The hop in short: from / name / address / helo | by | with | tls | id | for.
fn short(value: &str) -> String {
    let hop = Hop::of(value).unwrap();
    let or = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let tls = hop.tls.map(|tls| format!("{} {}", or(tls.version), or(tls.cipher)));
    let date = hop.date.map(|date| date.to_string());
    assert_eq!(date.as_deref(), value.contains("2025").then_some("2025-11-24T16:00:00.000000Z"));
    format!(
        "{}/{}/{}/{} | {} | {} | {} | {} | {}",
        or(hop.from),
        or(hop.from_name),
        or(hop.from_ip.map(|ip| ip.to_string())),
        or(hop.helo),
        or(hop.by),
        or(hop.with),
        or(tls),
        or(hop.id),
        or(hop.recipient),
    )
}

fn check(value: &str, expected: &str) {
    assert_eq!(short(&value.replace("DATE", DATE)), expected, "{value}");
}

#[test]
fn postfix_and_dovecot() {
    check(
        "from relay.test (mx1.relay.test [192.0.2.7]) \t(using TLSv1.3 with cipher \
         TLS_AES_256_GCM_SHA384 (256/256 bits) \t key-exchange X25519 server-signature RSA-PSS (2048 \
         bits) server-digest SHA256) \t(No client certificate requested) \tby mx.good.test (Postfix) \
         with ESMTPS id 4dF1Yq2n8Tz3 \tfor <box@good.test>; DATE (UTC)",
        "relay.test/mx1.relay.test/192.0.2.7/- | mx.good.test | ESMTPS | TLSv1.3 \
         TLS_AES_256_GCM_SHA384 | 4dF1Yq2n8Tz3 | box@good.test",
    );
    check(
        "by mx.good.test (Postfix, from userid 0) id 4dF1Yq2n8Tz3; DATE",
        "-/-/-/- | mx.good.test | - | - | 4dF1Yq2n8Tz3 | -",
    );
    check(
        "from [IPv6:2001:db8::1] (unknown [IPv6:2001:db8::1]) by mx.good.test (Postfix) with ESMTP id A; DATE",
        "[IPv6:2001:db8::1]/-/2001:db8::1/- | mx.good.test | ESMTP | - | A | -",
    );
    check(
        "from mx.good.test ([192.0.2.1]) by mail.good.test with LMTP id aBcD/1 \
         (envelope-from <a@relay.test>) for <box@good.test>; DATE",
        "mx.good.test/-/192.0.2.1/- | mail.good.test | LMTP | - | aBcD/1 | box@good.test",
    );
}

#[test]
fn exchange_and_gmail() {
    check(
        "from AM0PR01.eurprd01.prod.exchangelabs.com (2603:10a6:208::15) by \
         DB8PR01.eurprd01.prod.exchangelabs.com (2603:10a6:10::9) with Microsoft SMTP Server \
         (version=TLS1_2, cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id 15.20.8158.21; DATE",
        "AM0PR01.eurprd01.prod.exchangelabs.com/-/2603:10a6:208::15/- | \
         DB8PR01.eurprd01.prod.exchangelabs.com | Microsoft SMTP Server | TLSv1.2 \
         TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 | 15.20.8158.21 | -",
    );
    check(
        "from a.test (1.2.3.4) by b.test (5.6.7.8) with Microsoft SMTP Server (TLS) id 14.3.1; DATE",
        "a.test/-/1.2.3.4/- | b.test | Microsoft SMTP Server | - - | 14.3.1 | -",
    );
    check(
        "from A.prod.outlook.com ([fe80::1%5]) by A.prod.outlook.com ([fe80::1%5]) with mapi id \
         15.20.1; DATE",
        "A.prod.outlook.com/-/-/- | A.prod.outlook.com | MAPI | - | 15.20.1 | -",
    );
    check(
        "from mail.a.test (mail.a.test. [192.0.2.9]) by mx.google.com with ESMTPS id \
         d2e1a72fcca58-1si.5.2025.11.24.08 for <box@gmail.com> (version=TLS1_3 \
         cipher=TLS_AES_256_GCM_SHA384 bits=256/256); Mon, 24 Nov 2025 08:00:00 -0800 (PST)",
        "mail.a.test/mail.a.test/192.0.2.9/- | mx.google.com | ESMTPS | TLSv1.3 \
         TLS_AES_256_GCM_SHA384 | d2e1a72fcca58-1si.5.2025.11.24.08 | box@gmail.com",
    );
    check(
        "by 2002:a05:7300:d20f:b0:11b with SMTP id abc123; Mon, 24 Nov 2025 08:00:00 -0800 (PST)",
        "-/-/-/- | 2002:a05:7300:d20f:b0:11b | SMTP | - | abc123 | -",
    );
}

#[test]
fn exim_sendmail_and_qmail() {
    check(
        "from [192.0.2.3] (helo=laptop.a.test) by mx.b.test with esmtpsa  (TLS1.3) tls \
         TLS_AES_256_GCM_SHA384 (Exim 4.96) (envelope-from <a@a.test>) id 1vNZ-0001-2A for \
         box@b.test; DATE",
        "[192.0.2.3]/-/192.0.2.3/laptop.a.test | mx.b.test | ESMTPSA | TLSv1.3 \
         TLS_AES_256_GCM_SHA384 | 1vNZ-0001-2A | box@b.test",
    );
    check(
        "from mx.a.test ([192.0.2.3]:51324) by mx.b.test with esmtps \
         (TLSv1.2:ECDHE-RSA-AES256-GCM-SHA384:256) (Exim 4.80) id 1; DATE",
        "mx.a.test/-/192.0.2.3/- | mx.b.test | ESMTPS | TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384 | 1 | -",
    );
    check(
        "from a.test (b.a.test [192.0.2.4] (may be forged)) (authenticated bits=0) by mx.c.test \
         (8.17.1/8.17.1) with ESMTPS id 5AOG0 (version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 bits=256 \
         verify=NOT) for <box@c.test>; DATE",
        "a.test/b.a.test/192.0.2.4/- | mx.c.test | ESMTPS | TLSv1.3 TLS_AES_256_GCM_SHA384 | 5AOG0 | \
         box@c.test",
    );
    check(
        "from unknown (HELO a.test) (user@192.0.2.5) by 0 with SMTP; 24 Nov 2025 16:00:00 -0000",
        "unknown/-/-/a.test | 0 | SMTP | - | - | -",
    );
    check(
        "from unknown (HELO a.test) (192.0.2.5) by b.test with (ECDHE-RSA-AES256-SHA encrypted) SMTP; \
         24 Nov 2025 16:00:00 -0000",
        "unknown/-/192.0.2.5/a.test | b.test | SMTP | - ECDHE-RSA-AES256-SHA | - | -",
    );
    check(
        "(qmail 12345 invoked by uid 89); 24 Nov 2025 16:00:00 -0000",
        "-/-/-/- | - | - | - | - | -",
    );
}

#[test]
fn gateways() {
    check(
        "from pps.filterd (m0001.ppops.net [127.0.0.1]) by mx0a-0001.pphosted.com \
         (8.18.1.2/8.18.1.2) with ESMTP id 5AOFw1; DATE",
        "pps.filterd/m0001.ppops.net/127.0.0.1/- | mx0a-0001.pphosted.com | ESMTP | - | 5AOFw1 | -",
    );
    check(
        "from mail.a.test (mail.a.test [192.0.2.9]) by relay.mimecast.com with ESMTP with STARTTLS \
         (version=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384) id us-mta-12-AbC; DATE",
        "mail.a.test/mail.a.test/192.0.2.9/- | relay.mimecast.com | ESMTP | TLSv1.3 \
         TLS_AES_256_GCM_SHA384 | us-mta-12-AbC | -",
    );
    check(
        "from mail.a.test (mail.a.test [192.0.2.9]) by mx-inbound1-2.us-east-2b.ess.aws.cudaops.com \
         (version=TLSv1.2 cipher=ECDHE-RSA-AES256-GCM-SHA384 bits=256 verify=NO); DATE",
        "mail.a.test/mail.a.test/192.0.2.9/- | mx-inbound1-2.us-east-2b.ess.aws.cudaops.com | - | \
         TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384 | - | -",
    );
    check(
        "from 127.0.0.1 (EHLO mail.a.test) (192.0.2.9) by mta1.mail.ne1.yahoo.com with SMTPs \
         (version=TLS1_3 cipher=TLS_AES_128_GCM_SHA256); DATE",
        "127.0.0.1/-/127.0.0.1/mail.a.test | mta1.mail.ne1.yahoo.com | SMTPS | TLSv1.3 \
         TLS_AES_128_GCM_SHA256 | - | -",
    );
}

#[test]
fn the_date_follows_the_last_semicolon_that_has_one() {
    check(
        "from a.test by b.test (x; y) with SMTP id 1; extra; DATE",
        "a.test/-/-/- | b.test | SMTP | - | 1 | -",
    );
    check("from a.test by b.test; no date", "a.test/-/-/- | b.test | - | - | - | -");
    check("from a.test (never closed by b.test; DATE", "a.test/-/-/- | b.test | - | - | - | -");
}

#[test]
fn what_is_no_hop() {
    for text in ["", " ", ";", "(comment)", "hello"] {
        assert_eq!(Hop::of(text), None, "{text}");
    }
}

#[test]
fn a_client_goes_by_its_best_name() {
    for (value, expected) in [
        ("from a.test (b.test [192.0.2.1]) by c.test", Some("a.test")),
        ("from unknown (HELO a.test) (192.0.2.1) by c.test", Some("a.test")),
        ("from [192.0.2.1] (rdns.test [192.0.2.1]) by c.test", Some("rdns.test")),
        ("from [192.0.2.1] by c.test", Some("192.0.2.1")),
        ("by c.test", None),
    ] {
        assert_eq!(Hop::of(value).unwrap().client().as_deref(), expected, "{value}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_value_panics_and_nothing_grows(
        text in "(from|by|with|id|for|via|tls|cipher|version=|using TLSv1|HELO|[(;\\[<\"\\\\)>\\]]| |[ -~]|\\PC){0,60}",
    ) {
        if let Some(hop) = Hop::of(&text) {
            for part in [hop.from, hop.by, hop.with, hop.id, hop.recipient].into_iter().flatten() {
                prop_assert!(part.chars().count() <= LONGEST + 130);
            }
        }
    }
}
