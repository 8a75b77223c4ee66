//! What there is, and how each run of the year ended: drawn once, as stretches of minutes in which a run did not pass.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use mailsonde_collector::judge::definition::{
    Agreement, Definitions, Exclusion, Quorum, Service, Share, Sli, VOICE, Voiced, Window,
};
use mailsonde_collector::judge::slots::Slots;
use mailsonde_collector::series::{SeriesId, ServiceId};
use mailsonde_proto::{AgentId, Check, SettingsDigest, WallTime};

use super::runs::KINDS;

/// Minutes of a day.
pub(super) const DAY: u32 = 1_440;
/// Agents of one region, which share its services.
const REGION: usize = 10;
/// The checks of every agent: what each is called, and the number of its kind.
const CHECKS: [(&str, usize); 10] = [
    ("mail-in", 0),
    ("mail-out", 0),
    ("relay", 1),
    ("submission", 1),
    ("imap", 2),
    ("pop3", 3),
    ("mx", 4),
    ("posture", 4),
    ("certificate", 5),
    ("webmail", 6),
];

/// How much is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Of all that is drawn.
    pub seed: u64,
    /// Checks at vantage points.
    pub checks: u32,
    /// How long they have been watched.
    pub days: u32,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Pass,
    /// By itself.
    Fail,
    /// With all others of its service.
    Down,
    /// The agent's own network was away.
    Void,
    /// Nothing came.
    Missing,
}

/// Minutes in which runs ended so.
type Stretch = (Range<u32>, Ended);

/// An agent.
pub(super) struct Agent {
    pub(super) id: AgentId,
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
}

/// A check at a vantage point.
pub(super) struct Series {
    pub(super) id: SeriesId,
    /// The place of its agent.
    pub(super) agent: usize,
    pub(super) kind: usize,
    pub(super) check: Check,
    /// Minutes in which a run did not pass, in order.
    ended: Vec<Stretch>,
}

/// All of it.
pub(super) struct Plan {
    pub(super) seed: u64,
    /// The first minute, at a midnight (UTC), counted from 1970-01-01.
    pub(super) begin: u32,
    /// The first minute after it.
    pub(super) end: u32,
    pub(super) agents: Vec<Agent>,
    pub(super) series: Vec<Series>,
    /// Each with the places of its members.
    pub(super) services: Vec<(Service, Vec<usize>)>,
}

impl Plan {
    /// Draws all of it.
    pub(super) fn new(size: Size, until: WallTime) -> Self {
        let end = u32::try_from(until.as_ns().div_euclid(60_000_000_000)).unwrap_or(0);
        let begin = (end / DAY).saturating_sub(size.days) * DAY;
        let mut plan = Self {
            seed: size.seed,
            begin,
            end,
            agents: Vec::new(),
            series: Vec::new(),
            services: Vec::new(),
        };
        let agents = usize::try_from(size.checks).unwrap_or(0).div_ceil(CHECKS.len()).max(1);
        let mut regions: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for at in 0..agents {
            regions.entry(at / REGION).or_default().push(at);
            plan.agents.push(agent(size.seed, at));
        }
        for (region, agents) in &regions {
            let away: Vec<_> = agents.iter().map(|agent| plan.away(*agent)).collect();
            for (number, (check, kind)) in CHECKS.iter().enumerate() {
                let outages = plan.outages(region * CHECKS.len() + number);
                let first = plan.series.len();
                for (agent, away) in agents.iter().zip(&away) {
                    let series =
                        plan.series_of(*agent, check, (*kind, outages.as_slice(), away.as_slice()));
                    plan.series.push(series);
                }
                let members = (first..plan.series.len()).collect();
                plan.services.push((service(*region, check, *kind), members));
            }
        }
        plan
    }

    /// What is defined.
    pub(super) fn definitions(&self) -> Definitions {
        Definitions {
            time_zone: Some("Africa/Johannesburg".to_owned()),
            services: self.services.iter().map(|(service, _)| service.clone()).collect(),
            ..Definitions::default()
        }
    }

