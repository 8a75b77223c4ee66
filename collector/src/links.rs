//! Links in messages by which somebody takes an incident on: signed, for one incident and one channel, for a week.
//!
//! What looks a link up before people do (previews of chats, scanners of mail) changes nothing by it: the page that it
//! leads to has a button, and only that acknowledges.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::vantage::random_bytes;
use ring::hmac::{HMAC_SHA256, Key, sign, verify};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::api::path;
use crate::folder::{Folder, FolderError, write_file};
use crate::judge::draft::Audience;
use crate::judge::message::{Link, Message, Occasion};
use crate::judge::telling::Notice;
use crate::web::address::What;

/// A link is good for so long.
const GOOD_FOR: Duration = Duration::from_secs(7 * 86_400);
/// The folder's permissions shut it for others; so do the file's.
const PRIVATE: u32 = 0o600;
const KEY_BYTES: usize = 32;
/// Characters by which a collector's messages are told from another's.
const TAG: usize = 6;

/// Makes and reads signed links.
pub struct Links {
    key: Key,
    /// Of this collector's own: six hexadecimal digits that go with its key.
    tag: String,
    /// Where operators reach the collector; without it there are no links.
    base: Option<Url>,
}

/// What a link says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// Which incident.
    pub incident: u64,
    /// The channel in whose messages it stands.
    pub channel: String,
    /// Until when it is good, in seconds since 1970.
    pub until: i64,
    /// HMAC-SHA256 over the rest, hexadecimal.
    pub mac: String,
}

/// Why a link is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotALink {
    /// It was not made here, or changed.
    #[error("this link is not one of ours: acknowledge by `mailsonde-collector incidents ack`")]
    Forged,
    /// It was not made here, or changed.
    #[error("this link is not one of ours: ask whoever sent it for another")]
    ForgedSurvey,
    /// It was good once.
    #[error("this link is too old: ask whoever sent it for another")]
    SurveyOver,
    /// It was good once.
    #[error("this link is too old: acknowledge by `mailsonde-collector incidents ack`")]
    Over,
}

/// A link to the survey's question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SurveyLink {
    /// What its answer is called; [`EVERYBODY`] for a link that everybody may use.
    pub id: String,
    /// Until when it is good, in seconds since 1970.
    pub until: i64,
    /// HMAC-SHA256 over the rest, hexadecimal.
    pub mac: String,
}

/// The id of a link that gives whoever opens it a question of their own.
const EVERYBODY: &str = "everybody";
/// A survey's link is good for so long.
const SURVEY_GOOD_FOR: i64 = 60 * 86_400;

impl SurveyLink {
    /// What its answer is called; `None` for a link that everybody may use.
    pub fn own_id(&self) -> Option<&str> {
        (self.id != EVERYBODY).then_some(self.id.as_str())
    }
}

impl Links {
    /// A link to the survey's question: for one answer, or for everybody. `None` where nobody would reach it.
    pub fn survey(&self, now: Timestamp, is_open: bool) -> Option<String> {
        let id = if is_open { EVERYBODY.to_owned() } else { new_id() };
        let link = self.survey_link(id, now.as_second().saturating_add(SURVEY_GOOD_FOR));
        let base = self.base.as_ref()?.join(path::SURVEY).ok()?;
        Some(format!("{base}?{}", parameters(&link)))
    }

    /// Where the answer goes of a question that was opened by a good link.
    pub fn own_survey(&self, link: &SurveyLink) -> String {
        let own = match link.own_id() {
            Some(_) => link.clone(),
            None => self.survey_link(new_id(), link.until),
        };
        format!("{}?{}", path::SURVEY, parameters(&own))
    }

    fn survey_link(&self, id: String, until: i64) -> SurveyLink {
        let mac = hex::encode(sign(&self.key, said_of_survey(&id, until).as_bytes()));
        SurveyLink { id, until, mac }
    }

    /// Whether a survey's link is ours, and good at a moment.
    ///
    /// # Errors
    /// When not.
    pub fn check_survey(&self, link: &SurveyLink, now: Timestamp) -> Result<(), NotALink> {
        let mac = hex::decode(&link.mac).map_err(|_no_hex| NotALink::ForgedSurvey)?;
        let said = said_of_survey(&link.id, link.until);
        verify(&self.key, said.as_bytes(), &mac).map_err(|_other| NotALink::ForgedSurvey)?;
        if now.as_second() > link.until { Err(NotALink::SurveyOver) } else { Ok(()) }
    }
}

