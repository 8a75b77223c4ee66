//! `serve`: everything that runs while a collector runs, and how it starts and ends.
//!
//! Start: the folder's lock, the journals (mended), then agents are accepted; views catch up behind that.
//! End: no new streams, streams ended, what was received written, views committed.

mod alive;
mod opening;
mod telling;
mod upkeep;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, anyhow};
use mailsonde_proto::Clock;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::acceptance;
use crate::access::Access;
use crate::agents;
use crate::api::{self, Network, Operators};
use crate::config::Config;
use crate::control::{Control, ControlJournal};
use crate::delivery::Delivery;
use crate::enrolment::Enrolment;
use crate::fleet::{Fleet, FleetError};
use crate::folder::Folder;
use crate::identity::{Authorities, OperatorsTls, ServerTls};
use crate::ingest::Ingest;
use crate::links::Links;
use crate::live::{self, Live};
use crate::oidc::Oidc;
use crate::otlp::Otlp;
use crate::pipeline::{Pipeline, Progress, extent};
use crate::public::StatusPage;
use crate::query::Query;
use crate::registry::Registry;
use crate::reporting::{Mailing, Reporting};
use crate::reviewing::Reviewing;
use crate::store::ledger::Ledger;
use crate::survey::Gate;
use crate::tally::Tally;
use crate::watched::{Outfit, Subject, Watched};
use alive::Alive;
use opening::{journals, rollups, shut};

/// Serves agents and operators until SIGTERM or SIGINT.
///
/// # Errors
/// When the folder is in use, not made yet, or cannot be used; when the address cannot be listened on.
pub async fn serve(folder: Folder) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let serving = serve_until(folder, shutdown.clone());
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    shutdown.cancel();
    serving.await
}

/// Serves until `shutdown` is cancelled.
///
/// # Errors
/// As [`serve`].
pub async fn serve_until(folder: Folder, shutdown: CancellationToken) -> anyhow::Result<()> {
    let clock = Clock::system();
    let hangup = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
    let config = Config::load(&folder)?;
    let _lock = folder.lock()?;
    shut(&folder)?;
    let authorities = Arc::new(Authorities::open(&folder, &config.name)?);
    let tls = Arc::new(ServerTls::open(&folder, authorities.clone(), &config.name, clock)?);
    let (control, ledger, writer) = journals(&folder, &config, clock)?;
    let registry = Arc::new(Registry::new(control.clone())?);
    let listener = listen(config.listen).await?;
    let rollups = rollups(&folder, extent(&ledger, &control), clock)?;
    let enrolment = enrolment(&config, &listener, authorities, control.clone())?;
    let (delivery, links) = telling::open(&folder, &config, &control, clock)?;
    let fleet = Fleet::new(&registry, &ledger, folder.clone(), clock).with_delivery(&delivery);
    let (work, reader) = (fleet.work.clone(), rollups.reader());
    let reviewing = Reviewing::new((&registry, &ledger), rollups.reader(), clock);
    let query = Arc::new(Query::new(registry.clone(), ledger.clone(), reader, clock));
    let progress = Arc::new(Progress::default());
    let subject = subject((&control, &ledger, &progress), &delivery, clock);
    let watched = Watched::open(&config.outside, folder.path(), subject)
        .context("what collector.toml says of the world outside cannot be done")?;
    let known = (&enrolment, &tls, watched.clone());
    let told = (delivery.clone(), links);
    let (live, tally) = (Live::default(), Tally::new(clock.wall()));
    let answering = (query.clone(), live.clone(), tally.clone());
    let operators = operators((&folder, &config), &fleet, answering, known, told)?;
    let otlp = otlp((&folder, &config), &operators)?;
    let network = network(&folder, &config, (&tls, &enrolment.authorities), clock).await?;
    control.append(clock.wall(), Control::Started)?;
    let (outlets, wishes) = telling::outlets(delivery.clone(), live.clone(), tally);
    let journals = (ledger.clone(), control.clone());
    let pipeline = Pipeline::new(rollups, journals, clock, progress.clone(), outlets)?;
    let mut threads = threads(pipeline, writer, (&ledger, &progress), &shutdown);
    let mut tasks = JoinSet::new();
    let alive = Alive::new((&ledger, &progress, &registry), clock);
    tasks.spawn(upkeep::tick(control, clock, shutdown.clone()));
    let kept = config.raw_retention;
    tasks.spawn(upkeep::retain(ledger.clone(), kept, progress, clock, shutdown.clone()));
    tasks.spawn(fleet.clone().confirm(wishes, shutdown.clone()));
    look_after(&mut tasks, (&fleet, clock), (reviewing, mailing(&config, &operators)), &shutdown);
    reach_out(&mut tasks, (delivery, watched, otlp), &shutdown);
    show(&mut tasks, (query, live, clock), &shutdown);
    tasks.spawn(reread(fleet, hangup, shutdown.clone()));
    tasks.spawn(answer(operators, api::listen(&folder)?, network, shutdown.clone()));
    let acceptor = TlsAcceptor::from(tls.config());
    tasks.spawn(upkeep::renew(tls, shutdown.clone()));
    tracing::info!(address = %listener.local_addr()?, name = %config.name, "accepting agents");
    tasks.spawn(alive.go_on(shutdown.clone()));
    let ingest = Ingest::new(ledger, registry, clock, shutdown.clone());
    let serving = agents::serve(listener, acceptor, ingest, enrolment, shutdown.clone());
    let served = tokio::select! {
        served = serving => served.context("agents cannot be served any more"),
        early = ended_early(&mut threads, &shutdown) => Err(early),
    };
    shutdown.cancel();
    work.end().await;
    all_ended([tasks, threads]).await;
    served
}

