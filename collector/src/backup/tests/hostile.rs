//! Archives that are damaged, cut off, of a later version, or made to do harm: none is restored, and nothing is left.

use std::fs;
use std::io::{Cursor, Read};

use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use super::{BackupError, Collector, Manifest, beside, put_back, tree, verify};
use crate::backup::FORMAT;

/// Makes a manifest say something else.
type Change = fn(&mut Manifest);

/// An entry as it stands in the archive.
#[derive(Clone)]
struct Piece {
    header: Header,
    content: Vec<u8>,
}

impl Piece {
    fn name(&self) -> String {
        String::from_utf8_lossy(&self.header.path_bytes()).into_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.content).unwrap()
    }

    fn with_json(mut self, value: &Value) -> Self {
        self.content = serde_json::to_vec(value).unwrap();
        self.sized()
    }

    fn sized(mut self) -> Self {
        self.header.set_size(self.content.len().try_into().unwrap());
        self.header.set_cksum();
        self
    }

    /// Another one, whose name may be anything.
    fn made(&self, name: &str, kind: EntryType) -> Self {
        let mut piece = self.clone();
        let field = &mut piece.header.as_old_mut().name;
        field.fill(0);
        field[..name.len()].copy_from_slice(name.as_bytes());
        piece.header.set_entry_type(kind);
        piece.sized()
    }
}

fn pieces(bytes: &[u8]) -> Vec<Piece> {
    let raw = zstd::decode_all(bytes).unwrap();
    let mut archive = tar::Archive::new(raw.as_slice());
    let entries = archive.entries().unwrap().raw(true);
    let piece = |mut entry: tar::Entry<'_, &[u8]>| {
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        Piece { header: entry.header().clone(), content }
    };
    entries.map(|entry| piece(entry.unwrap())).collect()
}

fn packed(pieces: &[Piece]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for Piece { header, content } in pieces {
        tar.append(header, content.as_slice()).unwrap();
    }
    zstd::encode_all(Cursor::new(tar.into_inner().unwrap()), 1).unwrap()
}

/// Both ways to read it say no, and the restore leaves nothing; says why.
fn refused(collector: &Collector, bytes: &[u8]) -> String {
    let told = verify(bytes, |_, _| ()).map(|_| ()).unwrap_err();
    let restored = put_back(bytes, &collector.beside("elsewhere")).map(|_| ()).unwrap_err();
    assert_eq!(told.to_string(), restored.to_string());
    assert_eq!(beside(&collector.folder), ["collector"], "something is left: {restored}");
    restored.to_string()
}

#[tokio::test]
async fn wherever_it_is_cut_off_it_is_refused() {
    let collector = Collector::make().await;
    let (bytes, manifest) = collector.back_up();
    for kept in (0..bytes.len()).step_by(97).chain([bytes.len() - 4, bytes.len() - 1]) {
        assert!(verify(&bytes[..kept], |_, _| ()).is_err(), "{kept} of {}", bytes.len());
    }
    for kept in [0, 3, bytes.len() / 2, bytes.len() - 1] {
        refused(&collector, &bytes[..kept]);
    }
    // whole, and something behind it
    for more in [&b"x"[..], &bytes, &[0; 40]] {
        let mut longer = bytes.clone();
        longer.extend_from_slice(more);
        refused(&collector, &longer);
    }
    assert_eq!(verify(bytes.as_slice(), |_, _| ()).unwrap(), manifest);
}

