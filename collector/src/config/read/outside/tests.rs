use std::path::Path;

use super::*;
use crate::config::Config;

const BASE: &str = "listen = '[::]:1'\nname = 'a'\noperators_listen = '[::]:2'\n";

fn read(more: &str) -> OutsideConfig {
    Config::parse(Path::new("collector.toml"), &format!("{BASE}{more}")).unwrap().outside
}

fn mistakes(more: &str) -> String {
    let text = format!("{BASE}{more}");
    Config::parse(Path::new("collector.toml"), &text).unwrap_err().to_string()
}

#[test]
fn what_is_not_said_is_as_usual() {
    let outside = read(
        "[watched]\npath_file = 'watched.path'\n\
         [[heartbeat]]\nkind = 'healthchecks'\nurl = 'https://hc-ping.com/x'\n\
         [[heartbeat]]\nkind = 'uptimerobot'\nname = 'robot'\nurl_env = 'ROBOT'\nevery = '5m'\n\
         [[peer]]\nname = 'cape'\nurl_file = 'cape.url'\nauthority = 'cape.pem'\n\
         [[vendor]]\nkind = 'google-workspace'\n\
         [[vendor]]\nkind = 'feed'\nname = 'isp'\nurl = 'https://a/rss'\nservices = ['mail-*']\nonly = ['*']\n",
    );
    let page = outside.page.unwrap();
    assert_eq!((page.path, page.services), (SecretPlace::File("watched.path".into()), vec![]));
    let [first, second] = &outside.heartbeats[..] else { panic!("two") };
    assert_eq!((first.name.as_str(), first.every), ("healthchecks", DEFAULT_HEARTBEAT));
    assert_eq!((second.name.as_str(), second.every), ("robot", Duration::from_secs(300)));
    let peer = &outside.peers[0];
    assert_eq!((peer.every, peer.silent_after), (DEFAULT_PEER, DEFAULT_SILENT_AFTER));
    let [google, isp] = &outside.vendors[..] else { panic!("two") };
    assert_eq!(
        (google.name.as_str(), &google.only[..]),
        ("google-workspace", &["Gmail".into()][..])
    );
    assert_eq!(google.kind, VendorKind::GoogleWorkspace(Url::parse(GOOGLE_WORKSPACE).unwrap()));
    assert_eq!((&isp.services[..], &isp.only[..]), (&["mail-*".into()][..], &["*".into()][..]));
    let shown = format!("{outside:?}", outside = outside.heartbeats);
    assert!(!shown.contains("hc-ping"), "{shown}");
}

#[test]
fn microsoft_has_an_application_and_its_secret() {
    let outside = read(
        "[[vendor]]\nkind = 'microsoft365'\ntenant = 'example.org'\nclient_id = '11111111-2222'\n\
         client_secret_file = 'graph.secret'\nservices = ['mail']\n",
    );
    let VendorKind::Microsoft365 { graph, sign_in, .. } = &outside.vendors[0].kind else {
        panic!("another kind")
    };
    assert_eq!(graph.as_str(), "https://graph.microsoft.com/");
    assert_eq!(sign_in.as_str(), "https://login.microsoftonline.com/");
    assert_eq!(outside.vendors[0].only, ["Exchange Online"]);
}

#[test]
fn every_mistake_is_told_and_no_secret_is() {
    let told = mistakes(
        "[watched]\npath = 'short'\npages = 1\n\
         [[heartbeat]]\nkind = 'pigeon'\nurl = 'http://hc-ping.com/secret'\n\
         [[heartbeat]]\nkind = 'generic'\nurl = 'https://a'\nurl_env = 'A'\nevery = '1s'\n\
         [[heartbeat]]\nkind = 'generic'\n\
         [[peer]]\nurl = 'https://b'\nsilent_after = '40s'\n\
         [[vendor]]\nkind = 'microsoft365'\ntenant = 'a/b'\nurl = 'https://c'\n\
         [[vendor]]\nkind = 'statuspage'\nservices = 'mail'\n\
         [[vendor]]\nkind = 'rss'\nurl = 'https://d'\n",
    );
    insta::assert_snapshot!(told, @r#"
    collector.toml:5:8: watched: path must be 24 to 128 of a-z A-Z 0-9 - _ that nobody guesses, such as `openssl rand -hex 16` makes
    collector.toml:6:1: watched: pages is not known here: there is path, path_env, path_file, services
    collector.toml:8:8: heartbeat: kind must be "healthchecks", "uptimerobot" or "generic"
    collector.toml:9:7: heartbeat: url must be an https URL; http is for 127.0.0.1, [::1] and localhost only
    collector.toml:12:7: heartbeat generic: there must be one of url, url_file and url_env
    collector.toml:14:9: heartbeat generic: every must be whole seconds, from "5s" to "1day"
    collector.toml:15:1: heartbeat generic: another has this name: give each a name of its own
    collector.toml:15:1: heartbeat generic: url is missing: or url_file, or url_env
    collector.toml:17:1: peer: name is missing
    collector.toml:19:16: peer: silent_after must be twice every at least
    collector.toml:20:1: vendor microsoft365: client_id is missing: of an application with ServiceHealth.Read.All
    collector.toml:20:1: vendor microsoft365: client_secret is missing: or client_secret_file, or client_secret_env
    collector.toml:22:10: vendor microsoft365: tenant must be an id, such as Microsoft Entra shows it
    collector.toml:23:1: vendor microsoft365: url is not known here: there is authority, client_id, client_secret, client_secret_env, client_secret_file, every, graph_url, kind, name, only, services, sign_in_url, tenant
    collector.toml:24:1: vendor statuspage: url is missing: of the page, such as "https://status.example.org"
    collector.toml:26:12: vendor statuspage: services must be a list of texts, such as services = ["…", "…"]
    collector.toml:28:8: vendor: kind must be "microsoft365", "google-workspace", "statuspage" or "feed"
    "#);
    assert!(!told.contains("secret\""), "{told}");
}

#[test]
fn a_page_needs_somebody_to_show_it() {
    let text =
        "listen = '[::]:1'\nname = 'a'\n[watched]\npath = '0123456789abcdef0123456789abcdef'";
    let told = Config::parse(Path::new("x"), text).unwrap_err().to_string();
    assert_eq!(told, "x: operators_listen is missing");
}
