use super::*;

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
