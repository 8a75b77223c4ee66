//! The headers as facts of a round trip: at most [`MOST_FACTS`], each one line.

use std::fmt::Write;

use mailsonde_proto::Fact;

use super::Headers;
use super::authentication::{Method, Results, Trust};
use super::gateway::Gateway;
use super::hops::{Passed, Way};
use super::signature::Signature;
use super::spam::Spam;

/// The most facts that headers become.
pub const MOST_FACTS: usize = 64;
/// The most hops that are facts: the newest ones.
const MOST_HOPS: usize = 20;
/// The most signatures, gateways, headers of untrusted servers.
const MOST_SIGNATURES: usize = 5;
const MOST_GATEWAYS: usize = 8;
const MOST_UNTRUSTED: usize = 3;
/// The longest value, in characters.
const LONGEST: usize = 600;

impl Headers {
    /// What the headers tell, as facts. `hop.1` is the first server; only what trusted servers say they
    /// verified becomes `authentication.spf` and the like.
    pub fn facts(&self, trust: &Trust) -> Vec<Fact> {
        let mut facts = Vec::new();
        hops(&self.way, &mut facts);
        authentication(self, trust, &mut facts);
        for (number, signature) in (1..).zip(self.signatures.iter().take(MOST_SIGNATURES)) {
            facts.push(Fact::new(format!("dkim.{number}"), signature.line()));
        }
        for (number, gateway) in (1..).zip(self.gateways.iter().take(MOST_GATEWAYS)) {
            facts.push(Fact::new(format!("gateway.{number}"), gateway.line()));
        }
        for spam in &self.spam {
            facts.push(Fact::new(format!("spam.{}", spam.filter), spam.line()));
        }
        facts.truncate(MOST_FACTS);
        for fact in &mut facts {
            fact.value = fact.value.chars().take(LONGEST).collect();
        }
        facts
    }
}

fn hops(way: &Way, facts: &mut Vec<Fact>) {
    let unseen = way.hops.len().saturating_sub(MOST_HOPS);
    let left_out = unseen + way.left_out;
    if left_out > 0 {
        facts.push(Fact::new("hops.left_out", format!("{left_out}, the oldest")));
    }
    for (number, passed) in (1..).zip(&way.hops).skip(unseen) {
        facts.push(Fact::new(format!("hop.{number}"), passed.line()));
    }
    if let Some(total) = way.total_us() {
        facts.push(Fact::new("hops.total", seconds(total)));
    }
}

impl Passed {
    /// `mx.good.test <- relay.test ESMTPS TLSv1.3 +2s`.
    pub fn line(&self) -> String {
        let hop = &self.hop;
        let mut line = hop.by.clone().unwrap_or_else(|| "?".to_owned());
        if let Some(client) = hop.client() {
            line.push_str(" <- ");
            line.push_str(&client);
        }
        if let Some(with) = &hop.with {
            line.push(' ');
            line.push_str(with);
        }
        match &hop.tls {
            Some(tls) => {
                line.push(' ');
                line.push_str(tls.version.as_deref().unwrap_or("TLS"));
            }
            None if hop.with.as_deref().is_some_and(|with| with.contains("SMTP")) => {
                line.push_str(" no TLS seen");
            }
            None => {}
        }
        if let Some(delay) = self.delay_us {
            line.push(' ');
            line.push_str(&seconds(delay));
            if delay < 0 {
                line.push_str(" (before the hop before: clocks differ)");
            }
        }
        line
    }
}

/// `+2s`, `-0.25s`.
fn seconds(us: i64) -> String {
    let sign = if us < 0 { '-' } else { '+' };
    let hundredths = us.unsigned_abs() / 10_000;
    match hundredths % 100 {
        0 => format!("{sign}{}s", hundredths / 100),
        rest => format!("{sign}{}.{rest:02}s", hundredths / 100),
    }
}

