//! The harmless patterns that spam and malware filters must stop.
//!
//! They are written backwards here and turned round when they are wanted: a scanner would take this
//! program away for carrying them.

/// GTUBE: the generic test for unsolicited bulk e-mail, one line of 68 bytes, which SpamAssassin made up
/// and every spam filter knows (<https://spamassassin.apache.org/gtube/>).
const EBUTG: &str = "X43.C*LIAME-TSET-EBU-ITNA-DRADNATS-EBUTG*NENDI2*3NBSN.1NDAQBDJ4C*SJX";

/// The test file of the European Institute for Computer Antivirus Research: 68 bytes that a scanner
/// reports when they are the whole file (<https://www.eicar.org/download-anti-malware-testfile/>).
const RACIE: &str = r"*H+H$!ELIF-TSET-SURIVITNA-DRADNATS-RACIE$}7)CC7)^P(45XZP\4[PA@%P!O5X";

/// What a filter is to find in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Spam: GTUBE, as a line of the text.
    Gtube,
    /// Malware: EICAR's test file, as an attachment.
    Eicar,
}

impl Pattern {
    /// The pattern itself.
    pub fn text(self) -> String {
        match self {
            Self::Gtube => EBUTG,
            Self::Eicar => RACIE,
        }
        .chars()
        .rev()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use ring::digest;

    use super::*;

    #[test]
    fn both_are_what_the_filters_know() {
        assert_eq!(Pattern::Gtube.text().len(), 68);
        assert!(Pattern::Gtube.text().starts_with("XJS*C4JDBQADN1.NSBN3*2IDNEN*"));
        let eicar = digest::digest(&digest::SHA256, Pattern::Eicar.text().as_bytes());
        // As every virus database lists it.
        assert_eq!(
            hex::encode(eicar.as_ref()),
            "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"
        );
    }
}
