//! What people see: the pages in a real browser, while real mail servers stop and start. Each view is looked at on a desk
//! and on a phone, in light and dark, by the rules of accessibility (axe-core), for errors and for what the policy of
//! content forbids; and each is a picture in `target/screenshots`.

mod driver;

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use mailsonde_tests::lab::{Host, Server};
use serde_json::json;

use crate::outages::Company;
use crate::outages::users::LISTEN as USERS;
use crate::process::{now, wait_until};
use driver::{Bridge, Browser, Look, Page};

/// Nothing takes so long, on whatever machine.
const PATIENCE: Duration = Duration::from_secs(60);
const PASSWORD: &str = "correct horse battery staple";
/// Where the collector answers browsers, in the network of the lab's router.
const OPERATORS: &str = "127.0.0.1:7444";
/// Rules of axe that a page must hold at least.
const SERIOUS: [&str; 2] = ["serious", "critical"];
/// The first paint of a page, in milliseconds: a bound that says something is wrong, not a benchmark.
const FIRST_PAINT_MS: f64 = 5_000.0;

/// What can be done to an incident from its page, as its form offers it.
const OFFERED: &str = "return [...document.querySelectorAll('form[action$=act]:not([hidden]) button:not([disabled])')]\
                       .map(it => it.value).join(' ');";

/// The submission port is refused from this branch only: the branch's own trouble.
fn refuse_submission(company: &Company, branch: u8) {
    let rules = "add table inet refused; add chain inet refused out { type filter hook output priority 0; }; \
                 add rule inet refused out tcp dport 587 reject with tcp reset";
    let mut nft = company.lab.command(Host::Branch(branch), "nft");
    assert!(nft.arg(rules).status().unwrap().success());
}

fn refuse_nothing(company: &Company, branch: u8) {
    let mut nft = company.lab.command(Host::Branch(branch), "nft");
    assert!(nft.arg("delete table inet refused").status().unwrap().success());
}

/// An operator who signs in by a password.
fn add_ann(company: &Company) {
    let password = company.folder.path().join("ann");
    fs::write(&password, PASSWORD).unwrap();
    let file = password.to_str().unwrap();
    let add = ["user", "add", "ann", "--role", "operator", "--password-file", file];
    company.collector(&add).expect(0, "");
}

/// On the page where one signs in.
fn sign_in(page: &Page<'_>) {
    page.fill("input[name=user]", "ann");
    page.fill("input[name=password]", PASSWORD);
    page.click("button.main");
}