#[tokio::test]
async fn a_flipped_bit_is_found_wherever_it_is() {
    let collector = Collector::make().await;
    let (bytes, manifest) = collector.back_up();
    let (mut harmless, mut tries) = (0, 0);
    for at in (0..bytes.len()).step_by(11).chain(0..64) {
        tries += 1;
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        match verify(flipped.as_slice(), |_, _| ()) {
            Err(_) => {}
            // some bits of the compression mean nothing: how much memory to take, what fills up the last byte of a block
            Ok(read) => {
                assert_eq!(read, manifest, "byte {at}");
                harmless += 1;
            }
        }
    }
    assert!(harmless * 50 <= tries, "{harmless} of {tries} flips were not noticed");
    // below the compression's own checksum: each part of the archive
    let pieces = pieces(&bytes);
    for at in 0..pieces.len() {
        let mut broken = pieces.clone();
        let content = &mut broken[at].content;
        let middle = content.len() / 2;
        content[middle] ^= 1;
        let why = refused(&collector, &packed(&broken));
        assert!(
            why.contains("damaged") || why.contains("no backup"),
            "{}: {why}",
            pieces[at].name()
        );
        let mut broken = pieces.clone();
        broken[at].header.set_mode(0o4777);
        broken[at].header.set_cksum();
        if pieces[at].name().starts_with("data/") {
            let why = refused(&collector, &packed(&broken));
            assert!(why.contains("is not what was written"), "{}: {why}", pieces[at].name());
        }
    }
}

#[tokio::test]
async fn what_strangers_put_into_it_is_refused() {
    let collector = Collector::make().await;
    let (bytes, _) = collector.back_up();
    let whole = pieces(&bytes);
    let (first, last) = (&whole[1], whole.len() - 1);
    let with = |piece: Piece| {
        let mut more = whole.clone();
        more.insert(last, piece);
        packed(&more)
    };
    let no_name = "is no name of a file in it";
    let no_file = "something that is no plain file";
    for (name, kind, why) in [
        ("data/../../outside", EntryType::Regular, no_name),
        ("../outside", EntryType::Regular, no_name),
        ("/etc/outside", EntryType::Regular, no_name),
        ("data//outside", EntryType::Regular, no_name),
        ("data/", EntryType::Regular, no_name),
        ("data/./outside", EntryType::Regular, no_name),
        ("data/a\nb", EntryType::Regular, no_name),
        ("data/a/a/a/a/a/a/a/a/a", EntryType::Regular, no_name),
        ("outside", EntryType::Regular, no_name),
        ("data/link", EntryType::Symlink, no_file),
        ("data/link", EntryType::Link, no_file),
        ("data/folder", EntryType::Directory, no_file),
        ("data/device", EntryType::Char, no_file),
        ("data/pipe", EntryType::Fifo, no_file),
        ("data/long", EntryType::GNULongName, no_file),
        ("data/long", EntryType::XHeader, no_file),
        ("data/sparse", EntryType::GNUSparse, no_file),
        ("data/small", EntryType::Regular, "its files are too large"),
    ] {
        let told = refused(&collector, &with(first.made(name, kind)));
        assert!(told.contains(why), "{name:?} {kind:?}: {told}");
    }
}

