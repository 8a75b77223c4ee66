//! DNS messages: a question as bytes, and bytes as the reply to it.
//!
//! Nothing that comes from outside makes this panic, and what is read is bounded before it is decoded.
//! Absent on purpose: sockets, and any belief in what a message says.

use std::time::Duration;

use hickory_resolver::proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption};

use super::{ExtendedError, Question, Reply};

/// The payload size that we announce and that is not fragmented anywhere (RFC 6891 section 6.2.5, the
/// value of DNS Flag Day 2020).
pub const UDP_PAYLOAD: u16 = 1232;
/// The most records of one message that are read; a mail domain's largest sets have some tens.
pub const MOST_RECORDS: usize = 1024;
/// The most bytes of one message (RFC 1035 section 4.2.2).
pub const LARGEST: usize = 65_535;
/// Characters kept of an extended error's words.
const LONGEST_WORDS: usize = 300;
/// Extended errors kept of one message.
const MOST_EXTENDED: usize = 4;
/// The option code of an extended error (RFC 8914 section 2).
const EXTENDED_ERROR: u16 = 15;
const HEADER: usize = 12;

/// A question as bytes; `is_unchecked` asks a validating resolver to hand on what it believes to be
/// bogus (CD, RFC 4035 section 3.2.2).
///
/// # Errors
/// When the name cannot be encoded.
pub fn question(id: u16, asked: &Question, is_unchecked: bool) -> Result<Vec<u8>, String> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = asked.is_recursive;
    message.metadata.checking_disabled = is_unchecked;
    // Without EDNS this is how the AD bit is asked for (RFC 6840 section 5.7).
    message.metadata.authentic_data = asked.is_recursive;
    message.add_query(Query::query(asked.name.clone(), asked.kind));
    if asked.has_edns {
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_PAYLOAD).set_dnssec_ok(true).set_version(0);
        message.set_edns(edns);
    }
    message.to_vec().map_err(|error| error.to_string())
}

/// Whether bytes are the response to a question, by its number and the question repeated in it
/// (RFC 5452 section 9.1); a server that could not read the question may leave it out.
pub fn answers(message: &Message, id: u16, asked: &Question) -> bool {
    let is_response = message.metadata.message_type == MessageType::Response;
    let repeats = match message.queries.as_slice() {
        [] => message.metadata.response_code == ResponseCode::FormErr,
        [query] => {
            query.name.to_lowercase() == asked.name.to_lowercase()
                && query.query_type == asked.kind
                && query.query_class == hickory_resolver::proto::rr::DNSClass::IN
        }
        _ => false,
    };
    is_response && message.metadata.id == id && repeats
}

/// Reads a message.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read(bytes: &[u8]) -> Result<Message, String> {
    if bytes.len() > LARGEST {
        return Err(format!("it has more than {LARGEST} bytes"));
    }
    let Some(header) = bytes.get(..HEADER) else {
        return Err("it is shorter than a header".to_owned());
    };
    let count = |at: usize| match header.get(at..at + 2) {
        Some([high, low]) => usize::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    };
    if count(4) > 1 {
        return Err("it has more than one question".to_owned());
    }
    if count(6) + count(8) + count(10) > MOST_RECORDS {
        return Err(format!("it has more than {MOST_RECORDS} records"));
    }
    Message::from_vec(bytes).map_err(|error| error.to_string())
}

/// The extended errors of a message (RFC 8914), the first few of them.
pub fn extended(message: &Message) -> Vec<ExtendedError> {
    let Some(edns) = &message.edns else { return Vec::new() };
    let options = edns.options().options.iter();
    options
        .filter_map(|(code, option)| match option {
            EdnsOption::Unknown(_, bytes) if *code == EdnsCode::from(EXTENDED_ERROR) => {
                let (code, text) = bytes.split_first_chunk::<2>()?;
                let text = String::from_utf8_lossy(text);
                let text = text.trim_end_matches('\0').chars().filter(|c| !c.is_control());
                Some(ExtendedError {
                    code: u16::from_be_bytes(*code),
                    text: text.take(LONGEST_WORDS).collect(),
                })
            }
            _ => None,
        })
        .take(MOST_EXTENDED)
        .collect()
}

