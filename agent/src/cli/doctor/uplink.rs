//! Whether the collector is reached, is the right one, lets this agent in, and what its clock and version are.
//!
//! Each step is tried only where the one before went well; those after it are 'not known', so that one cause is one
//! problem.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::convert::PROTOCOL;
use mailsonde_proto::doctor::clock::beside;
use mailsonde_proto::doctor::version::versions;
use mailsonde_proto::doctor::{Judged, Look, WITHIN, late, until, within};
use mailsonde_proto::phase::name;
use mailsonde_proto::time::as_signed_us;
use mailsonde_proto::{Clock, WallTime};
use tokio::time::Instant;

use super::super::figures::duration;
use super::dns;
use super::identity::Found;
use super::process::Runs;
use super::subject::Subject;
use crate::config::CollectorConfig;
use crate::mail::failure::Failure;
use crate::net::{Net, NetError};
use crate::uplink::UplinkError;
use crate::uplink::channel::{self, SOFTWARE, Testimony};
use crate::uplink::meeting::{Met, meet};

/// The line of the handshake.
const TLS: (&str, &str) = ("ports.tls", "collector's TLS");

/// Everything about the collector, as far as there is time.
pub(super) async fn looks(
    subject: &Subject,
    identity: &Found,
    runs: Runs,
    ends: Instant,
) -> Vec<Look> {
    let found = until(ends, Box::pin(asked(subject, identity, runs))).await;
    found.unwrap_or_else(|| vec![late("asking the collector").look("ports.collector", "collector")])
}

async fn asked(subject: &Subject, identity: &Found, runs: Runs) -> Vec<Look> {
    let Some(collector) = &subject.collector else {
        let judged = match &subject.service {
            None => subject.unusable(),
            Some(_) => Judged::unknown(
                "no [collector] can be read in the configuration",
                "mend the configuration first, or let the agent in: `mailsonde-agent enroll TOKEN`",
            ),
        };
        return vec![judged.look("ports.collector", "collector")];
    };
    let host = &collector.address.host;
    // as the uplink itself, which policy does not bind
    let net = Net::new();
    let (addresses, look) = dns::host(&net, host, subject).await;
    let mut looks: Vec<_> = look.into_iter().collect();
    let Some(addresses) = addresses else {
        let judged = not_tried("it has no address", "look-up");
        looks.push(judged.look("ports.collector", "collector"));
        return looks;
    };
    let dialled = Dialled { net: &net, collector, addresses: &addresses, clock: subject.clock };
    looks.extend(Box::pin(dialled.looks(identity, runs)).await);
    looks
}

fn not_tried(why: &str, cause: &str) -> Judged {
    Judged::unknown(format!("not tried: {why}"), format!("see the line of the {cause}"))
}

fn port_judged(address: &str, tried: &Result<(), NetError>) -> Judged {
    match tried {
        Ok(()) => Judged::ok(format!("{address} answers")),
        Err(error) => {
            let judged = dns::failed(&Failure::net(name::CONNECT, error));
            let todo = judged.todo.unwrap_or_default();
            let todo = format!(
                "{todo}; on the collector: `mailsonde-collector doctor`; meanwhile what is observed is kept here"
            );
            Judged { todo: Some(todo), ..judged }
        }
    }
}

/// A collector that has an address.
struct Dialled<'a> {
    net: &'a Net,
    collector: &'a CollectorConfig,
    addresses: &'a [IpAddr],
    clock: Clock,
}