fn new_id() -> String {
    format!("survey-{}", hex::encode(random_bytes::<16>()))
}

fn parameters(link: &SurveyLink) -> String {
    // nothing in it needs an escape
    let SurveyLink { id, until, mac } = link;
    format!("id={id}&until={until}&mac={mac}")
}

fn said_of_survey(id: &str, until: i64) -> String {
    format!("survey\n{id}\n{until}")
}

impl Links {
    /// Where operators reach the collector, if that is said.
    pub(crate) fn base(&self) -> Option<&Url> {
        self.base.as_ref()
    }

    /// With the folder's key, which is made where there is none.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn open(folder: &Folder, base: Option<Url>) -> Result<Self, FolderError> {
        let file = folder.links_key();
        let bytes = match fs::read(&file) {
            Ok(bytes) if bytes.len() == KEY_BYTES => bytes,
            // one that is cut short signs nothing any more: links that are out there are no good then
            Ok(_) => made(&file)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => made(&file)?,
            Err(error) => return Err(FolderError::io("read", &file)(error)),
        };
        let key = Key::new(HMAC_SHA256, &bytes);
        let tag = hex::encode(sign(&key, b"tag"));
        Ok(Self { key, tag: tag.chars().take(TAG).collect(), base })
    }

    /// By what this collector's messages are told from another's.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The message as it is sent: with its links, and with what tells it from another collector's of the same number.
    pub fn composed(&self, notice: &Notice) -> Message {
        let mut message = notice.message.clone();
        message.links.extend(self.of(notice));
        message.id = format!("{}-{}", self.tag, message.id);
        message.conversation = format!("{}-{}", self.tag, message.conversation);
        message
    }

    /// The links that a message gets.
    pub fn of(&self, notice: &Notice) -> Vec<Link> {
        use Occasion::{Escalated, Opened, Update, Worse};
        let Notice { message, channel, audience, .. } = notice;
        // whoever takes it on ends the escalation: that is for those who mend it
        let is_asking = *audience == Audience::Technical
            && matches!(message.occasion, Opened | Worse | Escalated | Update);
        let url = || {
            let incident = message.incident()?;
            // the same at every attempt
            self.url(incident, channel, message.at)
        };
        let taking_on = if is_asking { url() } else { None };
        let taking_on = taking_on.map(|url| Link { label: "Take it on".to_owned(), url });
        // the page asks who they are: it is for those who can sign in
        let is_for_operators = matches!(audience, Audience::Technical | Audience::Management);
        let page = message.incident().filter(|_| is_for_operators).and_then(|it| self.page(it));
        let page = page.map(|url| Link { label: "Look at it".to_owned(), url });
        taking_on.into_iter().chain(page).collect()
    }

    /// An incident's page.
    fn page(&self, incident: u64) -> Option<String> {
        let url = self.base.as_ref()?.join(&What::Incident(incident).to_string()).ok()?;
        Some(url.into())
    }

    fn url(&self, incident: u64, channel: &str, now: Timestamp) -> Option<String> {
        let mut url = self.base.as_ref()?.join(path::ACKNOWLEDGE).ok()?;
        let until = now.as_second().saturating_add(i64::try_from(GOOD_FOR.as_secs()).ok()?);
        let mac = hex::encode(sign(&self.key, said(incident, channel, until).as_bytes()));
        url.query_pairs_mut()
            .append_pair("incident", &incident.to_string())
            .append_pair("channel", channel)
            .append_pair("until", &until.to_string())
            .append_pair("mac", &mac);
        Some(url.into())
    }

    /// Whether a link is ours, and good at a moment.
    ///
    /// # Errors
    /// When not.
    pub fn check(&self, signed: &Signed, now: Timestamp) -> Result<(), NotALink> {
        let mac = hex::decode(&signed.mac).map_err(|_no_hex| NotALink::Forged)?;
        let said = said(signed.incident, &signed.channel, signed.until);
        verify(&self.key, said.as_bytes(), &mac).map_err(|_other| NotALink::Forged)?;
        if now.as_second() > signed.until { Err(NotALink::Over) } else { Ok(()) }
    }
}

fn said(incident: u64, channel: &str, until: i64) -> String {
    format!("acknowledge\n{incident}\n{channel}\n{until}")
}

