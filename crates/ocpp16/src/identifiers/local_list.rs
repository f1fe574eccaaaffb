//! The local authorization list: who may charge, as the central system sent it.

use std::collections::BTreeMap;

use crate::IdToken;
use crate::message::answer::IdTagInfo;
use crate::message::incoming::local_list::ListUpdate;

/// Entries that the list, and one message, may have (guide 3.3.7 table 6).
pub(crate) const MOST_ENTRIES: usize = 10_000;

/// Why an update is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The update can't be carried out.
    Failed(String),
    /// A change of an older list.
    VersionMismatch,
}

/// In memory, because a card must not wait for the flash: by the sizes of its types some 100 bytes
/// an entry on the board.
#[derive(Debug, Default)]
pub(crate) struct LocalList {
    version: i64,
    entries: BTreeMap<Box<str>, IdTagInfo>,
}

impl LocalList {
    pub(crate) fn new(version: i64, entries: Vec<(String, IdTagInfo)>) -> Self {
        let entries = entries.into_iter();
        Self {
            version,
            entries: entries
                .map(|(id_tag, info)| (id_tag.into_boxed_str(), info))
                .collect(),
        }
    }

    /// 0 is reserved for a list without entries.
    pub(crate) fn version(&self) -> i64 {
        if self.entries.is_empty() {
            0
        } else {
            self.version
        }
    }

    pub(crate) fn get(&self, id_tag: &IdToken) -> Option<&IdTagInfo> {
        self.entries.get(id_tag.folded().as_str())
    }

    /// Whether `update` can be carried out, as a whole.
    pub(crate) fn check(&self, update: &ListUpdate) -> Result<(), Refusal> {
        let failed = |why: String| Err(Refusal::Failed(why));
        let given = update.entries.len();
        if given > MOST_ENTRIES {
            return failed(format!(
                "{given} entries where at most {MOST_ENTRIES} are allowed"
            ));
        }
        // 0 is an empty list, -1 none at all.
        if update.version < 1 && !(update.full && given == 0) {
            return failed(format!("listVersion {} is reserved", update.version));
        }
        if update.entries.iter().any(|entry| entry.id_tag.is_empty()) {
            return failed("an idTag is empty".to_owned());
        }
        if update.full {
            if update.entries.iter().any(|entry| entry.info.is_none()) {
                return failed("an entry of a full list has no idTagInfo".to_owned());
            }
            return Ok(());
        }
        if update.version <= self.version() {
            return Err(Refusal::VersionMismatch);
        }
        let entries = self.length_after(update);
        if entries > MOST_ENTRIES {
            return failed(format!(
                "{entries} entries in all where at most {MOST_ENTRIES} are allowed"
            ));
        }
        Ok(())
    }

    /// Carries out an update that was checked.
    pub(crate) fn apply(&mut self, update: &ListUpdate) {
        if update.full {
            self.entries.clear();
        }
        self.version = update.version;
        for entry in &update.entries {
            let id_tag = entry.id_tag.folded().into_boxed_str();
            match &entry.info {
                Some(info) => self.entries.insert(id_tag, info.clone()),
                None => self.entries.remove(&id_tag),
            };
        }
    }