impl Dialled<'_> {
    /// The port, TLS, then the question whether it would let us in.
    async fn looks(&self, identity: &Found, runs: Runs) -> Vec<Look> {
        let Some((credentials, is_good)) = identity.credentials() else {
            let judged = not_tried("there is no identity to do it with", "certificate");
            return vec![self.connected().await.0, judged.look(TLS.0, TLS.1)];
        };
        let config = if is_good { &credentials.tls } else { &credentials.tls_by_key };
        let (address, server_name) = (&self.collector.address, &self.collector.server_name);
        let at = self.clock.monotonic();
        let opened =
            within(channel::open(self.net, address, server_name, Arc::clone(config))).await;
        let took = self.clock.monotonic().saturating_duration_since(at);
        let silent = UplinkError::Silent { what: "handshake", within: WITHIN };
        match opened.unwrap_or(Err(silent)) {
            Ok(opened) => {
                let mut looks = vec![self.port(&Ok(()))];
                looks.push(tls_judged(server_name, took).look(TLS.0, TLS.1));
                if is_good {
                    looks.extend(met(opened, self.clock, runs).await);
                } else {
                    let judged =
                        not_tried("this agent's certificate is not good now", "certificate");
                    looks.push(judged.look("collector.answer", "its answer"));
                }
                looks
            }
            Err(error @ UplinkError::NotTrusted(_)) => {
                vec![self.port(&Ok(())), refused(&error).look(TLS.0, TLS.1)]
            }
            // whether the port or what is behind it is to blame, a connection alone tells
            Err(error) => match self.connected().await {
                (port, true) => vec![port, refused(&error).look(TLS.0, TLS.1)],
                (port, false) => vec![port],
            },
        }
    }

    async fn connected(&self) -> (Look, bool) {
        let (host, port) = (&self.collector.address.host, self.collector.address.port);
        let tried = within(self.net.connect(host, self.addresses, port, WITHIN)).await;
        let late = || Err(NetError::Slow { host: host.clone(), within: WITHIN });
        let tried = tried.unwrap_or_else(late).map(drop);
        (self.port(&tried), tried.is_ok())
    }

    fn port(&self, tried: &Result<(), NetError>) -> Look {
        let address = self.collector.address.to_string();
        port_judged(&address, tried).look("ports.collector", "collector").of(address)
    }
}

fn tls_judged(server_name: &str, took: Duration) -> Judged {
    let took = duration(as_signed_us(took));
    Judged::ok(format!(
        "its certificate is for {server_name} and of its authority; {took} with the connection"
    ))
}

async fn met(
    opened: (tonic::transport::Channel, Testimony),
    clock: Clock,
    runs: Runs,
) -> Vec<Look> {
    match meet(opened, clock, WITHIN).await {
        Ok(met) => answered(met.as_ref(), clock.wall(), runs),
        Err(error) => vec![refused(&error).look("collector.answer", "its answer")],
    }
}

/// What a collector that knows the question says.
fn answered(met: Option<&Met>, now: WallTime, runs: Runs) -> Vec<Look> {
    let Some(Met { answer, ahead_us }) = met else {
        let judged = Judged::unknown(
            "the collector is too old to say whether it lets this agent in",
            "update the collector's package",
        );
        return vec![judged.look("collector.answer", "its answer")];
    };
    let says = format!("it lets this agent in, as {}", answer.registered_name);
    let version = if answer.protocol == PROTOCOL {
        versions(SOFTWARE, &answer.software, "collector")
    } else {
        let says =
            format!("it speaks version {} of the protocol, this agent {PROTOCOL}", answer.protocol);
        Judged::warning(says, "update the older of the two packages")
    };
    let clock = match ahead_us {
        Some((ahead_us, error_us)) => beside(*ahead_us, *error_us, "the collector's"),
        None => Judged::unknown("the collector's times make no sense", "look again"),
    };
    vec![
        Judged::ok(says).look("collector.answer", "its answer"),
        stream(answer.connected_since, now, runs).look("collector.stream", "stream"),
        version.look("collector.version", "versions"),
        clock.look("clock.collector", "this clock"),
    ]
}

