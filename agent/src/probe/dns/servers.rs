//! The authoritative servers of the domain, each asked directly and compared with the others.

mod judge;
mod soa;

pub(super) use judge::RULES;
pub(super) use soa::RULES as SOA_RULES;

use std::collections::BTreeSet;
use std::net::IpAddr;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join, join_all};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::authority::{NameServer, Zone, ask, delegation, zone_of};
use super::exchangers::shown;
use super::group::{Context, Looked};
use super::records::{RecordSet, line};
use crate::dns::{AskError, Question, Reply};

/// The most addresses that are asked.
const MOST_ADDRESSES: usize = 16;
/// What is compared, beside the serial.
const COMPARED: [RecordType; 3] = [RecordType::MX, RecordType::TXT, RecordType::A];

/// Looks at the zone's servers.
pub(super) fn look<'a>(context: &'a Context<'a>) -> BoxFuture<'a, Looked> {
    async move {
        let mut looked = Looked::default();
        match zone_of(context).await {
            Ok(zone) => look_at(context, &zone, &mut looked).await,
            Err(error) => looked.unanswered(&error),
        }
        looked
    }
    .boxed()
}

async fn look_at(context: &Context<'_>, zone: &Zone, looked: &mut Looked) {
    looked.fact("servers.zone", shown(&zone.name));
    if let Some(error) = &zone.distrust {
        looked.unanswered(error);
    }
    let hosts: BTreeSet<String> = zone.servers.iter().map(|server| shown(&server.host)).collect();
    let lines = zone.servers.iter().map(|server| server.host.to_ascii());
    looked.keep(RecordSet::of_lines("ns", lines));
    judge::expected(&context.check.expect_ns, &hosts, looked);
    judge::number(context, &zone.servers, looked);
    if zone.distrust.is_none() {
        judge::parent(&delegation(context, &zone.name).await, &hosts, looked);
    }
    let asked = zone
        .servers
        .iter()
        .flat_map(|server| server.addresses.iter().map(move |address| (server, *address)));
    let asked = asked.take(MOST_ADDRESSES).map(|each| visit(context, zone, each));
    let visits = join_all(asked).await;
    judge::each(&visits, looked);
    judge::together(&visits, looked);
    soa::judge(&visits, looked);
}

/// One address of a name server, and what it answers.
struct Visit<'z> {
    server: &'z NameServer,
    address: IpAddr,
    /// The zone's SOA with EDNS over UDP.
    soa: Result<Reply, AskError>,
    /// The same without EDNS, where that was refused or not answered.
    plain: Option<Result<Reply, AskError>>,
    /// The same over TCP.
    tcp: Result<Reply, AskError>,
    /// What it says to [`COMPARED`], each as sorted lines; `None` where it did not say.
    said: Vec<Option<Vec<String>>>,
}

async fn visit<'z>(
    context: &Context<'_>,
    zone: &Zone,
    (server, address): (&'z NameServer, IpAddr),
) -> Visit<'z> {
    let udp = Question::to_authority(zone.name.clone(), RecordType::SOA);
    let over_tcp = Question { over_tcp: true, ..udp.clone() };
    let both = join(ask(context, address, &udp), ask(context, address, &over_tcp));
    let (soa, tcp) = both.await;
    let plain = if needs_plain(&soa) {
        let plain = Question { has_edns: false, ..udp.clone() };
        Some(ask(context, address, &plain).await)
    } else {
        None
    };
    let mut visit = Visit { server, address, soa, plain, tcp, said: Vec::new() };
    if visit.is_authority() {
        let asked = COMPARED.map(|kind| said(context, address, kind, visit.has_edns()));
        visit.said = join_all(asked).await;
    }
    visit
}

/// Refused for its form, or not answered at all: perhaps for EDNS.
fn needs_plain(soa: &Result<Reply, AskError>) -> bool {
    match soa {
        Ok(reply) => matches!(
            reply.code,
            ResponseCode::FormErr | ResponseCode::NotImp | ResponseCode::ServFail
        ),
        Err(_) => true,
    }
}

async fn said(
    context: &Context<'_>,
    address: IpAddr,
    kind: RecordType,
    has_edns: bool,
) -> Option<Vec<String>> {
    let name: &Name = context.domain;
    let question = Question { has_edns, ..Question::to_authority(name.clone(), kind) };
    let reply = ask(context, address, &question).await.ok()?;
    if !matches!(reply.code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return None;
    }
    let records = reply.answers.iter().filter(|record| record.record_type() == kind);
    let mut lines: Vec<String> = records.map(|record| line(&record.data)).collect();
    lines.sort_unstable();
    Some(lines)
}

impl Visit<'_> {
    /// `ns1.example.org (192.0.2.1)`.
    fn shown(&self) -> String {
        format!("{} ({})", shown(&self.server.host), self.address)
    }

    /// What it said to the zone's SOA, by whichever way.
    fn reply(&self) -> Option<&Reply> {
        let good = |told: &Reply| told.code == ResponseCode::NoError;
        let ways = || {
            let plain = self.plain.as_ref().and_then(|told| told.as_ref().ok());
            [self.soa.as_ref().ok(), plain, self.tcp.as_ref().ok()].into_iter().flatten()
        };
        ways().find(|told| good(told)).or_else(|| ways().next())
    }

    /// Whether it answers EDNS with EDNS (RFC 6891 section 7).
    fn has_edns(&self) -> bool {
        self.soa.as_ref().is_ok_and(|reply| reply.edns.is_some())
    }

    /// Whether it answers for the zone from its own knowledge.
    fn is_authority(&self) -> bool {
        self.reply().is_some_and(|reply| {
            reply.code == ResponseCode::NoError && reply.is_authoritative && self.serial().is_some()
        })
    }

    fn serial(&self) -> Option<u32> {
        self.reply()?.answers.iter().find_map(|record| match &record.data {
            RData::SOA(soa) => Some(soa.serial),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
