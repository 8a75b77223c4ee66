//! A disk that forgets what was not flushed, can be full, and can be told to lie.
//!
//! A crash keeps of every file what was synced and some part of the rest, and of every folder the
//! entries that were synced and some of the rest.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::disk::{Disk, DiskFile};

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lies {
    /// `sync` of a file returns without doing anything.
    pub(super) file_sync: bool,
    /// `sync_folder` returns without doing anything.
    pub(super) folder_sync: bool,
}

#[derive(Clone)]
pub(super) struct SimulatedDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: Vec<Contents>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    capacity: Option<usize>,
    lies: Lies,
    fail_syncs: u32,
    random: u64,
}

#[derive(Default, Clone)]
struct Contents {
    bytes: Vec<u8>,
    durable: usize,
}

impl State {
    /// xorshift: repeatable from its seed.
    fn random(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % u64::try_from(below.max(1)).unwrap()).unwrap()
    }

    fn used(&self) -> usize {
        self.names.values().map(|&at| self.files[at].bytes.len()).sum()
    }
}

impl SimulatedDisk {
    pub(super) fn new(seed: u64, lies: Lies) -> Self {
        let state = State { lies, random: seed | 1, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// From now on the disk holds this many bytes at most.
    pub(super) fn set_capacity(&self, capacity: Option<usize>) {
        self.0.lock().unwrap().capacity = capacity;
    }

    /// The next so many flushes fail and forget what they should have written.
    pub(super) fn fail_syncs(&self, count: u32) {
        self.0.lock().unwrap().fail_syncs = count;
    }

    /// The power goes: what is left is what a machine would find.
    pub(super) fn crash(&self) {
        let mut state = self.0.lock().unwrap();
        let mut names = state.durable_names.clone();
        for (path, at) in state.names.clone() {
            if !names.contains_key(&path) && state.random(2) == 0 {
                names.insert(path, at);
            }
        }
        for at in 0..state.files.len() {
            let loose = state.files[at].bytes.len() - state.files[at].durable;
            let kept = state.files[at].durable + state.random(loose + 1);
            let file = &mut state.files[at];
            file.bytes.truncate(kept);
            file.durable = kept;
        }
        state.names = names.clone();
        state.durable_names = names;
    }
}

impl Disk for SimulatedDisk {
    fn create_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.0.lock().unwrap().names.keys().cloned().collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.0.lock().unwrap();
        state.files.push(Contents::default());
        let at = state.files.len() - 1;
        state.names.insert(path.to_owned(), at);
        Ok(Box::new(SimulatedFile { disk: self.clone(), at }))
    }

    fn cut(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let at = state.names[path];
        let file = &mut state.files[at];
        file.bytes.truncate(usize::try_from(bytes).unwrap());
        file.durable = file.bytes.len();
        Ok(())
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        let state = self.0.lock().unwrap();
        let at = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(u64::try_from(state.files[at].bytes.len()).unwrap())
    }

    fn read(&self, path: &Path, from: u64, limit: usize) -> io::Result<Vec<u8>> {
        let state = self.0.lock().unwrap();
        let at = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        let from = usize::try_from(from).unwrap();
        Ok(state.files[at].bytes.iter().skip(from).take(limit).copied().collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let at = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), at);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.names.remove(path).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if !state.lies.folder_sync {
            state.durable_names = state.names.clone();
        }
        Ok(())
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    at: usize,
}

impl DiskFile for SimulatedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.0.lock().unwrap();
        let room = state.capacity.map_or(usize::MAX, |most| most.saturating_sub(state.used()));
        let taken = bytes.len().min(room);
        state.files[self.at].bytes.extend_from_slice(&bytes[..taken]);
        if taken < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.0.lock().unwrap();
        if state.fail_syncs > 0 {
            state.fail_syncs -= 1;
            return Err(io::Error::other("the flush failed"));
        }
        if !state.lies.file_sync {
            let file = &mut state.files[self.at];
            file.durable = file.bytes.len();
        }
        Ok(())
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock().unwrap();
        let file = &mut state.files[self.at];
        file.bytes.truncate(usize::try_from(bytes).unwrap());
        file.durable = file.durable.min(file.bytes.len());
        Ok(())
    }
}
