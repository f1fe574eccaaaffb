//! Profile LocalAuthListManagement.

use super::{Decoder, Request};
use crate::decode::Fields;
use crate::message::answer::{AUTHORIZATION_STATUSES, IdTagInfo};
use crate::{CallError, IdToken};

/// A request of profile LocalAuthListManagement.
#[derive(Clone, Debug)]
pub(crate) enum LocalList {
    GetLocalListVersion,
    SendLocalList(ListUpdate),
}

/// `SendLocalList.req`
#[derive(Clone, Debug, PartialEq)]
pub struct ListUpdate {
    /// Of the list after the update.
    pub version: i64,
    /// Whether the entries replace the list; otherwise they change it.
    pub full: bool,
    /// In their order; a later one for the same identifier counts.
    pub entries: Vec<LocalEntry>,
}

/// `AuthorizationData`: without `info` the entry is to be removed.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalEntry {
    /// Whom it is about.
    pub id_tag: IdToken,
    /// What holds from now on.
    pub info: Option<IdTagInfo>,
}

pub(super) const ACTIONS: [(&str, Decoder); 2] = [
    ("GetLocalListVersion", |_| {
        Ok(Request::LocalList(LocalList::GetLocalListVersion))
    }),
    ("SendLocalList", |fields| {
        let entries = fields.objects("localAuthorizationList")?;
        Ok(Request::LocalList(LocalList::SendLocalList(ListUpdate {
            version: fields.integer("listVersion")?,
            full: fields.choice("updateType", &[("Full", true), ("Differential", false)])?,
            entries: entries.iter().map(entry).collect::<Result<_, _>>()?,
        })))
    }),
];

fn entry(fields: &Fields<'_>) -> Result<LocalEntry, CallError> {
    Ok(LocalEntry {
        id_tag: fields.text("idTag")?,
        info: fields
            .optional_object("idTagInfo")?
            .map(|info| id_tag_info(&info))
            .transpose()?,
    })
}

/// Read strictly, unlike in answers: a list with one wrong entry is refused as a whole.
fn id_tag_info(fields: &Fields<'_>) -> Result<IdTagInfo, CallError> {
    Ok(IdTagInfo {
        status: fields.choice("status", &AUTHORIZATION_STATUSES)?,
        parent: fields
            .optional_text("parentIdTag")?
            .and_then(IdToken::non_empty),
        expiry: fields.optional_timestamp("expiryDate")?,
    })
}