#[test]
#[allow(clippy::too_many_lines, reason = "one story, told in order")]
fn an_operator_finds_the_failing_branch_takes_it_on_and_sees_it_mended() {
    let company = Company::running();
    add_ann(&company);
    let _scenario = company.scenario("seen", &["mail"]);
    let network = company.lab.network(Host::Router).unwrap();
    let bridge = Bridge::start(network, OPERATORS.parse::<SocketAddr>().unwrap());
    let browser = Browser::start(company.folder.path());

    // on a desk, in the light
    let page = browser.look(Look::desk(), &bridge.url());
    page.go("/incidents?state=open");
    page.shows("Sign in");
    page.checked("sign-in");
    page.fill("input[name=user]", "ann");
    page.fill("input[name=password]", "wrong, and long enough");
    page.click("button.main");
    page.shows("The user name or the password is wrong.");
    page.fill("input[name=password]", PASSWORD);
    page.click("button.main");
    page.shows("There is none.");
    assert!(page.address().ends_with("/incidents?state=open"), "{}", page.address());
    // the wrong password was told by 401, which the browser's console has
    page.forget_errors();

    page.go("/");
    page.shows("Mail works from 3 vantage points.");
    page.checked("overview");
    let paint_ms = page.first_paint_ms();
    println!("first paint of the overview: {paint_ms:.0} ms");
    assert!(paint_ms < FIRST_PAINT_MS, "{paint_ms}");
    page.mark();
    refuse_submission(&company, 1);
    page.shows("not from durban");
    page.is_the_same();
    page.checked("overview-failing");

    // two clicks
    page.click("table a[href='/services/mail']");
    page.shows("mail-seen at durban");
    page.click("table a[href='/checks/mail-seen/durban']");
    page.shows("connect");
    page.finds("#runs svg rect.lost");
    page.checked("check-failing");

    page.go("/incidents?state=open");
    page.click("table.stack a");
    page.shows("Acknowledge");
    page.checked("incident-open");
    // the enter key presses the first of them, and takes nothing on by that
    assert_eq!(page.run(OFFERED, Vec::new()), json!("note acknowledge resolve"));
    page.fill("input[name=note]", "the firewall, I think");
    page.click("button[value=acknowledge]");
    page.shows("acknowledged by user ann");
    page.shows("the firewall, I think");
    let incident = page.address();
    page.mark();
    refuse_nothing(&company, 1);
    page.shows("● verified");
    page.is_the_same();
    assert_eq!(page.run(OFFERED, Vec::new()), json!("note"), "what was learnt can still be noted");
    page.checked("incident-over");
    page.click("a[href$='/review']");
    // nothing runs on it, by its policy of content: the rules of axe do not either
    page.shows("Review of incident");

    // everywhere: the lab's server hangs
    page.go("/");
    page.shows("Mail works from 3 vantage points.");
    page.mark();
    company.lab.stop(Server::Postfix);
    page.shows("▼ down");
    page.is_the_same();
    page.checked("overview-down");
    company.lab.resume(Server::Postfix);
    page.shows("Mail works from 3 vantage points.");
    page.is_the_same();

    for (path, words, name) in VIEWS {
        page.go(path);
        page.shows(words);
        page.checked(name);
    }
    page.tabs_through("/");

    // on a phone, in the dark
    let phone = browser.look(Look::phone_in_the_dark(), &bridge.url());
    phone.go("/");
    sign_in(&phone);
    phone.shows("Mail works from 3 vantage points.");
    phone.checked("phone-overview");
    phone.fits();
    phone.click("a[href='/services/mail']");
    phone.shows("mail-seen at durban");
    phone.fits();
    phone.checked("phone-service");
    phone.click("table a[href='/checks/mail-seen/durban']");
    phone.shows("The last run");
    phone.fits();
    phone.checked("phone-check");
    phone.go(incident
        .rsplit_once("/incidents")
        .map(|(_, it)| format!("/incidents{it}"))
        .unwrap()
        .as_str());
    phone.shows("Timeline");
    phone.fits();
    phone.checked("phone-incident");

    page.click("header form button");
    page.shows("User name");
    page.go("/agents");
    page.shows("Sign in");
}

/// Every other view: its address, what stands on it, and the name of its picture.
const VIEWS: [(&str, &str, &str); 11] = [
    ("/matrix", "durban", "matrix"),
    ("/checks", "mail-seen at cape", "checks"),
    ("/checks/mail-seen/cape?range=1h", "Latency of runs that passed", "check"),
    ("/services/mail", "Objectives", "service"),
    ("/dns", "DNS and certificates", "dns"),
    ("/incidents", "time to detect", "incidents"),
    ("/sla", "What was promised", "sla"),
    ("/maintenance", "Silences", "maintenance"),
    ("/agents", "connected", "agents"),
    ("/agents/durban", "its clock", "agent"),
    ("/notices", "Who was told", "notices"),
];

/// What no form of ours sends is told on a page that leads on, and so is an address where nothing stands.
fn leads_on(page: &Page<'_>) {
    let told = |method: &str, path: &str| {
        page.run(
            "const csrf = document.querySelector('input[name=csrf]').value; \
             const body = arguments[0] === 'POST' ? new URLSearchParams({csrf, do: 'explode'}) : undefined; \
             return fetch(arguments[1], {method: arguments[0], headers: {accept: 'text/html'}, body})\
             .then(answer => answer.text().then(text => answer.status + ' ' + text));",
            vec![json!(method), json!(path)],
        )
    };
    for (method, path, status, words) in [
        ("POST", "/incidents/1/act", "400 ", "choose one of these"),
        ("GET", "/nothing", "404 ", "Nothing stands at this address"),
    ] {
        let told = told(method, path).as_str().unwrap_or_default().to_owned();
        assert!(told.starts_with(status) && told.contains(words), "{told}");
        assert!(told.contains("<nav aria-label=\"Pages\">"), "{told}");
    }
}

