//! What this station knows about identifiers without asking: the list first, then the cache.

use std::sync::Arc;

use serde_json::Value;

use super::calls::{accepted_or_rejected, status};
use super::{ChargePoint, Output};
use crate::IdToken;
use crate::configuration::Key;
use crate::fault::Fault;
use crate::identifiers::{AuthorizationCache, LocalList, StoredIdentifiers};
use crate::message::answer::{AuthorizationStatus, IdTagInfo};
use crate::message::incoming::local_list::ListUpdate;

/// The list, the cache, and what is being done to them.
#[derive(Debug)]
pub(super) struct Identifiers {
    pub(super) list: LocalList,
    cache: AuthorizationCache,
    /// An update on its way to the flash.
    pub(super) storing: Option<Storing>,
    /// The `ClearCache` that waits for the flash.
    clearing: Option<String>,
    /// The central system has contradicted the list since it was last updated.
    pub(super) conflict: bool,
}

/// An update that takes effect once it is durable.
#[derive(Debug)]
pub(super) struct Storing {
    /// Who waits for the answer; nobody when the connection ended.
    pub(super) call: Option<String>,
    pub(super) update: Arc<ListUpdate>,
}

/// What is known about one identifier now.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    /// With regard to the expiry date.
    pub(super) status: AuthorizationStatus,
    pub(super) parent: Option<IdToken>,
}

impl Known {
    pub(super) fn accepted(&self) -> bool {
        self.status == AuthorizationStatus::Accepted
    }
}

impl Identifiers {
    pub(super) fn new(stored: StoredIdentifiers) -> Self {
        Self {
            list: LocalList::new(stored.list_version, stored.list),
            cache: AuthorizationCache::new(stored.cache),
            storing: None,
            clearing: None,
            conflict: false,
        }
    }

    /// The connection that asked is gone: what was begun goes on, but nobody is answered.
    pub(super) fn forget_calls(&mut self) {
        self.clearing = None;
        if let Some(storing) = &mut self.storing {
            storing.call = None;
        }
    }
}

impl ChargePoint {
    /// What the list, or else the cache, says about `id_tag`.
    pub(super) fn known(&self, id_tag: &IdToken) -> Option<Known> {
        let info = self.listed(id_tag).or_else(|| self.cached(id_tag))?;
        Some(Known {
            status: info.status_at(self.wall()),
            parent: info.parent.clone(),
        })
    }

    /// Takes what the central system says about `id_tag`: into the cache, unless the list has it.
    /// `ConcurrentTx` is about this moment and is not kept.
    pub(super) fn learn(&mut self, id_tag: &IdToken, info: &IdTagInfo) {
        if info.status == AuthorizationStatus::ConcurrentTx {
            return;
        }
        if let Some(listed) = self.listed(id_tag) {
            let accepted = |status| status == AuthorizationStatus::Accepted;
            if accepted(listed.status_at(self.wall())) != accepted(info.status) {
                self.identifiers.conflict = true;
                self.warn(format!(
                    "the central system contradicts the local list: it says {}",
                    info.status.name()
                ));
            }
        } else if self.configuration.flag(Key::AuthorizationCacheEnabled) {
            let changes = self.identifiers.cache.put(id_tag, info);
            if !changes.is_empty() {
                self.outputs.push(Output::StoreCache(changes));
            }
        }
    }

    /// `ClearCache`; `None` until it is durable. Erratum 3.23: without cache it is rejected.
    pub(super) fn clear_cache(&mut self, call: &str) -> Option<Value> {
        if !self.configuration.flag(Key::AuthorizationCacheEnabled) {
            return Some(status("Rejected"));
        }
        self.cache_cleared(false);
        self.identifiers.cache.clear();
        self.identifiers.clearing = Some(call.to_owned());
        self.outputs.push(Output::ClearCache);
        None
    }

    /// What became of [`Output::ClearCache`].
    pub(super) fn cache_cleared(&mut self, durable: bool) {
        if let Some(call) = self.identifiers.clearing.take() {
            self.answer_call(&call, accepted_or_rejected(durable));
        }
    }

    /// The list contradicts the central system (guide 3.3.4.33).
    pub(super) fn list_conflict(&self) -> Option<Fault> {
        let reported = self.identifiers.conflict && self.list_enabled();
        reported.then_some(Fault::LocalListConflict)
    }

    pub(super) fn list_enabled(&self) -> bool {
        self.configuration.flag(Key::LocalAuthListEnabled)
    }

    fn listed(&self, id_tag: &IdToken) -> Option<&IdTagInfo> {
        let list = self.list_enabled().then_some(&self.identifiers.list)?;
        list.get(id_tag)
    }

    fn cached(&self, id_tag: &IdToken) -> Option<&IdTagInfo> {
        let enabled = self.configuration.flag(Key::AuthorizationCacheEnabled);
        enabled.then_some(&self.identifiers.cache)?.get(id_tag)
    }
}
