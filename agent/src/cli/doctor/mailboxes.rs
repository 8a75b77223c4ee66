//! Whether the servers of the mailboxes can be reached as the checks reach them: through `net`, under the policy, up to
//! TLS and the greeting. Nobody signs in.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt, stream};
use mailsonde_proto::doctor::{Judged, Look, WITHIN, left_out, until, within};
use mailsonde_proto::time::as_signed_us;
use mailsonde_proto::{Clock, FaultClass, phase::name};
use tokio::time::Instant;

use super::super::figures::duration;
use super::dns;
use super::subject::Subject;
use crate::config::MailboxConfig;
use crate::mail::dial::Patience;
use crate::mail::endpoint::{Endpoint, Tls};
use crate::mail::failure::Failure;
use crate::mail::mailbox::Inbox;
use crate::mail::{imap, pop3, smtp};
use crate::net::Net;
use crate::stopwatch::Stopwatch;

/// Servers that are looked at side by side.
const AT_ONCE: usize = 8;

/// What is spoken to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Spoken {
    Smtp,
    Imap,
    Pop3,
}

impl Spoken {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
        }
    }
}

/// A server of one mailbox or of several.
struct Server {
    spoken: Spoken,
    /// Without a login.
    endpoint: Endpoint,
    /// Whose it is.
    mailboxes: Vec<String>,
}

