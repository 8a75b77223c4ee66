//! Opens a wire to a mail server, phase by phase, under a deadline.

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use mailsonde_proto::phase::name;
use mailsonde_proto::time::Instant;
use mailsonde_proto::{Clock, Fact, WallTime};
use tokio::time::timeout;

use super::endpoint::{Endpoint, Tls};
use super::failure::Failure;
use super::wire::{Record, Wire, WireError};
use crate::net::{InspectOptions, Inspection, Net, NetError, TlsFacts, TlsTrust};
use crate::stopwatch::Stopwatch;
use crate::transcript::{Direction, Transcript};

const SECONDS_PER_DAY: u64 = 86_400;

/// Names of the phases up to the sign-in. A run that has a server for its subject calls them by their
/// plain names; where a mailbox is read to see what arrived, they begin with the protocol's.
#[derive(Clone, Copy, Debug)]
pub struct PhaseNames {
    /// Look-up.
    pub resolve: &'static str,
    /// TCP connection.
    pub connect: &'static str,
    /// TLS handshake, with the command before it where there is one.
    pub tls: &'static str,
    /// The server's greeting and what it can do.
    pub greeting: &'static str,
    /// An access token for the sign-in, where one had to be asked for; before the look-up.
    pub token: &'static str,
    /// Sign-in.
    pub auth: &'static str,
}

impl PhaseNames {
    /// Those of a run that has this server for its subject.
    pub const PLAIN: Self = Self {
        resolve: name::RESOLVE,
        connect: name::CONNECT,
        tls: name::TLS,
        greeting: name::GREETING,
        token: name::TOKEN,
        auth: name::AUTH,
    };
}

/// How long things may take: each step by itself, and all of them together.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// What time it is.
    pub clock: Clock,
    /// For one step, such as one answer.
    pub step: Duration,
    /// For everything.
    pub deadline: Instant,
}

impl Patience {
    /// How long the next step may take.
    pub fn next(&self) -> Duration {
        self.step.min(self.deadline.saturating_duration_since(self.clock.monotonic()))
    }

    /// Waits for one step.
    ///
    /// # Errors
    /// What went wrong, in the words of `phase` and of what was `awaited`.
    pub async fn wait<T>(
        &self,
        phase: &str,
        awaited: &str,
        step: impl Future<Output = Result<T, WireError>>,
    ) -> Result<T, Failure> {
        let within = self.next();
        match timeout(within, step).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(Failure::wire(phase, awaited, &error)),
            Err(_) => Err(Failure::timeout(phase, awaited, within)),
        }
    }
}

/// What it takes to open a wire.
#[derive(Clone, Copy, Debug)]
pub struct Dial<'a> {
    /// Opens the socket.
    pub net: &'a Net,
    /// How long it may take.
    pub patience: Patience,
    /// What its phases are called.
    pub names: PhaseNames,
}

