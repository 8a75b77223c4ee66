//! What a server offers in its answer to EHLO (RFC 5321 section 4.1.1.1), bounded.

/// The most extensions that are read.
const MOST: usize = 100;
/// The longest keyword and the longest parameters, in characters.
const LONGEST: usize = 64;
const LONGEST_PARAMETERS: usize = 512;

/// The extensions that a server offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// What it calls itself: the first word of its answer; empty when it says nothing.
    pub name: String,
    /// Keyword in capitals, and its parameters.
    extensions: Vec<(String, String)>,
}

impl Offers {
    /// Reads the lines of a positive answer to EHLO, the first with the server's name.
    pub fn read(lines: &[String]) -> Self {
        let name = lines.first().and_then(|line| line.split_whitespace().next());
        let extensions = lines.iter().skip(1).filter_map(|line| extension(line)).take(MOST);
        Self {
            name: name.unwrap_or_default().chars().take(255).collect(),
            extensions: extensions.collect(),
        }
    }

    /// Whether this extension is offered.
    pub fn has(&self, keyword: &str) -> bool {
        self.parameters(keyword).is_some()
    }

    /// The keywords in the server's order.
    pub fn keywords(&self) -> Vec<&str> {
        self.extensions.iter().map(|(keyword, _)| keyword.as_str()).collect()
    }

    /// The mechanisms of AUTH (RFC 4954 section 3), in capitals.
    pub fn mechanisms(&self) -> Vec<String> {
        let listed = self.parameters("AUTH").unwrap_or_default();
        listed.split_whitespace().map(str::to_ascii_uppercase).collect()
    }

    /// The largest message in bytes (RFC 1870 section 4); `None` when the server does not say, or says that
    /// there is no limit.
    pub fn size_limit(&self) -> Option<u64> {
        self.parameters("SIZE")?.trim().parse().ok().filter(|bytes| *bytes != 0)
    }

    fn parameters(&self, keyword: &str) -> Option<&str> {
        let mut all = self.extensions.iter();
        let found = all.find(|(known, _)| known.eq_ignore_ascii_case(keyword));
        found.map(|(_, parameters)| parameters.as_str())
    }
}

fn extension(line: &str) -> Option<(String, String)> {
    // `AUTH=` is how servers older than RFC 4954 said it; they say it beside the right form.
    let line = line.trim();
    let (keyword, parameters) = line.split_once(' ').unwrap_or((line, ""));
    let is_keyword = !keyword.is_empty()
        && keyword.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && keyword.len() <= LONGEST;
    is_keyword.then(|| {
        let parameters = parameters.chars().filter(|c| !c.is_control());
        (keyword.to_ascii_uppercase(), parameters.take(LONGEST_PARAMETERS).collect())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &[&str]) -> Offers {
        Offers::read(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn extensions_are_read_with_their_parameters() {
        let offers = read(&[
            "mx.good.test greets you",
            "PIPELINING",
            "size 5242880",
            "AUTH plain LOGIN",
            "AUTH=PLAIN",
            "8BITMIME",
            "",
        ]);
        assert_eq!(offers.name, "mx.good.test");
        assert_eq!(offers.keywords(), ["PIPELINING", "SIZE", "AUTH", "8BITMIME"]);
        assert_eq!(offers.mechanisms(), ["PLAIN", "LOGIN"]);
        assert_eq!(offers.size_limit(), Some(5_242_880));
        assert!(offers.has("8bitmime") && !offers.has("STARTTLS"));
        assert_eq!(read(&["a", "SIZE 0"]).size_limit(), None);
        assert_eq!(read(&[]), Offers::default());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_lines_panic_or_grow(lines in proptest::collection::vec(".{0,100}", 0..130)) {
            let offers = Offers::read(&lines);
            let _read = (offers.mechanisms(), offers.size_limit());
            prop_assert!(offers.keywords().len() <= MOST);
        }
    }
}