    /// How services were in each minute of a day: days are counted from 1970-01-01 UTC.
    pub(super) fn slots(&self, day: u32) -> impl Iterator<Item = ((u32, ServiceId), Slots)> + '_ {
        self.services.iter().map(move |(service, members)| {
            let mut slots = Slots::default();
            slots.set(0, &self.states(service, members, day));
            ((day, ServiceId::of(&service.name)), slots)
        })
    }

    fn states(&self, service: &Service, members: &[usize], day: u32) -> Vec<Option<Voiced>> {
        let minutes = day * DAY..(day + 1) * DAY;
        let mut counts = vec![(0_usize, 0_usize); usize::try_from(DAY).unwrap_or(0)];
        for series in members.iter().filter_map(|member| self.series.get(*member)) {
            for (range, ended) in series.ended(&minutes) {
                let from = usize::try_from(range.start - minutes.start).unwrap_or(0);
                let many = range.len();
                for (down, unknown) in counts.iter_mut().skip(from).take(many) {
                    match ended {
                        Ended::Pass => {}
                        Ended::Fail | Ended::Down => *down += 1,
                        Ended::Void | Ended::Missing => *unknown += 1,
                    }
                }
            }
        }
        let judge = |(down, unknown): (usize, usize)| {
            let up = members.len().saturating_sub(down + unknown);
            Some(service.down_when.judge(up, down, unknown))
        };
        counts.into_iter().map(judge).collect()
    }

    /// About twelve times a year all of a service fails, for 5 to 94 minutes.
    fn outages(&self, service: usize) -> Vec<Stretch> {
        self.drawn((2, service), 30, |draw| (5 + draw % 90, Ended::Down))
    }

    /// About six times a year an agent is away, for 10 minutes to 8 hours: half of that is told as void.
    fn away(&self, agent: usize) -> Vec<Stretch> {
        self.drawn((3, agent), 61, |draw| {
            let ended = if draw & 1 == 0 { Ended::Void } else { Ended::Missing };
            (10 + (draw >> 8) % 470, ended)
        })
    }

    fn series_of(
        &self,
        agent: usize,
        check: &str,
        (kind, outages, away): (usize, &[Stretch], &[Stretch]),
    ) -> Series {
        let id = self.agents.get(agent).map_or_else(AgentId::default, |agent| agent.id);
        let number = self.series.len();
        // about one run of two thousand fails by itself
        let mut single = Vec::new();
        for hour in self.begin / 60..self.end / 60 {
            let draw = mixed(self.seed, [5, wide(number), hour.into()]);
            if draw.is_multiple_of(50) {
                let first = hour * 60 + low(draw >> 32) % 58;
                single.push((first..first + 1 + low(draw >> 16) % 3, Ended::Fail));
            }
        }
        let offset = Duration::from_secs(mixed(self.seed, [6, wide(number), 0]) % 60);
        Series {
            id: SeriesId::of(id, check),
            agent,
            kind,
            check: Check {
                name: check.to_owned(),
                kind: KINDS.get(kind).map_or("", |kind| kind.name).to_owned(),
                cadence: Duration::from_secs(60),
                timeout: Duration::from_secs(30),
                slot_offset: offset,
                settings_digest: SettingsDigest::default(),
            },
            ended: painted(self.begin..self.end, &[single.as_slice(), outages, away]),
        }
    }

    /// Draws a stretch on one of so many days: the draw says how long, and what it is.
    fn drawn(
        &self,
        (what, whose): (u64, usize),
        every_days: u64,
        of: impl Fn(u32) -> (u32, Ended),
    ) -> Vec<Stretch> {
        let mut drawn = Vec::new();
        for day in self.begin / DAY..=self.end / DAY {
            let draw = mixed(self.seed, [what, wide(whose), day.into()]);
            if draw.is_multiple_of(every_days) {
                let first = day * DAY + low(draw >> 40) % 900;
                let (minutes, ended) = of(low(draw >> 8));
                drawn.push((first..first + minutes, ended));
            }
        }
        drawn
    }
}

