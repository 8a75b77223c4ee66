//! The collector's own certificates: until when, for which name, of which authority.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::WallTime;
use mailsonde_proto::doctor::files::{self, not_seen};
use mailsonde_proto::doctor::{Judged, Look, State};
use rustls::RootCertStore;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use x509_parser::parse_x509_certificate;

use super::{Subject, without_configuration};
use crate::config::OperatorsConfig;
use crate::folder::Folder;
use crate::identity::{HostName, OperatorsTls, RENEW_BEFORE, authorities, is_key_of};

/// A certificate or a key in PEM is never larger.
const MOST_BYTES: u64 = 256 * 1024;
/// An authority takes months to hand over where agents are off for long.
const AUTHORITY_LEFT: Duration = Duration::from_secs(180 * 86_400);
/// A certificate of somebody else's making that has less left was not renewed in time.
const OPERATORS_LEFT: Duration = Duration::from_secs(14 * 86_400);
/// A rotation that takes longer was forgotten.
const ROTATION: Duration = Duration::from_secs(30 * 86_400);

/// `init` makes an authority where there is no configuration and none is there.
const ANOTHER: &str = "stop the collector, move collector.toml, ca.pem, ca.key and server.pem aside, make another authority \
                       (`mailsonde-collector init --listen ADDRESS --name HOST` as before), put collector.toml back, and \
                       let every agent in anew by a token";

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Validity {
    from: WallTime,
    until: WallTime,
}

/// Everything about certificates.
pub(super) fn looks(subject: &Subject) -> Vec<Look> {
    let (folder, now) = (&subject.folder, subject.clock.wall());
    let read = |path: &Path| files::read(path, MOST_BYTES);
    let key = folder.authority_key();
    let pem = read(&folder.authority_certificate());
    let authority = of_authority(folder, &pem, &read(&key), now);
    let is_sound = authority.state < State::Problem;
    let mut looks = vec![authority];
    let next = read(&folder.next_authority_certificate()).ok();
    if let Some(validity) = next.as_deref().and_then(first).and_then(|it| validity(&it)) {
        looks.push(rotation(validity, now).look("certificates.rotation", "next authority"));
    }
    let Some(config) = &subject.config else {
        looks.push(without_configuration().look("certificates.server", "server"));
        return looks;
    };
    // what an authority is to blame for, its own line tells
    let roots = pem.ok().filter(|_| is_sound).and_then(|pem| authorities(&pem).ok());
    let server = of_server(&folder.server(), &config.name, roots, now);
    looks.push(server.look("certificates.server", "server"));
    if let Some(OperatorsConfig { certificate: Some((file, key)), .. }) = &config.operators {
        let [file, key] = [file, key].map(|path| folder.path().join(path));
        let judged = of_operators(&file, now);
        // a certificate that is well by itself is shown with its key, by a name
        let judged = match judged.state {
            State::Problem | State::Unknown => judged,
            _ => fitting(subject, &file, &key).unwrap_or(judged),
        };
        looks.push(judged.look("certificates.operators", "operators'"));
    }
    looks
}

fn first(pem: &str) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()
}

fn validity(certificate: &CertificateDer<'_>) -> Option<Validity> {
    let (_, certificate) = parse_x509_certificate(certificate).ok()?;
    let told = certificate.validity();
    let [from, until] =
        [told.not_before, told.not_after].map(|at| WallTime::from_s(at.timestamp()));
    Some(Validity { from, until })
}

fn day(at: WallTime) -> String {
    at.timestamp().strftime("%Y-%m-%d").to_string()
}