fn stream(connected_since: Option<WallTime>, now: WallTime, runs: Runs) -> Judged {
    match (connected_since, runs) {
        (Some(since), Runs::Yes) => Judged::ok(format!(
            "the running agent is connected, for {} s",
            now.since(since).as_secs()
        )),
        (None, Runs::Yes) => Judged::warning(
            "the agent runs, and has no stream to the collector now",
            "look again in half a minute, then see why: `journalctl -u mailsonde-agent -n 50`",
        ),
        (Some(since), Runs::Perhaps) => Judged::ok(format!(
            "an agent with this key is connected, for {} s",
            now.since(since).as_secs()
        )),
        (None, Runs::Perhaps) => {
            Judged::unknown("whether the agent runs is not known", "look again in a minute")
        }
        (Some(_), Runs::No) => Judged::problem(
            "an agent with this key is connected, and none is seen here",
            "look again in a minute: the collector may not have noticed yet that it ended. Where it stays so, see from \
             where it is connected (on the collector `mailsonde-collector agents show NAME`); if that is another \
             machine, `mailsonde-collector agents revoke NAME`, which is final, then on both remove the folder identity in \
             the data folder and `mailsonde-agent enroll TOKEN`, each by a token of its own",
        ),
        (None, Runs::No) => Judged::unknown("no agent runs here", "see the line of the agent"),
    }
}

/// Why there is no answer, and what to do.
fn refused(error: &UplinkError) -> Judged {
    let says = error.to_string();
    let anew = "let the agent in anew: on the collector `mailsonde-collector token create --agent NAME`, then here \
                `mailsonde-agent enroll TOKEN`";
    let revoked = "where it was revoked, which is final, let this host in as a new agent: on the collector \
                   `mailsonde-collector token create --name NAME`; here remove the folder identity in the data folder, then \
                   `mailsonde-agent enroll TOKEN`. Where it was not (`mailsonde-collector agents` tells): \
                   `mailsonde-collector token create --agent NAME`, then `mailsonde-agent enroll TOKEN`";
    let log = "see the collector's log: `journalctl -u mailsonde-collector -n 50`";
    let is_of_dates = ["expired", "not valid yet"].iter().any(|words| says.contains(words));
    let todo = match error {
        UplinkError::NotTrusted(_) if is_of_dates => {
            "look at `date -u` here and on the collector: the wrong one is to be kept (`timedatectl set-ntp true`); where \
             both are right, on the collector `mailsonde-collector doctor`"
        }
        UplinkError::NotTrusted(_) => {
            "server_name under [collector] in agent.toml must be what collector.toml calls `name`; where the collector \
             was made anew, let the agent in anew: `mailsonde-agent enroll TOKEN`"
        }
        UplinkError::Net(NetError::Handshake { .. }) | UplinkError::NotACollector(_) => {
            "see that `address` under [collector] in agent.toml is where the collector listens for agents, 7443 by itself"
        }
        UplinkError::Refused(_) => revoked,
        UplinkError::CertificateRefused(_) => anew,
        UplinkError::Unauthenticated(_) => {
            "restart the agent, so that it asks for a new certificate: `systemctl restart mailsonde-agent`"
        }
        UplinkError::Protocol(_) => "see the versions of both ends, and update the older one",
        _ => log,
    };
    Judged::problem(says, todo)
}

#[cfg(test)]
mod tests {
    use std::io;

    use mailsonde_proto::AgentId;
    use mailsonde_proto::convert::MeetAnswer;
    use mailsonde_proto::doctor::State;

    use super::*;

    fn met(protocol: u32, software: &str, ahead_us: Option<(i64, u64)>) -> Met {
        let answer = MeetAnswer {
            protocol,
            software: software.to_owned(),
            agent: AgentId([7; 16]),
            registered_name: "branch".to_owned(),
            received_at: WallTime::from_s(100),
            sent_at: WallTime::from_s(100),
            connected_since: Some(WallTime::from_s(40)),
        };
        Met { answer, ahead_us }
    }

