//! What spam filters wrote into the headers: SpamAssassin and its kin, rspamd, Microsoft, Proofpoint,
//! Mimecast, Barracuda.
//!
//! Only the topmost header of a name is read: those below may be the sender's. A filter that says
//! nothing about spam or not leaves `is_spam` empty; no threshold is guessed.

use super::block::Block;

/// The longest detail, in characters.
const LONGEST: usize = 400;

/// What one filter says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spam {
    /// Which filter.
    pub filter: &'static str,
    /// Whether it is spam, in the filter's own judgement.
    pub is_spam: Option<bool>,
    /// Its score.
    pub score: Option<f64>,
    /// From which score on it is spam.
    pub threshold: Option<f64>,
    /// What else it says, such as (`SFV`, `NSPM`).
    pub details: Vec<(&'static str, String)>,
}

impl Spam {
    pub(super) fn all(block: &Block<'_>) -> Vec<Self> {
        let readers =
            [spamassassin, rspamd, microsoft, proofpoint, mimecast, barracuda, barracuda_cloud];
        let found = readers.iter().map(|read| read(block));
        found.filter(|spam| *spam != Self { filter: spam.filter, ..Self::default() }).collect()
    }

    fn detail(&mut self, name: &'static str, value: Option<&str>) {
        let value = value.map(str::trim).filter(|value| !value.is_empty());
        if let Some(value) = value {
            self.details.push((name, value.chars().take(LONGEST).collect()));
        }
    }

    fn named(filter: &'static str) -> Self {
        Self { filter, ..Self::default() }
    }
}

/// `X-Spam-Status: No, score=-0.1 required=5.0 tests=A,B autolearn=ham`, `X-Spam-Score`, `X-Spam-Level`,
/// `X-Spam-Flag` (SpamAssassin's Mail::SpamAssassin::Conf; exim and rspamd write alike).
fn spamassassin(block: &Block<'_>) -> Spam {
    let mut spam = Spam::named("spamassassin");
    if let Some(status) = block.first("X-Spam-Status") {
        spam.is_spam = yes_or_no(&status);
        spam.score = value(&status, "score").or_else(|| value(&status, "hits")).and_then(number);
        spam.threshold = value(&status, "required").and_then(number);
        spam.detail("tests", list(&status, "tests").as_deref());
    }
    for name in ["X-Spam-Flag", "X-Spam"] {
        spam.is_spam = spam.is_spam.or_else(|| block.first(name).and_then(|t| yes_or_no(&t)));
    }
    let score = block.first("X-Spam-Score").as_deref().and_then(number);
    spam.score = spam.score.or(score);
    if let Some(level) = block.first("X-Spam-Level") {
        let stars = level.chars().take_while(|char| matches!(char, '*' | '+')).count();
        spam.detail("level", (stars > 0).then(|| stars.to_string()).as_deref());
    }
    spam
}

/// `X-Spamd-Result: default: False [3.20 / 15.00]; SYMBOL(0.10)[option];` (rspamd's milter_headers).
fn rspamd(block: &Block<'_>) -> Spam {
    let mut spam = Spam::named("rspamd");
    let Some(result) = block.first("X-Spamd-Result") else { return spam };
    let (head, symbols) = result.split_once(';').unwrap_or((&result, ""));
    let figures = head.split_once('[').and_then(|(_, rest)| rest.split(']').next());
    let mut figures = figures.unwrap_or_default().split('/');
    spam.score = figures.next().and_then(number);
    spam.threshold = figures.next().and_then(number);
    spam.is_spam =
        if head.contains("False") { Some(false) } else { head.contains("True").then_some(true) };
    let symbols = symbols.split_whitespace().collect::<Vec<_>>().join(" ");
    spam.detail("symbols", Some(&symbols));
    spam
}