/// Everything that operators can ask for.
fn operators(
    (folder, config): (&Folder, &Config),
    fleet: &Fleet,
    (query, live, tally): (Arc<Query>, Live, Tally),
    (enrolment, tls, watched): (&Enrolment, &Arc<ServerTls>, Watched),
    (delivery, links): (Delivery, Arc<Links>),
) -> anyhow::Result<Operators> {
    let clock = fleet.clock;
    Ok(Operators {
        fleet: fleet.clone(),
        reporting: Arc::new(Reporting::new(folder, fleet.registry.clone(), query.clone(), clock)),
        survey: Gate::default(),
        query,
        live,
        tally,
        enrolment: enrolment.clone(),
        registry: fleet.registry.clone(),
        delivery,
        links,
        tls: tls.clone(),
        watched,
        access: Access::new(enrolment.control.clone(), clock)?,
        status_page: StatusPage::open(config, folder, clock),
        oidc: config.oidc.as_ref().map(|oidc| Oidc::open(oidc, folder, clock)).transpose()?,
        clock,
    })
}

/// Messages, signs of life, what is heard from outside, metrics for whoever takes them.
fn reach_out(
    tasks: &mut JoinSet<()>,
    (delivery, watched, otlp): (Delivery, Watched, Option<Otlp>),
    shutdown: &CancellationToken,
) {
    tasks.spawn(delivery.run(shutdown.clone()));
    tasks.spawn(watched.run(shutdown.clone()));
    if let Some(otlp) = otlp {
        tasks.spawn(otlp.run(shutdown.clone()));
    }
}

/// Who sends metrics, if anybody is to have them.
fn otlp(
    (folder, config): (&Folder, &Config),
    operators: &Operators,
) -> anyhow::Result<Option<Otlp>> {
    let Some(otlp) = &config.otlp else { return Ok(None) };
    let outward = Outfit::new(folder.path()).outward("otlp", otlp.authority.as_ref())?;
    let name = config.name.to_string();
    let whose = (folder.path(), name.as_str());
    let opened = Otlp::open(otlp, whose, outward, operators.source(), operators.clock);
    Ok(Some(opened.context("what collector.toml says of [otlp] cannot be done")?))
}

/// What is ready before anybody asks.
fn show(
    tasks: &mut JoinSet<()>,
    (query, live, clock): (Arc<Query>, Live, Clock),
    shutdown: &CancellationToken,
) {
    tasks.spawn(live::tell(live, query.clone(), clock, shutdown.clone()));
    tasks.spawn(upkeep::keep_warm(query, shutdown.clone()));
}

/// Who mails the reports that the configuration names.
fn mailing(config: &Config, operators: &Operators) -> Mailing {
    let Operators { reporting, registry, delivery, links, clock, .. } = operators;
    Mailing::new(
        config.reports.clone(),
        (reporting.clone(), registry.clone()),
        (delivery.clone(), links.clone()),
        *clock,
    )
}

/// What comes after windows, incidents and months that are over.
fn look_after(
    tasks: &mut JoinSet<()>,
    (fleet, clock): (&Fleet, Clock),
    (reviewing, mailing): (Reviewing, Mailing),
    shutdown: &CancellationToken,
) {
    tasks.spawn(acceptance::accept(fleet.clone(), clock, shutdown.clone()));
    tasks.spawn(reviewing.go_on(shutdown.clone()));
    tasks.spawn(mailing.go_on(shutdown.clone()));
}