fn made(file: &std::path::Path) -> Result<Vec<u8>, FolderError> {
    let key: [u8; KEY_BYTES] = random_bytes();
    write_file(file, &key, PRIVATE)?;
    Ok(key.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::telling::canary;

    fn links(folder: &std::path::Path) -> Links {
        let base = "https://collector.example.org:7444".parse().unwrap();
        Links::open(&Folder::at(folder), Some(base)).unwrap()
    }

    fn signed(url: &str) -> Signed {
        let url: Url = url.parse().unwrap();
        assert_eq!(url.path(), path::ACKNOWLEDGE);
        let get = |name: &str| {
            url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        Signed {
            incident: get("incident").unwrap().parse().unwrap(),
            channel: get("channel").unwrap(),
            until: get("until").unwrap().parse().unwrap(),
            mac: get("mac").unwrap(),
        }
    }

    #[test]
    fn a_survey_s_link_takes_one_answer() {
        let folder = tempfile::tempdir().unwrap();
        let links = links(folder.path());
        let now = Timestamp::from_second(1_796_000_000).unwrap();
        let read = |url: &str| {
            let url: Url = url.parse().unwrap();
            let get = |name: &str| {
                url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
            };
            SurveyLink {
                id: get("id").unwrap(),
                until: get("until").unwrap().parse().unwrap(),
                mac: get("mac").unwrap(),
            }
        };
        let own = read(&links.survey(now, false).unwrap());
        assert_eq!(links.check_survey(&own, now), Ok(()));
        assert!(own.own_id().is_some_and(|id| id.len() == 39), "{own:?}");
        let later = Timestamp::from_second(own.until + 1).unwrap();
        assert_eq!(links.check_survey(&own, later), Err(NotALink::SurveyOver));
        let forged = SurveyLink { id: "survey-other".into(), ..own.clone() };
        assert_eq!(links.check_survey(&forged, now), Err(NotALink::ForgedSurvey));
        let open = read(&links.survey(now, true).unwrap());
        assert_eq!((links.check_survey(&open, now), open.own_id()), (Ok(()), None));
        let base = "https://collector.example.org";
        let [one, other] = [(); 2].map(|()| read(&format!("{base}{}", links.own_survey(&open))));
        assert!(links.check_survey(&one, now).is_ok() && one.id != other.id);
        let same = read(&format!("{base}{}", links.own_survey(&own)));
        assert_eq!(same, own);
    }

    #[test]
    fn a_link_is_good_for_what_it_was_made_for() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::from_second(1_796_000_000).unwrap();
        let mut notice = Notice {
            number: 1,
            channel: "ops".into(),
            audience: Audience::Technical,
            not_before: now,
            message: canary("ops", 7, now),
            fate: None,
            attempts: 0,
            settled_at: None,
        };
        assert_eq!(links(folder.path()).of(&notice), []);
        notice.message.occasion = Occasion::Opened;
        notice.message.conversation = "incident-17".into();
        let made = links(folder.path()).of(&notice);
        assert_eq!(made[1].url, "https://collector.example.org:7444/incidents/17");
        let good = signed(&made[0].url);
        // by the same key after a restart
        let links = links(folder.path());
        assert_eq!(links.check(&good, now), Ok(()));
        let later = Timestamp::from_second(now.as_second() + 8 * 86_400).unwrap();
        assert_eq!(links.check(&good, later), Err(NotALink::Over));
        for forged in [
            Signed { incident: 18, ..good.clone() },
            Signed { channel: "other".into(), ..good.clone() },
            Signed { until: good.until + 1, ..good.clone() },
            Signed { mac: good.mac.replace('a', "b").replace('0', "1"), ..good.clone() },
            Signed { mac: String::new(), ..good.clone() },
        ] {
            assert_eq!(links.check(&forged, now), Err(NotALink::Forged), "{forged:?}");
        }
        let other = tempfile::tempdir().unwrap();
        let others = Links::open(&Folder::at(other.path()), None).unwrap();
        assert_eq!(others.check(&good, now), Err(NotALink::Forged));
        assert_eq!(others.of(&notice), [], "nobody would reach it");
        let (here, there) = (links.composed(&notice), others.composed(&notice));
        assert!(here.id.ends_with("-canary-7-ops") && here.id != there.id, "{}", here.id);
        assert!(here.conversation.ends_with("-incident-17"));
        notice.audience = Audience::Management;
        let labels: Vec<_> = links.of(&notice).into_iter().map(|link| link.label).collect();
        assert_eq!(labels, ["Look at it"], "who cannot mend it does not take it on");
        notice.audience = Audience::Users;
        assert_eq!(links.of(&notice), [], "nor does who cannot sign in");
    }
}
