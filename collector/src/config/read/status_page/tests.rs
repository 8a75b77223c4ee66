use std::path::Path;

use super::*;
use crate::config::Config;

const BASE: &str = "listen = '[::]:1'\nname = 'a'\noperators_listen = '[::]:2'\n";

fn read(more: &str) -> StatusPageConfig {
    let config = Config::parse(Path::new("collector.toml"), &format!("{BASE}{more}")).unwrap();
    config.status_page.unwrap()
}

fn mistakes(more: &str) -> String {
    let text = format!("{BASE}{more}");
    Config::parse(Path::new("collector.toml"), &text).unwrap_err().to_string()
}

#[test]
fn what_is_not_said_is_as_usual() {
    let page = read(
        "[status_page]\ntitle = 'E-mail'\n[[status_page.service]]\nname = 'mail'\n\
         [[mail_client]]\ndomains = ['Example.org']\n\
         [[mail_client.server]]\nprotocol = 'imap'\nhost = 'mail.example.org'\n\
         [[mail_client.server]]\nprotocol = 'submission'\nhost = 'mail.example.org'\ntls = 'starttls'\n",
    );
    assert!(!page.is_public, "nobody makes anything public by leaving something out");
    assert_eq!((page.contact.as_str(), page.links.len(), page.url), ("", 0, None));
    let service = &page.services[0];
    assert_eq!((service.name.as_str(), service.title.as_str()), ("mail", ""));
    let client = &page.clients[0];
    assert_eq!((client.name.as_str(), client.user.as_str()), ("example.org", EMAIL_ADDRESS));
    assert_eq!(client.domains, ["example.org"]);
    let servers: Vec<_> =
        client.servers.iter().map(|it| (it.port, it.tls, it.sign_in, it.checks.len())).collect();
    assert_eq!(
        servers,
        [
            (993, TlsBegins::Implicit, SignIn::Password, 0),
            (587, TlsBegins::StartTls, SignIn::Password, 0),
        ]
    );
}

#[test]
fn the_example_is_right() {
    let example = include_str!("../../../../../deploy/examples/status-page.toml");
    let page = read(example);
    assert!(page.is_public && page.services.len() > 1 && page.clients.len() == 1);
}

#[test]
fn every_mistake_has_its_place() {
    insta::assert_snapshot!(mistakes(
        "[status_page]\npublic = 'yes'\nurl = 'http://a'\ncolour = 'red'\n\
         [[status_page.service]]\ntitle = 'x'\n[[status_page.service]]\nname = 'a b'\n\
         [[status_page.link]]\ntitle = 'x'\nurl = 'javascript:alert(1)'\n"
    ), @r#"
    collector.toml:4:1: status_page: title is missing: what stands at its head, such as "E-mail at Example"
    collector.toml:5:10: status_page: public must be true or false
    collector.toml:6:7: status_page: url must be an https URL without a path, such as "https://status.example.org"
    collector.toml:7:1: status_page: colour is not known here: there is contact, link, public, service, title, url
    collector.toml:8:1: status_page.service: name is missing: that of a service in services.d
    collector.toml:11:8: status_page.service: name must be 1 to 64 of a-z A-Z 0-9 . _ -
    collector.toml:14:7: status_page.link: url must be an https, http, mailto or tel URL
    "#);
    insta::assert_snapshot!(mistakes(
        "[[mail_client]]\ndomains = []\nuser = 'me'\n[[mail_client.server]]\nprotocol = 'smtp'\n\
         host = '192.0.2.1'\nport = 70000\ntls = 'none'\nsign_in = 'magic'\nchecks = ['']\n\
         [[mail_client]]\ndomains = ['a.test', 'a.test']\n[[mail_client.server]]\nprotocol = 'imap'\nhost = 'm.a.test'\n"
    ), @r#"
    collector.toml:4:1: [status_page] is missing, which shows what [[mail_client]] says
    collector.toml:5:11: mail_client: domains must have one at least
    collector.toml:6:8: mail_client: user must have %EMAILADDRESS%, or %EMAILLOCALPART% and %EMAILDOMAIN%, in it
    collector.toml:8:12: mail_client.server: protocol must be "imap", "pop3" or "submission"
    collector.toml:9:8: mail_client.server: host must be a name in DNS, such as "mail.example.org"
    collector.toml:10:8: mail_client.server: port must be a whole number from 1 to 65535
    collector.toml:11:7: mail_client.server: tls must be "implicit" or "starttls": without TLS nobody is to sign in
    collector.toml:12:11: mail_client.server: sign_in must be "password" or "oauth2"
    collector.toml:13:11: mail_client.server: checks must have 1 to 128 bytes
    collector.toml:15:11: mail_client: a.test has a [[mail_client]] already
    "#);
    insta::assert_snapshot!(mistakes(
        "[status_page]\ntitle = 'E-mail'\n[[status_page.service]]\nname = 'mail'\n\
         [[status_page.service]]\nname = 'mail'\n\
         [[mail_client]]\ndomains = ['a.test']\n[[mail_client.server]]\nprotocol = 'imap'\nhost = 'm.a.test'\n"
    ), @r#"
    collector.toml:9:8: status_page.service: mail stands on the page already
    collector.toml:12:1: mail_client: there must be one for incoming mail (imap or pop3) and one for outgoing (submission)
    "#);
}

#[test]
fn user_names_and_links() {
    for (text, is_one) in [
        ("%EMAILADDRESS%", true),
        ("%EMAILLOCALPART%", true),
        ("EXAMPLE\\%EMAILLOCALPART%", true),
        ("%EMAILLOCALPART%@%EMAILDOMAIN%", true),
        ("", false),
        ("ann", false),
        ("%EMAILADDRESS% ", false),
        ("%EMAILADDRESS%%OTHER%", false),
    ] {
        assert_eq!(user(text).is_ok(), is_one, "{text}");
    }
    for (text, is_one) in [
        ("https://help.example.org/mail", true),
        ("mailto:help@example.org", true),
        ("tel:+27315550100", true),
        ("javascript:alert(1)", false),
        ("data:text/html,x", false),
        ("https://ann:secret@example.org/", false),
        ("/help", false),
    ] {
        assert_eq!(link(text).is_ok(), is_one, "{text}");
    }
}
