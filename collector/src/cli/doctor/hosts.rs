//! Whether the names that this collector speaks to, and its own, have addresses.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use mailsonde_proto::doctor::{Judged, Look, WITHIN, blocking, late, left_out, until, within};
use mailsonde_proto::time::as_signed_us;
use tokio::time::Instant;
use toml::Value;
use url::Url;

use super::named::{configurations, written};
use super::{Subject, without_configuration};
use crate::config::outside::VendorKind;
use crate::config::{Config, SecretPlace};
use crate::figures::duration;
use crate::identity::HostName;
use crate::secret::Secret;

/// Look-ups side by side.
const AT_ONCE: usize = 16;
/// Hosts that are looked up at most.
const MOST_HOSTS: usize = 200;
/// A look-up that takes longer is felt.
const SLOW: Duration = Duration::from_secs(1);
/// Keys of channels whose value is a host by itself.
const HOSTS: [&str; 1] = ["relay"];

/// Every name, looked up as the collector does: by this machine's own resolver; as far as there is time.
pub(super) async fn looks(subject: &Arc<Subject>, ends: Instant) -> Vec<Look> {
    let mut looks = Vec::new();
    match &subject.config {
        None => looks.push(without_configuration().look("dns.own", "its own name")),
        Some(config) => match &config.name {
            HostName::Name(name) if !config.name.is_loopback() => {
                let (found, took) = look_up(name, subject).await;
                looks
                    .push(own(name, &found, took).look("dns.own", "its own name").of(name.clone()));
            }
            name => {
                let judged = Judged::ok(format!("{name} needs no look-up"));
                looks.push(judged.look("dns.own", "its own name").of(name.to_string()));
            }
        },
    }
    let read = Arc::clone(subject);
    let Some(hosts) = blocking(move || hosts(&read)).await else {
        looks.push(late("reading whom it speaks to").look("dns.others", "other hosts"));
        return looks;
    };
    let all = hosts.len();
    let asked = hosts.into_iter().take(MOST_HOSTS).map(async |host| {
        let (found, took) = look_up(&host, subject).await;
        other(&found, took).look("dns.host", host.clone()).of(host)
    });
    let found = in_time(stream::iter(asked).buffered(AT_ONCE), ends).await;
    looks.extend(left_out(found.len(), all).map(|judged| judged.look("dns.others", "other hosts")));
    looks.extend(found);
    looks
}

/// What has come when the time is up.
async fn in_time<T>(asked: impl Stream<Item = T>, ends: Instant) -> Vec<T> {
    let mut asked = pin!(asked);
    let mut found = Vec::new();
    while let Some(Some(one)) = until(ends, asked.next()).await {
        found.push(one);
    }
    found
}

async fn look_up(host: &str, subject: &Subject) -> (Result<Vec<IpAddr>, String>, Duration) {
    let at = subject.clock.monotonic();
    let asked = within(tokio::net::lookup_host((host, 443))).await;
    let took = subject.clock.monotonic().saturating_duration_since(at);
    let found = match asked {
        None => Err(format!("no answer within {} s", WITHIN.as_secs())),
        Some(Err(error)) => Err(error.to_string()),
        Some(Ok(found)) => {
            let addresses: BTreeSet<IpAddr> =
                found.map(|address: SocketAddr| address.ip()).collect();
            Ok(addresses.into_iter().collect())
        }
    };
    (found, took)
}

/// What agents call this machine need not be known here, but where it is not, it may be known nowhere.
fn own(name: &str, found: &Result<Vec<IpAddr>, String>, took: Duration) -> Judged {
    match found {
        Ok(_) => other(found, took),
        Err(words) => Judged::warning(
            format!("it has no address from here: {words}"),
            format!("see that {name} has one where the agents are: `mailsonde-agent doctor` there"),
        ),
    }
}

fn other(found: &Result<Vec<IpAddr>, String>, took: Duration) -> Judged {
    match found {
        Ok(addresses) => {
            let listed: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
            let says = format!("{} in {}", listed.join(", "), duration(as_signed_us(took)));
            if took < SLOW {
                return Judged::ok(says);
            }
            Judged::warning(
                says,
                "see what keeps the DNS servers in /etc/resolv.conf: that is slow",
            )
        }
        // where a proxy is used, that alone needs to know the name
        Err(words) => Judged::warning(
            words.clone(),
            "unless a proxy is used (HTTPS_PROXY) nothing is sent there: check its spelling in collector.toml or \
             channels.d, and /etc/resolv.conf: `getent hosts NAME`",
        ),
    }
}

