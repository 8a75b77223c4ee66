use std::time::Duration;

use mailsonde_proto::Clock;
use proptest::prelude::*;

use super::*;

fn arrived(message: &[u8]) -> Arrived<'_> {
    Arrived { message, is_whole: true, receivers: &[] }
}

/// Nobody is asked in these tests: no signature, no From.
async fn verified(arrived: Arrived<'_>) -> Verified {
    let resolver = Net::resolver_without_servers().unwrap();
    let deadline = Clock::system().monotonic() + Duration::from_secs(1);
    verify((&Net::new(), resolver), arrived, deadline).await
}

fn lines(verified: &Verified) -> Vec<String> {
    verified.facts().iter().map(|fact| format!("{} = {}", fact.name, fact.value)).collect()
}

#[tokio::test]
async fn what_cannot_be_judged_is_unknown() {
    let plain = verified(arrived(b"Subject: a\r\n\r\nb\r\n")).await;
    assert_eq!(
        lines(&plain),
        [
            "verify.dkim = none (it carries no signature)",
            "verify.spf = unknown (no receiver is configured whose word on the client counts)",
            "verify.dmarc = none (its From header names no domain)",
        ]
    );
    let part = Arrived { is_whole: false, ..arrived(b"Subject: a\r\n\r\nb\r\n") };
    let part = verified(part).await;
    assert_eq!(part.spf.line(), "unknown (only a part of the message was read)");
    let long = format!("Subject: {}\r\n\r\nb", "x".repeat(300 * 1024));
    let long = verified(arrived(long.as_bytes())).await;
    assert_eq!(long.dkim[0].result, CheckResult::Unknown);
}

#[tokio::test]
async fn a_signature_that_cannot_be_understood_is_a_permanent_error() {
    let message =
        b"DKIM-Signature: v=1; a=md5-none; d=a.test; s=b; h=from; bh=YQ==; b=YQ==\r\n\r\nb\r\n";
    let verified = verified(arrived(message)).await;
    assert_eq!(verified.dkim[0].result, CheckResult::PermError, "{verified:?}");
}

#[test]
fn a_broken_body_is_a_fail_and_silence_is_not() {
    use mail_auth::Error;
    for (result, expected) in [
        (DkimResult::Neutral(Error::Dkim(DkimError::FailedBodyHashMatch)), CheckResult::Fail),
        (DkimResult::Neutral(Error::Dkim(DkimError::SignatureExpired)), CheckResult::Neutral),
        (
            DkimResult::TempError(Error::Dns(DnsError::Resolver("timeout".to_owned()))),
            CheckResult::TempError,
        ),
        (DkimResult::PermError(Error::Dkim(DkimError::RevokedPublicKey)), CheckResult::PermError),
        (DkimResult::Pass, CheckResult::Pass),
    ] {
        assert_eq!(outcome(&result).0, expected, "{result:?}");
    }
}

#[test]
fn without_spf_dmarc_does_not_fail() {
    let output = DmarcOutput::default()
        .with_domain("a.test")
        .with_dkim_result(DmarcResult::Fail(mail_auth::Error::NotAligned));
    assert_eq!(dmarc_check(&output, false).result, CheckResult::Unknown);
    assert_eq!(dmarc_check(&output, true).result, CheckResult::Fail);
}

/// Messages whose signatures are nearly good.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&str; 20] = [
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=a.test; s=b; h=from:subject; ",
        "bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=YQ==\r\n",
        "ARC-Seal: i=1; a=rsa-sha256; cv=none; d=a.test; s=b; b=YQ==\r\n",
        "ARC-Message-Signature: i=1; a=rsa-sha256; c=simple; d=a.test; s=b; h=from; bh=YQ==; b=YQ==\r\n",
        "ARC-Authentication-Results: i=1; a.test; spf=pass\r\n",
        "Received: from a.test (a.test [192.0.2.1]) by mx.good.test with ESMTP; Mon, 24 Nov 2025 16:00:00 +0000\r\n",
        "Return-Path: <a@a.test>\r\n",
        "From: A <a@a.test>, b@c.test\r\n",
        "From: (\r\n",
        "l=0; ",
        "l=18446744073709551615; ",
        "t=99999999999; x=1; ",
        "i=@; q=dns/txt; z=a|b; ",
        "c=simple/; ",
        "h=:::; ",
        "Subject: \t a \r\n b\r\n",
        "\r\n",
        "\n",
        "=",
        ";",
    ];
    let piece = prop_oneof![
        6 => prop::sample::select(PIECES.as_slice()).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

#[test]
fn no_message_panics_or_passes_unasked() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (net, resolver) = (Net::new(), Net::resolver_without_servers().unwrap());
    let receivers = ["good.test".to_owned()];
    let config = ProptestConfig::with_cases(10_000);
    let ran = proptest::test_runner::TestRunner::new(config).run(&messages(), |message| {
        let arrived = Arrived { message: &message, is_whole: true, receivers: &receivers };
        // A resolver for all: making one takes longer than any message.
        let deadline = Clock::system().monotonic() + Duration::from_secs(1);
        let verified = runtime.block_on(verify((&net, resolver.clone()), arrived, deadline));
        prop_assert!(verified.dkim.len() <= MOST_SIGNATURES.max(1), "{verified:?}");
        let checks =
            verified.dkim.iter().chain([&verified.spf, &verified.dmarc]).chain(&verified.arc);
        for check in checks {
            prop_assert!(check.result != CheckResult::Pass, "{verified:?}");
            prop_assert!(check.detail.chars().count() <= 1_000, "{verified:?}");
        }
        Ok(())
    });
    ran.unwrap();
}
