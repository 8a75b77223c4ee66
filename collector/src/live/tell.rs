//! Makes events of commits: names instead of identities, and how services are by then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::Clock;
use tokio_util::sync::CancellationToken;

use super::{Batch, Change, ChangedIncident, ChangedService, Folded, Live, Pending, Seen};
use crate::judge::definition::Voiced;
use crate::query::Query;

/// Between two events; what is committed meanwhile is told together.
const PACE: Duration = Duration::from_millis(200);
/// Incidents that one event names; of further ones it tells how many.
const MOST_INCIDENTS: usize = 200;

/// What was told of services last: state and incidents by name.
type Told = BTreeMap<String, (Voiced, Vec<u64>)>;

/// Tells whoever looks on what was committed, until the shutdown.
pub async fn tell(live: Live, query: Arc<Query>, clock: Clock, shutdown: CancellationToken) {
    let mut committed = live.0.committed.subscribe();
    let mut told = Told::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            Ok(()) = committed.changed() => {}
        }
        let (teller, query) = (live.clone(), query.clone());
        let made = tokio::task::spawn_blocking(move || {
            let pending = std::mem::take(&mut *teller.pending());
            let change = change(pending, &query, &mut told, clock);
            if change.is_news() {
                teller.push(change);
            }
            told
        });
        // a panic loses what was told of services: they are told again
        told = made.await.unwrap_or_default();
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(PACE) => {}
        }
    }
}

impl Change {
    fn is_news(&self) -> bool {
        let Self { observations, more, incidents, services, .. } = self;
        !observations.is_empty() || *more > 0 || !incidents.is_empty() || !services.is_empty()
    }
}

fn change(pending: Pending, query: &Query, told: &mut Told, clock: Clock) -> Change {
    let Pending { batch: Batch { observations, mut more }, incidents } = pending;
    let left_out = incidents.len().saturating_sub(MOST_INCIDENTS);
    more = more.saturating_add(u64::try_from(left_out).unwrap_or(u64::MAX));
    // the newest are looked at
    let incidents = incidents.into_iter().rev().take(MOST_INCIDENTS).filter_map(|number| {
        let state = query.incident_state(number).ok().flatten()?;
        Some(ChangedIncident { number, state })
    });
    Change {
        at: clock.wall().timestamp(),
        incidents: incidents.collect(),
        services: services(query, told),
        observations: seen(query, observations),
        more,
    }
}

/// Services that are other than they were told.
fn services(query: &Query, told: &mut Told) -> Vec<ChangedService> {
    // figures that cannot be read are told by whoever asks for them
    let Ok(answer) = query.services() else { return Vec::new() };
    let now: Told = answer
        .services
        .into_iter()
        .map(|service| (service.name, (service.state, service.incidents)))
        .collect();
    let changed = now.iter().filter(|(name, it)| told.get(*name) != Some(it));
    let changed = changed.map(|(name, (state, incidents))| ChangedService {
        name: name.clone(),
        state: *state,
        incidents: incidents.clone(),
    });
    let changed = changed.collect();
    *told = now;
    changed
}

fn seen(query: &Query, observations: Vec<Folded>) -> Vec<Seen> {
    let mut names = BTreeMap::new();
    let shown = |folded: Folded| {
        let Folded { agent, epoch, sequence, check, scheduled_for, verdict } = folded;
        let name = names.entry(agent).or_insert_with(|| query.agent_name(agent)).clone();
        Seen {
            agent: name,
            check,
            epoch: epoch.to_string(),
            sequence,
            scheduled_for: scheduled_for.timestamp(),
            verdict: verdict.to_owned(),
        }
    };
    observations.into_iter().map(shown).collect()
}
