//! One table of a configuration file, read key by key.
//!
//! (Stub with the agreed signatures; the configuration work fills it.)

use std::marker::PhantomData;
use std::time::Duration;

/// One table of a configuration file, read key by key: every mistake is collected with its place, and
/// whatever key nobody asked for is reported by `finish` as unknown.
///
/// It also writes down every key with its resolved value (defaults included, secrets left out): the
/// canonical text whose digest travels with each observation.
pub struct Section<'a>(PhantomData<&'a ()>);

impl Section<'_> {
    /// A text; `None` when the key is absent or wrong (then a mistake is on record).
    pub fn text(&mut self, _key: &str) -> Option<String> {
        None
    }

    /// A text that must be there.
    pub fn required_text(&mut self, _key: &str) -> Option<String> {
        None
    }

    /// A duration with its unit (`"30s"`, `"5m"`), or `default`.
    pub fn duration(&mut self, _key: &str, default: Duration) -> Duration {
        default
    }

    /// A size with its unit (`"64KiB"`), or `default`, in bytes.
    pub fn size(&mut self, _key: &str, default: u64) -> u64 {
        default
    }

    /// `true` or `false`, or `default`.
    pub fn flag(&mut self, _key: &str, default: bool) -> bool {
        default
    }

    /// One word of a fixed set, or `default`; the mistake lists the set.
    pub fn choice<T: Copy>(&mut self, _key: &str, _words: &[(&str, T)], default: T) -> T {
        default
    }

    /// Reports a mistake at a key (or at the table's head when the key is absent).
    pub fn mistake(&mut self, _key: &str, _message: String) {}

    /// Whether nothing was wrong so far in this table.
    pub fn is_clean(&self) -> bool {
        true
    }
}
