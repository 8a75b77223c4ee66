//! Records turned on their side: the same field of many records stands together and compresses well.
//!
//! The records are protobuf messages, but this module knows no schema: it splits whatever parses as a
//! message by field, to any field it meets, and puts every field's values into a column of their own. So
//! columns keep what they do not know, byte for byte. What does not parse in the one canonical way stays
//! as it is; [`encode`] checks its own work and falls back to plain records when anything differs.
//!
//! A block, before compression: how many records; the table of fields (parent, tag, whether it is split
//! further); the structure (which field comes next in each message, 0 at its end); each field's column.

use std::collections::HashMap;

/// Messages within messages are split this deep.
const MAX_DEPTH: usize = 8;
/// Fields of one block, nested ones counted apart.
const MAX_FIELDS: usize = 4096;

const PLAIN: u8 = 0;
const COLUMNS: u8 = 1;

const AS_IS: u8 = 0;
const DELTA: u8 = 1;

/// Encodes records so that [`decode`] gives exactly them.
pub(super) fn encode(records: &[&[u8]]) -> Vec<u8> {
    let mut split = Split::default();
    for record in records {
        split.value(0, record, 0);
    }
    let encoded = split.finish(records.len());
    match decode(&encoded) {
        Some(same) if same.iter().map(Vec::as_slice).eq(records.iter().copied()) => encoded,
        _ => plain(records),
    }
}

fn plain(records: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![PLAIN];
    put(&mut bytes, length(records.len()));
    for record in records {
        put(&mut bytes, length(record.len()));
        bytes.extend_from_slice(record);
    }
    bytes
}

/// The records of a block; `None` when the bytes are not one.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (&form, mut rest) = bytes.split_first()?;
    let count = usize::try_from(take(&mut rest)?).ok().filter(|&count| count <= bytes.len())?;
    if form == PLAIN {
        return (0..count)
            .map(|_| {
                let length = usize::try_from(take(&mut rest)?).ok()?;
                take_bytes(&mut rest, length).map(<[u8]>::to_vec)
            })
            .collect();
    }
    let mut joined = Join::read(rest)?;
    (0..count).map(|_| joined.value(0, 0)).collect()
}

/// A field within the message of a parent field; field 0 is the record itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Field {
    parent: u64,
    tag: u64,
    split: bool,
}

/// The record itself, as a field of nothing. Whether it is split is told record by record.
#[derive(Default)]
struct Split {
    fields: Vec<Field>,
    known: HashMap<Field, u64>,
    structure: Vec<u8>,
    numbers: Vec<Vec<u64>>,
    texts: Vec<Vec<u8>>,
}

impl Split {
    /// Adds one length-delimited value: split when it parses as a message, else as it is. The caller has
    /// written which field it is, and for a record nothing.
    fn value(&mut self, field: u64, bytes: &[u8], depth: usize) {
        let whole = depth == 0;
        let is_message = parses(bytes);
        if whole {
            put(&mut self.structure, u64::from(is_message));
        }
        if is_message {
            self.message(field, bytes, depth);
        } else {
            put(&mut self.structure, length(bytes.len()));
            self.structure.extend_from_slice(bytes);
        }
    }

    fn message(&mut self, parent: u64, mut bytes: &[u8], depth: usize) {
        while let Some((tag, value)) = next_field(&mut bytes) {
            let split = match value {
                Value::Bytes(inner) => depth + 1 < MAX_DEPTH && !inner.is_empty() && parses(inner),
                Value::Number(_) => false,
            };
            let field = self.field(Field { parent, tag, split });
            put(&mut self.structure, field);
            let at = usize::try_from(field).unwrap_or(usize::MAX).saturating_sub(1);
            match value {
                Value::Number(number) => {
                    if let Some(column) = self.numbers.get_mut(at) {
                        column.push(number);
                    }
                }
                Value::Bytes(inner) if split => self.message(field, inner, depth + 1),
                Value::Bytes(inner) => {
                    if let (Some(lengths), Some(texts)) =
                        (self.numbers.get_mut(at), self.texts.get_mut(at))
                    {
                        lengths.push(length(inner.len()));
                        texts.extend_from_slice(inner);
                    }
                }
            }
        }
        put(&mut self.structure, 0);
    }

