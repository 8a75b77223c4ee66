//! Whether agents and operators find somebody at the collector's ports; where it does not run, whether they are free.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::doctor::files;
use mailsonde_proto::doctor::{Judged, Look, State, WITHIN, blocking, late, until, within};
use mailsonde_proto::time::as_signed_us;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::{Subject, without_configuration};
use crate::figures::duration;
use crate::identity::{HostName, authorities};

/// A certificate in PEM is never larger.
const MOST_BYTES: u64 = 256 * 1024;
/// What is said where TLS fails.
const NOT_AS_THIS: &str = "not as this collector";

/// What became of a try.
#[derive(Debug)]
enum Tried {
    /// Connected, in this time.
    Connected(Duration),
    /// Connected, but TLS says this.
    NoTls(String),
    /// Connected, and nothing was said.
    Mute,
    /// Not connected.
    Not(io::Error),
    /// Nobody listens, and nobody needs to: it could be listened on.
    Free,
    /// It could not.
    Taken(io::Error),
}

/// Both listeners, as far as there is time.
pub(super) async fn looks(subject: &Arc<Subject>, runs: bool, ends: Instant) -> Vec<Look> {
    let found = until(ends, Box::pin(tried(subject, runs))).await;
    found.unwrap_or_else(|| vec![late("trying the ports").look("ports.agents", "for agents")])
}

async fn tried(subject: &Arc<Subject>, runs: bool) -> Vec<Look> {
    let Some(config) = &subject.config else {
        return vec![without_configuration().look("ports.agents", "for agents")];
    };
    let agents = try_port(config.listen, runs, Some((subject, &config.name))).await;
    let mut looks = vec![
        judged(config.listen, &agents, "listen")
            .look("ports.agents", "for agents")
            .of(config.listen.to_string()),
    ];
    if let Some(operators) = &config.operators {
        let tried = try_port(operators.listen, runs, None).await;
        let judged = judged(operators.listen, &tried, "operators_listen");
        looks
            .push(judged.look("ports.operators", "for operators").of(operators.listen.to_string()));
    }
    looks
}

/// From this machine: what lies between it and others is for the agents to say.
async fn try_port(listen: SocketAddr, runs: bool, trusted: Option<(&Subject, &HostName)>) -> Tried {
    if !runs {
        return match TcpListener::bind(listen).await {
            Ok(_) => Tried::Free,
            Err(error) => Tried::Taken(error),
        };
    }
    let clock = mailsonde_proto::Clock::system();
    let at = clock.monotonic();
    let connected = within(TcpStream::connect(reached_at(listen))).await;
    let stream = match connected {
        Some(Ok(stream)) => stream,
        Some(Err(error)) => return Tried::Not(error),
        None => return Tried::Not(io::ErrorKind::TimedOut.into()),
    };
    if let Some((subject, name)) = trusted
        && let Some(tried) = shaken(subject, name, stream).await
    {
        return tried;
    }
    Tried::Connected(clock.monotonic().saturating_duration_since(at))
}

/// Where a listener is reached from here.
fn reached_at(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// What is wrong with what answers, as an agent sees it; `None` where it is this collector.
async fn shaken(subject: &Subject, name: &HostName, stream: TcpStream) -> Option<Tried> {
    let file = subject.folder.authority_certificate();
    let pem = blocking(move || files::read(&file, MOST_BYTES)).await?;
    // the certificates' own lines tell of it
    let roots = authorities(&pem.ok()?).ok()?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13]);
    let mut config = match config {
        Ok(config) => config.with_root_certificates(roots).with_no_client_auth(),
        Err(error) => return Some(Tried::NoTls(error.to_string())),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let server_name = match ServerName::try_from(name.to_string()) {
        Ok(server_name) => server_name,
        Err(error) => return Some(Tried::NoTls(error.to_string())),
    };
    let handshake = TlsConnector::from(Arc::new(config)).connect(server_name, stream);
    match within(handshake).await {
        Some(Ok(_)) => None,
        Some(Err(error)) => Some(Tried::NoTls(error.to_string())),
        None => Some(Tried::Mute),
    }
}

/// What a certificate is to blame for, its own line tells.
pub(super) fn follow(looks: &mut [Look]) {
    let is_cause = |look: &Look| {
        ["certificates.authority", "certificates.server"].contains(&look.id)
            && look.state == State::Problem
    };
    if !looks.iter().any(is_cause) {
        return;
    }
    let follows = |look: &&mut Look| look.id == "ports.agents" && look.says.contains(NOT_AS_THIS);
    for look in looks.iter_mut().filter(follows) {
        look.state = State::Unknown;
        look.todo = Some("mend the certificates first: see their lines".to_owned());
    }
}

