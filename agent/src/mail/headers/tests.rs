use proptest::prelude::*;

use super::*;

const MESSAGE: &str = "Return-Path: <a@a.test>\r\n\
Received: from mx.good.test ([192.0.2.1])\r\n\tby mail.good.test with LMTP id 9\r\n\tfor <box@good.test>; \
Mon, 24 Nov 2025 16:00:03 +0000\r\n\
Authentication-Results: mx.good.test;\r\n\tdkim=fail header.d=b.test header.s=old;\r\n\tdkim=pass \
header.d=a.test header.s=sel;\r\n\tspf=pass smtp.mailfrom=a@a.test\r\n\
Authentication-Results: forged.test; dmarc=pass header.from=a.test\r\n\
X-Spamd-Result: default: False [1.50 / 15.00]; A(1.00)[]\r\n\
Received: from relay.a.test (relay.a.test [192.0.2.9])\r\n\t(using TLSv1.3 with cipher \
TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n\tby mx.good.test (Postfix) with ESMTPS id 4; Mon, 24 Nov 2025 \
16:00:04 +0000\r\n\
Received: from pc.a.test by relay.a.test with ESMTPSA; Mon, 24 Nov 2025 17:00:02 +0100\r\n\
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=a.test; s=sel; h=from; bh=a; b=b\r\n\
X-BESS-ID: 1\r\n\
Subject: a\r\n\r\nReceived: from body by nobody\r\n";

fn trust() -> Trust {
    Trust::new(["mx.good.test".to_owned()])
}

#[test]
fn facts_of_a_message() {
    let facts = Headers::of(MESSAGE.as_bytes()).facts(&trust());
    let lines: Vec<_> =
        facts.iter().map(|fact| format!("{} = {}", fact.name, fact.value)).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    hop.1 = relay.a.test <- pc.a.test ESMTPSA TLS
    hop.2 = mx.good.test <- relay.a.test ESMTPS TLSv1.3 +2s
    hop.3 = mail.good.test <- mx.good.test LMTP -1s (before the hop before: clocks differ)
    hops.total = +1s
    authentication.dkim = pass (a.test, sel)
    authentication.spf = pass (a@a.test)
    authentication.untrusted.1 = forged.test: dmarc=pass (a.test)
    dkim.1 = a.test sel rsa-sha256 relaxed/relaxed
    gateway.1 = barracuda_cloud: only its headers (X-BESS-ID), it is no hop on the way
    spam.rspamd = not spam, 1.5, limit 15, symbols A(1.00)[]
    ");
}

#[test]
fn without_trust_nothing_counts() {
    let facts = Headers::of(MESSAGE.as_bytes()).facts(&Trust::default());
    assert!(facts.iter().all(|fact| {
        !fact.name.starts_with("authentication.")
            || fact.name.starts_with("authentication.untrusted.")
    }));
}

#[test]
fn facts_are_bounded() {
    let hop = "Received: from a by b with SMTP; Mon, 24 Nov 2025 16:00:00 +0000\r\n";
    let results =
        format!("Authentication-Results: mx.good.test; {}\r\n", "dkim=pass x=y; ".repeat(200));
    let signature = format!("DKIM-Signature: d=a; s={}\r\n", "x".repeat(10_000));
    let text = format!("{}{}{}", hop.repeat(150), results.repeat(30), signature.repeat(20));
    let facts = Headers::of(text.as_bytes()).facts(&trust());
    assert!(facts.len() <= MOST_FACTS);
    assert!(facts.iter().all(|fact| fact.value.len() <= 2_400 && fact.name.len() <= 64));
    assert_eq!(facts[0].name, "hops.left_out");
    assert_eq!(facts[0].value, "130, the oldest");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let facts = Headers::of(&bytes).facts(&trust());
        prop_assert!(facts.len() <= MOST_FACTS);
    }

    #[test]
    fn no_damage_panics(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = MESSAGE.as_bytes().to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let facts = Headers::of(&bytes).facts(&trust());
        prop_assert!(facts.len() <= MOST_FACTS);
    }
}
