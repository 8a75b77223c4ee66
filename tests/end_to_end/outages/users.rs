//! What users see of a real outage: the page says it in plain words within seconds, and that it is over; it says whether
//! their own site is concerned, and nothing that is internal.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use mailsonde_tests::lab::{Host, Lab, Server};
use serde::Deserialize;

use super::{Company, PATIENCE, everywhere, now, wait_until};

/// Where users look.
const BASE: &str = "https://198.18.0.1:7444";
/// Where the collector answers browsers.
pub(crate) const LISTEN: &str = "198.18.0.1:7444";
/// From the incident to the page: what is shown is kept for 5 s, and is looked at each second.
const PAGE: Duration = Duration::from_secs(7);
const PAGE_TOML: &str = "\noperators_listen = \"198.18.0.1:7444\"\n\
     [status_page]\ntitle = \"E-mail of the company\"\npublic = true\ncontact = \"Call 031 555 0100\"\n\
     [[status_page.service]]\nname = \"mail\"\ntitle = \"E-mail\"\n\
     [[mail_client]]\ndomains = [\"good.test\"]\n\
     [[mail_client.server]]\nprotocol = \"imap\"\nhost = \"imap.good.test\"\nchecks = [\"imap-*\"]\n\
     [[mail_client.server]]\nprotocol = \"submission\"\nhost = \"mail.good.test\"\ntls = \"starttls\"\nchecks = [\"mail-*\"]\n";
/// Asks as a browser does, and tells what came.
const BROWSER: &str = "import json, ssl, sys, urllib.request as web\n\
     trust = ssl._create_unverified_context()\n\
     ask = web.Request(sys.argv[1], headers=json.loads(sys.argv[2]))\n\
     try: answer = web.urlopen(ask, context=trust, timeout=20)\n\
     except web.HTTPError as error: answer = error\n\
     print(json.dumps({'status': answer.status, 'body': answer.read().decode(),\n\
     'headers': {name.lower(): value for name, value in answer.headers.items()}}))\n";
/// Reads documents by parsers that are not ours.
const READER: &str = "import plistlib, sys, xml.etree.ElementTree as tree\n\
     kind, text = sys.argv[1], sys.stdin.read()\n\
     if kind == 'plist':\n\
     \x20   profile = plistlib.loads(text.encode())\n\
     \x20   mail = profile['PayloadContent'][0]\n\
     \x20   print(profile['PayloadType'], mail['PayloadType'], mail['EmailAccountType'],\n\
     \x20       mail['IncomingMailServerHostName'], mail['IncomingMailServerPortNumber'], mail['IncomingMailServerUseSSL'],\n\
     \x20       mail['OutgoingMailServerHostName'], mail['OutgoingMailServerPortNumber'])\n\
     elif kind == 'autoconfig':\n\
     \x20   root = tree.fromstring(text)\n\
     \x20   assert root.tag == 'clientConfig' and root.get('version') == '1.1', root.tag\n\
     \x20   provider = root.find('emailProvider')\n\
     \x20   print(provider.get('id'), [it.text for it in provider.findall('domain')])\n\
     \x20   wanted = ['hostname', 'port', 'socketType', 'username', 'authentication']\n\
     \x20   for server in provider.findall('incomingServer') + provider.findall('outgoingServer'):\n\
     \x20       assert [it.tag for it in server] == wanted, [it.tag for it in server]\n\
     \x20       print(server.tag, server.get('type'), [it.text for it in server])\n\
     else:\n\
     \x20   channel = tree.fromstring(text).find('channel')\n\
     \x20   for item in channel.findall('item'):\n\
     \x20       assert item.find('guid').get('isPermaLink') == 'false' and item.find('pubDate').text\n\
     \x20       print(item.find('title').text)\n";

/// What came.
#[derive(Debug, Deserialize)]
struct Seen {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Company {
    /// Has a page for users, at [`LISTEN`].
    pub(crate) fn show_users(&mut self) {
        self.show_users_by(PAGE_TOML);
    }

    fn show_users_by(&mut self, toml: &str) {
        let config = self.collector_folder().join("collector.toml");
        let text = fs::read_to_string(&config).unwrap();
        let own = text.split("\noperators_listen").next().unwrap().to_owned();
        fs::write(config, own + toml).unwrap();
        self.collector.take().unwrap().kill();
        self.start_collector();
    }