fn of_authority(
    folder: &Folder,
    pem: &io::Result<String>,
    key: &io::Result<String>,
    now: WallTime,
) -> Look {
    let file = folder.authority_certificate();
    let restore = "restore ca.pem and ca.key from a backup: a new authority means a new certificate for every agent";
    let without = |file: &Path, error: &io::Error| {
        // `init` makes nothing where there is a collector
        let todo = match folder.config().exists() {
            true => format!("{restore}; without a backup {ANOTHER}"),
            false => "`mailsonde-collector init` makes it".to_owned(),
        };
        not_seen(file, error, &todo)
    };
    let judged = match (pem, key) {
        (Err(error), _) => without(&file, error),
        // it does not start without; what cannot be read as who runs this says nothing
        (Ok(_), Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            without(&folder.authority_key(), error)
        }
        (Ok(pem), key) => match first(pem).and_then(|it| validity(&it)) {
            None => Judged::problem(format!("{} holds no certificate", file.display()), restore),
            Some(_) if key.as_ref().is_ok_and(|key| !is_key_of(key, pem)) => {
                Judged::problem("ca.key is not the key of ca.pem", restore)
            }
            Some(validity) => authority(validity, now),
        },
    };
    judged.look("certificates.authority", "authority")
}

fn authority(validity: Validity, now: WallTime) -> Judged {
    let until = day(validity.until);
    if now < validity.from {
        return Judged::problem(
            format!("it begins {} only", day(validity.from)),
            "set this machine's clock, which is behind: `timedatectl set-ntp true`",
        );
    }
    if now >= validity.until {
        return Judged::problem(
            format!("it ended {until}"),
            format!(
                "look at `date -u`: where that is right, no agent can come in any more: {ANOTHER}"
            ),
        );
    }
    if validity.until.since(now) < AUTHORITY_LEFT {
        return Judged::warning(
            format!("until {until}"),
            "begin now, agents take their time: `mailsonde-collector ca rotate`",
        );
    }
    Judged::ok(format!("until {until}"))
}

/// While there are two authorities, one takes over from the other; that ends by hand.
fn rotation(next: Validity, now: WallTime) -> Judged {
    let says = format!("taking over since {}, until {}", day(next.from), day(next.until));
    if now.since(next.from) > ROTATION {
        return Judged::warning(
            says,
            "see who lacks a certificate of it (`mailsonde-collector ca`), then `mailsonde-collector ca retire`",
        );
    }
    Judged::ok(says)
}

fn of_server(file: &Path, name: &HostName, roots: Option<RootCertStore>, now: WallTime) -> Judged {
    let restart =
        "restart the collector: it makes another (`systemctl restart mailsonde-collector`)";
    let pem = match files::read(file, MOST_BYTES) {
        Ok(pem) => pem,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Judged::ok("none yet: it is made at the first start");
        }
        Err(error) => return not_seen(file, &error, restart),
    };
    let Some((certificate, validity)) =
        first(&pem).and_then(|it| Some((it.clone(), validity(&it)?)))
    else {
        return Judged::problem(format!("{} holds no certificate", file.display()), restart);
    };
    let until = day(validity.until);
    if let Some(words) = roots.and_then(|roots| refused(&certificate, name, roots, now)) {
        let is_of_dates = now < validity.from || now >= validity.until;
        let todo = match is_of_dates {
            true => format!("look at `date -u`: where that is right, {restart}"),
            false => restart.to_owned(),
        };
        return Judged::problem(format!("agents refuse it: {words}"), todo);
    }
    if validity.until.since(now) < RENEW_BEFORE {
        return Judged::warning(
            format!("for {name}, until {until}: it was to be renewed"),
            restart,
        );
    }
    Judged::ok(format!("for {name}, until {until}"))
}

/// Why an agent would not accept it.
fn refused(
    certificate: &CertificateDer<'_>,
    name: &HostName,
    roots: RootCertStore,
    now: WallTime,
) -> Option<String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    let verifier = verifier.build().ok()?;
    let name = ServerName::try_from(name.to_string()).ok()?;
    let now = UnixTime::since_unix_epoch(now.since(WallTime::default()));
    let verified = verifier.verify_server_cert(certificate, &[], &name, &[], now);
    verified.err().map(|error| error.to_string())
}

fn of_operators(file: &Path, now: WallTime) -> Judged {
    let renew = "renew it where it comes from; a running collector reads it again by itself";
    let without = "put it there with its chain, in PEM: the collector does not start without";
    let pem = match files::read(file, MOST_BYTES) {
        Ok(pem) => pem,
        Err(error) => return not_seen(file, &error, without),
    };
    match first(&pem).and_then(|it| validity(&it)) {
        None => Judged::problem(format!("{} holds no certificate", file.display()), without),
        Some(validity) => operators(validity, now, renew),
    }
}

