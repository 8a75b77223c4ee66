//! Operators over the network: users and API tokens, what each may do, and what nobody finds afterwards. Real
//! processes; every command is run as people run it.

mod openid;
mod provider;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_collector::api::{endpoints, path};
use mailsonde_tests::certificates::{Authority, Validity};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::site::{AGENT, PROGRAM, Site, files_with, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);
const PASSWORD: &str = "correct horse battery staple";

/// A collector that answers operators over the network, and an operator's own machine.
struct Place {
    site: Site,
    address: SocketAddr,
    /// Of the operator: nothing of the collector's stands there.
    home: TempDir,
}

/// What a command said, and how it ended.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn well(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    fn json(self) -> Value {
        serde_json::from_str(&self.well()).unwrap()
    }

    fn refused(self, words: &str) {
        assert!(self.code == 2 && self.err.contains(words), "not {words:?}: {self:?}");
    }
}

impl Place {
    fn new() -> Self {
        Self::with("")
    }

    /// With more in collector.toml, in which `PORT` is where operators are answered.
    fn with(more: &str) -> Self {
        let mut site = Site::new();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let config = site.collector_folder().join("collector.toml");
        let text = fs::read_to_string(&config).unwrap();
        let more = more.replace("PORT", &address.port().to_string());
        fs::write(&config, format!("{text}operators_listen = \"{address}\"\n{more}")).unwrap();
        site.start_collector();
        site.wait_for_operators();
        let home = tempfile::Builder::new().prefix("mailsonde-home-").tempdir().unwrap();
        fs::write(home.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        fs::write(home.path().join("wrong"), "quite another password\n").unwrap();
        Self { site, address, home }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// Where `login` keeps its token.
    fn token_file(&self) -> PathBuf {
        self.home.path().join(format!("mailsonde/localhost-{}.toml", self.address.port()))
    }

    /// The token that `login` got.
    fn token(&self) -> String {
        let text = fs::read_to_string(self.token_file()).unwrap();
        let token = text.lines().find_map(|line| line.strip_prefix("token = "));
        token.unwrap().trim_matches('"').to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .arg("collector")
            .args(arguments)
            .current_dir(self.home.path())
            .env("XDG_CONFIG_HOME", self.home.path())
            .env_remove("MAILSONDE_URL")
            .env_remove("MAILSONDE_TOKEN_FILE");
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().unwrap();
        Said { code, out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// At the collector, by its socket.
    fn here(&self, arguments: &[&str]) -> Said {
        let folder = self.site.collector_folder();
        self.run(&[&["--data", folder.to_str().unwrap()], arguments].concat())
    }

    /// From the operator's machine.
    fn there(&self, arguments: &[&str]) -> Said {
        self.run(&[&["--url", &self.url()], arguments].concat())
    }

    fn add_user(&self, name: &str, role: &str) {
        let file = self.home.path().join("password");
        let file = ["--password-file", file.to_str().unwrap()];
        self.here(&[&["user", "add", name, "--role", role], &file[..]].concat()).well();
    }

    fn login(&self, options: &[&str]) -> Said {
        let authority = self.authority();
        let always = ["login", "--ca", authority.to_str().unwrap()];
        self.there(&[&always, options].concat())
    }

    fn sign_in(&self, user: &str) {
        self.login(&["--user", user, "--password-file", "password"]).well();
    }

    fn authority(&self) -> PathBuf {
        self.site.collector_folder().join("ca.pem")
    }

    fn acts(&self) -> Vec<String> {
        let audit = self.here(&["--json", "audit", "show"]).json();
        let newest = audit["newest"].as_array().unwrap().iter();
        let words = |act: &Value, key: &str| act[key].as_str().unwrap().to_owned();
        newest.map(|act| format!("{}: {}", words(act, "who"), words(act, "what"))).collect()
    }
}

#[test]
fn a_user_signs_in_and_does_what_their_role_may_until_the_session_is_ended() {
    let place = Place::new();
    place.add_user("ann", "viewer");
    place.there(&["status"]).refused("you are not signed in at https://localhost:");
    let who = ["login", "--user", "ann", "--password-file", "password"];
    place.there(&who).refused("is not trusted here: if the collector has an authority of its own");
    let stranger = "ab".repeat(32);
    place.there(&[&who[..], &["--fingerprint", &stranger]].concat()).refused("another authority");
    let authority = CertificateDer::from_pem_file(place.authority()).unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, &authority);
    let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    let said = place.there(&[&who[..], &["--fingerprint", &digits]].concat()).well();
    assert!(said.contains("as ann (viewer), until "), "{said}");
    let file = place.token_file();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    // by the URL, or by the file alone
    let agents = place.there(&["--json", "agents"]).json();
    assert_eq!(agents["agents"][0]["name"], AGENT);
    place.run(&["--token-file", file.to_str().unwrap(), "status"]).well();
    let label = ["agents", "label", AGENT, "floor=2"];
    place.there(&label).refused("this needs the role operator; you are viewer");
    place.there(&["audit", "show"]).refused("this needs the role admin; you are viewer");

    // another role holds from the next question on
    place.here(&["user", "role", "ann", "operator"]).well();
    place.there(&label).well();
    place.there(&["agents", "revoke", AGENT]).refused("this needs the role admin");
    let acts = place.acts();
    assert!(acts.contains(&format!("user ann: labelled {AGENT}: floor=2")), "{acts:?}");

    let sessions = place.here(&["--json", "session", "list"]).json();
    let id = sessions["sessions"][0]["id"].as_str().unwrap().to_owned();
    assert!(sessions["sessions"][0]["address"].as_str().unwrap().starts_with("127.0.0.1:"));
    place.here(&["session", "end", &id]).well();
    let over = "your session has ended, or your token is not valid (any more): \
                `mailsonde-collector login --url https://localhost:";
    place.there(&["status"]).refused(over);

    // who signs in again has said before who they are and whom they trust
    place.there(&["login", "--password-file", "password"]).well();
    place.there(&["status"]).well();

    // and gives themselves another password
    let own = ["user", "password", "--old-password-file", "password", "--password-file", "wrong"];
    place.there(&["user", "password", "ann", "--password-file", "wrong"]).refused("role admin");
    place.there(&own).well();
    place.there(&["status"]).refused("your session has ended");
    place.there(&["login", "--password-file", "wrong"]).well();
    place.there(&["logout"]).well();
    assert!(!file.exists());
    assert_eq!(place.here(&["session", "list"]).well(), "nobody is signed in\n");
}

#[test]
fn sessions_end_with_the_collector_and_api_tokens_when_they_are_revoked() {
    let mut place = Place::new();
    place.add_user("ann", "admin");
    place.sign_in("ann");
    let made =
        place.there(&["--json", "api-token", "create", "--name", "wall", "--role", "viewer"]);
    let token = made.json()["token"].as_str().unwrap().to_owned();
    place.site.stop_collector();
    place.site.start_collector();
    place.site.wait_for_operators();
    place.there(&["status"]).refused("your session has ended");

    fs::write(place.home.path().join("token"), &token).unwrap();
    let said = place.login(&["--api-token", "token"]).well();
    assert!(said.contains("as api-token wall (viewer)"), "{said}");
    place.there(&["status"]).well();
    place.there(&["user", "list"]).refused("this needs the role admin; you are viewer");
    let listed = place.here(&["api-token", "list"]).well();
    assert!(listed.contains("wall") && !listed.contains(&token), "{listed}");
    place.here(&["api-token", "revoke", "wall"]).well();
    place.there(&["status"]).refused("your token is not valid");
    // there is no session to end; the file goes all the same
    place.there(&["logout"]).well();
    assert!(!place.token_file().exists());
}

#[test]
fn operators_are_shown_a_certificate_of_ones_own() {
    let files = tempfile::tempdir().unwrap();
    let [certificate, key, ca] = ["op.pem", "op.key", "ca.pem"].map(|it| files.path().join(it));
    let authority = Authority::new().unwrap();
    let identity = authority.issue(&["localhost"], Validity::Current).unwrap();
    fs::write(&certificate, identity.certificate_pem()).unwrap();
    fs::write(&key, identity.key_pem()).unwrap();
    fs::write(&ca, authority.pem()).unwrap();
    let place = Place::with(&format!(
        "operators_certificate = \"{}\"\noperators_key = \"{}\"\n",
        certificate.display(),
        key.display()
    ));
    place.add_user("ann", "viewer");
    let who = ["login", "--user", "ann", "--password-file", "password", "--ca"];
    let agents_authority = place.authority();
    let refused = place.there(&[&who[..], &[agents_authority.to_str().unwrap()]].concat());
    refused.refused("it is of another authority than the one given");
    place.there(&[&who[..], &[ca.to_str().unwrap()]].concat()).well();
    place.there(&["status"]).well();
}

#[test]
fn whoever_guesses_waits_and_is_written_down() {
    let place = Place::new();
    place.add_user("ann", "viewer");
    let wrong = "the user name or the password is wrong";
    let guess = |user: &str| place.login(&["--user", user, "--password-file", "wrong"]);
    guess("nobody").refused(wrong);
    guess("ann").refused(wrong);
    guess("ann").refused(wrong);
    // three are free, then the waits grow
    wait_until("a wait of seconds", PATIENCE, || {
        let said = guess("ann");
        let wait = said.err.trim().split("too many sign-ins failed: try again in ").nth(1);
        wait.is_some_and(|wait| wait.trim_end_matches('s').parse::<u64>().unwrap() > 2)
    });
    // the right password waits too, and then works
    let right = || place.login(&["--user", "ann", "--password-file", "password"]);
    right().refused("too many sign-ins failed");
    wait_until("the wait is over", Duration::from_secs(90), || {
        std::thread::sleep(Duration::from_millis(500));
        right().code == 0
    });
    let acts = place.acts();
    let failed = acts.iter().filter(|act| act.starts_with("somebody: could not sign in"));
    let failed: Vec<_> = failed.map(String::as_str).collect();
    assert_eq!(
        failed[..3],
        [
            "somebody: could not sign in as a user that does not exist, failure 1 of this address",
            "somebody: could not sign in as ann, failure 1 in a row",
            "somebody: could not sign in as ann, failure 2 in a row",
        ]
    );
    assert!(acts.last().unwrap().starts_with("user ann: signed in (session "), "{acts:?}");
}

#[test]
fn passwords_and_tokens_stand_in_no_file_log_or_answer() {
    let place = Place::new();
    place.add_user("ann", "admin");
    place.sign_in("ann");
    let session = place.token();
    let made =
        place.there(&["--json", "api-token", "create", "--name", "wall", "--role", "viewer"]);
    let made = made.json()["token"].as_str().unwrap().to_owned();
    place.login(&["--user", "ann", "--password-file", "wrong"]).refused("is wrong");
    place.here(&["user", "password", "ann", "--password-file", "wrong"]).well();
    let answers: Vec<_> =
        [&["audit", "show"][..], &["user", "list"], &["api-token", "list"], &["session", "list"]]
            .map(|question| place.here(&[&["--json"], question].concat()).well())
            .into();
    let answers = answers.concat();
    assert!(answers.contains("set a new password for user ann"), "{answers}");
    for secret in [PASSWORD, "quite another password", &session, &made] {
        assert_eq!(files_with(place.site.folder(), secret.as_bytes()), Vec::<PathBuf>::new());
        assert!(!answers.contains(secret), "{answers}");
    }
    // how the password is kept is told to nobody
    assert!(!answers.contains("argon2"), "{answers}");
    let kept = files_with(place.site.folder(), b"$argon2id$v=19$m=19456,t=2,p=1$");
    assert!(!kept.is_empty() && kept.iter().all(|path| path.starts_with(place.control())));
    assert!(place.site.log("collector").contains("signed in"));
}

impl Place {
    fn control(&self) -> PathBuf {
        self.site.collector_folder().join("control")
    }
}

/// TLS with an agent's certificate in hand.
fn as_agent(identity: &Path) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(identity.join("ca.pem")).unwrap()).unwrap();
    let chain = CertificateDer::pem_file_iter(identity.join("agent.pem")).unwrap();
    let chain: Vec<_> = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(identity.join("agent.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    TlsConnector::from(Arc::new(config))
}

async fn status_of(tls: &TlsConnector, address: SocketAddr, method: &str, path: &str) -> String {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = tls.connect(name, stream).await.unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer.split(' ').nth(1).unwrap_or("nothing").to_owned()
}

#[test]
fn an_agents_certificate_opens_nothing_that_is_an_operators() {
    let place = Place::new();
    let tls = as_agent(&place.site.identity_folder());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let walk = async {
        for endpoint in endpoints() {
            let (method, path) = (endpoint.method.as_str(), path::with(endpoint.path, AGENT));
            let at_operators = status_of(&tls, place.address, method, &path).await;
            // what anybody may do takes a password, a signed link or a path that nobody guesses: there is none here
            let is_page = !path.starts_with("/api/") && path != "/metrics";
            let is_refused = match (endpoint.least, at_operators.as_str()) {
                // a page leads to where one signs in
                (Some(_), "303") => is_page,
                (Some(_), status) => status == "401",
                (None, "200") => (method, path.as_str()) == ("GET", "/sign-in"),
                (None, status) => matches!(status, "400" | "404" | "415"),
            };
            assert!(is_refused, "{method} {path}: {at_operators}");
            // where agents are at home, nobody speaks the operators' language
            let at_agents = status_of(&tls, place.site.address, method, &path).await;
            assert!(!at_agents.starts_with('2'), "{method} {path}: {at_agents}");
        }
    };
    runtime.block_on(async { tokio::time::timeout(PATIENCE, walk).await.unwrap() });
}
