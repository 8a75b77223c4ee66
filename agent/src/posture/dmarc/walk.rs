//! The tree walk (RFC 9989 section 4.10): from a domain up to its top, 8 questions at most.

use hickory_resolver::proto::rr::{Name, RecordType};

use super::record::{Psd, Record};
use crate::dns::{Ask, AskError};
use crate::posture::{name_of, shown};

/// Names with so many labels or more continue at one label less than this.
const LONG: usize = 8;

/// What a walk finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Where it began.
    pub start: String,
    /// The records, from the longest name to the shortest.
    pub found: Vec<(String, Record)>,
    /// Names with more than one record, so that none of them counts.
    pub several: Vec<String>,
    /// How many questions it took.
    pub questions: u8,
}

impl Walk {
    /// Walks from a domain upwards.
    ///
    /// # Errors
    /// When a question is not answered: nothing is known of the policy then.
    pub async fn from(ask: &dyn Ask, domain: &Name) -> Result<Self, AskError> {
        let start = shown(domain);
        let labels: Vec<&str> = start.split('.').collect();
        let (mut found, mut several, mut questions) = (Vec::new(), Vec::new(), 0);
        let mut left = labels.len();
        loop {
            let at = labels.iter().skip(labels.len() - left).copied().collect::<Vec<_>>().join(".");
            // A name so long that nothing can stand before it has no record.
            let texts = match name_of(&format!("_dmarc.{at}")) {
                Some(name) => {
                    questions += 1;
                    ask.ask(&name, RecordType::TXT).await?.texts()
                }
                None => Vec::new(),
            };
            let mut records = texts.iter().filter_map(|text| Record::parse(text));
            match (records.next(), records.next()) {
                (Some(record), None) => {
                    let is_end = record.psd == Psd::No || (record.psd == Psd::Yes && at != start);
                    found.push((at, record));
                    if is_end {
                        break;
                    }
                }
                (Some(_), Some(_)) => several.push(at),
                (None, _) => {}
            }
            left = if left >= LONG { LONG - 1 } else { left - 1 };
            if left == 0 {
                break;
            }
        }
        Ok(Self { start, found, several, questions })
    }

    /// The organisational domain (RFC 9989 section 4.10.2).
    pub fn organizational_domain(&self) -> String {
        for (at, record) in &self.found {
            if record.psd == Psd::No {
                return at.clone();
            }
            if record.psd == Psd::Yes && *at != self.start {
                return self.one_below(at);
            }
        }
        self.found.last().map_or_else(|| self.start.clone(), |(at, _)| at.clone())
    }

    /// The record that counts, and where it stands: the domain's own, else the organisation's, else the
    /// public suffix's (RFC 9989 section 4.10.1).
    pub fn policy_record(&self) -> Option<&(String, Record)> {
        let organization = self.organizational_domain();
        let at = |name: &str| self.found.iter().find(|(at, _)| at == name);
        let suffix = || self.found.iter().find(|(_, record)| record.psd == Psd::Yes);
        at(&self.start).or_else(|| at(&organization)).or_else(suffix)
    }

    /// The name on the way that is one label longer.
    fn one_below(&self, above: &str) -> String {
        let labels = above.split('.').count() + 1;
        let all: Vec<&str> = self.start.split('.').collect();
        all.iter().skip(all.len().saturating_sub(labels)).copied().collect::<Vec<_>>().join(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::zone::Zone;

    /// The examples of RFC 9989 section 4.10.2 and appendix B.
    #[tokio::test]
    async fn walks() {
        let zone = Zone::new(
            r#"
            _dmarc.example.com.        TXT "v=DMARC1; p=none"
            _dmarc.mail.example.com.   TXT "v=DMARC1; p=reject"
            _dmarc.zone.test.          TXT "v=DMARC1; p=reject; psd=n"
            _dmarc.a.zone.test.        TXT "v=DMARC1; p=none"
            _dmarc.bank.               TXT "v=DMARC1; p=reject; psd=y"
            _dmarc.own.bank.           TXT "v=DMARC1; p=none"
            _dmarc.suffix.test.        TXT "v=DMARC1; p=reject; psd=y"
            _dmarc.two.test.           TXT "v=DMARC1; p=none"
            _dmarc.two.test.           TXT "v=DMARC1; p=reject"
            _dmarc.two.test.           TXT "something else"
            _dmarc.f.g.h.long.test.    TXT "v=DMARC1; p=none"
            _dmarc.z.e.f.g.h.i.j.mill. TXT "v=DMARC1; p=none"
            _dmarc.e.f.g.h.i.j.mill.   TXT "v=DMARC1; p=reject"
            "#,
        );
        for (domain, at, organization, questions) in [
            ("example.com", "example.com", "example.com", 2),
            ("mail.example.com", "mail.example.com", "example.com", 3),
            ("a.b.example.com", "example.com", "example.com", 4),
            ("x.a.zone.test", "zone.test", "zone.test", 3),
            // The walk ends at psd=n, whatever stands above.
            ("zone.test", "zone.test", "zone.test", 1),
            // Below a public suffix: the organisation is one label longer.
            ("mail.org.bank", "bank", "org.bank", 3),
            ("org.bank", "bank", "org.bank", 2),
            ("mail.own.bank", "own.bank", "own.bank", 3),
            // Its own psd=y makes nothing of the domain that is asked for.
            ("suffix.test", "suffix.test", "suffix.test", 2),
            ("a.suffix.test", "suffix.test", "a.suffix.test", 2),
            ("two.test", "", "two.test", 2),
            ("nothing.test", "", "nothing.test", 2),
            // Eight questions at most: from the name itself to seven labels.
            ("a.b.c.d.e.f.g.h.long.test", "f.g.h.long.test", "f.g.h.long.test", 8),
            ("y.z.e.f.g.h.i.j.mill", "e.f.g.h.i.j.mill", "e.f.g.h.i.j.mill", 8),
            ("z.e.f.g.h.i.j.mill", "z.e.f.g.h.i.j.mill", "e.f.g.h.i.j.mill", 8),
        ] {
            let walk = Walk::from(&zone, &name_of(domain).unwrap()).await.unwrap();
            let found = walk.policy_record().map_or("", |(at, _)| at.as_str());
            let told = (found, walk.organizational_domain(), walk.questions);
            assert_eq!(told, (at, organization.to_owned(), questions), "{domain}");
        }
    }

    #[tokio::test]
    async fn a_question_without_an_answer_leaves_nothing_known() {
        let zone = Zone::new("_dmarc.test. TXT TIMEOUT\n_dmarc.a.test. TXT \"v=DMARC1; p=none\"");
        assert!(Walk::from(&zone, &name_of("a.test").unwrap()).await.is_err());
    }
}