    #[test]
    fn an_answer_says_who_when_and_by_which_version() {
        let software = SOFTWARE.replace("agent", "collector");
        let states = |met: Option<&Met>| {
            let looks = answered(met, WallTime::from_s(100), Runs::Yes);
            looks.iter().map(|look| (look.id, look.state)).collect::<Vec<_>>()
        };
        assert_eq!(states(None), [("collector.answer", State::Unknown)]);
        let ids = ["collector.answer", "collector.stream", "collector.version", "clock.collector"];
        for (met, version, clock) in [
            (met(PROTOCOL, &software, Some((10, 500))), State::Ok, State::Ok),
            (
                met(PROTOCOL, "mailsonde-collector 9.0.0", Some((3_000_000, 500))),
                State::Warning,
                State::Warning,
            ),
            (met(PROTOCOL + 1, &software, None), State::Warning, State::Unknown),
        ] {
            let expected: Vec<_> =
                ids.into_iter().zip([State::Ok, State::Ok, version, clock]).collect();
            assert_eq!(states(Some(&met)), expected);
        }
    }

    #[test]
    fn a_stream_goes_with_an_agent_that_runs() {
        let (then, now) = (WallTime::from_s(40), WallTime::from_s(100));
        for (since, runs, state, words) in [
            (Some(then), Runs::Yes, State::Ok, "for 60 s"),
            (None, Runs::Yes, State::Warning, "no stream"),
            (Some(then), Runs::Perhaps, State::Ok, "for 60 s"),
            (None, Runs::Perhaps, State::Unknown, "not known"),
            (Some(then), Runs::No, State::Problem, "none is seen here"),
            (None, Runs::No, State::Unknown, "no agent runs"),
        ] {
            let judged = stream(since, now, runs);
            assert_eq!(judged.state, state, "{words}");
            assert!(judged.says.contains(words), "{}", judged.says);
        }
        // what is final comes last
        let todo = stream(Some(then), now, Runs::No).todo.unwrap();
        assert!(todo.starts_with("look again") && todo.contains("revoke"), "{todo}");
        assert!(todo.contains("remove the folder identity"), "{todo}");
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        let of_words =
            |words: &str| NetError::Certificate { server_name: "a".into(), words: words.into() };
        let certificate = of_words("b");
        let handshake =
            NetError::Handshake { server_name: "a".into(), words: "b".into(), is_closed: true };
        for (error, todo) in [
            (UplinkError::from(certificate), "server_name under [collector]"),
            (UplinkError::from(of_words("certificate not valid yet: b")), "look at `date -u`"),
            (UplinkError::from(of_words("certificate expired: b")), "look at `date -u`"),
            (UplinkError::from(handshake), "`address` under [collector]"),
            (UplinkError::NotACollector("x".into()), "`address` under [collector]"),
            (UplinkError::Refused("revoked".into()), "remove the folder identity"),
            (UplinkError::CertificateRefused("UnknownCA".into()), "enroll TOKEN"),
            (UplinkError::Unauthenticated("replaced".into()), "systemctl restart"),
            (UplinkError::Protocol("x".into()), "versions"),
            (UplinkError::Ended("x".into()), "journalctl -u mailsonde-collector"),
        ] {
            let judged = refused(&error);
            assert_eq!(judged.state, State::Problem, "{error}");
            assert!(judged.todo.unwrap().contains(todo), "{error}");
        }
    }

    #[test]
    fn a_closed_port_leads_to_the_collector() {
        let source = io::Error::from(io::ErrorKind::ConnectionRefused);
        let (host, target) = ("c.test".to_owned(), ([127, 0, 0, 1], 7443).into());
        let refused = Err(NetError::Refused { host, target, source });
        let judged = port_judged("c.test:7443", &refused);
        assert_eq!(judged.state, State::Problem);
        assert!(judged.todo.unwrap().contains("mailsonde-collector doctor"));
        assert_eq!(port_judged("c.test:7443", &Ok(())).state, State::Ok);
    }
}