/// Every host and every server of the mailboxes, as far as there is time.
pub(super) async fn looks(subject: &Arc<Subject>, ends: Instant) -> Vec<Look> {
    let Some(policies) = &subject.policies else {
        return vec![subject.unusable().look("ports.mailbox", "mailboxes")];
    };
    let net = policies.nets(subject.clock).local;
    // no more than policy lets checks open
    let most = policies.local.as_ref().map_or(AT_ONCE, |policy| policy.rates.connections);
    let at_once = most.clamp(1, AT_ONCE);
    let servers = servers(&subject.mailboxes);
    let hosts: BTreeSet<_> = servers.iter().map(|server| server.endpoint.host.clone()).collect();
    let all = hosts.len() + servers.len();
    let asked = hosts.into_iter().map(|host| {
        let net = net.clone();
        async move {
            let (addresses, look) = dns::host(&net, &host, subject).await;
            (host, addresses.is_some(), look)
        }
    });
    let asked = in_time(stream::iter(asked).buffered(at_once), ends).await;
    let mut count = asked.len();
    let mut known = BTreeSet::new();
    let mut looks = Vec::new();
    for (host, is_known, look) in asked {
        if is_known {
            known.insert(host);
        }
        looks.extend(look);
    }
    let reached = servers.into_iter().map(|server| {
        let is_known = known.contains(&server.endpoint.host);
        let net = net.clone();
        async move { of_server(&net, server, is_known, subject).await }
    });
    let reached = in_time(stream::iter(reached).buffered(at_once), ends).await;
    count += reached.len();
    looks.extend(reached);
    looks.extend(left_out(count, all).map(|judged| judged.look("ports.mailbox", "others")));
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

/// Each server once, whoever has it.
fn servers(mailboxes: &BTreeMap<String, MailboxConfig>) -> Vec<Server> {
    let mut servers: Vec<Server> = Vec::new();
    for (name, config) in mailboxes {
        let settings = &config.settings;
        let inboxes = settings.inboxes().map(|inbox| match inbox {
            Inbox::Imap(endpoint) => (Spoken::Imap, endpoint),
            Inbox::Pop3(endpoint, _) => (Spoken::Pop3, endpoint),
        });
        for (spoken, endpoint) in std::iter::once((Spoken::Smtp, &settings.smtp)).chain(inboxes) {
            let is_same = |server: &&mut Server| {
                let known = &server.endpoint;
                let address = (&known.host, known.port, known.tls);
                server.spoken == spoken && address == (&endpoint.host, endpoint.port, endpoint.tls)
            };
            match servers.iter_mut().find(is_same) {
                Some(server) => server.mailboxes.push(name.clone()),
                None => servers.push(Server {
                    spoken,
                    endpoint: Endpoint { login: None, ..endpoint.clone() },
                    mailboxes: vec![name.clone()],
                }),
            }
        }
    }
    servers
}

async fn of_server(net: &Net, server: Server, is_known: bool, subject: &Subject) -> Look {
    let Server { spoken, endpoint, mailboxes } = server;
    let Endpoint { host, port, .. } = &endpoint;
    let place = format!("{host}:{port}");
    let title = format!("{} {}", spoken.as_str(), shortened(&mailboxes));
    let judged = if is_known {
        let mut watch = Stopwatch::start(subject.clock);
        let opened = within(open(net, spoken, &endpoint, subject.clock, &mut watch)).await;
        let last = watch.laps().last().map_or(name::CONNECT, |lap| lap.name);
        let late = || Err(Failure::timeout(last, "what comes next", WITHIN));
        judged(&place, endpoint.tls, &opened.unwrap_or_else(late), &watch)
    } else {
        Judged::unknown(
            format!("{place}: not tried, it has no address"),
            format!("see the line of {host}"),
        )
    };
    judged.look("ports.mailbox", title).of(place)
}

fn shortened(mailboxes: &[String]) -> String {
    match mailboxes {
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        [] => String::new(),
    }
}

/// Opens a session as a check would, and ends it.
async fn open(
    net: &Net,
    spoken: Spoken,
    endpoint: &Endpoint,
    clock: Clock,
    watch: &mut Stopwatch,
) -> Result<(), Failure> {
    let patience = Patience { clock, step: WITHIN, deadline: clock.monotonic() + WITHIN };
    match spoken {
        Spoken::Smtp => {
            let dial = smtp::dial(net, patience);
            let record = dial.record(endpoint);
            smtp::Session::open(dial, endpoint, None, record, watch).await?.quit().await;
        }
        Spoken::Imap => {
            let dial = imap::dial(net, patience);
            let record = dial.record(endpoint);
            imap::Session::open(dial, endpoint, record, watch).await?.logout().await;
        }
        Spoken::Pop3 => {
            let dial = pop3::dial(net, patience);
            let record = dial.record(endpoint);
            let session = pop3::Session::open(dial, endpoint, None, record, watch).await?;
            session.quit(name::GREETING).await?;
        }
    }
    Ok(())
}

fn judged(place: &str, tls: Tls, opened: &Result<(), Failure>, watch: &Stopwatch) -> Judged {
    match opened {
        Ok(()) => {
            // a protocol's own names of phases begin with it
            let plain = |name: &'static str| name.rsplit('.').next().unwrap_or(name);
            let laps = watch.laps().iter().filter(|lap| plain(lap.name) != name::RESOLVE);
            let told: Vec<_> = laps
                .map(|lap| {
                    let took = lap.to.saturating_duration_since(lap.from);
                    format!("{} {}", plain(lap.name), duration(as_signed_us(took)))
                })
                .collect();
            let open = if tls == Tls::None { ", without TLS" } else { "" };
            Judged::ok(format!("{place}{open}: {}", told.join(", ")))
        }
        Err(failure) => {
            let judged = dns::failed(failure);
            let says = format!("{place}: {}", judged.says);
            match failure.fault.class {
                // it will do again what it cannot now
                FaultClass::Temporary => Judged::warning(says, judged.todo.unwrap_or_default()),
                _ => Judged { says, ..judged },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::doctor::State;

    use super::*;

    #[test]
    fn a_server_is_judged_by_how_far_one_came() {
        let watch = Stopwatch::start(Clock::system());
        let fault = |phase: &str, class| Err(Failure::new(phase, class, "words"));
        for (opened, state, todo) in [
            (Ok(()), State::Ok, ""),
            (fault("connect", FaultClass::Refused), State::Problem, "listens on this port"),
            (fault("tls", FaultClass::Mismatch), State::Problem, "certificate"),
            (fault("greeting", FaultClass::Temporary), State::Warning, "later"),
        ] {
            let judged = judged("mail.test:587", Tls::StartTls, &opened, &watch);
            assert_eq!(judged.state, state, "{opened:?}");
            assert!(judged.says.starts_with("mail.test:587"), "{}", judged.says);
            assert!(judged.todo.unwrap_or_default().contains(todo), "{opened:?}");
        }
    }

    #[test]
    fn servers_are_looked_at_once_and_nobody_signs_in() {
        let one = MailboxConfig::stand_in("one");
        let two = MailboxConfig::stand_in("two");
        let mailboxes = BTreeMap::from([("one".to_owned(), one), ("two".to_owned(), two)]);
        let servers = servers(&mailboxes);
        let told: Vec<_> = servers
            .iter()
            .map(|it| (it.spoken, it.endpoint.port, shortened(&it.mailboxes)))
            .collect();
        let both = || "one and 1 more".to_owned();
        assert_eq!(told, [(Spoken::Smtp, 25, both()), (Spoken::Imap, 25, both())]);
        assert!(servers.iter().all(|server| server.endpoint.login.is_none()));
    }

    #[tokio::test(start_paused = true)]
    async fn many_silent_hosts_do_not_take_long() {
        let ends = mailsonde_proto::doctor::deadline();
        let asked = stream::iter(0..300).map(|number| async move {
            tokio::time::sleep(WITHIN).await;
            number
        });
        let found = in_time(asked.buffered(AT_ONCE), ends).await;
        assert!(
            Clock::system().monotonic() <= ends + WITHIN / 10,
            "it took {:?} too long",
            Clock::system().monotonic() - ends
        );
        assert_eq!(found.len(), 3 * AT_ONCE);
    }
}