/// Hosts that messages, signs of life and metrics go to, and those that are asked. Of what is a secret, the host alone.
fn hosts(subject: &Subject) -> BTreeSet<String> {
    let folder = subject.folder.path();
    let mut hosts = BTreeSet::new();
    if let Some(config) = &subject.config {
        hosts.extend(of_config(config, folder));
    }
    for file in configurations(&subject.folder).into_iter().skip(1) {
        of_channels(&written(&file), folder, &mut hosts);
    }
    // addresses and this machine need nobody to be asked
    hosts.retain(|host| host.parse::<IpAddr>().is_err() && host != "localhost");
    hosts
}

fn of_config(config: &Config, folder: &Path) -> Vec<String> {
    let secret = |place: &SecretPlace| {
        let text = place.read(folder).ok()?;
        host_in(&text)
    };
    let outside = &config.outside;
    let mut hosts: Vec<Option<String>> = Vec::new();
    hosts.extend(outside.heartbeats.iter().map(|it| secret(&it.url)));
    hosts.extend(outside.peers.iter().map(|it| secret(&it.url)));
    for vendor in &outside.vendors {
        match &vendor.kind {
            VendorKind::Microsoft365 { graph, sign_in, .. } => {
                hosts.extend([host_of(graph), host_of(sign_in)]);
            }
            VendorKind::GoogleWorkspace(url)
            | VendorKind::Statuspage(url)
            | VendorKind::Feed(url) => hosts.push(host_of(url)),
        }
    }
    hosts.extend(config.otlp.iter().map(|it| host_of(&it.endpoint)));
    hosts.extend(config.oidc.iter().map(|it| host_in(&it.issuer)));
    hosts.into_iter().flatten().collect()
}

fn of_channels(table: &toml::Table, folder: &Path, hosts: &mut BTreeSet<String>) {
    for (key, value) in table {
        match value {
            Value::String(text) if HOSTS.contains(&key.as_str()) => {
                hosts.insert(text.clone());
            }
            Value::String(path) if key == "url_file" => {
                let secret = Secret::in_file(&folder.join(path)).ok();
                hosts.extend(secret.and_then(|secret| host_in(secret.expose())));
            }
            Value::String(text) => hosts.extend(host_in(text)),
            Value::Table(table) => of_channels(table, folder, hosts),
            Value::Array(values) => {
                let tables = values.iter().filter_map(Value::as_table);
                tables.for_each(|table| of_channels(table, folder, hosts));
            }
            _ => {}
        }
    }
}

fn host_in(text: &str) -> Option<String> {
    let url = Url::parse(text.trim()).ok()?;
    if matches!(url.scheme(), "https" | "http") { host_of(&url) } else { None }
}

fn host_of(url: &Url) -> Option<String> {
    url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use mailsonde_proto::Clock;
    use mailsonde_proto::doctor::State;

    use super::*;

    #[test]
    fn names_are_judged_by_their_look_up() {
        let found = || Ok(vec![IpAddr::from([192, 0, 2, 1])]);
        let none = || Err("no such host".to_owned());
        let ms = Duration::from_millis;
        for (found, took, of_own, of_other) in [
            (found(), ms(3), State::Ok, State::Ok),
            (found(), ms(1_500), State::Warning, State::Warning),
            (none(), ms(3), State::Warning, State::Warning),
        ] {
            assert_eq!(own("c.test", &found, took).state, of_own);
            assert_eq!(other(&found, took).state, of_other);
        }
    }

    #[test]
    fn hosts_are_found_and_secrets_stay_where_they_are() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        let config = "listen = '[::]:1'\nname = 'c'\n[otlp]\nendpoint = 'https://otlp.test/v1'\n\
                      [[heartbeat]]\nname = 'h'\nkind = 'generic'\nurl = 'https://hc.test/secret-1'\n\
                      [[vendor]]\nname = 'v'\nkind = 'feed'\nurl = 'https://feed.test/rss'\n";
        let config = Config::parse(Path::new("collector.toml"), config).unwrap();
        assert_eq!(of_config(&config, folder), ["hc.test", "feed.test", "otlp.test"]);
        let file = folder.join("url");
        fs::write(&file, "https://hooks.test/secret-2\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let channels = "[[channel]]\nname = 'a'\nurl_file = 'url'\n[[channel]]\nrelay = 'smtp.test'\n\
                        from = 'A <a@b.test>'\n[[channel]]\nserver = 'https://ntfy.test'\n";
        let mut hosts = BTreeSet::new();
        of_channels(&channels.parse().unwrap(), folder, &mut hosts);
        assert_eq!(hosts.into_iter().collect::<Vec<_>>(), ["hooks.test", "ntfy.test", "smtp.test"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_resolver_does_not_take_long() {
        let ends = mailsonde_proto::doctor::deadline();
        let asked = stream::iter(0..MOST_HOSTS).map(async |number| {
            tokio::time::sleep(WITHIN).await;
            number
        });
        let found = in_time(asked.buffered(AT_ONCE), ends).await;
        assert!(Clock::system().monotonic() <= ends + WITHIN / 10);
        assert_eq!(found.len(), 3 * AT_ONCE);
    }
}