/// `X-Forefront-Antispam-Report: CIP:1.2.3.4;SCL:1;SFV:NSPM;CAT:NONE;`, `X-Microsoft-Antispam: BCL:0;`,
/// `X-MS-Exchange-Organization-SCL` (Microsoft Learn, 'Anti-spam message headers in Microsoft 365').
fn microsoft(block: &Block<'_>) -> Spam {
    let mut spam = Spam::named("microsoft");
    let report = block.first("X-Forefront-Antispam-Report").unwrap_or_default();
    let antispam = block.first("X-Microsoft-Antispam").unwrap_or_default();
    let own = block.first("X-MS-Exchange-Organization-SCL");
    let tag = |text: &str, name: &str| {
        let mut tags = text.split(';').filter_map(|tag| tag.trim().split_once(':'));
        tags.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let (scl, sfv) = (tag(&report, "SCL").or(own), tag(&report, "SFV"));
    spam.score = scl.as_deref().and_then(number);
    spam.is_spam = match sfv.as_deref() {
        // Spam by its content, by a rule of the organisation, by the sender's being blocked.
        Some("SPM" | "SKS" | "SKB" | "BLK") => Some(true),
        Some("NSPM" | "SFE" | "SKA" | "SKI" | "SKN") => Some(false),
        _ => None,
    };
    spam.detail("SFV", sfv.as_deref());
    spam.detail("CAT", tag(&report, "CAT").as_deref());
    spam.detail("BCL", tag(&antispam, "BCL").as_deref());
    spam
}

/// `X-Proofpoint-Spam-Details: rule=notspam policy=default score=0 mlxscore=0 …`.
fn proofpoint(block: &Block<'_>) -> Spam {
    let mut spam = Spam::named("proofpoint");
    let Some(details) = block.first("X-Proofpoint-Spam-Details") else { return spam };
    let rule = value(&details, "rule");
    spam.score = value(&details, "score").and_then(number);
    spam.is_spam = rule.and_then(|rule| match rule {
        _ if rule.ends_with("notspam") => Some(false),
        _ if rule.ends_with("spam") => Some(true),
        _ => None,
    });
    spam.detail("rule", rule);
    spam.detail("policy", value(&details, "policy"));
    spam
}

/// `X-Mimecast-Spam-Score: 1`.
fn mimecast(block: &Block<'_>) -> Spam {
    let score = block.first("X-Mimecast-Spam-Score").as_deref().and_then(number);
    Spam { score, ..Spam::named("mimecast") }
}

/// `X-Barracuda-Spam-Score: 0.00`, `X-Barracuda-Spam-Status: No, SCORE=0.00 using … KILL_LEVEL=9.0`.
fn barracuda(block: &Block<'_>) -> Spam {
    let names = ["X-Barracuda-Spam-Status", "X-Barracuda-Spam-Score"];
    barracudas(block, "barracuda_appliance", names)
}

/// `X-BESS-Spam-Status: SCORE=0.00 using account:ESS1 scores of KILL_LEVEL=7.0 tests=`.
fn barracuda_cloud(block: &Block<'_>) -> Spam {
    barracudas(block, "barracuda_cloud", ["X-BESS-Spam-Status", "X-BESS-Spam-Score"])
}

fn barracudas(block: &Block<'_>, filter: &'static str, names: [&str; 2]) -> Spam {
    let mut spam = Spam::named(filter);
    let [status, score] = names.map(|name| block.first(name));
    spam.score = score.as_deref().and_then(number);
    if let Some(status) = status {
        spam.is_spam = yes_or_no(&status);
        spam.score = spam.score.or_else(|| value(&status, "SCORE").and_then(number));
        spam.threshold = value(&status, "KILL_LEVEL").and_then(number);
        spam.detail("tests", list(&status, "tests").as_deref());
    }
    spam
}

/// The list that follows `name=`: it goes on after white space where that follows a comma.
fn list(text: &str, name: &str) -> Option<String> {
    let mut words = text.split([' ', '\t']).filter(|word| !word.is_empty());
    let mut list = words.find_map(|word| {
        let (key, value) = word.split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.to_owned())
    })?;
    while list.ends_with(',') {
        let Some(word) = words.next() else { break };
        list.push_str(word);
    }
    Some(list)
}

