//! Lists of `tag=value` as DKIM, DMARC, BIMI, TLSRPT and MTA-STS records have them
//! (RFC 6376 section 3.2).

/// Tags of one record that are read; a record with more is not one that anybody wrote.
const MOST_TAGS: usize = 64;

/// The tags of one record, in order, white space around names and values left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tags(Vec<(String, String)>);

/// Why a text is not a list of tags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TagsError {
    #[error("\"{0}\" is no tag=value")]
    NotATag(String),
    #[error("the tag {0} stands there twice")]
    Twice(String),
    #[error("there are more than {MOST_TAGS} tags")]
    TooMany,
}

impl Tags {
    /// Reads a list. One `;` may stand at the end; names keep their case (RFC 6376 section 3.2: tags are
    /// interpreted case-sensitively).
    pub(super) fn parse(text: &str) -> Result<Self, TagsError> {
        let mut tags: Vec<(String, String)> = Vec::new();
        let text = text.trim();
        let text = text.strip_suffix(';').unwrap_or(text);
        if text.trim().is_empty() {
            return Ok(Self(tags));
        }
        for part in text.split(';') {
            let not_a_tag = || TagsError::NotATag(super::bounded(part.trim().to_owned(), 80));
            let (name, value) = part.split_once('=').ok_or_else(not_a_tag)?;
            let (name, value) = (name.trim(), value.trim());
            if !is_name(name) {
                return Err(not_a_tag());
            }
            if tags.iter().any(|(other, _)| other == name) {
                return Err(TagsError::Twice(name.to_owned()));
            }
            if tags.len() == MOST_TAGS {
                return Err(TagsError::TooMany);
            }
            tags.push((name.to_owned(), value.to_owned()));
        }
        Ok(Self(tags))
    }

    /// Reads a list of which only the good tags count, and says what is wrong with the others. Of a tag
    /// that stands there twice the first counts.
    pub(super) fn lenient(text: &str) -> (Self, Vec<String>) {
        let (mut tags, mut wrong) = (Vec::new(), Vec::new());
        let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
        for part in parts.take(MOST_TAGS) {
            match Self::parse(part) {
                Ok(Self(mut one)) => match one.pop() {
                    Some((name, _)) if tags.iter().any(|(other, _)| *other == name) => {
                        wrong.push(TagsError::Twice(name).to_string());
                    }
                    one => tags.extend(one),
                },
                Err(error) => wrong.push(error.to_string()),
            }
        }
        (Self(tags), wrong)
    }

    /// The value of a tag.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The first tag's name and value.
    pub(super) fn first(&self) -> Option<(&str, &str)> {
        self.0.first().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// `tag-name = ALPHA *ALNUMPUNC` (RFC 6376 section 3.2); the dash is BIMI's and harmless.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// The records that begin with a version tag such as `v=STSv1`, followed by white space, a semicolon or
/// the end; others at the same name are not this kind's (RFC 8461 section 3.1, RFC 8460 section 3,
/// RFC 9989 section 4.10).
pub(super) fn of_version(texts: Vec<String>, version: &str) -> Vec<String> {
    texts.into_iter().filter(|text| is_version(text, version)).collect()
}

fn is_version(text: &str, version: &str) -> bool {
    let Some((name, value)) = text.split_once('=') else { return false };
    let Some(rest) = value.trim_start().strip_prefix(version) else { return false };
    name.trim() == "v" && (rest.is_empty() || rest.starts_with([';', ' ', '\t']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let read = |text: &str| {
            Tags::parse(text).map(|tags| {
                let pairs = tags.0.iter().map(|(name, value)| format!("{name}={value}"));
                pairs.collect::<Vec<_>>().join("|")
            })
        };
        for (text, expected) in [
            ("v=DKIM1; k=rsa;p=ab cd", Ok("v=DKIM1|k=rsa|p=ab cd")),
            (" v = DMARC1 ;p= none ; ", Ok("v=DMARC1|p=none")),
            ("p=", Ok("p=")),
            ("p=a=b=", Ok("p=a=b=")),
            ("", Ok("")),
            (";", Ok("")),
            ("v=1;;p=2", Err(TagsError::NotATag(String::new()))),
            ("v=1;p", Err(TagsError::NotATag("p".into()))),
            ("1=2", Err(TagsError::NotATag("1=2".into()))),
            ("p=1;p=2", Err(TagsError::Twice("p".into()))),
        ] {
            assert_eq!(read(text), expected.map(str::to_owned), "{text}");
        }
        let many: String = (0..100).map(|n| format!("t{n}=1;")).collect();
        assert_eq!(read(&many), Err(TagsError::TooMany));
    }

    #[test]
    fn versions() {
        for (text, expected) in [
            ("v=STSv1", true),
            ("v=STSv1; id=1", true),
            ("v = STSv1 ;id=1", true),
            ("v=STSv1;", true),
            ("v=STSv12", false),
            ("V=STSv1", false),
            ("v=stsv1", false),
            ("id=1; v=STSv1", false),
            ("", false),
        ] {
            assert_eq!(is_version(text, "STSv1"), expected, "{text}");
        }
    }
}
