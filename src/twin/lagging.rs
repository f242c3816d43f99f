//! Lagging: a table whose readers can see it as it was a while ago.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

/// Rows by key, and what each was before its latest writes.
#[derive(Clone, Debug)]
pub struct Lagging<K, V> {
    current: BTreeMap<K, V>,
    /// (written at, key, the row before that write), oldest first. Empty while `lag` is zero.
    past: Vec<(Timestamp, K, Option<V>)>,
    /// How long a read stays behind a write.
    pub lag: Duration,
}

impl<K: Ord + Clone, V: Clone> Default for Lagging<K, V> {
    fn default() -> Self {
        Self {
            current: BTreeMap::new(),
            past: Vec::new(),
            lag: Duration::ZERO,
        }
    }
}

impl<K: Ord + Clone, V: Clone> Lagging<K, V> {
    /// The row as it is.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.current.get(key)
    }

    /// The row as it is, to be moved on by time alone: readers see that at once.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.current.get_mut(key)
    }

    /// All rows as they are.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.current.iter()
    }

    /// The row, to be written by a caller at `now`: readers see that only after the lag.
    pub fn write(&mut self, now: Timestamp, key: &K) -> Option<&mut V> {
        self.remember(now, key);
        self.current.get_mut(key)
    }

    /// Puts a row in at `now`.
    pub fn insert(&mut self, now: Timestamp, key: K, value: V) {
        self.remember(now, &key);
        self.current.insert(key, value);
    }

    /// Takes a row out at `now`.
    pub fn remove(&mut self, now: Timestamp, key: &K) -> Option<V> {
        self.remember(now, key);
        self.current.remove(key)
    }

    fn remember(&mut self, now: Timestamp, key: &K) {
        if self.lag.is_zero() {
            self.past.clear();
            return;
        }
        let horizon = now - self.lag;
        self.past.retain(|(at, _, _)| *at > horizon);
        let before = self.current.get(key).cloned();
        self.past.push((now, key.clone(), before));
    }

    /// The row as a reader sees it at `now`.
    pub fn seen(&self, now: Timestamp, key: &K) -> Option<&V> {
        if self.lag.is_zero() {
            return self.current.get(key);
        }
        let horizon = now - self.lag;
        self.past
            .iter()
            .find(|(at, k, _)| k == key && *at > horizon)
            .map_or_else(|| self.current.get(key), |(_, _, before)| before.as_ref())
    }

    /// All rows as a reader sees them at `now`.
    pub fn all_seen(&self, now: Timestamp) -> BTreeMap<&K, &V> {
        let horizon = now - self.lag;
        let mut rows: BTreeMap<&K, &V> = self.current.iter().collect();
        for (at, key, before) in self.past.iter().rev() {
            if *at > horizon && !self.lag.is_zero() {
                match before {
                    Some(value) => rows.insert(key, value),
                    None => rows.remove(key),
                };
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_sees_the_oldest_state_inside_the_lag() {
        let at = |s| Timestamp::UNIX_EPOCH + Duration::from_secs(s);
        let mut table = Lagging {
            lag: Duration::from_secs(5),
            ..Lagging::default()
        };
        table.insert(at(0), "a", 1);
        assert_eq!(table.seen(at(1), &"a"), None);
        assert_eq!(table.seen(at(5), &"a"), Some(&1));
        *table.write(at(6), &"a").unwrap() = 2;
        *table.write(at(8), &"a").unwrap() = 3;
        assert_eq!(table.seen(at(9), &"a"), Some(&1));
        assert_eq!(table.all_seen(at(9)).get(&"a"), Some(&&1));
        assert_eq!(table.seen(at(12), &"a"), Some(&2));
        assert_eq!(table.seen(at(13), &"a"), Some(&3));
        assert_eq!(table.get(&"a"), Some(&3));
    }
}
