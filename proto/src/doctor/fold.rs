//! Many of one sort: the worst are told, the rest is counted, so that a large fleet's report can still be read.

use super::{Look, State};

/// Lines of one id at most.
const MOST: usize = 20;

/// At most so many of each id, the worst first, and a line for the rest; ids stay in the order in which they came.
pub(super) fn folded(looks: Vec<Look>) -> Vec<Look> {
    let mut groups: Vec<(&'static str, Vec<Look>)> = Vec::new();
    for look in looks {
        match groups.iter_mut().find(|(id, _)| *id == look.id) {
            Some((_, group)) => group.push(look),
            None => groups.push((look.id, vec![look])),
        }
    }
    groups.into_iter().flat_map(|(id, group)| of_one(id, group)).collect()
}

fn of_one(id: &'static str, mut group: Vec<Look>) -> Vec<Look> {
    if group.len() <= MOST {
        return group;
    }
    group.sort_by_key(|look| std::cmp::Reverse(look.state));
    let rest = group.split_off(MOST - 1);
    let counted: Vec<_> = State::ALL
        .into_iter()
        .map(|state| (state, rest.iter().filter(|look| look.state == state).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{count} {}", state.word()))
        .collect();
    let state = rest.iter().map(|look| look.state).max().unwrap_or(State::Unknown);
    let todo = (state != State::Ok).then(|| "mend those above, then look again".to_owned());
    let title = format!("and {} more", rest.len());
    group.push(Look { id, of: None, title, state, says: counted.join(", "), todo });
    group
}

#[cfg(test)]
mod tests {
    use super::super::Judged;
    use super::*;

    #[test]
    fn the_worst_are_told_and_the_rest_is_counted() {
        let many = |count: usize, judged: &Judged| {
            let judged = std::iter::repeat_n(judged, count);
            judged.map(|it| it.clone().look("dns.host", "h")).collect::<Vec<_>>()
        };
        let (ok, bad) = (Judged::ok("1 ms"), Judged::problem("no such host", "see"));
        let lone = || Judged::ok("x").look("dns.own", "own");
        for (good, broken, lines, last) in [
            (20, 0, 20, None),
            (300, 1, 20, Some((State::Ok, "282 ok", "and 282 more"))),
            (200, 100, 20, Some((State::Problem, "81 problem, 200 ok", "and 281 more"))),
        ] {
            let mut looks = many(good, &ok);
            looks.push(lone());
            looks.extend(many(broken, &bad));
            let folded = folded(looks);
            let hosts: Vec<_> = folded.iter().filter(|look| look.id == "dns.host").collect();
            assert_eq!((hosts.len(), folded.len()), (lines, lines + 1));
            assert_eq!(folded.last().unwrap().id, "dns.own");
            if broken > 0 {
                assert_eq!(hosts[0].state, State::Problem);
            }
            let Some((state, says, title)) = last else { continue };
            let found = hosts[lines - 1];
            assert_eq!(
                (found.state, found.says.as_str(), found.title.as_str()),
                (state, says, title)
            );
            assert_eq!(found.todo.is_some(), state != State::Ok);
        }
    }
}
