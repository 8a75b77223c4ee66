//! Reads `[otlp]`.

use std::ops::RangeInclusive;

use url::Url;

use super::outside::every;
use crate::config::Mistake;
use crate::config::otlp::{DEFAULT_EVERY, OtlpConfig, Temporality};
use crate::config::outside::outside_url;
use crate::config::section::Section;

/// OTLP/HTTP's own path for metrics (OTLP specification 1.9.0, section "OTLP/HTTP Request").
const METRICS: &str = "/v1/metrics";
const SECONDS: RangeInclusive<u64> = 5..=3_600;

/// Reads it; `root` is the outermost table.
pub(super) fn read(mut root: Section<'_>, mistakes: &mut Vec<Mistake>) -> Option<OtlpConfig> {
    let otlp = root.table("otlp", "otlp: ").and_then(|mut section| {
        let otlp = otlp(&mut section);
        root.take_over(section);
        otlp
    });
    mistakes.extend(root.so_far());
    otlp
}

fn otlp(section: &mut Section<'_>) -> Option<OtlpConfig> {
    section.require("endpoint", "such as endpoint = \"https://otlp.example.net\"");
    let endpoint = section.read("endpoint", endpoint);
    let headers_file = section.read("headers_file", super::path_of_secret);
    let often = every(section, "every", SECONDS);
    let temporality = section.read("temporality", |text| match text {
        "cumulative" => Ok(Temporality::Cumulative),
        "delta" => Ok(Temporality::Delta),
        _ => Err("must be \"cumulative\" or \"delta\""),
    });
    let authority = section.read("authority", super::path);
    Some(OtlpConfig {
        endpoint: endpoint?,
        headers_file,
        every: often.unwrap_or(DEFAULT_EVERY),
        temporality: temporality.unwrap_or(Temporality::Cumulative),
        authority,
    })
}

fn endpoint(text: &str) -> Result<Url, String> {
    let mut url = outside_url(text)?;
    if url.path() == "/" {
        url.set_path(METRICS);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::config::Config;

    fn read(text: &str) -> Result<OtlpConfig, String> {
        let text = format!("listen = '[::]:1'\nname = 'a'\n[otlp]\n{text}");
        let config = Config::parse(Path::new("c"), &text).map_err(|error| error.to_string())?;
        Ok(config.otlp.unwrap())
    }

    #[test]
    fn what_is_not_said_is_usual() {
        let otlp = read("endpoint = 'https://otlp.nr-data.net'").unwrap();
        let expected = OtlpConfig {
            endpoint: "https://otlp.nr-data.net/v1/metrics".parse().unwrap(),
            headers_file: None,
            every: Duration::from_secs(60),
            temporality: Temporality::Cumulative,
            authority: None,
        };
        assert_eq!(otlp, expected);
        let text = "endpoint = 'http://127.0.0.1:4318/otlp/v1/metrics'\nevery = '15s'\n\
                    temporality = 'delta'\nheaders_file = 'h'\nauthority = 'ca.pem'";
        let otlp = read(text).unwrap();
        assert_eq!(otlp.endpoint.path(), "/otlp/v1/metrics");
        assert_eq!((otlp.every.as_secs(), otlp.temporality), (15, Temporality::Delta));
        assert_eq!((otlp.headers_file, otlp.authority), (Some("h".into()), Some("ca.pem".into())));
    }

    #[test]
    fn every_mistake_is_told() {
        insta::assert_snapshot!(read("every = '1s'\ntemporality = 'both'\nheader = 'x'").unwrap_err(), @r#"
        c:3:1: otlp: endpoint is missing: such as endpoint = "https://otlp.example.net"
        c:4:9: otlp: every must be whole seconds, from "5s" to "1h"
        c:5:15: otlp: temporality must be "cumulative" or "delta"
        c:6:1: otlp: header is not known here: there is authority, endpoint, every, headers_file, temporality
        "#);
        insta::assert_snapshot!(read("endpoint = 'http://otlp.example.net'\nheaders_file = ''").unwrap_err(), @r"
        c:4:12: otlp: endpoint must be an https URL; http is for 127.0.0.1, [::1] and localhost only
        c:5:16: otlp: headers_file must be the path of a file
        ");
    }
}
