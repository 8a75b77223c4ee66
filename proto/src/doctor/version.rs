//! Whether two programs are of versions that are meant for each other.

use super::Judged;

/// What each end says of itself, such as `mailsonde-agent 0.1.0`, and what it is called in the sentence.
pub fn versions(own: &str, other: &str, other_end: &str) -> Judged {
    let (Some(ours), Some(theirs)) = (version(own), version(other)) else {
        let says = format!("{own} here, \"{other}\" there: that is no version");
        return Judged::unknown(says, format!("look which program runs at the {other_end}"));
    };
    let says = format!("{own} here, {other} there");
    let is_near = ours.0 == theirs.0 && ours.1.abs_diff(theirs.1) <= 1;
    match (is_near, ours < theirs) {
        (true, _) => Judged::ok(says),
        (false, true) => {
            Judged::warning(says, "bring this end to the other's version: update its package")
        }
        (false, false) => {
            let todo = format!("bring the {other_end} to this version: update its package there");
            Judged::warning(says, todo)
        }
    }
}

/// The last word, as three numbers.
pub fn version(software: &str) -> Option<(u32, u32, u32)> {
    let word = software.split_whitespace().last()?;
    let word = word.split(['-', '+']).next()?;
    let mut parts = word.split('.').map(|part| part.parse().ok());
    let version = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(version)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn one_minor_version_apart_is_meant_to_work() {
        for (own, other, state, todo) in [
            ("a 0.1.0", "c 0.1.9", State::Ok, ""),
            ("a 0.1.0", "c 0.2.0", State::Ok, ""),
            ("a 0.1.0", "c 0.3.0", State::Warning, "this end"),
            ("a 0.4.1", "c 0.2.0", State::Warning, "the collector"),
            ("a 1.0.0", "c 0.9.0", State::Warning, "the collector"),
            ("a 0.1.0", "c 0.1.0-rc.1", State::Ok, ""),
            ("a 0.1.0", "double", State::Unknown, "which program"),
            ("a 0.1.0", "", State::Unknown, "which program"),
        ] {
            let judged = versions(own, other, "collector");
            assert_eq!(judged.state, state, "{own} {other}");
            assert!(judged.todo.unwrap_or_default().contains(todo), "{own} {other}");
        }
    }

    #[test]
    fn a_version_has_three_numbers() {
        assert_eq!(version("mailsonde-agent 0.12.3"), Some((0, 12, 3)));
        for text in ["", "x", "1.2", "1.2.3.4", "1.b.3"] {
            assert_eq!(version(text), None, "{text}");
        }
    }
}
