//! What is known about identifiers without asking: the list that the central system sent, and
//! the cache of its answers. All are found by [`crate::IdToken::folded`].

mod authorization_cache;
mod local_list;

pub(crate) use authorization_cache::AuthorizationCache;
pub use authorization_cache::CacheChange;
#[cfg(test)]
pub(crate) use local_list::MOST_ENTRIES as LONGEST_LOCAL_LIST;
pub(crate) use local_list::{LocalList, Refusal};

use crate::message::answer::IdTagInfo;

/// The durable identifiers as they are handed back after a restart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredIdentifiers {
    /// Of the list.
    pub list_version: i64,
    /// The local authorization list.
    pub list: Vec<(String, IdTagInfo)>,
    /// The authorization cache, what was put last at the end.
    pub cache: Vec<(String, IdTagInfo)>,
}
