//! 'Did you mean': the nearest of some words to a mistyped one.

/// The candidate that `word` most probably meant; `None` when none is near.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// `, did you mean "smtp"?` or nothing, to put at the end of a mistake.
pub fn did_you_mean<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    match nearest(word, candidates) {
        Some(candidate) => format!(", did you mean \"{candidate}\"?"),
        None => String::new(),
    }
}

/// Words in quotes, with commas between them.
pub fn listed<'c>(words: impl IntoIterator<Item = &'c str>) -> String {
    let quoted: Vec<_> = words.into_iter().map(|word| format!("\"{word}\"")).collect();
    quoted.join(", ")
}

/// Characters to insert, remove, replace or swap to get from one word to the other, letter case and
/// the difference of `-` and `_` aside.
fn distance(from: &str, to: &str) -> usize {
    let (from, to) = (folded(from), folded(to));
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.iter().enumerate() {
        let mut here = vec![row + 1];
        for (column, b) in to.iter().enumerate() {
            let at =
                |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX - 1);
            let mut least = (at(&above, column) + usize::from(a != b))
                .min(at(&above, column + 1) + 1)
                .min(at(&here, column) + 1);
            let swapped = column > 0
                && row > 0
                && to.get(column - 1) == Some(a)
                && from.get(row - 1) == Some(b);
            if swapped {
                least = least.min(at(&before, column - 1) + 1);
            }
            here.push(least);
        }
        before = std::mem::replace(&mut above, here);
    }
    above.last().copied().unwrap_or(usize::MAX)
}

fn folded(word: &str) -> Vec<char> {
    word.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word() {
        let words = ["address", "login", "password", "smtp", "imap", "junk_folder", "every"];
        for (word, meant) in [
            ("adress", Some("address")),
            ("smpt", Some("smtp")),
            ("SMTP", Some("smtp")),
            ("junk-folder", Some("junk_folder")),
            ("evry", Some("every")),
            ("pasword", Some("password")),
            ("colour", None),
            ("", None),
            ("xy", None),
        ] {
            assert_eq!(nearest(word, words), meant, "{word}");
        }
    }
}
