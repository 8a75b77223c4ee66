//! The lab's web server and the endpoints with bad TLS, and tokens that Dovecot takes.

use std::io::{Read, Write};
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use mailsonde_proto::time::Clock;
use mailsonde_tests::lab::{BAD_ENDPOINTS, Host, MAIL, Page, User, WEB};
use rustls::ProtocolVersion;
use serde_json::{Value, json};

use super::lab;
use crate::dialogue::{Dialogue, connect, encrypt};

/// Asks the web server with the lab's authority; the whole answer, or why there is no TLS.
fn ask(host: &'static str, request: &str) -> Result<String, String> {
    let stream = connect(lab(), WEB, 443).expect("the web server accepts");
    let mut stream = encrypt(lab(), stream, host).map_err(|error| error.to_string())?;
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn get(host: &'static str, path: &str) -> Result<String, String> {
    ask(host, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
}

fn policy(host: &'static str) -> Result<String, String> {
    get(host, "/.well-known/mta-sts.txt")
}

/// Asks for a token; the status and the JSON.
fn token(query: &str, form: &str) -> (String, Value) {
    let answer = ask(
        "login.lab.test",
        &format!(
            "POST /token?{query} HTTP/1.1\r\nHost: login.lab.test\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        ),
    );
    let answer = answer.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head[9..12].to_owned(), serde_json::from_str(body).unwrap_or(Value::Null))
}

fn xoauth2(user: &User, token: &str) -> String {
    STANDARD.encode(format!("user={}\x01auth=Bearer {token}\x01\x01", user.address))
}

/// Signs in at 993 by XOAUTH2; Dovecot's last line.
fn sign_in(user: &User, token: &str) -> String {
    let stream = encrypt(lab(), connect(lab(), MAIL, 993).expect("it accepts"), "mail.good.test");
    let mut session = Dialogue::new(stream.expect("TLS stands"));
    session.command(&format!("AUTHENTICATE XOAUTH2 {}", xoauth2(user, token)))
}

/// What another TLS client says of a connection.
fn openssl(arguments: &[&str]) -> String {
    let mut command = lab().command(Host::Branch(1), "openssl");
    command.arg("s_client").args(arguments).stdin(Stdio::null());
    let output = command.output().expect("openssl runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn policies_are_served_rightly_and_wrongly() {
    let good = policy("mta-sts.good.test").expect("TLS stands");
    assert!(good.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"), "{good}");
    assert!(good.ends_with(
        "\r\n\r\nversion: STSv1\r\nmode: enforce\r\nmx: mx1.good.test\r\nmax_age: 604800\r\n"
    ));
    for (host, words) in [
        ("mta-sts.ststesting.test", "mode: testing"),
        ("mta-sts.stsnone.test", "mode: none"),
        ("mta-sts.stsage.test", "max_age: 31557601"),
        ("mta-sts.stsredir.test", "HTTP/1.1 302 "),
        ("mta-sts.sts404.test", "HTTP/1.1 404 "),
        ("mta-sts.stshtml.test", "Content-Type: text/html"),
    ] {
        let answer = policy(host).expect("TLS stands");
        assert!(answer.contains(words), "{host}: {answer}");
    }
    assert!(policy("mta-sts.stslarge.test").expect("TLS stands").len() > 64 * 1024);
    for (host, words) in [
        ("mta-sts.stswrongcert.test", "not valid for name"),
        ("mta-sts.stsexpired.test", "expired"),
        ("mta-sts.stsself.test", "UnknownIssuer"),
    ] {
        let error = policy(host).expect_err("no TLS");
        assert!(error.contains(words), "{host}: {error}");
    }
}

#[test]
fn pages_are_there_and_can_be_changed() {
    for (host, path, words) in [
        ("autoconfig.good.test", "/mail/config-v1.1.xml", "<clientConfig"),
        ("autodiscover.good.test", "/autodiscover/autodiscover.xml", "<Autodiscover"),
        ("webmail.good.test", "/", "Location: /login"),
        ("webmail.good.test", "/login", "Webmail of good.test"),
        ("exchange.good.test", "/owa/healthcheck.htm", "200 OK<br/>EXCHANGE.GOOD.TEST"),
        ("sick.web.lab.test", "/owa/healthcheck.htm", "HTTP/1.1 503 "),
        ("web.lab.test", "/status/418", "HTTP/1.1 418 "),
        ("web.lab.test", "/redirect/3", "Location: /redirect/2"),
        ("web.lab.test", "/nothing", "HTTP/1.1 404 "),
    ] {
        let answer = get(host, path).expect("TLS stands");
        assert!(answer.contains(words), "{host}{path}: {answer}");
    }
    let page = Page::text(200, "one").with("X-Lab", "yes");
    lab().set_page("changes.web.lab.test", "/page", page);
    let answer = get("changes.web.lab.test", "/page").expect("TLS stands");
    assert!(answer.contains("X-Lab: yes") && answer.ends_with("\r\n\r\none"), "{answer}");
    let asked = lab().web_requests();
    assert_eq!(asked.iter().filter(|asked| asked.host == "changes.web.lab.test").count(), 1);
}

#[test]
fn each_endpoint_of_the_web_server_has_the_tls_it_says() {
    for (host, words) in [
        ("expired.web.lab.test", "expired"),
        ("notyet.web.lab.test", "not valid yet"),
        ("selfsigned.web.lab.test", "UnknownIssuer"),
        ("wrongname.web.lab.test", "not valid for name"),
        ("missing.web.lab.test", "UnknownIssuer"),
        ("midexpired.web.lab.test", "expired"),
    ] {
        let error = get(host, "/").expect_err("no TLS");
        assert!(error.contains(words), "{host}: {error}");
    }
    for host in ["soon", "chain", "ocspgood", "ocsprevoked", "ocspstale"] {
        let host: &'static str = format!("{host}.web.lab.test").leak();
        let answer = get(host, "/").expect("TLS stands");
        assert!(answer.ends_with(&format!("{host}\n")), "{answer}");
    }
    for (host, words) in [
        ("ocspgood", "Cert Status: good"),
        ("ocsprevoked", "Cert Status: revoked"),
        ("ocspstale", "Next Update: Jan  8 00:00:00 2020 GMT"),
        ("chain", "OCSP response: no response sent"),
    ] {
        let host = format!("{host}.web.lab.test");
        let address = format!("{WEB}:443");
        let output = openssl(&["-status", "-connect", &address, "-servername", &host]);
        assert!(output.contains(words), "{host}: {output}");
    }
    for (host, version) in [
        ("tls12.web.lab.test", ProtocolVersion::TLSv1_2),
        ("tls13.web.lab.test", ProtocolVersion::TLSv1_3),
    ] {
        let stream = connect(lab(), WEB, 443).expect("it accepts");
        let stream = encrypt(lab(), stream, host).expect("TLS stands");
        assert_eq!(stream.conn.protocol_version(), Some(version));
    }
}

#[test]
fn each_bad_endpoint_of_mail_is_bad_as_it_says() {
    let shake = |port| {
        let stream = connect(lab(), BAD_ENDPOINTS, port).expect("it accepts");
        encrypt(lab(), stream, "mail.badcert.test").map_err(|error| error.to_string())
    };
    for (port, words) in [
        (469, "not valid yet"),
        (470, "expired"),
        (471, "UnknownIssuer"),
        (473, "ProtocolVersion"),
        (474, "ProtocolVersion"),
        (995, "expired"),
    ] {
        let error = shake(port).expect_err("no TLS");
        assert!(error.contains(words), "{port}: {error}");
    }
    for port in [468, 472] {
        shake(port).expect("TLS stands");
    }
    let tls12 = shake(475).expect("TLS stands");
    assert_eq!(tls12.conn.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    // a client of the old days gets what is only offered to those of the old days
    for (port, version) in [(473, "-tls1"), (474, "-tls1_1")] {
        let address = format!("{BAD_ENDPOINTS}:{port}");
        let output = openssl(&["-connect", &address, version, "-cipher", "ALL:@SECLEVEL=0"]);
        assert!(output.contains("BEGIN CERTIFICATE"), "{port}: {output}");
    }
    let mut session = Dialogue::new(connect(lab(), BAD_ENDPOINTS, 25).expect("it accepts"));
    session.reply();
    assert!(session.say("EHLO b1.lab.test").contains("STARTTLS"));
    assert!(session.say("STARTTLS").starts_with("220 "));
    let error = encrypt(lab(), session.into_inner(), "mx.badcert.test").expect_err("no TLS");
    assert!(error.to_string().contains("expired"), "{error}");
}

#[test]
fn tokens_are_given_out_and_refused() {
    let client = "client_id=sonde&client_secret=lab-secret&scope=https%3A%2F%2Fa%2F.default";
    let credentials = format!("grant_type=client_credentials&{client}");
    let (status, granted) = token("user=alice@good.test&lifetime=7", &credentials);
    assert_eq!((status.as_str(), &granted["expires_in"]), ("200", &json!(7)));
    let wrong = credentials.replace("lab-secret", "guess");
    let (status, refused) = token("user=alice@good.test", &wrong);
    assert_eq!((status.as_str(), &refused["error"]), ("401", &json!("invalid_client")));
    let refresh = |token: &str| format!("grant_type=refresh_token&{client}&refresh_token={token}");
    assert_eq!(token("user=alice@good.test", &refresh("lab-refresh")).0, "200");
    let (status, refused) = token("user=alice@good.test", &refresh("old"));
    assert_eq!((status.as_str(), &refused["error"]), ("400", &json!("invalid_grant")));
    for (target, status) in [
        ("answer=429&times=2&test=given_out", ["429", "429", "200"]),
        ("answer=rubbish&times=1&test=given_out", ["200", "200", "200"]),
    ] {
        assert_eq!([(); 3].map(|()| token(target, &credentials).0), status, "{target}");
    }
    assert_eq!(token("answer=401", &credentials).0, "401");
    assert_eq!(token("answer=rubbish", &credentials).1, Value::Null);

    let key = EncodingKey::from_rsa_pem(lab().service_account_key().as_bytes()).expect("a key");
    let now = Clock::system().wall().as_us() / 1_000_000;
    let assertion = |aud: &str| {
        let claims = json!({"iss": "sonde@project.test", "sub": "alice@good.test", "aud": aud,
            "scope": "https://mail.google.com/", "iat": now, "exp": now + 600});
        let signed = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key);
        let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
        format!("{grant}&assertion={}", signed.expect("it is signed"))
    };
    assert_eq!(token("", &assertion("https://login.lab.test/token")).0, "200");
    assert_eq!(token("", &assertion("https://elsewhere.test/token")).0, "400");
}

#[test]
fn dovecot_and_postfix_take_tokens() {
    let user = lab().claim_user().expect("a user");
    let token = lab().access_token(&user.address, 60);
    assert!(sign_in(&user, &token).contains("a1 OK"));

    let mut session = Dialogue::new(connect(lab(), MAIL, 587).expect("it accepts"));
    session.reply();
    session.say("EHLO b1.lab.test");
    session.say("STARTTLS");
    let stream = encrypt(lab(), session.into_inner(), "mail.good.test").expect("TLS stands");
    let mut session = Dialogue::new(stream);
    let offered = session.say("EHLO b1.lab.test");
    assert!(offered.contains("XOAUTH2") && offered.contains("OAUTHBEARER"), "{offered}");
    let reply = session.say(&format!("AUTH XOAUTH2 {}", xoauth2(&user, &token)));
    assert!(reply.starts_with("235 "), "{reply}");

    let stream = encrypt(lab(), connect(lab(), MAIL, 995).expect("it accepts"), "pop.good.test");
    let mut session = Dialogue::new(stream.expect("TLS stands"));
    session.reply();
    let reply = session.say(&format!("AUTH XOAUTH2 {}", xoauth2(&user, &token)));
    assert!(reply.starts_with("+OK"), "{reply}");
}

#[test]
fn dovecot_refuses_tokens_that_are_none_and_says_why() {
    let user = lab().claim_user().expect("a user");
    let other = lab().access_token("alice@good.test", 60);
    for token in [lab().access_token(&user.address, -60), other, "rubbish".to_owned()] {
        let stream = connect(lab(), MAIL, 993).expect("it accepts");
        let stream = encrypt(lab(), stream, "mail.good.test").expect("TLS stands");
        let mut session = Dialogue::new(stream);
        session.reply();
        let mut write = |line: &str| {
            let challenge = session.exchange(line);
            challenge.trim_end().to_owned()
        };
        let challenge = write(&format!("a1 AUTHENTICATE XOAUTH2 {}", xoauth2(&user, &token)));
        let json = STANDARD.decode(challenge.trim_start_matches("+ ")).expect("base64");
        let json: Value = serde_json::from_slice(&json).expect("JSON");
        assert!(json["status"].is_string(), "{json}");
        let reply = write("");
        assert!(reply.contains("a1 NO"), "{reply}");
    }
}
