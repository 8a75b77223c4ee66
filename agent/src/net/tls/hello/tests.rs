use proptest::prelude::*;

use super::*;

fn offer(version: TlsVersion, suites: &[CipherSuite]) -> Vec<u8> {
    Offer { version, suites, server_name: "mail.good.test", random: &[7; 96] }.bytes()
}

/// A ServerHello in one record, with a supported_versions extension where `selected` is given.
fn hello(version: u16, suite: u16, selected: Option<u16>) -> Vec<u8> {
    let mut body = Vec::new();
    u16_to(&mut body, version);
    body.extend([9; 32]);
    body.push(0);
    u16_to(&mut body, suite);
    body.push(0);
    if let Some(selected) = selected {
        with_length::<2>(&mut body, |body| {
            extension(body, SUPPORTED_VERSIONS, |to| u16_to(to, selected));
        });
    }
    let mut record = vec![HANDSHAKE, 3, 3];
    with_length::<2>(&mut record, |record| {
        record.push(SERVER_HELLO);
        with_length::<3>(record, |record| record.extend(&body));
    });
    record
}

fn accepted(version: TlsVersion, suite: u16) -> Result<Option<Answer>, NotTls> {
    let (version, suite) = (Some(version), CipherSuite::from(suite));
    Ok(Some(Answer::Accepted { version, suite, is_retry: false }))
}

#[test]
fn an_answer_is_read_whole_and_from_pieces() {
    let old = hello(0x0301, 0x002f, None);
    assert_eq!(Answer::read(&old), accepted(TlsVersion::Tls10, 0x002f));
    assert_eq!(
        Answer::read(&hello(0x0303, 0x1301, Some(0x0304))),
        accepted(TlsVersion::Tls13, 0x1301)
    );
    for length in 0..old.len() {
        assert_eq!(Answer::read(&old[..length]), Ok(None), "{length}");
    }
    // The same handshake message in records of one byte each.
    let mut pieces = Vec::new();
    for byte in &old[5..] {
        pieces.extend([HANDSHAKE, 3, 1, 0, 1, *byte]);
    }
    assert_eq!(Answer::read(&pieces), accepted(TlsVersion::Tls10, 0x002f));
}

#[test]
fn refusals_are_told_from_warnings_and_from_what_is_no_tls() {
    assert_eq!(Answer::read(&[ALERT, 3, 1, 0, 2, 2, 70]), Ok(Some(Answer::Refused { alert: 70 })));
    let mut warned = vec![ALERT, 3, 3, 0, 2, WARNING, 112];
    assert_eq!(Answer::read(&warned), Ok(None));
    warned.extend(hello(0x0303, 0xc02f, None));
    assert_eq!(Answer::read(&warned), accepted(TlsVersion::Tls12, 0xc02f));
    for no_tls in [&b"220 mail ESMTP\r\n"[..], &[HANDSHAKE, 2, 0, 0, 0], &[23, 3, 3, 0, 1, 0]] {
        assert_eq!(Answer::read(no_tls), Err(NotTls), "{no_tls:?}");
    }
    // A server certificate is no answer to a ClientHello.
    assert_eq!(Answer::read(&[HANDSHAKE, 3, 3, 0, 4, 11, 0, 0, 0]), Err(NotTls));
}

#[test]
fn suites_have_a_grade_by_their_names() {
    for (code, expected) in [
        (0x1301, Grade::Good),
        (0xc02f, Grade::Good),
        (0xcca8, Grade::Good),
        (0xc013, Grade::Cbc),
        (0x002f, Grade::NoForwardSecrecy),
        (0x009c, Grade::NoForwardSecrecy),
        (0x0034, Grade::Anonymous),
        (0xc018, Grade::Anonymous),
        (0x000a, Grade::Broken),
        (0x0005, Grade::Broken),
        (0x0003, Grade::Broken),
        (0x0002, Grade::Broken),
        (0xc012, Grade::Broken),
    ] {
        let suite = CipherSuite::from(code);
        assert_eq!(grade(suite), expected, "{suite:?}");
    }
    let all = TlsVersion::Tls12.suites();
    assert!(all.len() > 200, "{}", all.len());
    assert!(!all.contains(&CipherSuite::from(0x00ff)) && !all.contains(&CipherSuite::from(0x1301)));
    assert!(all.is_sorted_by_key(|suite| grade(*suite)));
    assert!(TlsVersion::Tls13.suites().contains(&CipherSuite::from(0x1301)));
}

/// rustls reads what we wrote by hand, and answers it as it would answer a client.
fn asked(version: TlsVersion, suites: &[CipherSuite]) -> Result<Option<Answer>, NotTls> {
    use std::sync::Arc;

    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["mail.good.test".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(vec![certificate], key)
    .unwrap();
    let mut server = rustls::ServerConnection::new(Arc::new(config)).unwrap();
    server.read_tls(&mut offer(version, suites).as_slice()).unwrap();
    let _refused = server.process_new_packets();
    let mut answer = Vec::new();
    server.write_tls(&mut answer).unwrap();
    Answer::read(&answer)
}

#[test]
fn a_real_server_understands_what_is_offered() {
    let both = |version: TlsVersion| asked(version, &version.suites());
    let Ok(Some(Answer::Accepted { version, suite, .. })) = both(TlsVersion::Tls13) else {
        panic!("{:?}", both(TlsVersion::Tls13));
    };
    assert_eq!(version, Some(TlsVersion::Tls13));
    assert!(suite.as_str().unwrap().starts_with("TLS13_"));
    let only = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    assert_eq!(asked(TlsVersion::Tls12, &[only]), accepted(TlsVersion::Tls12, 0xc02b));
    for (version, suites) in [
        (TlsVersion::Tls11, TlsVersion::Tls11.suites()),
        (TlsVersion::Tls12, vec![CipherSuite::from(0x002f)]),
    ] {
        let refused = asked(version, &suites);
        assert!(matches!(refused, Ok(Some(Answer::Refused { .. }))), "{version:?}: {refused:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_bytes_panic_and_none_are_asked_for_without_end(
        noise in proptest::collection::vec(any::<u8>(), 0..300),
        at in 0..49_usize,
        byte in any::<u8>(),
    ) {
        let _read = Answer::read(&noise);
        let mut tampered = hello(0x0303, 0x1301, Some(0x0304));
        tampered[at] = byte;
        let _read = Answer::read(&tampered);
        // Whatever it begins with, it has an end.
        let mut long = vec![HANDSHAKE, 3, byte];
        long.extend(&noise);
        long.resize(MOST_BYTES + 1, byte);
        prop_assert!(!matches!(Answer::read(&long), Ok(None)));
    }
}