/// What follows `name=`, up to white space.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut words = text.split([' ', '\t']);
    words.find_map(|word| {
        let (key, value) = word.split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim_end_matches([',', ';']))
    })
}

/// The number that a text begins with.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let end = text.find(|char: char| !char.is_ascii_digit() && !matches!(char, '+' | '-' | '.'));
    let number: f64 = text.get(..end.unwrap_or(text.len()))?.parse().ok()?;
    number.is_finite().then_some(number)
}

fn yes_or_no(text: &str) -> Option<bool> {
    let word = text.trim().split([',', ' ', ';']).next()?.to_ascii_lowercase();
    match word.as_str() {
        "yes" | "true" => Some(true),
        "no" | "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &str, expected: &[&str]) {
        let found: Vec<_> = Spam::all(&Block::of(headers.as_bytes()))
            .iter()
            .map(|spam| {
                let Spam { filter, is_spam, score, threshold, details } = spam;
                let details: Vec<_> = details.iter().map(|(k, v)| format!("{k}={v}")).collect();
                let figure = |figure: &Option<f64>| {
                    figure.map_or("-".to_owned(), |figure| figure.to_string())
                };
                let is_spam = is_spam.map_or("-".to_owned(), |is_spam| is_spam.to_string());
                let (score, threshold) = (figure(score), figure(threshold));
                format!("{filter} {is_spam} {score} {threshold} {}", details.join(" "))
            })
            .collect();
        assert_eq!(found, expected, "{headers}");
    }

    #[test]
    fn headers_of_each_filter() {
        check("Subject: a\r\n", &[]);
        check(
            "X-Spam-Status: No, score=-0.1 required=5.0 tests=DKIM_VALID,\r\n\tSPF_PASS \
             autolearn=ham version=4.0.0\r\nX-Spam-Level: \r\n",
            &["spamassassin false -0.1 5 tests=DKIM_VALID,SPF_PASS"],
        );
        check("X-Spam-Flag: YES\r\nX-Spam-Score: 6.5 (++++++)\r\n", &["spamassassin true 6.5 - "]);
        check("X-Spam-Level: *****\r\n", &["spamassassin - - - level=5"]);
        check(
            "X-Spamd-Result: default: False [3.20 / 15.00];\r\n\tARC_NA(0.00)[];\r\n\tMIME_GOOD(-0.1)[]\r\n",
            &["rspamd false 3.2 15 symbols=ARC_NA(0.00)[]; MIME_GOOD(-0.1)[]"],
        );
        check(
            "X-Forefront-Antispam-Report: CIP:1.2.3.4;CTRY:US;SCL:5;SRV:;SFV:SPM;CAT:SPM;DIR:INB;\r\n\
             X-Microsoft-Antispam: BCL:3;ARA:1\r\n",
            &["microsoft true 5 - SFV=SPM CAT=SPM BCL=3"],
        );
        check("X-MS-Exchange-Organization-SCL: -1\r\n", &["microsoft - -1 - "]);
        check(
            "X-Proofpoint-Spam-Details: rule=inbound_notspam policy=inbound score=0 mlxscore=9\r\n",
            &["proofpoint false 0 - rule=inbound_notspam policy=inbound"],
        );
        check("X-Mimecast-Spam-Score: 2\r\n", &["mimecast - 2 - "]);
        check(
            "X-Barracuda-Spam-Status: Yes, SCORE=9.50 using global scores of TAG_LEVEL=3.0 \
             KILL_LEVEL=9.0 tests=A\r\n",
            &["barracuda_appliance true 9.5 9 tests=A"],
        );
        check(
            "X-BESS-Spam-Score: 0.40\r\nX-BESS-Spam-Status: SCORE=0.40 using account:ESS1 scores of \
             KILL_LEVEL=7.0 tests=\r\n",
            &["barracuda_cloud - 0.4 7 "],
        );
        check("X-Spam-Score: NaN\r\nX-Mimecast-Spam-Score: inf\r\n", &[]);
    }
}