    fn length_after(&self, update: &ListUpdate) -> usize {
        let mut present = BTreeMap::new();
        for entry in &update.entries {
            present.insert(entry.id_tag.folded(), entry.info.is_some());
        }
        let known = |id_tag: &str| self.entries.contains_key(id_tag);
        let change = |wanted: bool| {
            let changed = present
                .iter()
                .filter(|(id_tag, present)| **present == wanted && known(id_tag) != wanted);
            changed.count()
        };
        (self.entries.len() + change(true)).saturating_sub(change(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::answer::AuthorizationStatus;
    use crate::message::incoming::local_list::LocalEntry;

    fn entry(id_tag: &str, status: Option<AuthorizationStatus>) -> LocalEntry {
        let info = status.map(|status| IdTagInfo {
            status,
            parent: None,
            expiry: None,
        });
        LocalEntry {
            id_tag: IdToken::new(id_tag).unwrap(),
            info,
        }
    }

    fn accepted(id_tag: &str) -> LocalEntry {
        entry(id_tag, Some(AuthorizationStatus::Accepted))
    }

    fn update(full: bool, version: i64, entries: Vec<LocalEntry>) -> ListUpdate {
        ListUpdate {
            version,
            full,
            entries,
        }
    }

    fn take(list: &mut LocalList, update: &ListUpdate) -> Result<(), Refusal> {
        list.check(update)?;
        list.apply(update);
        Ok(())
    }

    fn numbered(from: usize, to: usize) -> Vec<LocalEntry> {
        (from..to).map(|n| accepted(&format!("tag{n}"))).collect()
    }

    // covers: OLA-001, OLA-002
    #[test]
    fn full_replaces_and_differential_changes() {
        let mut list = LocalList::default();
        take(
            &mut list,
            &update(true, 5, vec![accepted("a"), accepted("b")]),
        )
        .unwrap();
        let change = vec![
            entry("A", None),
            entry("b", Some(AuthorizationStatus::Blocked)),
            accepted("c"),
            entry("unknown", None),
        ];
        take(&mut list, &update(false, 6, change)).unwrap();
        let status = |list: &LocalList, id_tag: &str| {
            let info = list.get(&IdToken::new(id_tag).unwrap());
            info.map(|info| info.status)
        };
        assert_eq!(list.version(), 6);
        assert_eq!(status(&list, "a"), None);
        assert_eq!(status(&list, "B"), Some(AuthorizationStatus::Blocked));
        assert_eq!(status(&list, "C"), Some(AuthorizationStatus::Accepted));
        take(&mut list, &update(true, 2, vec![accepted("d")])).unwrap();
        assert_eq!((list.version(), status(&list, "c")), (2, None));
    }

    // covers: OLA-003
    #[test]
    fn an_empty_list_has_version_0_whatever_was_sent() {
        let mut list = LocalList::default();
        assert_eq!(list.version(), 0);
        take(&mut list, &update(true, 3, vec![accepted("a")])).unwrap();
        take(&mut list, &update(true, 4, vec![])).unwrap();
        assert_eq!(list.version(), 0);
        take(&mut list, &update(false, 1, vec![accepted("a")])).unwrap();
        assert_eq!(list.version(), 1);
        take(&mut list, &update(false, 2, vec![entry("a", None)])).unwrap();
        assert_eq!(list.version(), 0);
    }

    // covers: OLA-002, OLA-012
    #[test]
    fn what_can_not_be_carried_out_changes_nothing() {
        let mut list = LocalList::default();
        take(&mut list, &update(true, 5, vec![accepted("a")])).unwrap();
        for (full, version, entries, mismatch) in [
            (false, 5, vec![accepted("b")], true),
            (false, 4, vec![accepted("b")], true),
            (true, 0, vec![accepted("b")], false),
            (true, -1, vec![accepted("b")], false),
            (false, 0, vec![accepted("b")], false),
            (true, 6, vec![accepted("b"), accepted("")], false),
            (false, 6, vec![accepted("b"), accepted("")], false),
            (true, 6, vec![accepted("b"), entry("c", None)], false),
        ] {
            let refusal = list.check(&update(full, version, entries)).unwrap_err();
            assert_eq!(refusal == Refusal::VersionMismatch, mismatch, "{refusal:?}");
        }
        assert_eq!(list.version(), 5);
    }

    // covers: OLA-004, OLA-014
    #[test]
    fn the_advertised_lengths_are_true_and_no_more() {
        let mut list = LocalList::default();
        take(&mut list, &update(true, 1, numbered(0, MOST_ENTRIES))).unwrap();
        let too_many = list.check(&update(true, 2, numbered(0, MOST_ENTRIES + 1)));
        assert!(matches!(too_many, Err(Refusal::Failed(_))), "{too_many:?}");
        let one_more = list.check(&update(false, 2, vec![accepted("more")]));
        assert!(matches!(one_more, Err(Refusal::Failed(_))), "{one_more:?}");
        // One goes, one comes; and one that is there already changes.
        let exchange = vec![entry("TAG0", None), accepted("more"), accepted("TAG1")];
        take(&mut list, &update(false, 2, exchange)).unwrap();
        assert_eq!(list.entries.len(), MOST_ENTRIES);
    }

    #[test]
    fn of_two_entries_for_one_identifier_the_later_counts() {
        let mut list = LocalList::default();
        let twice = vec![
            entry("a", Some(AuthorizationStatus::Blocked)),
            accepted("A"),
        ];
        take(&mut list, &update(true, 1, twice)).unwrap();
        let known = list.get(&IdToken::new("a").unwrap()).unwrap();
        assert_eq!(known.status, AuthorizationStatus::Accepted);
    }
}