    fn look_with(&self, path: &str, headers: &str) -> Seen {
        let mut command = self.lab.command(Host::Branch(2), "python3");
        let output =
            command.args(["-c", BROWSER, &format!("{BASE}{path}"), headers]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What everybody sees.
    fn look(&self, path: &str) -> Seen {
        let seen = self.look_with(path, "{}");
        assert_eq!(seen.status, 200, "{path}: {}", seen.body);
        for internal in ["mail-seen", "imap-seen", "dns-seen", "mailsonde-collector", ".log"] {
            assert!(!seen.body.contains(internal), "{path}: {internal}: {}", seen.body);
        }
        seen
    }

    fn read(&self, kind: &str, path: &str) -> String {
        let file = self.folder.path().join("document");
        fs::write(&file, self.look(path).body).unwrap();
        let mut command = std::process::Command::new("python3");
        command.args(["-c", READER, kind]).stdin(fs::File::open(file).unwrap());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn says(&self, what: &str, path: &str, words: &[&str]) -> Duration {
        let begun = now();
        wait_until(what, PATIENCE, || {
            let page = self.look(path).body;
            words.iter().all(|words| page.contains(words))
        });
        now() - begun
    }
}

#[test]
fn users_see_what_is_wrong_whether_it_is_them_and_that_it_is_over() {
    let mut company = Company::running();
    company.show_users();
    let scenario = company.scenario("seen", &["mail", "imap"]);
    company.says("all is well", "/status", &["Everything works.", "Nothing was wrong"]);
    company.says("from Durban", "/status/setup?site=durban", &["The mail servers work right now"]);
    is_for_browsers(&company);
    is_for_programs(&company);

    let begun = now();
    let ends = |lab: &Lab| lab.kill(Server::Dovecot).unwrap();
    let opened = scenario.breaks(
        ends,
        "mailboxes are refused",
        everywhere(&["connect", "imap.connect", "auth"]),
    );
    let words = ["E-mail does not work.", "What is wrong", "We know of it and are looking into it"];
    company.says("the page says it", "/status", &words);
    let after = now() - begun;
    println!("users: told {after:.1?} after the fault");
    assert!(after <= scenario.bound + PAGE, "told after {after:?}");
    let from = ["do not work right now from durban: it is not you", "does not work from durban"];
    company.says("it is not you", "/status/setup?site=durban", &from);
    let news = company.read("rss", "/status/feed.xml");
    assert!(news.contains("E-mail does not work at any site"), "{news}");
    let json: serde_json::Value =
        serde_json::from_str(&company.look("/status/status.json").body).unwrap();
    assert_eq!(
        (json["state"].as_str(), json["incidents"].as_array().unwrap().len()),
        (Some("down"), 1)
    );

    let acknowledged = opened.number.to_string();
    company.collector(&["incidents", "ack", &acknowledged, "--note", "xInternalx"]).expect(0, "");
    company.says("somebody works on it", "/status", &["We are working on it"]);
    assert!(!company.look("/status").body.contains("xInternalx"));

    scenario.is_mended(|lab| lab.restart(Server::Dovecot).unwrap(), opened.number);
    let over = ["Everything works.", "E-mail did not work at any site", "It is over"];
    company.says("it is over", "/status", &over);
    company.says("from Durban again", "/status/setup?site=durban", &["works from durban"]);
    let news = company.read("rss", "/status/feed.xml");
    assert!(news.contains("E-mail works again"), "{news}");
    company.says("history has it", "/status/history", &["E-mail did not work at any site"]);
    drop(scenario);
    is_for_viewers_only(&mut company);
}

/// What browsers and what stands before the collector go by.
fn is_for_browsers(company: &Company) {
    let seen = company.look("/status");
    let header = |name: &str| seen.headers.get(name).map(String::as_str).unwrap_or_default();
    assert_eq!(header("cache-control"), "public, max-age=5");
    assert!(header("content-security-policy").starts_with("default-src 'none'"), "{seen:?}");
    assert!(!header("content-security-policy").contains("unsafe"), "{seen:?}");
    assert_eq!(header("x-content-type-options"), "nosniff");
    // what it loads is there
    for part in seen.body.split('"').filter(|part| part.starts_with("/assets/")) {
        assert_eq!(company.look_with(part, "{}").status, 200, "{part}");
    }
    wait_until("it is known again", PATIENCE, || {
        let etag = company.look("/status").headers["etag"].clone();
        let asked = serde_json::json!({ "If-None-Match": etag }).to_string();
        company.look_with("/status", &asked).status == 304
    });
    for path in ["/status/history?month=x", "/status/setup?site=nowhere", "/status/none"] {
        assert!(matches!(company.look_with(path, "{}").status, 401 | 404), "{path}");
    }
    assert_eq!(company.look_with("/api/v1/status", "{}").status, 401, "only the page is public");
}

fn is_for_programs(company: &Company) {
    let expected = "Configuration com.apple.mail.managed EmailTypeIMAP imap.good.test 993 True mail.good.test 587\n";
    assert_eq!(company.read("plist", "/status/setup/apple.mobileconfig"), expected);
    let known = "/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=ann%40good.test";
    let expected = "good.test ['good.test']\n\
         incomingServer imap ['imap.good.test', '993', 'SSL', '%EMAILADDRESS%', 'password-cleartext']\n\
         outgoingServer smtp ['mail.good.test', '587', 'STARTTLS', '%EMAILADDRESS%', 'password-cleartext']\n";
    assert_eq!(company.read("autoconfig", known), expected);
    assert_eq!(company.read("autoconfig", "/mail/config-v1.1.xml"), expected);
    let nobody = company.look_with("/mail/config-v1.1.xml?emailaddress=ann%40other.test", "{}");
    assert_eq!(nobody.status, 404);
    let calendar = company.look("/status/calendar.ics").body;
    assert!(calendar.parse::<icalendar::Calendar>().is_ok(), "{calendar}");
}

fn is_for_viewers_only(company: &mut Company) {
    company.show_users_by(&PAGE_TOML.replace("public = true", "public = false"));
    let made = company.collector(&["api-token", "create", "--name", "wall", "--role", "viewer"]);
    made.expect(0, "");
    let token = made.said.split_whitespace().find(|word| word.starts_with("msa1_"));
    let token = serde_json::json!({ "Authorization": format!("Bearer {}", token.unwrap()) });
    for path in ["/status", "/status/status.json", "/mail/config-v1.1.xml", "/status/feed.xml"] {
        let stranger = company.look_with(path, "{}");
        // whoever looks by a browser has been led to where one signs in
        let is_led = stranger.body.contains("<title>Sign in");
        assert!(stranger.status == 401 || is_led, "{path}: {stranger:?}");
        assert!(!stranger.body.contains("good.test"), "{path}: {stranger:?}");
        let seen = company.look_with(path, &token.to_string());
        assert_eq!(seen.status, 200, "{path}: {seen:?}");
        assert!(seen.headers["cache-control"].starts_with("private"), "{seen:?}");
    }
}
