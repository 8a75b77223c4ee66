//! An OpenID provider for one client, as strict as the standards ask it to be, and the browser of whoever signs
//! in there.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use mailsonde_tests::certificates::{Authority, Validity};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use url::Url;

/// Who may redeem codes.
pub(super) const CLIENT: &str = "mailsonde";
/// What the client has.
pub(super) const SECRET: &str = "a secret/of the client+";

/// A running provider.
pub(super) struct Provider {
    told: Arc<Told>,
    authority: Authority,
}

struct Told {
    issuer: String,
    key: KeyPair,
    codes: Mutex<HashMap<String, SignedIn>>,
}

/// Whom a code is for.
struct SignedIn {
    /// What the browser came with.
    asked: HashMap<String, String>,
    email: String,
}

impl Provider {
    pub(super) fn start() -> Self {
        let authority = Authority::new().unwrap();
        let identity = authority.issue(&["localhost"], Validity::Current).unwrap();
        let tls = identity.server_config().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let issuer = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let told = Arc::new(Told { issuer, key, codes: Mutex::default() });
        let telling = Arc::clone(&told);
        // ends with the tests' process
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                telling.answer(stream, &tls);
            }
        });
        Self { told, authority }
    }

    pub(super) fn issuer(&self) -> &str {
        &self.told.issuer
    }

    /// By which it is known.
    pub(super) fn authority(&self) -> String {
        self.authority.pem()
    }

    /// Somebody goes there with their browser, signs in, and is sent back: where to.
    pub(super) fn browse(&self, authorization_url: &str, email: &str) -> Url {
        let url = Url::parse(authorization_url).unwrap();
        assert!(authorization_url.starts_with(&format!("{}/authorize?", self.told.issuer)));
        let asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
        for (key, value) in [
            ("response_type", "code"),
            ("client_id", CLIENT),
            ("code_challenge_method", "S256"),
            ("scope", "openid email profile"),
        ] {
            assert_eq!(asked[key], value);
        }
        let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
        let code = format!("code-{}", asked["nonce"]);
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked["state"]);
        self.told.codes.lock().unwrap().insert(code, SignedIn { asked, email: email.to_owned() });
        back
    }
}

/// The browser follows where it is sent, on this machine; what it is shown.
pub(super) fn follow(back: &Url) -> String {
    let port = back.port().unwrap();
    let mut stream = TcpStream::connect((back.host_str().unwrap(), port)).unwrap();
    let target = format!("{}?{}", back.path(), back.query().unwrap());
    write!(stream, "GET {target} HTTP/1.1\r\nhost: {}\r\n\r\n", back.authority()).unwrap();
    let mut shown = String::new();
    stream.read_to_string(&mut shown).unwrap();
    shown
}

impl Told {
    fn answer(&self, stream: TcpStream, tls: &Arc<ServerConfig>) {
        let connection = ServerConnection::new(Arc::clone(tls)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        let Some((head, body)) = question(&mut stream) else { return };
        let (status, answer) = match head.split(' ').nth(1).unwrap_or_default() {
            "/.well-known/openid-configuration" => (200, self.about()),
            "/keys" => (200, self.keys()),
            "/token" => self.token(&head, &body).map_or(
                (400, json!({ "error": "invalid_grant" })),
                |token| {
                    (200, json!({ "token_type": "Bearer", "access_token": "x", "id_token": token }))
                },
            ),
            _ => (404, json!({})),
        };
        let answer = answer.to_string();
        write!(
            stream,
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{answer}",
            answer.len()
        )
        .ok();
        stream.flush().ok();
    }

    fn about(&self) -> Value {
        let at = |path: &str| format!("{}/{path}", self.issuer);
        json!({
            "issuer": self.issuer, "authorization_endpoint": at("authorize"),
            "token_endpoint": at("token"), "jwks_uri": at("keys")
        })
    }

    fn keys(&self) -> Value {
        let point = self.key.der_bytes();
        let [x, y] = [&point[1..33], &point[33..]].map(|it| URL_SAFE_NO_PAD.encode(it));
        let others = json!({ "kty": "something new", "kid": "0" });
        json!({ "keys": [others, { "kty": "EC", "crv": "P-256", "kid": "1", "x": x, "y": y }] })
    }

    /// An ID token for a code, once, for the client that proves itself and the verifier.
    fn token(&self, head: &str, body: &str) -> Option<String> {
        let escaped = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let [client, secret]: [String; 2] = [CLIENT, SECRET].map(escaped);
        let basic = format!("Basic {}", STANDARD.encode(format!("{client}:{secret}")));
        let is_client = head.lines().any(|line| {
            let (name, value) = line.split_once(": ").unwrap_or_default();
            name.eq_ignore_ascii_case("authorization") && value == basic
        });
        let form: HashMap<String, String> =
            url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let SignedIn { asked, email } = self.codes.lock().unwrap().remove(form.get("code")?)?;
        let digest =
            ring::digest::digest(&ring::digest::SHA256, form.get("code_verifier")?.as_bytes());
        let is_whole = is_client
            && form.get("grant_type")? == "authorization_code"
            && form.get("redirect_uri") == asked.get("redirect_uri")
            && asked.get("code_challenge") == Some(&URL_SAFE_NO_PAD.encode(digest));
        let claims = json!({
            "iss": self.issuer, "aud": CLIENT, "sub": "1", "nonce": asked["nonce"],
            "exp": jiff::Timestamp::now().as_second() + 300,
            "email": email, "email_verified": true
        });
        let key = EncodingKey::from_ec_pem(self.key.serialize_pem().as_bytes()).unwrap();
        let header = Header { kid: Some("1".into()), ..Header::new(Algorithm::ES256) };
        is_whole.then(|| encode(&header, &claims, &key).unwrap())
    }
}

/// A question's head and body.
fn question(stream: &mut impl Read) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4_096];
        let count = stream.read(&mut part).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().ok())?
        });
        if body.len() >= length.unwrap_or(0) {
            return Some((head.to_owned(), body.to_owned()));
        }
    }
}