/// What a message says.
pub fn reply(message: Message, took: Duration) -> Reply {
    let extended = extended(&message);
    let metadata = &message.metadata;
    Reply {
        code: metadata.response_code,
        is_authoritative: metadata.authoritative,
        is_truncated: metadata.truncation,
        recurses: metadata.recursion_available,
        is_authentic: metadata.authentic_data,
        edns: message.edns.as_ref().map(|edns| (edns.version(), edns.max_payload())),
        extended,
        took,
        answers: message.answers,
        authorities: message.authorities,
        additionals: message.additionals,
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use hickory_resolver::proto::rr::{Name, RData, Record, RecordType, rdata::TXT};
    use proptest::prelude::*;

    use super::*;

    fn asked() -> Question {
        Question::to_authority(Name::from_str("Good.Test.").unwrap(), RecordType::TXT)
    }

    fn response() -> Message {
        let mut message = Message::response(7, OpCode::Query);
        message.add_query(Query::query(Name::from_str("good.test.").unwrap(), RecordType::TXT));
        let data = RData::TXT(TXT::new(vec!["v=spf1 -all".to_owned()]));
        message.add_answer(Record::from_rdata(Name::from_str("good.test.").unwrap(), 300, data));
        let mut edns = Edns::new();
        let words = [&[0, 7], b"signature\x07 expired\0".as_slice()].concat();
        edns.options_mut().insert(EdnsOption::Unknown(EXTENDED_ERROR, words));
        message.set_edns(edns);
        message
    }

    #[test]
    fn a_question_has_edns_and_asks_for_signatures() {
        let bytes = question(0x1234, &asked(), true).unwrap();
        let message = Message::from_vec(&bytes).unwrap();
        assert!(!message.metadata.recursion_desired && message.metadata.checking_disabled);
        let edns = message.edns.as_ref().unwrap();
        assert_eq!((edns.max_payload(), edns.flags().dnssec_ok), (1232, true));
        let plain = Question { has_edns: false, ..asked() };
        let bytes = question(1, &plain, false).unwrap();
        assert_eq!(Message::from_vec(&bytes).unwrap().edns, None);
    }

    #[test]
    fn an_answer_is_known_by_its_number_and_its_question() {
        let mut answer = response();
        assert!(answers(&answer, 7, &asked()));
        assert!(!answers(&answer, 8, &asked()));
        assert!(!answers(&answer, 7, &Question { kind: RecordType::MX, ..asked() }));
        answer.metadata.message_type = MessageType::Query;
        assert!(!answers(&answer, 7, &asked()));
        let mut strange = response();
        strange.queries.clear();
        assert!(!answers(&strange, 7, &asked()));
    }

    #[test]
    fn extended_errors_are_read_without_control_characters() {
        let read = reply(read(&response().to_vec().unwrap()).unwrap(), Duration::ZERO);
        let words: Vec<_> = read.extended.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["EDE 7, signature expired: signature expired"]);
        assert!(read.extended[0].is_bogus());
    }

    #[test]
    fn more_records_than_a_mail_domain_has_are_not_decoded() {
        let mut bytes = response().to_vec().unwrap();
        bytes[6..8].copy_from_slice(&u16::MAX.to_be_bytes());
        assert_eq!(read(&bytes).unwrap_err(), "it has more than 1024 records");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            bounded(&bytes)?;
        }

        #[test]
        fn no_damage_to_an_answer_makes_it_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
            keep in any::<prop::sample::Index>(),
        ) {
            let mut bytes = response().to_vec().unwrap();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bounded(&bytes)?;
            bytes.truncate(keep.index(bytes.len()));
            bounded(&bytes)?;
        }
    }

    fn bounded(bytes: &[u8]) -> Result<(), TestCaseError> {
        let Ok(message) = read(bytes) else { return Ok(()) };
        answers(&message, 7, &asked());
        let reply = reply(message, Duration::ZERO);
        let records = reply.answers.len() + reply.authorities.len() + reply.additionals.len();
        prop_assert!(records <= MOST_RECORDS);
        prop_assert!(reply.extended.len() <= MOST_EXTENDED);
        for error in &reply.extended {
            prop_assert!(error.text.chars().count() <= LONGEST_WORDS);
            prop_assert!(!error.text.contains(char::is_control));
        }
        Ok(())
    }
}
