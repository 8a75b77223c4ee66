//! A user signs in by a browser, at an OpenID provider.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use url::Url;

use super::provider::{CLIENT, Provider, SECRET, follow};
use super::{Place, Said};
use crate::site::AGENT;

impl Place {
    /// Signs in by a browser in which somebody of this address signs in at the provider.
    fn browse(&self, provider: &Provider, email: &str) -> Said {
        let (url, authority) = (self.url(), self.authority());
        let login = ["--url", &url, "login", "--oidc", "--ca", authority.to_str().unwrap()];
        let mut command = self.command(&login);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap());
        let (mut line, mut before) = (String::new(), String::new());
        while !line.starts_with("https://") {
            before.push_str(&line);
            line.clear();
            assert_ne!(told.read_line(&mut line).unwrap(), 0, "no URL: {before}");
        }
        let shown = follow(&provider.browse(line.trim(), email));
        assert!(shown.contains("go back to the terminal"), "{shown}");
        let (mut out, mut err) = (String::new(), String::new());
        told.read_to_string(&mut err).unwrap();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        let code = child.wait().unwrap().code().unwrap();
        Said { code, out, err }
    }
}

/// A collector that believes this provider.
fn believing(provider: &Provider, files: &Path) -> Place {
    let [secret, authority] = ["secret", "ca.pem"].map(|name| files.join(name));
    fs::write(&secret, format!("{SECRET}\n")).unwrap();
    fs::write(&authority, provider.authority()).unwrap();
    Place::with(&format!(
        "operators_url = \"https://localhost:PORT\"\noidc_issuer = \"{}\"\noidc_client_id = \"{CLIENT}\"\n\
         oidc_client_secret_file = \"{}\"\noidc_authority = \"{}\"\n",
        provider.issuer(),
        secret.display(),
        authority.display()
    ))
}

#[test]
fn an_openid_provider_lets_in_whom_an_administrator_has_added() {
    let provider = Provider::start();
    let files = tempfile::tempdir().unwrap();
    let place = believing(&provider, files.path());
    let add = ["user", "add", "ann", "--role", "operator", "--oidc", "ann@example.org"];
    place.here(&add).well();
    let said = place.browse(&provider, "ann@example.org").well();
    assert!(said.contains("as ann (operator), until "), "{said}");
    place.there(&["agents", "label", AGENT, "floor=3"]).well();
    place.browse(&provider, "eve@example.org").refused("\"eve@example.org\" is no user here");
    // she has no password, and none is right
    place.login(&["--user", "ann", "--password-file", "password"]).refused("is wrong");
    // whom an administrator removes is out, whatever the provider says
    place.here(&["user", "remove", "ann"]).well();
    place.there(&["status"]).refused("your session has ended");
    place.browse(&provider, "ann@example.org").refused("is no user here");
    let acts = place.acts();
    assert!(acts.iter().any(|act| act.starts_with("user ann: signed in")), "{acts:?}");
    for hidden in [SECRET, "eyJ"] {
        assert!(!place.site.log("collector").contains(hidden));
    }
}

/// A browser that goes to pages, keeps cookies, and shows where it is sent instead of following.
struct Pages {
    tls: Arc<ClientConfig>,
    port: u16,
    cookies: Vec<String>,
}

/// What a page answered.
#[derive(Debug)]
struct Shown {
    status: u16,
    /// Where it sends the browser; empty where it stays.
    to: String,
    text: String,
}

impl Pages {
    fn of(place: &Place) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(place.authority()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { tls: Arc::new(tls), port: place.address.port(), cookies: Vec::new() }
    }

    fn go(&mut self, target: &str) -> Shown {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(self.tls.clone(), name).unwrap();
        let socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut stream = StreamOwned::new(connection, socket);
        let cookies = self.cookies.join("; ");
        write!(
            stream,
            "GET {target} HTTP/1.1\r\nhost: localhost:{}\r\ncookie: {cookies}\r\nconnection: close\r\n\r\n",
            self.port
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok();
        let text = String::from_utf8(answer).unwrap();
        let head = text.split("\r\n\r\n").next().unwrap();
        let headers = |name: &str| {
            let wanted = format!("{name}: ");
            let lines = head.lines().filter_map(|line| line.strip_prefix(&wanted));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        for cookie in headers("set-cookie") {
            assert!(cookie.contains("; Secure; HttpOnly; SameSite=Lax"), "{cookie}");
            let cookie = cookie.split(';').next().unwrap().to_owned();
            let (name, _) = cookie.split_once('=').unwrap();
            self.cookies.retain(|kept| !kept.starts_with(&format!("{name}=")));
            self.cookies.push(cookie);
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Shown { status, to: headers("location").concat(), text }
    }

    /// Begins at us, signs in at the provider, and comes back.
    fn sign_in(&mut self, provider: &Provider, (email, to): (&str, &str)) -> Shown {
        let begun = self.go(&format!("/sign-in/begin?to={to}"));
        assert_eq!(begun.status, 303, "{begun:?}");
        let back = provider.browse(&begun.to, email);
        self.go(&target(&back))
    }
}

/// What of an address is asked of its server.
fn target(url: &Url) -> String {
    format!("{}?{}", url.path(), url.query().unwrap())
}

#[test]
fn a_browser_that_goes_to_pages_signs_in_at_the_provider() {
    let provider = Provider::start();
    let files = tempfile::tempdir().unwrap();
    let place = believing(&provider, files.path());
    place.here(&["user", "add", "ann", "--role", "viewer", "--oidc", "ann@example.org"]).well();
    let mut pages = Pages::of(&place);
    let led = pages.go("/agents?page=1");
    assert_eq!((led.status, led.to.as_str()), (303, "/sign-in?to=%2Fagents%3Fpage%3D1"));
    assert!(pages.go(&led.to).text.contains("href=\"/sign-in/begin?to="), "the page has the link");
    let shown = pages.sign_in(&provider, ("ann@example.org", "%2Fagents%3Fpage%3D1"));
    assert_eq!((shown.status, shown.to.as_str()), (303, "/agents?page=1"));
    let shown = pages.go("/agents?page=1");
    assert!(shown.status == 200 && shown.text.contains(AGENT), "{shown:?}");
    assert!(shown.text.contains("ann (viewer)"), "{shown:?}");

    // whom nobody has added
    let refused = Pages::of(&place).sign_in(&provider, ("eve@example.org", "%2F"));
    assert!(refused.status != 303 && refused.text.contains("is no user here"), "{refused:?}");
    // only to ourselves
    for elsewhere in ["%2F%2Fevil.test", "https:%2F%2Fevil.test%2F", "%2F%5Cevil.test"] {
        let shown = Pages::of(&place).sign_in(&provider, ("ann@example.org", elsewhere));
        assert_eq!((shown.status, shown.to.as_str()), (303, "/"), "{elsewhere}");
    }
    // another browser is not let in by what this one came back with, and nobody is twice
    let mut pages = Pages::of(&place);
    let begun = pages.go("/sign-in/begin?to=%2F");
    let back = target(&provider.browse(&begun.to, "ann@example.org"));
    let other = Pages::of(&place).go(&back);
    assert!(other.status == 403 && other.text.contains("begin again"), "{other:?}");
    assert_eq!(pages.go(&back).status, 303);
    let again = pages.go(&back);
    assert!(again.status != 303, "a code is good once: {again:?}");
}