fn judged(listen: SocketAddr, tried: &Tried, key: &str) -> Judged {
    let port = listen.port();
    let who = format!("see who does: `ss -ltnp 'sport = :{port}'`");
    match tried {
        Tried::Connected(took) => {
            Judged::ok(format!("{listen} answers from here in {}", duration(as_signed_us(*took))))
        }
        Tried::Free => Judged::ok(format!("{listen} is free: the collector does not run")),
        Tried::NoTls(words) => Judged::problem(
            format!("{listen} answers, and {NOT_AS_THIS}: {words}"),
            format!("{who}; after a change of `name` in collector.toml restart the collector"),
        ),
        Tried::Mute => Judged::problem(
            format!(
                "{listen} is open, and says nothing within {} s: the collector hangs",
                WITHIN.as_secs()
            ),
            "restart it (`systemctl restart mailsonde-collector`), then see its log: `journalctl -u mailsonde-collector -n 50`",
        ),
        Tried::Not(error) => Judged::problem(
            format!("{listen} does not answer from here: {error}"),
            format!(
                "restart the collector, if `{key}` in collector.toml was changed since its start; else see its log: \
                 `journalctl -u mailsonde-collector -n 50`"
            ),
        ),
        Tried::Taken(error) => match error.kind() {
            io::ErrorKind::AddrInUse => Judged::problem(
                format!("the collector does not run, and another program listens at {listen}"),
                format!("{who}; end that, or choose another port for `{key}` in collector.toml"),
            ),
            io::ErrorKind::AddrNotAvailable => Judged::problem(
                format!("{listen} is no address of this machine"),
                format!("`{key}` in collector.toml must be one of `ip address`, or 0.0.0.0:{port}"),
            ),
            io::ErrorKind::PermissionDenied => Judged::unknown(
                format!("this user may not listen on {listen}"),
                "run this as root, or as the service's user",
            ),
            _ => Judged::problem(format!("nobody can listen on {listen}: {error}"), who),
        },
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::doctor::files::Who;

    use super::*;
    use crate::folder::Folder;
    use crate::identity::Authority;

    #[test]
    fn a_port_is_judged_by_what_was_tried() {
        let listen = "0.0.0.0:7443".parse().unwrap();
        for (tried, state, todo) in [
            (Tried::Connected(Duration::ZERO), State::Ok, ""),
            (Tried::Free, State::Ok, ""),
            (Tried::NoTls("x".into()), State::Problem, "sport = :7443"),
            (Tried::Mute, State::Problem, "systemctl restart"),
            (Tried::Not(io::ErrorKind::ConnectionRefused.into()), State::Problem, "restart"),
            (Tried::Taken(io::ErrorKind::AddrInUse.into()), State::Problem, "sport = :7443"),
            (Tried::Taken(io::ErrorKind::AddrNotAvailable.into()), State::Problem, "0.0.0.0:7443"),
            (Tried::Taken(io::ErrorKind::PermissionDenied.into()), State::Unknown, "as root"),
        ] {
            let judged = judged(listen, &tried, "listen");
            assert_eq!(judged.state, state, "{tried:?}");
            assert!(judged.todo.unwrap_or_default().contains(todo), "{tried:?}");
        }
    }

    #[test]
    fn a_certificate_that_is_told_of_is_no_second_problem() {
        for (id, state, expected) in [
            ("certificates.server", State::Problem, State::Unknown),
            ("certificates.server", State::Warning, State::Problem),
            ("certificates.operators", State::Problem, State::Problem),
        ] {
            let refused = judged("[::]:1".parse().unwrap(), &Tried::NoTls("x".into()), "listen");
            let certificate = Judged { state, ..Judged::problem("y", "z") };
            let mut looks = [refused.look("ports.agents", "a"), certificate.look(id, "b")];
            follow(&mut looks);
            assert_eq!(looks[0].state, expected, "{id} {state:?}");
        }
    }

    #[test]
    fn every_address_is_reached_from_here() {
        for (listen, reached) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("192.0.2.1:1", "192.0.2.1:1")]
        {
            assert_eq!(reached_at(listen.parse().unwrap()).to_string(), reached);
        }
    }

    #[tokio::test]
    async fn a_taken_port_is_told_from_a_free_one() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        assert!(matches!(try_port(address, false, None).await, Tried::Taken(_)));
        assert!(matches!(try_port(address, true, None).await, Tried::Connected(_)));
        drop(taken);
        assert!(matches!(try_port(address, false, None).await, Tried::Free));
        assert!(matches!(try_port(address, true, None).await, Tried::Not(_)));
    }

    /// A program that was stopped has a port that is connected to by the system.
    #[tokio::test(start_paused = true)]
    async fn a_collector_that_hangs_is_no_other_program() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        let name: HostName = "c.test".parse().unwrap();
        let clock = mailsonde_proto::Clock::system();
        Authority::create(&folder, &name, clock.wall()).unwrap();
        let subject = Subject::stand_in(folder, Who::runs_this());
        let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = mute.local_addr().unwrap();
        let stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_nonblocking(true).unwrap();
        let stream = TcpStream::from_std(stream).unwrap();
        assert!(matches!(shaken(&subject, &name, stream).await, Some(Tried::Mute)));
    }
}
