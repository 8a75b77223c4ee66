//! Where mail programs find the domain's servers by themselves (RFC 6186, RFC 8314 section 5.1).

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join, join_all};
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use mailsonde_proto::Severity;

use super::exchangers::shown;
use super::group::{Context, Looked};
use super::records::RecordSet;
use crate::dns::{Answer, AskError};
use crate::posture::Rule;

/// The services and their ports (RFC 6186 section 3, RFC 8314 section 7.3).
const SERVICES: [(&str, u16); 6] = [
    ("_submissions._tcp", 465),
    ("_submission._tcp", 587),
    ("_imaps._tcp", 993),
    ("_imap._tcp", 143),
    ("_pop3s._tcp", 995),
    ("_pop3._tcp", 110),
];
/// The most records of one service that are followed.
const MOST_TARGETS: usize = 8;

/// A host that has no address.
const DANGLING: Rule = Rule {
    name: "dns.srv.dangling",
    severity: Severity::Warning,
    source: "RFC 2782 (Target), RFC 6186 section 3",
    advice: "give the host an address, name another, or write \"0 0 0 .\" where it is not offered",
};
/// A host that is an alias.
const ALIAS: Rule = Rule {
    name: "dns.srv.alias",
    severity: Severity::Warning,
    source: "RFC 2782 (Target)",
    advice: "name the host itself in the SRV record, not an alias of it",
};
/// "Not offered" beside an offer.
const NONE_WITH_OTHERS: Rule = Rule {
    name: "dns.srv.none_with_others",
    severity: Severity::Warning,
    source: "RFC 2782 (Target), RFC 6186 section 3.4",
    advice: "remove the record with the target \".\", or all others",
};
/// Another port than programs and firewalls know.
const PORT: Rule = Rule {
    name: "dns.srv.port",
    severity: Severity::Notice,
    source: "RFC 8314 section 7.3, RFC 6186 section 3",
    advice: "let the service listen on its registered port, which firewalls let through",
};

/// All of these, for the book.
pub(super) const RULES: &[&Rule] = &[&DANGLING, &ALIAS, &NONE_WITH_OTHERS, &PORT];

/// Looks at the services.
pub(super) fn look<'a>(context: &'a Context<'a>) -> BoxFuture<'a, Looked> {
    async move {
        let mut looked = Looked::default();
        let services = SERVICES.iter().map(|(service, _)| look_up(context, service));
        let mut offered = Vec::new();
        for ((service, port), told) in SERVICES.into_iter().zip(join_all(services).await) {
            match told {
                Ok(Some(told)) => {
                    let name = service.trim_end_matches("._tcp").trim_start_matches('_');
                    if told.targets.iter().any(|target| !target.record.target.is_root()) {
                        offered.push(name);
                    }
                    looked.keep(RecordSet::of(
                        format!("srv.{name}"),
                        &told.answer,
                        RecordType::SRV,
                    ));
                    judge(service, port, &told, &mut looked);
                }
                Ok(None) => {}
                Err(error) => looked.unanswered(&error),
            }
        }
        looked.fact(
            "srv.offered",
            if offered.is_empty() { "none".into() } else { offered.join(" ") },
        );
        looked
    }
    .boxed()
}

struct Service {
    answer: Answer,
    targets: Vec<Target>,
}

struct Target {
    record: SRV,
    v4: Result<Answer, AskError>,
    v6: Result<Answer, AskError>,
}

/// `None` where the domain says nothing about the service.
async fn look_up(context: &Context<'_>, service: &str) -> Result<Option<Service>, AskError> {
    // A domain that is so long that nothing can stand before it has no services.
    let Some(name) = below(service, context.domain) else { return Ok(None) };
    let answer = context.dns.ask(&name, RecordType::SRV).await?;
    let records = answer.data(RecordType::SRV).filter_map(|data| match data {
        RData::SRV(srv) => Some(srv.clone()),
        _ => None,
    });
    let targets = records.take(MOST_TARGETS).map(async |record| {
        let (v4, v6) = join(
            context.dns.ask(&record.target, RecordType::A),
            context.dns.ask(&record.target, RecordType::AAAA),
        )
        .await;
        Target { record, v4, v6 }
    });
    let targets = join_all(targets).await;
    Ok((!targets.is_empty()).then_some(Service { answer, targets }))
}

/// A name of labels before a domain; `None` where it is too long.
pub(super) fn below(labels: &str, domain: &Name) -> Option<Name> {
    Name::from_ascii(labels).ok()?.append_domain(domain).ok()
}

fn judge(service: &str, port: u16, told: &Service, looked: &mut Looked) {
    let is_none = |target: &Target| target.record.target.is_root();
    let nones = told.targets.iter().filter(|target| is_none(target)).count();
    if nones > 0 && nones < told.targets.len() {
        looked.find(&NONE_WITH_OTHERS, format!("{service} is said to be offered and not offered"));
    }
    for target in told.targets.iter().filter(|target| !is_none(target)) {
        let host = shown(&target.record.target);
        let answers = || [&target.v4, &target.v6].into_iter().flatten();
        let is_alias = answers().flat_map(|answer| &answer.answers).any(|record| {
            record.record_type() == RecordType::CNAME
                && record.name.to_lowercase() == target.record.target.to_lowercase()
        });
        if is_alias {
            looked.find(&ALIAS, format!("{service} names {host}, which is an alias"));
        }
        let has_address =
            answers().flat_map(|answer| &answer.answers).any(|r| r.data.ip_addr().is_some());
        match (&target.v4, &target.v6) {
            (Err(error), _) | (_, Err(error)) if !has_address => looked.unanswered(error),
            _ if !has_address => {
                let why = if answers().any(Answer::is_nx_domain) {
                    "does not exist"
                } else {
                    "has no address"
                };
                looked.find(&DANGLING, format!("{service} names {host}, which {why}"));
            }
            _ => {}
        }
        if target.record.port != port {
            let other = target.record.port;
            looked.find(&PORT, format!("{service} names port {other} of {host}, not {port}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, lines, looked};

    #[tokio::test]
    async fn each_mistake_has_its_finding() {
        const ZONE: &str = "
            good.test. MX 10 mail.good.test.
            mail.good.test. A 9.9.9.10
            _imaps._tcp.good.test. SRV 0 1 993 mail.good.test.
            _imap._tcp.good.test. SRV 0 0 0 .
            bad.test. MX 10 mail.good.test.
            www.bad.test. CNAME mail.good.test.
            _imaps._tcp.bad.test. SRV 0 1 993 gone.bad.test.
            _submissions._tcp.bad.test. SRV 0 1 465 www.bad.test.
            _submission._tcp.bad.test. SRV 0 1 2525 mail.good.test.
            _imap._tcp.bad.test. SRV 0 0 0 .
            _imap._tcp.bad.test. SRV 0 1 143 mail.good.test.
        ";
        let good = looked(ZONE, &check("good.test"), super::look).await;
        assert_eq!(lines(&good), Vec::<String>::new());
        assert_eq!(good.facts[0].value, "imaps");
        assert_eq!(good.records.len(), 2);
        assert_eq!(
            lines(&looked(ZONE, &check("bad.test"), super::look).await),
            [
                "warning dns.srv.alias: _submissions._tcp names www.bad.test, which is an alias",
                "notice dns.srv.port: _submission._tcp names port 2525 of mail.good.test, not 587",
                "warning dns.srv.dangling: _imaps._tcp names gone.bad.test, which does not exist",
                "warning dns.srv.none_with_others: _imap._tcp is said to be offered and not offered",
            ]
        );
    }
}
