//! The authorization cache: what the central system last said about identifiers that are not in
//! its list.

use std::collections::BTreeMap;

use crate::IdToken;
use crate::message::answer::IdTagInfo;

/// Entries that are kept; the one that was not used for the longest time makes place.
const MOST_ENTRIES: usize = 1_000;

/// A change of the durable cache.
#[derive(Clone, Debug, PartialEq)]
pub enum CacheChange {
    /// Insert or replace.
    Put(String, IdTagInfo),
    /// Forget.
    Delete(String),
}

#[derive(Debug, Default)]
pub(crate) struct AuthorizationCache {
    /// With the number of its last use.
    entries: BTreeMap<Box<str>, (IdTagInfo, u64)>,
    uses: u64,
}

impl AuthorizationCache {
    /// From `entries`, what was put last at the end.
    pub(crate) fn new(entries: Vec<(String, IdTagInfo)>) -> Self {
        let mut cache = Self::default();
        for (id_tag, info) in entries {
            cache.uses += 1;
            let entry = (info, cache.uses);
            cache.entries.insert(id_tag.into_boxed_str(), entry);
        }
        cache
    }

    pub(crate) fn get(&self, id_tag: &IdToken) -> Option<&IdTagInfo> {
        let entry = self.entries.get(id_tag.folded().as_str());
        entry.map(|(info, _)| info)
    }

    /// Takes what the central system says; returns what is new to the flash, which is nothing for
    /// a regular user.
    pub(crate) fn put(&mut self, id_tag: &IdToken, info: &IdTagInfo) -> Vec<CacheChange> {
        self.uses += 1;
        let key = id_tag.folded();
        let entry = (info.clone(), self.uses);
        let before = self.entries.insert(key.clone().into_boxed_str(), entry);
        let mut changes = Vec::new();
        if before.is_none_or(|(before, _)| before != *info) {
            changes.push(CacheChange::Put(key, info.clone()));
        }
        if self.entries.len() > MOST_ENTRIES {
            changes.extend(self.forget_oldest());
        }
        changes
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    fn forget_oldest(&mut self) -> Option<CacheChange> {
        let oldest = self.entries.iter().min_by_key(|(_, (_, used))| *used)?;
        let key = oldest.0.clone();
        self.entries.remove(&key);
        Some(CacheChange::Delete(key.into_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::answer::AuthorizationStatus;

    fn info(status: AuthorizationStatus) -> IdTagInfo {
        IdTagInfo {
            status,
            parent: None,
            expiry: None,
        }
    }

    fn tag(number: usize) -> IdToken {
        IdToken::new(&format!("Tag{number}")).unwrap()
    }

    #[test]
    fn only_news_are_written() {
        let mut cache = AuthorizationCache::default();
        let accepted = info(AuthorizationStatus::Accepted);
        let put = CacheChange::Put("tag1".to_owned(), accepted.clone());
        assert_eq!(cache.put(&tag(1), &accepted), [put]);
        assert_eq!(cache.put(&tag(1), &accepted), []);
        let blocked = info(AuthorizationStatus::Blocked);
        assert_eq!(cache.put(&tag(1), &blocked).len(), 1);
        assert_eq!(cache.get(&tag(1)), Some(&blocked));
    }

    #[test]
    fn who_was_not_seen_for_the_longest_time_makes_place() {
        let accepted = info(AuthorizationStatus::Accepted);
        let stored = (0..MOST_ENTRIES).map(|n| (tag(n).folded(), accepted.clone()));
        let mut cache = AuthorizationCache::new(stored.collect());
        cache.put(&tag(0), &accepted);
        let changes = cache.put(&tag(MOST_ENTRIES), &accepted);
        assert!(changes.contains(&CacheChange::Delete("tag1".to_owned())));
        assert_eq!(cache.entries.len(), MOST_ENTRIES);
        assert!(cache.get(&tag(0)).is_some() && cache.get(&tag(1)).is_none());
    }
}
