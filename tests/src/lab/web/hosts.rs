//! Which certificate, TLS version and OCSP response each virtual host shows.
//!
//! Below `web.lab.test`: `expired`, `notyet`, `soon` (three days left), `selfsigned`, `wrongname`,
//! `missing` (the intermediate is not sent), `midexpired` (the intermediate has expired), `chain` (a good
//! intermediate), `stranger` (a whole chain, of an authority that nobody trusts), `disorder` (the root before
//! the intermediate), `rubbish` (something that is no certificate behind a good one), `rubbishleaf` (the same
//! instead of the server's own), `ocspgood`, `ocsprevoked`, `ocspstale`, `ocspunknown`, `ocspother` (about another
//! certificate), `ocsprubbish` (no response at all), `tls12` and `tls13` (one version only). Every other name
//! shows the good certificate, which knows the hosts of good.test and lab.test and those of the policies.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{DEFAULT_VERSIONS, ServerConfig};

use crate::certificates::{Authority, CertificateError, Identity, OcspStatus, Validity};

const GOOD_HOSTS: [&str; 11] = [
    "good.test",
    "mta-sts.good.test",
    "autoconfig.good.test",
    "autodiscover.good.test",
    "webmail.good.test",
    "exchange.good.test",
    "bimi.good.test",
    "mta-sts.drift.test",
    "web.lab.test",
    "login.lab.test",
    "*.web.lab.test",
];
/// The domains whose policy is wrong in another way than by the certificate.
const POLICY_DOMAINS: [&str; 17] = [
    "stsmx",
    "ststestmx",
    "stsunused",
    "ststesting",
    "stsnone",
    "stswild",
    "stsage",
    "stsshort",
    "stsnoage",
    "stsredir",
    "sts404",
    "stshtml",
    "stslarge",
    "stsslow",
    "stsnorecord",
    "sts2",
    "stsid",
];

/// Neither a certificate nor an OCSP response.
const RUBBISH: &[u8] = b"no such thing";

type Configs = BTreeMap<String, Arc<ServerConfig>>;

/// The special hosts by name, and what all others show.
pub(super) fn configs(
    authority: &Authority,
) -> Result<(Configs, Arc<ServerConfig>), CertificateError> {
    let policy_hosts: Vec<String> =
        POLICY_DOMAINS.iter().map(|domain| format!("mta-sts.{domain}.test")).collect();
    let mut names = GOOD_HOSTS.to_vec();
    names.extend(policy_hosts.iter().map(String::as_str));
    let good = authority.issue(&names, Validity::Current)?;
    let below = authority.intermediate(Validity::Current)?;
    let below_expired = authority.intermediate(Validity::Expired)?;
    let issue = |name: &str, validity| authority.issue(&[name], validity);
    let other = issue("other.example.test", Validity::Current)?;

    let mut configs = Configs::new();
    let mut add = |name: &str, identity: &Identity| -> Result<(), CertificateError> {
        configs.insert(name.to_owned(), identity.server_config()?);
        Ok(())
    };
    add(&web("expired"), &issue(&web("expired"), Validity::Expired)?)?;
    add(&web("notyet"), &issue(&web("notyet"), Validity::Future)?)?;
    add(&web("soon"), &issue(&web("soon"), Validity::Soon)?)?;
    add(&web("selfsigned"), &Identity::self_signed(&[&web("selfsigned")])?)?;
    add(&web("wrongname"), &other)?;
    add(&web("chain"), &below.issue(&[&web("chain")], Validity::Current)?)?;
    add(&web("missing"), &below.issue(&[&web("missing")], Validity::Current)?.alone())?;
    add(&web("midexpired"), &below_expired.issue(&[&web("midexpired")], Validity::Current)?)?;
    add("mta-sts.stswrongcert.test", &other)?;
    add("mta-sts.stsexpired.test", &issue("mta-sts.stsexpired.test", Validity::Expired)?)?;
    add("mta-sts.stsself.test", &Identity::self_signed(&["mta-sts.stsself.test"])?)?;

    staples(authority, &mut configs)?;
    chains(authority, &mut configs)?;
    for (label, version) in [("tls12", &TLS12), ("tls13", &TLS13)] {
        configs.insert(web(label), good.server_config_with(&[version], Vec::new())?);
    }
    Ok((configs, good.server_config()?))
}

fn web(label: &str) -> String {
    format!("{label}.web.lab.test")
}

/// The hosts with a stapled OCSP response.
fn staples(authority: &Authority, configs: &mut Configs) -> Result<(), CertificateError> {
    let other = authority.issue(&["other.example.test"], Validity::Current)?;
    let about_other = authority.ocsp_response(&other, OcspStatus::Good)?;
    for (label, status, instead) in [
        ("ocspgood", OcspStatus::Good, None),
        ("ocsprevoked", OcspStatus::Revoked, None),
        ("ocspstale", OcspStatus::Stale, None),
        ("ocspunknown", OcspStatus::Unknown, None),
        ("ocspother", OcspStatus::Good, Some(about_other)),
        ("ocsprubbish", OcspStatus::Good, Some(RUBBISH.to_vec())),
    ] {
        let identity = authority.issue(&[&web(label)], Validity::Current)?;
        let response = match instead {
            Some(response) => response,
            None => authority.ocsp_response(&identity, status)?,
        };
        configs.insert(web(label), identity.server_config_with(DEFAULT_VERSIONS, response)?);
    }
    Ok(())
}

/// The hosts that send other certificates than they should along with their own.
fn chains(authority: &Authority, configs: &mut Configs) -> Result<(), CertificateError> {
    let stranger = Authority::named("Nobody's Root CA")?;
    let below = authority.intermediate(Validity::Current)?;
    for (label, signer, rest) in [
        ("stranger", &stranger, [stranger.der()].as_slice()),
        ("disorder", &below, &[authority.der(), below.der()]),
        ("rubbish", authority, &[RUBBISH]),
    ] {
        let identity = signer.issue(&[&web(label)], Validity::Current)?;
        let chain = [&[identity.der()], rest].concat();
        configs.insert(web(label), identity.server_config_sending(&chain)?);
    }
    let unreadable = below.issue(&[&web("rubbishleaf")], Validity::Current)?;
    let config = unreadable.server_config_sending(&[RUBBISH, below.der()])?;
    configs.insert(web("rubbishleaf"), config);
    Ok(())
}