/// Whoever is not signed in is led to where one signs in; a form that is not of the session does nothing.
#[test]
fn a_form_of_another_site_does_nothing() {
    let mut company = Company::running();
    add_ann(&company);
    let network = company.lab.network(Host::Router).unwrap();
    let bridge = Bridge::start(network, OPERATORS.parse::<SocketAddr>().unwrap());
    let browser = Browser::start(company.folder.path());
    let page = browser.look(Look::desk(), &bridge.url());
    page.go("/");
    sign_in(&page);
    page.shows("How mail is doing");
    // the session's cookie is sent, the session's own secret is not known to others
    let sent = |csrf: &str| {
        page.run(
            "return fetch('/sign-out', {method: 'POST', redirect: 'manual', body: new URLSearchParams({csrf: arguments[0]})})\
             .then(answer => answer.status);",
            vec![json!(csrf)],
        )
    };
    for csrf in ["", "00", &"0".repeat(64)] {
        assert_eq!(sent(csrf), json!(403), "{csrf:?}");
    }
    leads_on(&page);
    page.go("/agents");
    page.shows("connected");
    let cookies = page.run("return document.cookie;", Vec::new());
    assert!(
        !cookies.to_string().contains("mailsonde"),
        "the script can read the session: {cookies}"
    );
    let begun = now();
    wait_until("the page is live", PATIENCE, || {
        page.run("return document.getElementById('live').textContent;", Vec::new()) == json!("live")
    });
    println!("live after {:?}", now() - begun);
    // what is not followed any more does not look like news; a collector that comes back knows no session
    company.kill_collector();
    page.shows("The collector does not answer: this is how it was at");
    page.finds("main.old");
    company.start_collector();
    page.shows("User name");
    // a session that somebody ends sees nothing more, and is led there too
    sign_in(&page);
    page.shows("connected");
    page.mark();
    let listed = company.collector(&["session", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed.said).unwrap();
    let id = listed["sessions"][0]["id"].as_str().unwrap().to_owned();
    company.collector(&["session", "end", &id]).expect(0, "");
    page.shows("User name");
    page.forget_errors();
}

/// Whoever uses mail: nobody signs in.
#[test]
fn the_page_for_users_is_for_everybody() {
    let mut company = Company::running();
    company.show_users();
    let _scenario = company.scenario("seen", &["mail", "imap"]);
    let network = company.lab.network(Host::Router).unwrap();
    let bridge = Bridge::start(network, USERS.parse::<SocketAddr>().unwrap());
    let browser = Browser::start(company.folder.path());
    for (look, name) in [(Look::desk(), "users"), (Look::phone_in_the_dark(), "phone-users")] {
        let page = browser.look(look, &bridge.url());
        for (path, words, part) in [
            ("/status", "Everything works.", "now"),
            ("/status/setup?site=durban", "The mail servers work right now", "setup"),
            ("/status/history", "History:", "history"),
        ] {
            page.go(path);
            page.shows(words);
            page.fits();
            page.checked(&format!("{name}-{part}"));
        }
        page.tabs_through("/status");
    }
    // with the collector gone the page does not go on saying that everything works
    let page = browser.look(Look::desk(), &bridge.url());
    page.go("/status");
    page.shows("Everything works.");
    company.kill_collector();
    page.run("document.dispatchEvent(new Event('visibilitychange'));", Vec::new());
    page.shows("what it says may be old");
    page.finds("main.old");
    page.forget_errors();
}