async fn all_ended(sets: [JoinSet<()>; 2]) {
    for mut set in sets {
        while set.join_next().await.is_some() {}
    }
}

fn enrolment(
    config: &Config,
    listener: &TcpListener,
    authorities: Arc<Authorities>,
    control: Arc<ControlJournal>,
) -> anyhow::Result<Enrolment> {
    let collector = config.name.with_port(listener.local_addr()?.port());
    Ok(Enrolment { authorities, control, collector, validity: config.agent_certificate })
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound
        .with_context(|| format!("cannot listen on {address}: is another collector running there?"))
}

/// What waits for the disk.
fn threads(
    pipeline: Pipeline,
    writer: JoinHandle<()>,
    (ledger, progress): (&Ledger, &Arc<Progress>),
    shutdown: &CancellationToken,
) -> JoinSet<()> {
    let mut threads = JoinSet::new();
    let stop = shutdown.clone();
    threads.spawn_blocking(move || pipeline.run(&stop));
    threads.spawn_blocking(move || drop(writer.join().inspect_err(|_| panicked("ledger"))));
    let (stop, compacted, read) = (shutdown.clone(), ledger.clone(), progress.clone());
    threads.spawn_blocking(move || upkeep::compact(&compacted, &read, &stop));
    threads
}

/// Returns when a thread ends although nobody stops the collector: without it nothing would be stored, or
/// nothing folded, and nobody would know.
async fn ended_early(threads: &mut JoinSet<()>, shutdown: &CancellationToken) -> anyhow::Error {
    let ended = threads.join_next().await;
    if shutdown.is_cancelled() {
        return std::future::pending().await;
    }
    if let Some(Err(error)) = ended {
        tracing::error!(%error, "a thread of the collector ended by itself");
    }
    anyhow!("a part of the collector ended by itself, which is a defect: see the log")
}

fn panicked(thread: &'static str) {
    tracing::error!(thread, "a thread of the collector ended by a panic");
}

/// Puts the files of checks in force at SIGHUP: says first what that changes.
async fn reread(fleet: Fleet, mut hangup: Signal, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            Some(()) = hangup.recv() => {}
        }
        match fleet.apply_at_signal().await {
            Ok(()) => {}
            Err(FleetError::Mistakes(mistakes)) => {
                for mistake in mistakes {
                    tracing::error!(%mistake, "checks.d and services.d");
                }
                tracing::error!("checks.d or services.d has mistakes; what was in force stays");
            }
            Err(error) => tracing::error!(%error, "checks.d and services.d are not put in force"),
        }
    }
}

/// What is looked at to tell whether the collector is healthy.
fn subject(
    (control, ledger, progress): (&Arc<ControlJournal>, &Ledger, &Arc<Progress>),
    delivery: &Delivery,
    clock: Clock,
) -> Subject {
    let delivery = delivery.clone();
    Subject {
        control: control.clone(),
        stored: ledger.index().clone(),
        refused: ledger.refused(),
        progress: progress.clone(),
        notices: Box::new(move || delivery.health()),
        clock,
    }
}

/// Listens for operators over the network, if they are to be answered there.
async fn network(
    folder: &Folder,
    config: &Config,
    (tls, authorities): (&ServerTls, &Authorities),
    clock: Clock,
) -> anyhow::Result<Option<Network>> {
    let Some(operators) = &config.operators else { return Ok(None) };
    let tls = match &operators.certificate {
        Some((certificate, key)) => {
            let [certificate, key] = [certificate, key].map(|path| folder.path().join(path));
            OperatorsTls::of_files(&certificate, &key, clock)
                .context("operators_certificate and operators_key cannot be used")?
        }
        None => tls.for_operators()?,
    };
    let bound = Network::listen(operators.listen, tls).await;
    let network = bound.with_context(|| {
        format!("cannot listen on {} (operators_listen): is it in use?", operators.listen)
    })?;
    let address = network.address()?;
    match &operators.certificate {
        Some(_) => tracing::info!(%address, "answering operators over the network"),
        None => {
            let authority = hex::encode(authorities.current().fingerprint());
            tracing::info!(%address, authority, "answering operators over the network");
        }
    }
    Ok(Some(network))
}

async fn answer(
    operators: Operators,
    listener: UnixListener,
    network: Option<Network>,
    shutdown: CancellationToken,
) {
    if let Err(error) = operators.serve(listener, network, shutdown).await {
        tracing::error!(%error, "operators cannot be answered any more: restart the collector");
    }
}