/// Why an operators' certificate cannot be shown with this key, or not by the name that operators use.
fn fitting(subject: &Subject, file: &Path, key: &Path) -> Option<Judged> {
    let pem = files::read(file, MOST_BYTES).ok()?;
    // a key that is not there or not shown has a line of its own
    files::read(key, MOST_BYTES).ok()?;
    if let Err(error) = OperatorsTls::of_files(file, key, subject.clock) {
        let says = format!("it cannot be shown with {}: {error}", key.display());
        let todo = "put the certificate and the key there that belong together: the collector does not start with these";
        return Some(Judged::problem(says, todo));
    }
    let name = subject.config.as_ref()?.operators_url.as_ref()?.host_str()?.to_owned();
    let certificate = first(&pem)?;
    let parsed = ParsedCertificate::try_from(&certificate).ok()?;
    let server_name = ServerName::try_from(name.trim_matches(['[', ']']).to_owned()).ok()?;
    verify_server_name(&parsed, &server_name).err().map(|_not_for_it| {
        Judged::warning(
            format!("it is not for {name}, by which `operators_url` in collector.toml calls it"),
            "have one for that name, or mend `operators_url`: browsers warn of it",
        )
    })
}

fn operators(validity: Validity, now: WallTime, renew: &str) -> Judged {
    let until = day(validity.until);
    if now >= validity.until || now < validity.from {
        let says = format!("valid from {} until {until}", day(validity.from));
        return Judged::problem(says, format!("look at `date -u`: where that is right, {renew}"));
    }
    if validity.until.since(now) < OPERATORS_LEFT {
        return Judged::warning(format!("until {until}"), renew);
    }
    Judged::ok(format!("until {until}"))
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::Clock;
    use mailsonde_proto::doctor::files::Who;

    use super::*;
    use crate::config::Config;
    use crate::identity::{Authorities, Authority, ServerTls};

    fn at(days: u64) -> WallTime {
        WallTime::from_s(0).plus(Duration::from_secs(days * 86_400))
    }

    #[test]
    fn certificates_are_judged_by_what_is_left() {
        let validity = Validity { from: at(10), until: at(1_000) };
        for (now, of_authority, of_operators) in [
            (9, State::Problem, State::Problem),
            (11, State::Ok, State::Ok),
            (830, State::Warning, State::Ok),
            (990, State::Warning, State::Warning),
            (1_000, State::Problem, State::Problem),
        ] {
            assert_eq!(authority(validity, at(now)).state, of_authority, "day {now}");
            assert_eq!(operators(validity, at(now), "renew").state, of_operators, "day {now}");
        }
        assert_eq!(rotation(validity, at(20)).state, State::Ok);
        assert_eq!(rotation(validity, at(50)).state, State::Warning);
    }

    #[test]
    fn what_a_collector_makes_is_good_for_its_name_and_no_other() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        let clock = Clock::system();
        let name: HostName = "c.test".parse().unwrap();
        Authority::create(&folder, &name, clock.wall()).unwrap();
        let server = |name: &HostName, now| {
            let pem = std::fs::read_to_string(folder.authority_certificate()).unwrap();
            of_server(&folder.server(), name, authorities(&pem).ok(), now)
        };
        assert_eq!(server(&name, clock.wall()).state, State::Ok);
        let authorities = Arc::new(Authorities::open(&folder, &name).unwrap());
        ServerTls::open(&folder, authorities, &name, clock).unwrap();
        assert!(server(&name, clock.wall()).says.contains("for c.test, until"));
        let other = server(&"d.test".parse().unwrap(), clock.wall());
        assert_eq!(other.state, State::Problem);
        assert!(other.todo.unwrap().contains("restart"));
        let later = clock.wall().plus(Duration::from_secs(4_000 * 86_400));
        assert_eq!(server(&name, later).state, State::Problem);
    }

    #[test]
    fn an_operators_certificate_goes_with_its_key_and_its_name() {
        let temporary = tempfile::tempdir().unwrap();
        let at = |name: &str| temporary.path().join(name);
        let made = rcgen::generate_simple_self_signed(vec!["c.test".to_owned()]).unwrap();
        std::fs::write(at("o.pem"), made.cert.pem()).unwrap();
        std::fs::write(at("o.key"), made.signing_key.serialize_pem()).unwrap();
        let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
        std::fs::write(at("other.key"), other).unwrap();
        let of = |certificate: &str, key: &str, host: &str| {
            let text = format!(
                "listen = '[::]:1'\nname = 'c'\noperators_listen = '[::]:2'\noperators_url = 'https://{host}:2'\n\
                 operators_certificate = '{certificate}'\noperators_key = '{key}'\n"
            );
            let config = Config::parse(Path::new("collector.toml"), &text).unwrap();
            let folder = Folder::at(temporary.path());
            let stand_in = Subject::stand_in(folder, Who::runs_this());
            let looks = looks(&Subject { config: Some(config), ..stand_in });
            let look = looks.into_iter().find(|look| look.id == "certificates.operators").unwrap();
            (look.state, look.todo.unwrap_or_default())
        };
        for (certificate, key, host, state, todo) in [
            ("o.pem", "o.key", "c.test", State::Ok, ""),
            ("o.pem", "o.key", "d.test", State::Warning, "operators_url"),
            ("o.pem", "other.key", "c.test", State::Problem, "belong together"),
            ("o.pem", "none.key", "c.test", State::Ok, ""),
            ("none.pem", "o.key", "c.test", State::Problem, "does not start without"),
        ] {
            let (found, told) = of(certificate, key, host);
            assert_eq!(found, state, "{certificate} {key} {host}: {told}");
            assert!(told.contains(todo), "{told}");
        }
    }

    #[test]
    fn what_an_authority_is_to_blame_for_is_told_once() {
        let (temporary, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (folder, other) = (Folder::at(temporary.path()), Folder::at(other.path()));
        let name: HostName = "c.test".parse().unwrap();
        let clock = Clock::system();
        for folder in [&folder, &other] {
            Authority::create(folder, &name, clock.wall()).unwrap();
        }
        let authorities = Arc::new(Authorities::open(&folder, &name).unwrap());
        ServerTls::open(&folder, authorities, &name, clock).unwrap();
        std::fs::copy(other.authority_certificate(), folder.authority_certificate()).unwrap();
        let text = "listen = '[::]:1'\nname = 'c.test'\n";
        let config = Config::parse(Path::new("collector.toml"), text).unwrap();
        let stand_in = Subject::stand_in(folder, Who::runs_this());
        let looks = looks(&Subject { config: Some(config), ..stand_in });
        let bad = looks.iter().filter(|look| look.state == State::Problem);
        assert_eq!(bad.map(|look| look.id).collect::<Vec<_>>(), ["certificates.authority"]);
    }

    #[test]
    fn an_authority_has_its_own_key() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        let (file, now) = (folder.authority_certificate(), Clock::system().wall());
        let none = || Err(io::ErrorKind::NotFound.into());
        let fresh = of_authority(&folder, &none(), &none(), now);
        assert_eq!(fresh.state, State::Problem);
        assert!(fresh.todo.unwrap().starts_with("`mailsonde-collector init`"));
        Authority::create(&folder, &"c.test".parse().unwrap(), now).unwrap();
        let pem = Ok(std::fs::read_to_string(&file).unwrap());
        let key = Ok(std::fs::read_to_string(folder.authority_key()).unwrap());
        assert_eq!(of_authority(&folder, &pem, &key, now).state, State::Ok);
        let other = Ok(crate::identity::PrivateKey::generate().unwrap().to_pem());
        assert_eq!(of_authority(&folder, &pem, &other, now).state, State::Problem);
        let denied = Err(io::ErrorKind::PermissionDenied.into());
        assert_eq!(of_authority(&folder, &pem, &denied, now).state, State::Ok);
        // the collector would not start, and `init` makes none where one is configured
        std::fs::write(folder.config(), "").unwrap();
        let lacking = of_authority(&folder, &pem, &none(), now);
        assert_eq!(lacking.state, State::Problem);
        assert!(lacking.says.contains("ca.key"), "{}", lacking.says);
        assert!(lacking.todo.unwrap().starts_with("restore"));
    }
}