    /// The number of a field, from 1.
    fn field(&mut self, field: Field) -> u64 {
        if let Some(&known) = self.known.get(&field) {
            return known;
        }
        self.fields.push(field);
        self.numbers.push(Vec::new());
        self.texts.push(Vec::new());
        let number = length(self.fields.len());
        self.known.insert(field, number);
        number
    }

    fn finish(self, records: usize) -> Vec<u8> {
        let mut bytes = vec![COLUMNS];
        put(&mut bytes, length(records));
        put(&mut bytes, length(self.fields.len()));
        for field in &self.fields {
            put(&mut bytes, field.parent);
            put(&mut bytes, field.tag);
            put(&mut bytes, u64::from(field.split));
        }
        put(&mut bytes, length(self.structure.len()));
        bytes.extend_from_slice(&self.structure);
        for (numbers, texts) in self.numbers.iter().zip(&self.texts) {
            put_numbers(&mut bytes, numbers);
            put(&mut bytes, length(texts.len()));
            bytes.extend_from_slice(texts);
        }
        bytes
    }
}

/// Numbers as they are or as differences, whichever is shorter.
fn put_numbers(bytes: &mut Vec<u8>, numbers: &[u64]) {
    let mut as_is = Vec::new();
    let mut delta = Vec::new();
    let mut before = 0_u64;
    for &number in numbers {
        put(&mut as_is, number);
        put(&mut delta, zigzag(number.wrapping_sub(before)));
        before = number;
    }
    put(bytes, length(numbers.len()));
    let (form, chosen) = if delta.len() < as_is.len() { (DELTA, delta) } else { (AS_IS, as_is) };
    bytes.push(form);
    bytes.extend_from_slice(&chosen);
}

fn take_numbers(bytes: &mut &[u8]) -> Option<std::vec::IntoIter<u64>> {
    let count = usize::try_from(take(bytes)?).ok().filter(|&count| count <= bytes.len())?;
    let (&form, rest) = bytes.split_first()?;
    *bytes = rest;
    let mut numbers = Vec::with_capacity(count);
    let mut before = 0_u64;
    for _ in 0..count {
        let read = take(bytes)?;
        before = if form == DELTA { before.wrapping_add(unzigzag(read)) } else { read };
        numbers.push(before);
    }
    Some(numbers.into_iter())
}

/// Puts columns back together.
struct Join<'a> {
    fields: Vec<Field>,
    structure: &'a [u8],
    columns: Vec<(std::vec::IntoIter<u64>, &'a [u8])>,
}

impl<'a> Join<'a> {
    fn read(mut bytes: &'a [u8]) -> Option<Self> {
        let count = usize::try_from(take(&mut bytes)?).ok().filter(|&count| count <= MAX_FIELDS)?;
        let fields = (0..count)
            .map(|_| {
                let parent = take(&mut bytes)?;
                let tag = take(&mut bytes)?;
                Some(Field { parent, tag, split: take(&mut bytes)? == 1 })
            })
            .collect::<Option<_>>()?;
        let structure_bytes = usize::try_from(take(&mut bytes)?).ok()?;
        let structure = take_bytes(&mut bytes, structure_bytes)?;
        let columns = (0..count)
            .map(|_| {
                let numbers = take_numbers(&mut bytes)?;
                let text_bytes = usize::try_from(take(&mut bytes)?).ok()?;
                Some((numbers, take_bytes(&mut bytes, text_bytes)?))
            })
            .collect::<Option<_>>()?;
        Some(Self { fields, structure, columns })
    }

    /// One record.
    fn value(&mut self, field: u64, depth: usize) -> Option<Vec<u8>> {
        if take(&mut self.structure)? == 1 {
            return self.message(field, depth);
        }
        let bytes = usize::try_from(take(&mut self.structure)?).ok()?;
        take_bytes(&mut self.structure, bytes).map(<[u8]>::to_vec)
    }

    fn message(&mut self, parent: u64, depth: usize) -> Option<Vec<u8>> {
        let mut message = Vec::new();
        loop {
            let number = take(&mut self.structure)?;
            if number == 0 {
                return Some(message);
            }
            let at = usize::try_from(number).ok()?.checked_sub(1)?;
            let field = *self.fields.get(at)?;
            if field.parent != parent || depth >= MAX_DEPTH {
                return None;
            }
            put(&mut message, field.tag);
            if field.split {
                let inner = self.message(number, depth + 1)?;
                put(&mut message, length(inner.len()));
                message.extend_from_slice(&inner);
                continue;
            }
            let (numbers, texts) = self.columns.get_mut(at)?;
            let value = numbers.next()?;
            match field.tag & 7 {
                0 => put(&mut message, value),
                1 => message.extend_from_slice(&value.to_le_bytes()),
                5 => message.extend_from_slice(&u32::try_from(value).ok()?.to_le_bytes()),
                _ => {
                    put(&mut message, value);
                    message.extend_from_slice(take_bytes(texts, usize::try_from(value).ok()?)?);
                }
            }
        }
    }
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Whether bytes are fields of a message from end to end.
fn parses(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        if next_field(&mut bytes).is_none() {
            return false;
        }
    }
    true
}