impl Series {
    /// Stretches of a range of minutes in which its runs did not pass, cut to the range.
    pub(super) fn ended<'s>(
        &'s self,
        range: &'s Range<u32>,
    ) -> impl Iterator<Item = (Range<u32>, Ended)> + 's {
        let first = self.ended.partition_point(|(stretch, _)| stretch.end <= range.start);
        let within = self.ended.iter().skip(first);
        within.take_while(move |(stretch, _)| stretch.start < range.end).map(
            move |(stretch, ended)| {
                (stretch.start.max(range.start)..stretch.end.min(range.end), *ended)
            },
        )
    }

    /// How the run of a minute ended.
    pub(super) fn at(&self, minute: u32) -> Ended {
        self.ended(&(minute..minute + 1)).next().map_or(Ended::Pass, |(_, ended)| ended)
    }
}

/// The begin of a minute that is counted from 1970-01-01 UTC.
pub(super) fn time(minute: u32) -> WallTime {
    WallTime::from_s(i64::from(minute) * 60)
}

/// Numbers that look drawn, the same on every machine (the finalizer of `SplitMix64`, Steele and others 2014).
pub(super) fn mixed(seed: u64, of: [u64; 3]) -> u64 {
    of.into_iter().fold(seed, |state, part| {
        let mut mixed = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

/// The lower half.
pub(super) fn low(draw: u64) -> u32 {
    u32::try_from(draw & 0xffff_ffff).unwrap_or(0)
}

pub(super) fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Layers over each other, the last on top, as stretches in order.
fn painted(whole: Range<u32>, layers: &[&[Stretch]]) -> Vec<Stretch> {
    let mut minutes = vec![Ended::Pass; whole.len()];
    for (range, ended) in layers.iter().copied().flatten() {
        let first = usize::try_from(range.start.saturating_sub(whole.start)).unwrap_or(0);
        minutes.iter_mut().skip(first).take(range.len()).for_each(|minute| *minute = *ended);
    }
    let mut stretches: Vec<Stretch> = Vec::new();
    for (minute, ended) in whole.zip(minutes) {
        match stretches.last_mut() {
            _ if ended == Ended::Pass => {}
            Some((range, there)) if range.end == minute && *there == ended => range.end += 1,
            _ => stretches.push((minute..minute + 1, ended)),
        }
    }
    stretches
}

fn agent(seed: u64, at: usize) -> Agent {
    let (one, two) = (mixed(seed, [1, wide(at), 0]), mixed(seed, [1, wide(at), 1]));
    let mut id = [0; 16];
    let bytes = one.to_be_bytes().into_iter().chain(two.to_be_bytes());
    id.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
    let labels = [("site", format!("site-{at}")), ("region", format!("region-{}", at / REGION))];
    Agent {
        id: AgentId(id),
        name: format!("branch-{at}"),
        labels: labels.into_iter().map(|(label, value)| (label.to_owned(), value)).collect(),
    }
}

fn service(region: usize, check: &str, kind: usize) -> Service {
    let kind = KINDS.get(kind).map_or("", |kind| kind.name);
    let name = format!("{check}-{region}");
    let promised = |word: &str, sli, target_ppm| Agreement {
        name: format!("{name}-{word}"),
        customer: format!("region {region}"),
        sli,
        target: Share::from_ppm(target_ppm),
        window: Window::Month,
        in_hours: false,
        excludes: [Exclusion::Maintenance, Exclusion::CustomerFault].into(),
        credits: Vec::new(),
    };
    let agreements =
        vec![promised("uptime", Sli::Uptime, 999_000), promised("success", Sli::Success, 990_000)];
    Service {
        checks: vec![check.to_owned()],
        on: format!("region=region-{region}"),
        voice: VOICE.to_owned(),
        down_when: Quorum::Half,
        agreements,
        ..Service::of_check(&name, kind)
    }
}
