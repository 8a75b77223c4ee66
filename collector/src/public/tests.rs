use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::query::public::samples::{self, MARKER};

fn base() -> Url {
    Url::parse("https://status.example.org").unwrap()
}

fn page() -> StatusPage {
    let clock = Clock::starting_at(crate::query::status::samples::NOW);
    StatusPage::new(samples::config(), base(), PathBuf::from("/none"), clock)
}

fn made_of(answer: PublicAnswer, clock: Clock) -> Made {
    let zone = TimeZone::get(&answer.time_zone).unwrap();
    Made { answer, zone, at: clock.monotonic(), shown: Mutex::default() }
}

fn shown(asked: Asked) -> String {
    let page = page();
    let shown = page.of(&made_of(samples::answer(), page.clock), asked).unwrap();
    String::from_utf8(shown.body.to_vec()).unwrap()
}

/// What stands between the tags of `main`, a tag a line.
fn main_of(page: &str) -> String {
    let (_, main) = page.split_once("<main").unwrap();
    let (main, _) = main.split_once("</main>").unwrap();
    let lines = main.replace("><", ">\n<");
    let lines = lines.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}

#[tokio::test(start_paused = true)]
#[allow(clippy::too_many_lines, reason = "the document is here for a person to read")]
async fn how_it_is_now() {
    let page = shown(Asked::Overview);
    let page = page.replace(assets::style(), "STYLE").replace(assets::status_script(), "SCRIPT");
    insta::assert_snapshot!(page.split("<main").next().unwrap(), @r##"
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Now · E-mail at Example &#38; Sons</title>
    <link rel="icon" href="/assets/icon.svg">
    <link rel="stylesheet" href="/assets/STYLE">
    <link rel="alternate" type="application/rss+xml" title="E-mail at Example &#38; Sons" href="/status/feed.xml">
    <script type="module" src="/assets/SCRIPT"></script>
    <noscript><meta http-equiv="refresh" content="60"></noscript>
    </head>
    <body class="forusers" data-zone="Africa/Johannesburg">
    <a class="skip" href="#main">Skip to content</a>
    <header class="top">
    <a class="brand" href="/status">E-mail at Example &#38; Sons</a>
    <nav aria-label="Pages"><ul><li><a href="/status" aria-current="page">Now</a></li><li><a href="/status/history">History</a></li><li><a href="/status/setup">Is it me?</a></li></ul></nav>
    </header>
    "##);
    insta::assert_snapshot!(main_of(&page), @r#"
     id="main" tabindex="-1">
    <h1>How it is now</h1>
    <p class="notice overall down" id="overall">
    <span aria-hidden="true">✗</span> Mail in KwaZulu does not work. Nobody can tell at the moment whether Webmail works.</p>
    <h2>What is wrong</h2>
    <article class="card bad" id="incident-7">
    <h3>Mail in KwaZulu does not work at durban and richards-bay</h3>
    <p>
    <strong>We are working on it</strong> · <span class="soft">since <time datetime="2026-11-23T12:02:00Z">14:02</time> (2 h 12 min)</span>
    </p>
    <p class="said">Mail in KwaZulu has not worked at durban and richards-bay since 14:02; we are working on it. It is expected to work again by 17:20.</p>
    <p>What you can do meanwhile:</p>
    <ul>
    <li>call the service desk: 031 555 0100</li>
    </ul>
    <details open data-key="incident-7">
    <summary>Updates</summary>
    <ol class="timeline">
    <li>
    <time class="soft" datetime="2026-11-23T12:05:00Z">14:05</time> Somebody has taken it on</li>
    <li>
    <time class="soft" datetime="2026-11-23T12:04:03Z">14:04</time> Mail in KwaZulu does not work<p class="said">We have found a broken disk and are replacing it.</p>
    </li>
    </ol>
    </details>
    </article>
    <h2>Services</h2>
    <ul class="plain">
    <li class="card">
    <h3>Mail in KwaZulu</h3>
    <p>
    <span class="state down">
    <span aria-hidden="true">✗</span> does not work</span> <span class="tag">maintenance under way</span>
    </p>
    <p class="soft">Sending and receiving</p>
    <p>It does not work at durban and richards-bay.</p>
    <p>Nobody can tell how it is at one place.</p>
    <svg class="strip" viewBox="0 0 16 24" preserveAspectRatio="none" role="img" aria-label="Mail in KwaZulu, the last 4 days: worked 99.22 % of the time that was measured; did not work for 44 min; not known for 90 min">
    <rect class="up" x="0" y="4" width="4" height="16">
    <title>20 Nov: worked</title>
    </rect>
    <rect class="partly" x="4" y="0" width="3" height="24">
    <title>21 Nov: did not work for 44 min, not known for 15 min</title>
    </rect>
    <rect class="unknown" x="8" y="8" width="3" height="8">
    <title>22 Nov: not known for 30 min</title>
    </rect>
    <rect class="unknown" x="12" y="8" width="3" height="8">
    <title>23 Nov: not known for 45 min</title>
    </rect>
    </svg>
    <p class="soft small">The last 90 days, today on the right: worked 99.22 % of the time that was measured; did not work for 44 min; not known for 90 min.</p>
    </li>
    <li class="card">
    <h3>Webmail</h3>
    <p>
    <span class="state unknown">
    <span aria-hidden="true">?</span> nobody can tell at the moment</span>
    </p>
    <p>It is not looked at from anywhere.</p>
    <svg class="strip" viewBox="0 0 16 24" preserveAspectRatio="none" role="img" aria-label="Webmail, the last 4 days: worked 99.22 % of the time that was measured; did not work for 44 min; not known for 90 min">
    <rect class="up" x="0" y="4" width="4" height="16">
    <title>20 Nov: worked</title>
    </rect>
    <rect class="partly" x="4" y="0" width="3" height="24">
    <title>21 Nov: did not work for 44 min, not known for 15 min</title>
    </rect>
    <rect class="unknown" x="8" y="8" width="3" height="8">
    <title>22 Nov: not known for 30 min</title>
    </rect>
    <rect class="unknown" x="12" y="8" width="3" height="8">
    <title>23 Nov: not known for 45 min</title>
    </rect>
    </svg>
    <p class="soft small">The last 90 days, today on the right: worked 99.22 % of the time that was measured; did not work for 44 min; not known for 90 min.</p>
    </li>
    </ul>
    <p>
    <a href="/status/setup">Is it me? Whether the mail servers work from where you are, and how to set up a mail program</a>
    </p>
    <h2>Maintenance</h2>
    <ul class="plain">
    <li class="card">
    <h3>Maintenance of Mail in KwaZulu <span class="tag">under way</span>
    </h3>
    <p class="soft">from <time datetime="2026-11-23T14:14:20Z">16:14</time> until <time datetime="2026-11-23T15:14:20Z">17:14</time>
    </p>
    <p class="said">Mail in Durban
    may be slow</p>
    </li>
    <li class="card">
    <h3>Maintenance of Mail in KwaZulu at durban</h3>
    <p class="soft">from <time datetime="2026-11-24T10:14:20Z">12:14 on 24 November</time> until <time datetime="2026-11-24T11:14:20Z">13:14 on 24 November</time>
    </p>
    <p class="said">Mail in Durban
    may be slow</p>
    </li>
    </ul>
    <h2>Over in the last seven days</h2>
    <article class="card" id="incident-4">
    <h3>Mail in KwaZulu did not work at durban and richards-bay</h3>
    <p>
    <strong>It is over</strong> · <span class="soft">since <time datetime="2026-11-23T12:02:00Z">14:02</time>, until <time datetime="2026-11-23T12:36:00Z">14:36</time> (34 min)</span>
    </p>
    <p class="said">Mail in KwaZulu works again as of 14:36. Mail in KwaZulu did not work from 14:02 on, 34 min in all.</p>
    <details data-key="incident-4">
    <summary>Updates</summary>
    <ol class="timeline">
    <li>
    <time class="soft" datetime="2026-11-23T12:38:01Z">14:38</time> It works again, and that was made sure of</li>
    <li>
    <time class="soft" datetime="2026-11-23T12:36:02Z">14:36</time> It works again; this is being made sure of</li>
    <li>
    <time class="soft" datetime="2026-11-23T12:05:00Z">14:05</time> Somebody has taken it on</li>
    <li>
    <time class="soft" datetime="2026-11-23T12:02:11Z">14:02</time> It was found at more places</li>
    </ol>
    </details>
    </article>
    <p>
    <a href="/status/history">What was before</a>
    </p>
    "#);
}

#[tokio::test(start_paused = true)]
#[allow(clippy::too_many_lines, reason = "the document is here for a person to read")]
async fn is_it_me() {
    insta::assert_snapshot!(main_of(&shown(Asked::Setup(Some("durban".into())))), @r#"
     id="main" tabindex="-1">
    <h1>Is it me?</h1>
    <form class="filter" method="get" action="/status/setup">
    <label>Where are you?<select name="site">
    <option value="">anywhere</option>
    <option>cape</option>
    <option selected>durban</option>
    <option>richards-bay</option>
    </select>
    </label>
    <button>Show how it is from there</button>
    </form>
    <p class="notice overall down" id="overall">
    <span aria-hidden="true">✗</span> Some of the mail servers do not work right now from durban: it is not you.</p>
    <p>There is nothing to change in your settings. What is known stands on the page &#39;Now&#39;.</p>
    <h2>Settings: Staff</h2>
    <p>For addresses that end in example.org, example.net. The user name is your whole address.</p>
    <div class="wide" tabindex="0" role="region" aria-label="Servers of Staff">
    <table class="stack">
    <thead>
    <tr>
    <th scope="col">for</th>
    <th scope="col">server</th>
    <th scope="col">port</th>
    <th scope="col">security</th>
    <th scope="col">sign-in</th>
    <th scope="col">right now</th>
    </tr>
    </thead>
    <tbody>
    <tr>
    <th scope="row">Outgoing mail (SMTP)</th>
    <td data-label="server">
    <code>mail.example.org</code>
    </td>
    <td data-label="port">587</td>
    <td data-label="security">STARTTLS</td>
    <td data-label="sign-in">password</td>
    <td data-label="right now">
    <span class="state down">
    <span aria-hidden="true">✗</span> does not work from durban</span>
    </td>
    </tr>
    <tr>
    <th scope="row">Incoming mail (IMAP)</th>
    <td data-label="server">
    <code>mail.example.org</code>
    </td>
    <td data-label="port">993</td>
    <td data-label="security">SSL/TLS</td>
    <td data-label="sign-in">password</td>
    <td data-label="right now">
    <span class="state down">
    <span aria-hidden="true">✗</span> does not work from durban</span>
    </td>
    </tr>
    </tbody>
    </table>
    </div>
    <h3>On a computer or an Android phone</h3>
    <p>Thunderbird and others ask for your name, your address and your password, and find the rest by themselves. Where one does not, enter what stands in the table: first a server for incoming mail, then one for outgoing mail, with the port and the security that stand beside it. <a href="/mail/config-v1.1.xml?emailaddress=%40example.org">The same for programs (autoconfig)</a>.</p>
    <h3>On an iPhone, an iPad or a Mac</h3>
    <p>
    <a href="/status/setup/apple.mobileconfig?domain=example.org">Get the profile</a>, then open Settings and choose 'Profile Downloaded'. It is not signed, and the device says so; it asks for your address and your password.</p>
    "#);
    let elsewhere = main_of(&shown(Asked::Setup(Some("cape".into()))));
    assert!(elsewhere.contains("The mail servers work right now from cape."), "{elsewhere}");
    let anywhere = main_of(&shown(Asked::Setup(None)));
    assert!(anywhere.contains("do not work everywhere right now"), "{anywhere}");
    assert!(anywhere.contains("works from 1 of 4 places; not from durban and richards-bay"));
}

#[tokio::test(start_paused = true)]
async fn history_goes_back_by_months() {
    let page = main_of(&shown(Asked::History(None)));
    assert!(page.contains("History: November 2026") && page.contains("month=2026-10"), "{page}");
    let october = main_of(&shown(Asked::History("2026-10".parse().ok())));
    assert!(october.contains("Mail in KwaZulu did not work") && october.contains("month=2026-09"));
    let page = self::page();
    let made = made_of(samples::answer(), page.clock);
    for month in ["2026-12", "2025-10", "1999-01"] {
        let shown = page.of(&made, Asked::History(month.parse().ok()));
        assert!(matches!(shown, Err(NotShown::Nothing)), "{month}");
    }
    let nowhere = page.of(&made, Asked::Setup(Some(format!("{MARKER}-4"))));
    assert!(matches!(nowhere, Err(NotShown::Nothing)), "an agent's name is no site");
}

#[tokio::test(start_paused = true)]
#[allow(clippy::too_many_lines, reason = "the document is here for a person to read")]
async fn news_are_rss_that_readers_read() {
    let text = shown(Asked::Feed);
    insta::assert_snapshot!(text, @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom">
    <channel>
    <title>E-mail at Example &amp; Sons</title>
    <link>https://status.example.org/status</link>
    <description>What is wrong, what is planned, and when it is over</description>
    <language>en</language>
    <generator>Mailsonde</generator>
    <ttl>5</ttl>
    <atom:link href="https://status.example.org/status/feed.xml" rel="self" type="application/rss+xml"/>
    <lastBuildDate>Mon, 23 Nov 2026 12:36:00 GMT</lastBuildDate>
    <item>
    <title>Mail in KwaZulu works again</title>
    <link>https://status.example.org/status/history</link>
    <guid isPermaLink="false">tag:status.example.org,2026:mailsonde:incident-4-over-1795437360</guid>
    <pubDate>Mon, 23 Nov 2026 12:36:00 GMT</pubDate>
    <description>&lt;p&gt;Mail in KwaZulu works again as of 14:36. Mail in KwaZulu did not work from 14:02 on, 34 min in all.&lt;/p&gt;</description>
    </item>
    <item>
    <title>Maintenance of Mail in KwaZulu at durban</title>
    <link>https://status.example.org/status</link>
    <guid isPermaLink="false">tag:status.example.org,2026:mailsonde:window-1-1795515260</guid>
    <pubDate>Mon, 23 Nov 2026 12:14:20 GMT</pubDate>
    <description>&lt;p&gt;From 12:14 on 24 November 2026 until 13:14 on 24 November 2026 (Africa/Johannesburg).&lt;/p&gt;&lt;p&gt;Mail in Durban&lt;/p&gt;&lt;p&gt;may be slow&lt;/p&gt;</description>
    </item>
    <item>
    <title>Maintenance of Mail in KwaZulu</title>
    <link>https://status.example.org/status</link>
    <guid isPermaLink="false">tag:status.example.org,2026:mailsonde:window-2-1795443260</guid>
    <pubDate>Mon, 23 Nov 2026 12:14:20 GMT</pubDate>
    <description>&lt;p&gt;From 16:14 on 23 November 2026 until 17:14 on 23 November 2026 (Africa/Johannesburg).&lt;/p&gt;&lt;p&gt;Mail in Durban&lt;/p&gt;&lt;p&gt;may be slow&lt;/p&gt;</description>
    </item>
    <item>
    <title>Mail in KwaZulu: Somebody has taken it on</title>
    <link>https://status.example.org/status</link>
    <guid isPermaLink="false">tag:status.example.org,2026:mailsonde:incident-4-at-1795435500</guid>
    <pubDate>Mon, 23 Nov 2026 12:05:00 GMT</pubDate>
    <description>&lt;p&gt;Somebody has taken it on&lt;/p&gt;</description>
    </item>
    <item>
    <title>Mail in KwaZulu: Somebody has taken it on</title>
    <link>https://status.example.org/status</link>
    <guid isPermaLink="false">tag:status.example.org,2026:mailsonde:incident-7-at-1795435500</guid>
    <pubDate>Mon, 23 Nov 2026 12:05:00 GMT</pubDate>
    <description>&lt;p&gt;Somebody has taken it on&lt;/p&gt;</description>
    </item>
    <item>
    <title>Mail in KwaZulu does not work</title>
    <link>https://status.example.org/status</link>
    <guid isPermaLink="false">tag:status.example.org,2026:mailsonde:incident-7-at-1795435443</guid>
    <pubDate>Mon, 23 Nov 2026 12:04:03 GMT</pubDate>
    <description>&lt;p&gt;We have found a broken disk and are replacing it.&lt;/p&gt;</description>
    </item>
    <item>
    <title>Mail in KwaZulu: It was found at more places</title>
    <link>https://status.example.org/status</link>
    <guid isPermaLink="false">tag:status.example.org,2026:mailsonde:incident-4-at-1795435331</guid>
    <pubDate>Mon, 23 Nov 2026 12:02:11 GMT</pubDate>
    <description>&lt;p&gt;It was found at more places&lt;/p&gt;</description>
    </item>
    <item>
    <title>Mail in KwaZulu did not work at durban and richards-bay (over)</title>
    <link>https://status.example.org/status</link>
    <guid isPermaLink="false">tag:status.example.org,2026:mailsonde:incident-3</guid>
    <pubDate>Mon, 23 Nov 2026 12:02:09 GMT</pubDate>
    <description>&lt;p&gt;Mail in KwaZulu works again as of 14:36 on 24 October. Mail in KwaZulu did not work from 14:02 on 24 October on, 34 min in all.&lt;/p&gt;</description>
    </item>
    <item>
    <title>Mail in KwaZulu did not work at durban and richards-bay (over)</title>
    <link>https://status.example.org/status</link>
    <guid isPermaLink="false">tag:status.example.org,2026:mailsonde:incident-4</guid>
    <pubDate>Mon, 23 Nov 2026 12:02:09 GMT</pubDate>
    <description>&lt;p&gt;Mail in KwaZulu works again as of 14:36. Mail in KwaZulu did not work from 14:02 on, 34 min in all.&lt;/p&gt;</description>
    </item>
    <item>
    <title>Mail in KwaZulu does not work at durban and richards-bay</title>
    <link>https://status.example.org/status</link>
    <guid isPermaLink="false">tag:status.example.org,2026:mailsonde:incident-7</guid>
    <pubDate>Mon, 23 Nov 2026 12:02:09 GMT</pubDate>
    <description>&lt;p&gt;Mail in KwaZulu has not worked at durban and richards-bay since 14:02; we are working on it. It is expected to work again by 17:20.&lt;/p&gt;</description>
    </item>
    <item>
    <title>Mail in KwaZulu works again</title>
    <link>https://status.example.org/status/history</link>
    <guid isPermaLink="false">tag:status.example.org,2026:mailsonde:incident-3-over-1792845360</guid>
    <pubDate>Sat, 24 Oct 2026 12:36:00 GMT</pubDate>
    <description>&lt;p&gt;Mail in KwaZulu works again as of 14:36 on 24 October. Mail in KwaZulu did not work from 14:02 on 24 October on, 34 min in all.&lt;/p&gt;</description>
    </item>
    </channel>
    </rss>
    "#);
    let feed = feed_rs::parser::parse(text.as_bytes()).unwrap();
    assert_eq!(feed.title.unwrap().content, "E-mail at Example & Sons");
    let mut ids: Vec<_> = feed.entries.iter().map(|entry| entry.id.clone()).collect();
    assert!(feed.entries.iter().all(|it| it.published.is_some() && it.title.is_some()));
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), count > 5), (count, true), "each has a guid of its own");
}

#[tokio::test(start_paused = true)]
#[allow(clippy::too_many_lines, reason = "the document is here for a person to read")]
async fn programs_are_told_how_to_be_set_up() {
    let page = page();
    let text = |shown: Shown| String::from_utf8(shown.body.to_vec()).unwrap();
    insta::assert_snapshot!(text(page.autoconfig(Some("ann@Example.net")).unwrap()), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <clientConfig version="1.1">
    <emailProvider id="example.org">
    <domain>example.org</domain>
    <domain>example.net</domain>
    <displayName>Staff</displayName>
    <displayShortName>Staff</displayShortName>
    <incomingServer type="imap">
    <hostname>mail.example.org</hostname>
    <port>993</port>
    <socketType>SSL</socketType>
    <username>%EMAILADDRESS%</username>
    <authentication>password-cleartext</authentication>
    </incomingServer>
    <outgoingServer type="smtp">
    <hostname>mail.example.org</hostname>
    <port>587</port>
    <socketType>STARTTLS</socketType>
    <username>%EMAILADDRESS%</username>
    <authentication>password-cleartext</authentication>
    </outgoingServer>
    <documentation url="https://status.example.org/status/setup">
    <descr lang="en">How to set up a mail program</descr>
    </documentation>
    </emailProvider>
    </clientConfig>
    "#);
    insta::assert_snapshot!(text(page.apple(Some("example.org")).unwrap()), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
    <plist version="1.0">
    <dict>
    <key>PayloadContent</key>
    <array>
    <dict>
    <key>EmailAccountDescription</key>
    <string>Staff</string>
    <key>EmailAccountType</key>
    <string>EmailTypeIMAP</string>
    <key>IncomingMailServerAuthentication</key>
    <string>EmailAuthPassword</string>
    <key>IncomingMailServerHostName</key>
    <string>mail.example.org</string>
    <key>IncomingMailServerPortNumber</key>
    <integer>993</integer>
    <key>IncomingMailServerUseSSL</key>
    <true/>
    <key>OutgoingMailServerAuthentication</key>
    <string>EmailAuthPassword</string>
    <key>OutgoingMailServerHostName</key>
    <string>mail.example.org</string>
    <key>OutgoingMailServerPortNumber</key>
    <integer>587</integer>
    <key>OutgoingMailServerUseSSL</key>
    <true/>
    <key>OutgoingPasswordSameAsIncomingPassword</key>
    <true/>
    <key>PayloadDisplayName</key>
    <string>Staff</string>
    <key>PayloadIdentifier</key>
    <string>org.example.status.mailsonde.example.org.mail</string>
    <key>PayloadType</key>
    <string>com.apple.mail.managed</string>
    <key>PayloadUUID</key>
    <string>6B2F986B-A2E0-8855-9FE4-EDE2B057D2A8</string>
    <key>PayloadVersion</key>
    <integer>1</integer>
    </dict>
    </array>
    <key>PayloadDescription</key>
    <string>Sets up e-mail. You are asked for your address and password.</string>
    <key>PayloadDisplayName</key>
    <string>E-mail at Example &amp; Sons: Staff</string>
    <key>PayloadIdentifier</key>
    <string>org.example.status.mailsonde.example.org</string>
    <key>PayloadOrganization</key>
    <string>E-mail at Example &amp; Sons</string>
    <key>PayloadType</key>
    <string>Configuration</string>
    <key>PayloadUUID</key>
    <string>25DCA4CB-4002-8171-9D4B-0DA1CD0240F2</string>
    <key>PayloadRemovalDisallowed</key>
    <false/>
    <key>PayloadVersion</key>
    <integer>1</integer>
    </dict>
    </plist>
    "#);
    for (address, is_one) in [
        (None, true),
        (Some(""), true),
        (Some("%EMAILADDRESS%"), true),
        (Some("@example.org"), true),
        (Some("ann@example.org.evil.test"), false),
        (Some("example.org"), false),
        (Some("ann@evil.test@example.org"), true),
    ] {
        assert_eq!(page.autoconfig(address).is_ok(), is_one, "{address:?}");
    }
    assert_eq!(page.apple(None).unwrap(), page.apple(Some("EXAMPLE.net")).unwrap());
    assert!(page.apple(Some("evil.test")).is_err());
}

#[tokio::test(start_paused = true)]
async fn nothing_internal_is_on_any_page() {
    let page = page();
    for templates in [crate::judge::draft::Templates::default(), samples::talkative()] {
        let made = made_of(samples::answer_by(&templates), page.clock);
        let sites = samples::sites().into_iter().map(|site| Asked::Setup(Some(site)));
        let months = ["2026-10", "2026-11"].map(|month| Asked::History(month.parse().ok()));
        let others =
            [Asked::Overview, Asked::Setup(None), Asked::Feed, Asked::Calendar, Asked::Json];
        for asked in sites.chain(months).chain(others) {
            let shown = page.of(&made, asked.clone()).unwrap();
            let text = String::from_utf8(shown.body.to_vec()).unwrap();
            let found = text.find(MARKER).map(|at| text.get(at.saturating_sub(200)..at));
            assert_eq!(found, None, "{asked:?}");
            assert!(!text.contains(" style=") && !text.contains("<script>"), "{asked:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn markup_of_others_is_text() {
    let page = page();
    let mut answer = samples::answer();
    let evil = "<script>alert(1)</script>\" onload=\"x";
    answer.services[0].title = evil.into();
    answer.services[0].fails_at.named = vec![evil.into()];
    answer.incidents[0].headline = evil.into();
    answer.incidents[0].text = evil.into();
    answer.incidents[0].updates[0].text = evil.into();
    answer.maintenance[0].title = evil.into();
    answer.mail_clients[0].servers[0].fails_at.named = vec![evil.into()];
    let made = made_of(answer, page.clock);
    for asked in [Asked::Overview, Asked::Setup(None), Asked::History(None), Asked::Feed] {
        let shown = page.of(&made, asked.clone()).unwrap();
        let text = String::from_utf8(shown.body.to_vec()).unwrap();
        assert!(!text.contains("<script>a") && !text.contains("\" onload"), "{asked:?}: {text}");
    }
}

/// Whoever looks while it is made is served what there is, and it is made once.
#[tokio::test(start_paused = true)]
async fn what_is_kept_serves_everybody_for_a_while() {
    let page = Arc::new(page());
    let answers = AtomicUsize::new(0);
    let put = || {
        answers.fetch_add(1, Ordering::Relaxed);
        let made = Some(Arc::new(made_of(samples::answer(), page.clock)));
        *page.state.write().unwrap() = State { made, failed_at: None };
    };
    assert!(page.kept_within(TOO_OLD).is_none());
    put();
    let first = page.of(&page.kept_within(FRESH).unwrap(), Asked::Overview).unwrap();
    let again = page.of(&page.kept_within(FRESH).unwrap(), Asked::Overview).unwrap();
    assert!(Arc::ptr_eq(&first, &again), "it is the same bytes");
    tokio::time::advance(FRESH).await;
    assert!(page.kept_within(FRESH).is_none() && page.kept_within(STALE).is_some());
    page.failed();
    assert!(page.has_just_failed());
    tokio::time::advance(PAUSE).await;
    assert!(!page.has_just_failed());
    tokio::time::advance(TOO_OLD).await;
    assert!(page.kept_within(TOO_OLD).is_none(), "then nobody knows");
    let Ok(NotShown::Unknown(shown)) = page.trouble() else { panic!("it is said") };
    assert!(String::from_utf8(shown.body.to_vec()).unwrap().contains("Nobody can tell"));
    put();
    let next = page.of(&page.kept_within(FRESH).unwrap(), Asked::Overview).unwrap();
    assert_eq!((next.etag.as_str(), answers.into_inner()), (first.etag.as_str(), 2));
}

/// However many sites are asked about, what is kept is bounded.
#[tokio::test(start_paused = true)]
async fn what_is_kept_is_bounded() {
    let page = page();
    let mut answer = samples::answer();
    answer.sites = (0..200).map(|number| format!("site-{number}")).collect();
    let made = made_of(answer, page.clock);
    for number in 0..200 {
        page.of(&made, Asked::Setup(Some(format!("site-{number}")))).unwrap();
    }
    assert_eq!(made.shown.lock().unwrap().len(), MOST_KEPT);
}