impl Dial<'_> {
    /// A record for the conversation with `endpoint`, in which its password does not appear.
    pub fn record(&self, endpoint: &Endpoint) -> Record {
        let password = endpoint.login.as_ref().and_then(|login| login.password());
        let secrets = password.into_iter().cloned().collect();
        Record::new(Transcript::start(self.patience.clock, secrets))
    }

    /// Sees to a token where one is needed, looks up, connects, and handshakes where TLS begins at once.
    ///
    /// # Errors
    /// The phase that failed, and why.
    pub async fn open(
        &self,
        endpoint: &Endpoint,
        record: Record,
        watch: &mut Stopwatch,
    ) -> Result<(Wire, Option<TlsFacts>), Failure> {
        self.token(endpoint, &record, watch).await.inspect_err(|failure| note(&record, failure))?;
        self.open_anonymous(endpoint, record, watch).await
    }

    /// Looks up, connects, and handshakes where TLS begins at once; nobody is to sign in.
    ///
    /// # Errors
    /// The phase that failed, and why.
    pub async fn open_anonymous(
        &self,
        endpoint: &Endpoint,
        record: Record,
        watch: &mut Stopwatch,
    ) -> Result<(Wire, Option<TlsFacts>), Failure> {
        let wire = self.reach(endpoint, record, watch).await?;
        if endpoint.tls == Tls::Implicit {
            let (wire, facts) = self.secure(wire, endpoint).await?;
            watch.lap(self.names.tls);
            return Ok((wire, Some(facts)));
        }
        Ok((wire, None))
    }

    /// Looks up and connects.
    ///
    /// # Errors
    /// The phase that failed, and why.
    pub async fn reach(
        &self,
        endpoint: &Endpoint,
        record: Record,
        watch: &mut Stopwatch,
    ) -> Result<Wire, Failure> {
        let looked_up = self.resolve(self.names.resolve, &endpoint.host).await;
        let addresses = looked_up.inspect_err(|failure| note(&record, failure))?;
        watch.lap(self.names.resolve);
        self.connect(endpoint, &addresses, record, watch).await
    }

    /// Has the source of tokens ready, so that no server waits for us with an open connection.
    async fn token(
        &self,
        endpoint: &Endpoint,
        record: &Record,
        watch: &mut Stopwatch,
    ) -> Result<(), Failure> {
        let login = endpoint.login.as_ref();
        let Some(source) = login.and_then(|login| login.token_source()) else { return Ok(()) };
        let asked = source.ready(self.net, self.patience).await.map_err(|mut failure| {
            self.names.token.clone_into(&mut failure.fault.phase);
            failure
        })?;
        if let Some(token) = source.current() {
            record.hide(token);
        }
        if asked {
            watch.lap(self.names.token);
        }
        Ok(())
    }

    /// Connects to one of the addresses.
    ///
    /// # Errors
    /// Why none of them could be connected.
    pub async fn connect(
        &self,
        endpoint: &Endpoint,
        addresses: &[IpAddr],
        record: Record,
        watch: &mut Stopwatch,
    ) -> Result<Wire, Failure> {
        let listed: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
        let Endpoint { host, port, .. } = endpoint;
        record.say(Direction::Note, &format!("{host} port {port} at {}", listed.join(", ")));
        let within = self.patience.next();
        let opened = self.net.connect(host, addresses, *port, within);
        let opened = opened.await.map_err(|error| Failure::net(self.names.connect, &error));
        let stream = opened.inspect_err(|failure| note(&record, failure))?;
        watch.lap(self.names.connect);
        let local = stream.local_addr().ok().map(|address| address.ip());
        Ok(Wire::new(stream, record).at(local))
    }

    /// Begins TLS on an open wire.
    ///
    /// # Errors
    /// When bytes came before it, or the handshake fails.
    pub async fn secure(
        &self,
        wire: Wire,
        endpoint: &Endpoint,
    ) -> Result<(Wire, TlsFacts), Failure> {
        let (record, local) = (wire.record().clone(), wire.local());
        let phase = self.names.tls;
        let secured = async {
            let (stream, record) = wire
                .into_stream()
                .map_err(|error| Failure::wire(phase, "the TLS handshake", &error))?;
            let anybody = TlsTrust::anybody();
            let trust = if endpoint.tls == Tls::Opportunistic { &anybody } else { &endpoint.trust };
            let handshake = self.net.tls(stream, &endpoint.host, trust);
            let stream = self.in_time(phase, handshake).await?;
            let facts = TlsFacts::of(&stream);
            record.say(Direction::Note, &format!("{} {}", facts.version, facts.cipher));
            Ok((Wire::new(stream, record).at(local), facts))
        };
        secured.await.inspect_err(|failure| note(&record, failure))
    }

    /// Begins TLS on an open wire and goes on whatever the certificate is, which is to be for `name`: after
    /// a bad one nothing secret can be said on the wire. `trust` says what is bad.
    ///
    /// # Errors
    /// When bytes came before it, or the handshake fails; never the certificate.
    pub async fn inspect(
        &self,
        wire: Wire,
        (name, trust): (&str, &TlsTrust),
        options: &InspectOptions,
    ) -> Result<(Wire, Inspection), Failure> {
        let (record, local) = (wire.record().clone(), wire.local());
        let phase = self.names.tls;
        let inspected = async {
            let (stream, record) = wire
                .into_stream()
                .map_err(|error| Failure::wire(phase, "the TLS handshake", &error))?;
            let handshake = self.net.inspect(stream, name, trust, options);
            let (stream, inspection) = self.in_time(phase, handshake).await?;
            let (version, cipher) = (&inspection.version, &inspection.cipher);
            record.say(Direction::Note, &format!("{version} {cipher}"));
            if let Some(error) = inspection.error() {
                record.say(Direction::Note, &error.to_string());
            }
            Ok((Wire::unproven(stream, record).at(local), inspection))
        };
        inspected.await.inspect_err(|failure| note(&record, failure))
    }

    /// Looks a host's addresses up.
    ///
    /// # Errors
    /// What went wrong, or that it took too long.
    pub async fn resolve(&self, phase: &str, host: &str) -> Result<Vec<IpAddr>, Failure> {
        let found = self.net.resolve(host, self.patience.next()).await;
        found.map_err(|error| Failure::net(phase, &error))
    }

    /// Waits for a step of the network's.
    ///
    /// # Errors
    /// What went wrong, or that it took too long.
    pub async fn in_time<T>(
        &self,
        phase: &str,
        step: impl Future<Output = Result<T, NetError>>,
    ) -> Result<T, Failure> {
        let within = self.patience.next();
        match timeout(within, step).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(Failure::net(phase, &error)),
            Err(_) => Err(Failure::timeout(phase, "its part of the TLS handshake", within)),
        }
    }
}

/// The facts of a handshake, under a prefix such as `smtp`.
pub fn tls_facts(prefix: &str, facts: &TlsFacts, now: WallTime) -> Vec<Fact> {
    let mut told = vec![Fact {
        name: format!("{prefix}.tls"),
        value: format!("{} {}", facts.version, facts.cipher),
    }];
    if let Some(expires) = facts.expires {
        let days = expires.since(now).as_secs() / SECONDS_PER_DAY;
        told.push(Fact { name: format!("{prefix}.certificate_days"), value: days.to_string() });
    }
    told
}

fn note(record: &Record, failure: &Failure) {
    record.say(Direction::Note, &failure.fault.explanation);
}
