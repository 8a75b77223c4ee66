//! A user signs in by a browser, at an OpenID provider.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

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

#[test]
fn an_openid_provider_lets_in_whom_an_administrator_has_added() {
    let provider = Provider::start();
    let files = tempfile::tempdir().unwrap();
    let [secret, authority] = ["secret", "ca.pem"].map(|name| files.path().join(name));
    fs::write(&secret, format!("{SECRET}\n")).unwrap();
    fs::write(&authority, provider.authority()).unwrap();
    let place = Place::with(&format!(
        "oidc_issuer = \"{}\"\noidc_client_id = \"{CLIENT}\"\n\
         oidc_client_secret_file = \"{}\"\noidc_authority = \"{}\"\n",
        provider.issuer(),
        secret.display(),
        authority.display()
    ));
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
