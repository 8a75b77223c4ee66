use std::time::Duration;

use mailsonde_proto::Clock;

use super::*;

fn arrived(message: &[u8]) -> Arrived<'_> {
    Arrived { message, is_whole: true, receivers: &[] }
}

/// Nobody is asked in these tests: no signature, no From.
async fn verified(arrived: Arrived<'_>) -> Option<Verified> {
    let net = Net::new();
    let resolver = net.resolver().ok()?;
    let deadline = Clock::system().monotonic() + Duration::from_secs(1);
    Some(verify((&net, resolver), arrived, deadline).await)
}

fn lines(verified: &Verified) -> Vec<String> {
    verified.facts().iter().map(|fact| format!("{} = {}", fact.name, fact.value)).collect()
}

#[tokio::test]
async fn what_cannot_be_judged_is_unknown() {
    let Some(plain) = verified(arrived(b"Subject: a\r\n\r\nb\r\n")).await else { return };
    assert_eq!(
        lines(&plain),
        [
            "verify.dkim = none (it carries no signature)",
            "verify.spf = unknown (no receiver is configured whose word on the client counts)",
            "verify.dmarc = none (its From header names no domain)",
        ]
    );
    let part = Arrived { is_whole: false, ..arrived(b"Subject: a\r\n\r\nb\r\n") };
    let part = verified(part).await.unwrap();
    assert_eq!(part.spf.line(), "unknown (only a part of the message was read)");
    let long = format!("Subject: {}\r\n\r\nb", "x".repeat(300 * 1024));
    let long = verified(arrived(long.as_bytes())).await.unwrap();
    assert_eq!(long.dkim[0].result, CheckResult::Unknown);
}

#[tokio::test]
async fn a_signature_that_cannot_be_understood_is_a_permanent_error() {
    let message =
        b"DKIM-Signature: v=1; a=md5-none; d=a.test; s=b; h=from; bh=YQ==; b=YQ==\r\n\r\nb\r\n";
    let Some(verified) = verified(arrived(message)).await else { return };
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
