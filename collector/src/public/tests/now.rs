use super::*;

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
