//! Whether this machine's DNS servers answer, and whether the hosts that are configured have addresses.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use mailsonde_proto::doctor::{Judged, Look, WITHIN, within};
use mailsonde_proto::phase::name;
use mailsonde_proto::time::as_signed_us;

use super::super::advice::advice;
use super::super::figures::duration;
use super::subject::Subject;
use crate::mail::failure::Failure;
use crate::net::dns::system_resolvers;
use crate::net::{Net, NetError, is_asked};

/// A look-up that takes longer is felt by everything that asks.
const SLOW: Duration = Duration::from_secs(1);

/// What became of the question to one server.
type Knocked = Result<Duration, String>;

/// Each DNS server of this machine, by itself: where one is silent, every look-up that begins there is slow.
pub(super) async fn servers(subject: &Arc<Subject>) -> Vec<Look> {
    let servers = match system_resolvers() {
        Ok(servers) => servers,
        Err(error) => return vec![none(&error.to_string(), subject.needs_dns)],
    };
    let clock = subject.clock;
    let knocked = servers.into_iter().map(async |server| {
        let at = clock.monotonic();
        let knocked = within(Net::new().knock(server)).await;
        let took = clock.monotonic().saturating_duration_since(at);
        let silent = || format!("no answer within {} s", WITHIN.as_secs());
        (server, knocked.unwrap_or_else(|| Err(silent())).map(|()| took))
    });
    judged(&join_all(knocked).await, subject.needs_dns)
}

fn none(words: &str, needs_dns: bool) -> Look {
    let todo = "name a server in /etc/resolv.conf, such as `nameserver 192.0.2.53`";
    let judged = match needs_dns {
        true => Judged::problem(words, todo),
        false => Judged::warning(format!("{words}; nothing that is configured needs one"), todo),
    };
    judged.look("dns.server", "DNS servers")
}

fn judged(knocked: &[(SocketAddr, Knocked)], needs_dns: bool) -> Vec<Look> {
    let one_answers = knocked.iter().any(|(_, knocked)| knocked.is_ok());
    let of_server = |(server, knocked): &(SocketAddr, Knocked)| {
        let judged = match knocked {
            Ok(took) if *took < SLOW => {
                Judged::ok(format!("answers in {}", duration(as_signed_us(*took))))
            }
            Ok(took) => Judged::warning(
                format!("answers in {}, which is slow", duration(as_signed_us(*took))),
                "see what keeps it: everything that is looked up waits for it",
            ),
            Err(words) if one_answers || !needs_dns => Judged::warning(
                words.clone(),
                "take it out of /etc/resolv.conf, or mend it: every look-up tries it",
            ),
            Err(words) => Judged::problem(
                words.clone(),
                format!(
                    "see that it runs and that no firewall is between: `dig @{} . NS`",
                    server.ip()
                ),
            ),
        };
        judged.look("dns.server", format!("server {}", server.ip())).of(server.to_string())
    };
    knocked.iter().map(of_server).collect()
}

/// The addresses of a host, and what there is to say of the look-up where there is one.
pub(super) async fn host(
    net: &Net,
    host: &str,
    subject: &Subject,
) -> (Option<Vec<IpAddr>>, Option<Look>) {
    let at = subject.clock.monotonic();
    let asked = within(net.resolve(host, WITHIN)).await;
    let took = subject.clock.monotonic().saturating_duration_since(at);
    let late = || NetError::ResolverTimeout { host: host.to_owned() };
    let found = asked.unwrap_or_else(|| Err(late()));
    let judged = resolved(&found, took);
    let look = is_asked(host).then(|| judged.look("dns.host", host).of(host));
    (found.ok(), look)
}

fn resolved(found: &Result<Vec<IpAddr>, NetError>, took: Duration) -> Judged {
    match found {
        Ok(addresses) => {
            let listed: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
            let says = format!("{} in {}", listed.join(", "), duration(as_signed_us(took)));
            if took < SLOW {
                return Judged::ok(says);
            }
            Judged::warning(says, "see what keeps the DNS servers: that is slow")
        }
        Err(error) => failed(&Failure::net(name::RESOLVE, error)),
    }
}

/// What is wrong on the way to a host, and what to do.
pub(super) fn failed(failure: &Failure) -> Judged {
    let says = failure.fault.explanation.clone();
    if failure.is_policy {
        return Judged::problem(
            says,
            "allow it in policy.toml, in the list that is named; `mailsonde-agent policy show` shows all",
        );
    }
    if failure.is_local {
        return Judged::problem(
            says,
            "mend this machine's own network first: `ip address`, `ip route`",
        );
    }
    Judged::problem(says, advice(&failure.fault, false))
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::doctor::State;

    use super::*;
    use crate::policy::{Refusal, Rule};

    #[test]
    fn a_silent_server_is_a_problem_where_nobody_else_answers() {
        let ms = |ms| Ok(Duration::from_millis(ms));
        let silent = || Err("no answer within 5 s".to_owned());
        let server = |number: u8| SocketAddr::from(([192, 0, 2, number], 53));
        for (knocked, needs_dns, states) in [
            (vec![ms(3)], true, vec![State::Ok]),
            (vec![ms(3), silent()], true, vec![State::Ok, State::Warning]),
            (vec![silent(), silent()], true, vec![State::Problem, State::Problem]),
            (vec![silent()], false, vec![State::Warning]),
            (vec![ms(1_500)], true, vec![State::Warning]),
        ] {
            let knocked: Vec<_> = (1..).map(server).zip(knocked).collect();
            let looks = judged(&knocked, needs_dns);
            let found: Vec<_> = looks.iter().map(|look| look.state).collect();
            assert_eq!(found, states, "{knocked:?} {needs_dns}");
        }
        assert_eq!(none("none", true).state, State::Problem);
        assert_eq!(none("none", false).state, State::Warning);
    }

    #[test]
    fn what_policy_refuses_leads_to_the_policy() {
        let refusal = Refusal::new(Rule::Hosts, "mail.test is not listed");
        let judged = failed(&Failure::policy(name::CONNECT, &refusal));
        assert_eq!(judged.state, State::Problem);
        assert!(judged.says.contains("targets.hosts"), "{}", judged.says);
        assert!(judged.todo.unwrap().contains("policy.toml"));
    }

    #[test]
    fn a_host_is_judged_by_its_look_up() {
        let (host, ms) = ("mail.test", Duration::from_millis);
        let found = || Ok(vec![IpAddr::from([192, 0, 2, 1])]);
        let unknown = || Err(NetError::NoSuchHost { host: host.to_owned() });
        let silent = || NetError::SilentResolver { host: host.to_owned(), servers: "x".to_owned() };
        for (found, took, state, words) in [
            (found(), ms(3), State::Ok, "192.0.2.1 in 3.00 ms"),
            (found(), ms(2_000), State::Warning, "2.00 s"),
            (unknown(), ms(3), State::Problem, "mail.test"),
            (Err(silent()), ms(3), State::Problem, "no DNS server of this machine answers"),
        ] {
            let judged = resolved(&found, took);
            assert_eq!(judged.state, state, "{words}");
            assert!(judged.says.contains(words), "{}", judged.says);
        }
        assert!(resolved(&unknown(), ms(1)).todo.unwrap().contains("spelling"));
        assert!(resolved(&Err(silent()), ms(1)).todo.unwrap().contains("ip route"));
    }
}