fn authentication(headers: &Headers, trust: &Trust, facts: &mut Vec<Fact>) {
    let mut seen: Vec<&str> = Vec::new();
    for results in headers.trusted(trust).filter(|results| results.arc_instance.is_none()) {
        for method in &results.methods {
            let name = method.method.as_str();
            let is_word = name.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'-' | b'_'));
            if name.is_empty() || !is_word || name.len() > 32 || seen.len() >= 12 {
                continue;
            }
            // Several of one method: dkim once a signature. A pass tells more than the rest.
            if !seen.contains(&name) {
                seen.push(name);
                let best = best(headers, trust, name).unwrap_or(method);
                facts.push(Fact::new(format!("authentication.{name}"), best.line()));
            }
        }
    }
    let untrusted = headers.authentication.iter().filter(|r| !trust.includes(&r.authserv_id));
    for (number, results) in (1..).zip(untrusted.take(MOST_UNTRUSTED)) {
        let name = format!("authentication.untrusted.{number}");
        facts.push(Fact::new(name, results.line()));
    }
}

fn best<'a>(headers: &'a Headers, trust: &'a Trust, name: &str) -> Option<&'a Method> {
    let results = headers.trusted(trust).filter(|results| results.arc_instance.is_none());
    let mut methods = results.flat_map(|results| &results.methods);
    methods.find(|method| method.method == name && method.result == "pass")
}

impl Results {
    /// `mx.good.test: spf=pass (a@good.test); dkim=pass (good.test, sel)`.
    pub fn line(&self) -> String {
        let said: Vec<_> = self
            .methods
            .iter()
            .map(|method| format!("{}={}", method.method, method.line()))
            .collect();
        let said = if said.is_empty() { "none".to_owned() } else { said.join("; ") };
        let id = if self.authserv_id.is_empty() { "(no name)" } else { &self.authserv_id };
        match self.arc_instance {
            Some(instance) => format!("ARC {instance}, {id}: {said}"),
            None => format!("{id}: {said}"),
        }
    }
}

impl Method {
    /// `pass (good.test, sel2025)`: the result, and what it was found for.
    pub fn line(&self) -> String {
        const TELLING: [&str; 7] = [
            "header.d",
            "header.i",
            "header.s",
            "smtp.mailfrom",
            "smtp.helo",
            "header.from",
            "policy.iprev",
        ];
        let mut told: Vec<&str> = TELLING.iter().filter_map(|name| self.property(name)).collect();
        told.extend(self.reason.as_deref());
        if told.is_empty() {
            self.result.clone()
        } else {
            format!("{} ({})", self.result, told.join(", "))
        }
    }
}

impl Signature {
    /// `good.test sel2025 rsa-sha256 relaxed/relaxed`.
    pub fn line(&self) -> String {
        let Self { domain, selector, algorithm, canonicalization, .. } = self;
        let length = if self.has_length { " (only a part of the body)" } else { "" };
        format!("{domain} {selector} {algorithm} {canonicalization}{length}")
    }
}

impl Gateway {
    /// `proofpoint, hops 2 to 3, took 8s`.
    pub fn line(&self) -> String {
        let maker = self.maker.as_str();
        let Some(hops) = &self.hops else {
            let headers = self.headers.join(", ");
            return format!("{maker}: only its headers ({headers}), it is no hop on the way");
        };
        let (first, last) = (hops.start() + 1, hops.end() + 1);
        let mut line = match first == last {
            true => format!("{maker}, hop {first}"),
            false => format!("{maker}, hops {first} to {last}"),
        };
        if let Some(took) = self.took_us {
            line.push_str(", took ");
            line.push_str(seconds(took).trim_start_matches('+'));
        }
        line
    }
}

impl Spam {
    /// `not spam, 1.2 of 5, tests DKIM_VALID`.
    pub fn line(&self) -> String {
        let mut line = match self.is_spam {
            Some(true) => "spam".to_owned(),
            Some(false) => "not spam".to_owned(),
            None => String::new(),
        };
        let comma = |line: &mut String| {
            if !line.is_empty() {
                line.push_str(", ");
            }
        };
        // Writing into a String cannot fail.
        if let Some(score) = self.score {
            comma(&mut line);
            let _written = write!(line, "{score}");
        }
        if let Some(threshold) = self.threshold {
            comma(&mut line);
            let _written = write!(line, "limit {threshold}");
        }
        for (name, value) in &self.details {
            comma(&mut line);
            let _written = write!(line, "{name} {value}");
        }
        line
    }
}
