//! Answers of agents that somebody waits for: to runs that were asked for, and to trials.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use mailsonde_proto::AgentId;
use tokio::sync::mpsc;

/// Answers that wait to be taken; more are dropped, as are those that nobody waits for.
const WAITING: usize = 16_384;

/// Who waits for what.
pub(crate) struct Awaited<K, A>(Arc<Mutex<Waiting<K, A>>>);

type Waiting<K, A> = HashMap<K, mpsc::Sender<(AgentId, A)>>;

impl<K, A> Default for Awaited<K, A> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, A> Clone for Awaited<K, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Takes the answers to one question; until it is dropped.
pub(crate) struct Answers<K: Eq + Hash, A> {
    key: K,
    awaited: Awaited<K, A>,
    answers: mpsc::Receiver<(AgentId, A)>,
}

impl<K: Copy + Eq + Hash, A> Awaited<K, A> {
    pub(crate) fn wait_for(&self, key: K) -> Answers<K, A> {
        let (sender, answers) = mpsc::channel(WAITING);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, sender);
        Answers { key, awaited: self.clone(), answers }
    }

    /// An agent has answered.
    pub(crate) fn answered(&self, key: K, agent: AgentId, answer: A) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = waiting.get(&key) {
            waiting.try_send((agent, answer)).ok();
        }
    }
}

impl<K: Copy + Eq + Hash, A> Answers<K, A> {
    /// What is waited for.
    pub(crate) fn key(&self) -> K {
        self.key
    }

    /// The next answer.
    pub(crate) async fn next(&mut self) -> Option<(AgentId, A)> {
        self.answers.recv().await
    }
}

impl<K: Eq + Hash, A> Drop for Answers<K, A> {
    fn drop(&mut self) {
        let mut waiting = self.awaited.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(&self.key);
    }
}