/// The next field of a message; `None` at its end, and for what is not a field.
fn next_field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    if bytes.is_empty() {
        return None;
    }
    let tag = take(bytes)?;
    let value = match tag & 7 {
        0 => Value::Number(take(bytes)?),
        1 => {
            let (number, rest) = bytes.split_first_chunk::<8>()?;
            *bytes = rest;
            Value::Number(u64::from_le_bytes(*number))
        }
        2 => {
            let length = usize::try_from(take(bytes)?).ok()?;
            Value::Bytes(take_bytes(bytes, length)?)
        }
        5 => {
            let (number, rest) = bytes.split_first_chunk::<4>()?;
            *bytes = rest;
            Value::Number(u64::from(u32::from_le_bytes(*number)))
        }
        _ => return None,
    };
    (tag >> 3 > 0).then_some((tag, value))
}

fn take_bytes<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// A varint, as protobuf writes it.
fn put(bytes: &mut Vec<u8>, number: u64) {
    prost::encoding::encode_varint(number, bytes);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    prost::encoding::decode_varint(bytes).ok()
}

fn length(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}

fn zigzag(difference: u64) -> u64 {
    (difference << 1) ^ if difference >> 63 == 1 { u64::MAX } else { 0 }
}

fn unzigzag(number: u64) -> u64 {
    (number >> 1) ^ if number & 1 == 1 { u64::MAX } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire;
    use proptest::prelude::*;
    use prost::Message;

    fn batch(seed: u64) -> Vec<u8> {
        let phase = |at: u64| wire::Phase {
            name: format!("phase{at}"),
            start_us: i64::try_from(at * 100 + seed % 97).unwrap(),
            duration_us: -5,
            uncertainty_us: seed % 3,
        };
        let observation = wire::Observation {
            intent: seed,
            check: "mail".into(),
            kind: "round-trip".into(),
            scheduled_for_ns: 1_764_000_000_000_000_000 + seed * 60_000_000_000,
            phases: (0..9).map(phase).collect(),
            ..Default::default()
        };
        let bytes = observation.encode_to_vec().into();
        wire::Batch { first_sequence: seed, observations: vec![bytes; 3] }.encode_to_vec()
    }

    #[test]
    fn columns_are_smaller_than_rows() {
        let records: Vec<Vec<u8>> = (1..200).map(batch).collect();
        let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        let compressed = |bytes: &[u8]| zstd::bulk::compress(bytes, 3).unwrap().len();
        let (rows, columns) = (compressed(&plain(&records)), compressed(&encode(&records)));
        assert!(columns * 4 < rows * 3, "{columns} bytes as columns, {rows} as rows");
    }

    #[test]
    fn a_field_that_nobody_knows_is_kept() {
        let mut record = batch(5);
        record.extend([0xfa, 0x3f, 0x03, b'n', b'e', b'w']); // field 1023
        record.extend([0x80, 0x40, 0x81, 0x00]); // field 1024, a number written the long way
        for records in [vec![record.as_slice()], vec![&record, &[], &[0xff; 9], &record]] {
            assert_eq!(decode(&encode(&records)).unwrap(), records);
        }
    }

    proptest! {
        #[test]
        fn any_records_come_back(records in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..12)) {
            let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(decode(&encode(&records)).unwrap(), records);
        }

        #[test]
        fn messages_with_a_changed_byte_come_back(seed in 0_u64..1_000, at in 0_usize..500, to in any::<u8>()) {
            let mut record = batch(seed);
            if let Some(byte) = record.get_mut(at) {
                *byte = to;
            }
            let records: Vec<&[u8]> = vec![&record, &record];
            prop_assert_eq!(decode(&encode(&records)).unwrap(), records);
        }

        #[test]
        fn no_block_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _read = decode(&bytes);
        }
    }
}