#[tokio::test]
async fn more_or_larger_files_than_it_says_are_refused() {
    let collector = Collector::make().await;
    let (bytes, _) = collector.back_up();
    let whole = pieces(&bytes);
    let (first, last) = (&whole[1], whole.len() - 1);
    let with = |piece: Piece| {
        let mut more = whole.clone();
        more.insert(last, piece);
        packed(&more)
    };
    let mut empty = first.made("data/small", EntryType::Regular);
    empty.content.clear();
    let told = refused(&collector, &with(empty.sized()));
    assert!(told.contains("a file more than it says"), "{told}");
    // one twice, in the place of another
    let mut twice = whole.clone();
    twice[2] = twice[1].clone();
    let told = refused(&collector, &packed(&twice));
    assert!(told.contains("a file more than it says") || told.contains("too large"), "{told}");
    // a size that nothing has
    let mut huge = whole.clone();
    huge[1].header.set_size(1 << 50);
    huge[1].header.set_cksum();
    let mut tar = Vec::new();
    for piece in &huge {
        tar.extend_from_slice(piece.header.as_bytes());
        tar.extend_from_slice(&piece.content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    let told = refused(&collector, &zstd::encode_all(tar.as_slice(), 1).unwrap());
    assert!(told.contains("its files are too large"), "{told}");
    // left out, after the end, without an end
    let mut less = whole.clone();
    less.remove(3);
    let told = refused(&collector, &packed(&less));
    assert!(told.contains("files instead of"), "{told}");
    let mut behind = whole.clone();
    behind.push(first.clone());
    assert!(refused(&collector, &packed(&behind)).contains("something behind its end"));
    assert!(refused(&collector, &packed(&whole[..last])).contains("its end is missing"));
    assert!(refused(&collector, &packed(&whole[1..])).contains("no backup of a collector"));
    assert!(refused(&collector, &packed(&[])).contains("it is empty"));
    assert!(refused(&collector, b"#!/bin/sh\n").contains("no backup of a collector"));
    assert_eq!(verify(packed(&whole).as_slice(), |_, _| ()).unwrap().head.format, FORMAT);
}

#[tokio::test]
async fn a_later_form_and_another_count_are_refused() {
    let collector = Collector::make().await;
    let (bytes, manifest) = collector.back_up();
    let whole = pieces(&bytes);
    let last = whole.len() - 1;
    let mut later = whole.clone();
    // of a later form nothing else needs to be known
    let head = json!({ "format": FORMAT + 1, "program": "9.1.0\u{1b}[2J", "other": true });
    later[0] = later[0].clone().with_json(&head);
    insta::assert_snapshot!(refused(&collector, &packed(&later)), @"the backup was made by version 9.1.0·[2J in form 2, and this version reads up to form 1: restore it with that version or a later one");
    // heads and ends of two backups
    let mut other = whole.clone();
    let mut value = other[0].json();
    value["collector"] = "another.example.org".into();
    other[0] = other[0].clone().with_json(&value);
    assert!(refused(&collector, &packed(&other)).contains("not of one backup"));
    // more than there is room for, as it says itself
    let mut large = whole.clone();
    for at in [0, last] {
        let mut value = large[at].json();
        let head = if at == 0 { &mut value } else { &mut value["head"] };
        head["bytes"] = (1_u64 << 60).into();
        large[at] = large[at].clone().with_json(&value);
    }
    let told = put_back(&packed(&large), &collector.beside("elsewhere")).unwrap_err();
    assert!(matches!(told, BackupError::Full { .. }), "{told}");
    assert_eq!(beside(&collector.folder), ["collector"]);

    // whole, but what is restored does not count up
    let counts: [(&str, Change); 3] = [
        ("of agent 01010101010101010101010101010101, epoch 0000000000000007", |manifest| {
            manifest.recount.sources[0].fail -= 1;
        }),
        ("1 control records became 3", |manifest| manifest.recount.control = 1),
        ("the next record is 67 instead of 68", |manifest| manifest.observations.next += 1),
    ];
    for (why, change) in counts {
        let mut changed = manifest.clone();
        change(&mut changed);
        let mut pieces = whole.clone();
        pieces[last] = pieces[last].clone().with_json(&serde_json::to_value(&changed).unwrap());
        let packed = packed(&pieces);
        assert_eq!(verify(packed.as_slice(), |_, _| ()).unwrap(), changed);
        let told = put_back(&packed, &collector.beside("elsewhere")).unwrap_err().to_string();
        assert!(told.contains(why) && told.contains("nothing was put in place"), "{told}");
        assert_eq!(beside(&collector.folder), ["collector"]);
    }
    // into a folder that is there: it stays as it was
    let empty = collector.beside("empty");
    fs::create_dir(empty.path()).unwrap();
    put_back(&bytes[..bytes.len() / 2], &empty).unwrap_err();
    assert!(tree(empty.path()).is_empty() && fs::read_dir(empty.path()).unwrap().next().is_none());
}
