//! The write forms that a configuration uses. Pure.

use std::time::Duration;

use super::document::DocumentWrite;
use super::expire::Expire;
use super::guard::{Guard, GuardMode};
use super::guarded::{GuardedErasure, GuardedWrite};
use super::hash::HashWrite;
use super::part::UpdatePart;
use super::script::Script;
use super::unguarded::{KeyDeletion, ReplaceWrite};
use super::write::Write;
use super::write_settings::WriteSettings;
use crate::event::{Action, Expiry, Update};
use crate::profile::{NewestWins, Nulls, Profile, ProfileMode, Store, TtlMode};

/// The write forms that can occur, and what all writes of one form have in common. The default is
/// to set fields of hashes.
#[derive(Debug, Default)]
pub struct Forms {
    /// Fields are removed, too.
    removes: bool,
    /// The fields of an event become all that a hash has. Not with documents.
    replaces: bool,
    /// How often keys are given an end; `None`: never.
    expire: Option<TtlMode>,
    settings: WriteSettings,
    /// How a user is deleted; `None`: never.
    deletes: bool,
    /// There are profiles of entities: always merged.
    entities: bool,
    /// Profiles are JSON documents; `None`: they are hashes.
    documents: Option<DocumentForms>,
}

/// What becomes of JSON documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DocumentForms {
    Merged,
    Replaced,
    /// Those of users are replaced, those of entities merged.
    ReplacedAndMerged,
}

impl Forms {
    /// For profiles that change so.
    pub fn of(profile: &Profile) -> Self {
        let guard = |mode| Guard::new(mode, &profile.time_field);
        let (merging, replacing) = match profile.newest_wins {
            NewestWins::Off => (None, None),
            NewestWins::Field => (Some(GuardMode::Field), None),
            NewestWins::Profile => (Some(GuardMode::Profile), Some(GuardMode::ProfileReplace)),
        };
        let documents = (profile.store == Store::Json).then_some(match profile.mode {
            ProfileMode::Merge => DocumentForms::Merged,
            ProfileMode::Replace if profile.entities.is_some() => DocumentForms::ReplacedAndMerged,
            ProfileMode::Replace => DocumentForms::Replaced,
        });
        let expires = profile.ttl.is_some() || profile.ttl_path.is_some();
        Self {
            removes: profile.nulls == Nulls::Delete,
            replaces: documents.is_none() && profile.mode == ProfileMode::Replace,
            expire: expires.then_some(profile.ttl_mode),
            settings: WriteSettings {
                guard: merging.map(guard),
                replacing_guard: replacing.map(guard),
                field_ttl: profile.field_ttl.clone(),
                tombstone_ttl: 0,
            },
            deletes: false,
            entities: profile.entities.is_some(),
            documents,
        }
    }

    /// The same, where users are deleted, and remembered as deleted for so long.
    pub fn with_deletion(self, tombstone_ttl: Duration) -> Self {
        let tombstone_ttl = u64::try_from(tombstone_ttl.as_millis()).unwrap_or(u64::MAX);
        let settings = WriteSettings { tombstone_ttl, ..self.settings };
        Self { deletes: true, settings, ..self }
    }

    /// Whether profiles are JSON documents.
    pub(in crate::redis) fn writes_documents(&self) -> bool {
        self.documents.is_some()
    }

    /// The commands that read a profile, and the end of its key.
    pub(in crate::redis) fn read_commands(&self) -> [&'static str; 2] {
        [if self.writes_documents() { "JSON.GET" } else { "HGETALL" }, "TTL"]
    }

    /// Whether keys are given an end.
    pub(in crate::redis) fn keys_end(&self) -> bool {
        self.expire.is_some()
    }

    /// Whether updates are guarded.
    pub(super) fn is_guarded(&self) -> bool {
        self.settings.guard.is_some()
    }

    /// Whether fields have a TTL.
    pub(super) fn fields_end(&self) -> bool {
        !self.settings.field_ttl.is_empty()
    }

    /// What all writes have in common.
    pub(super) fn settings(&self) -> &WriteSettings {
        &self.settings
    }

    /// The part that an update is of its write.
    pub fn part<'a>(&self, update: &'a Update) -> UpdatePart<'a> {
        let (fields, removed) = self.write(update).counts();
        UpdatePart { fields, removed, payload: update.payload() }
    }

    /// Whether only a key without an end is given one.
    pub(super) fn expires_once(&self) -> bool {
        self.expire == Some(TtlMode::Once)
    }

    /// The write for one update.
    pub fn write(&self, update: &Update) -> Write {
        let (fields, removed) = (update.field_count(), update.removed_count());
        let expire = update.expiry().map(|expiry| self.expire_at(expiry));
        let time = update.at().map(|at| u64::try_from(at).unwrap_or(0));
        match (update.action(), time) {
            (action @ (Action::Merge | Action::Replace), Some(time)) => {
                let replace = action == Action::Replace;
                Write::Guarded(GuardedWrite { time, replace, fields, removed, expire })
            }
            (Action::Merge, None) => Write::Hash(HashWrite { fields, removed, expire }),
            (Action::Replace, None) => Write::Replace(ReplaceWrite { fields, expire }),
            (Action::Delete, Some(time)) => {
                Write::Erasure(GuardedErasure { time, everything: false })
            }
            (Action::Erase, Some(time)) => {
                Write::Erasure(GuardedErasure { time, everything: true })
            }
            (Action::Delete | Action::Erase, None) => {
                Write::Deletion(KeyDeletion { json: self.documents.is_some() })
            }
            (Action::MergeDocument { nulls }, _) => {
                Write::Document(DocumentWrite { replace: false, nulls, expire })
            }
            (Action::ReplaceDocument, _) => {
                Write::Document(DocumentWrite { replace: true, nulls: 0, expire })
            }
        }
    }

    fn expire_at(&self, expiry: Expiry) -> Expire {
        Expire { expiry, once: self.expires_once() }
    }

    /// One write of every form, with `fields` fields where a form has fields: to ask a server
    /// whether it would take them.
    pub(in crate::redis) fn samples(&self, fields: u32) -> impl Iterator<Item = Write> {
        let expire = self.expire.map(|_| self.expire_at(Expiry::After(1000)));
        let removed = u32::from(self.removes);
        let document = |replace| Write::Document(DocumentWrite { replace, nulls: 0, expire });
        let change = match (self.documents, &self.settings.guard, self.replaces) {
            (Some(DocumentForms::Merged), ..) => document(false),
            (Some(DocumentForms::Replaced | DocumentForms::ReplacedAndMerged), ..) => {
                document(true)
            }
            (None, Some(_), _) => Write::Guarded(GuardedWrite {
                time: 0,
                replace: self.replaces,
                fields,
                removed,
                expire,
            }),
            (None, None, true) => Write::Replace(ReplaceWrite { fields, expire }),
            (None, None, false) => Write::Hash(HashWrite { fields, removed, expire }),
        };
        let of_entities = match (self.documents, self.entities && self.replaces) {
            (Some(DocumentForms::ReplacedAndMerged), _) => Some(document(false)),
            (None, true) => Some(Write::Hash(HashWrite { fields, removed, expire })),
            _ => None,
        };
        let deletion = self.deletes.then_some(match self.settings.guard {
            Some(_) => Write::Erasure(GuardedErasure { time: 0, everything: false }),
            None => Write::Deletion(KeyDeletion { json: self.documents.is_some() }),
        });
        [Some(change), of_entities, deletion].into_iter().flatten()
    }

    /// The permissions that an ACL needs for all of them.
    pub(in crate::redis) fn acl(&self) -> String {
        let mut permissions: Vec<&str> = Vec::new();
        let field_ttl = (!self.settings.field_ttl.is_empty()).then_some(Guard::FIELD_TTL_ACL);
        let writes = self.samples(1).flat_map(|write| [Some(write.acl()), write.follow_up_acl()]);
        for permission in writes.chain([field_ttl]).flatten().flat_map(|words| words.split(' ')) {
            if !permission.is_empty() && !permissions.contains(&permission) {
                permissions.push(permission);
            }
        }
        permissions.join(" ")
    }

    /// The scripts that a server must know before it is written to.
    pub(in crate::redis) fn scripts(&self) -> Vec<&'static Script> {
        match &self.settings.guard {
            Some(guard) => guard.scripts().to_vec(),
            None => {
                [self.replaces.then(ReplaceWrite::script), self.deletes.then(KeyDeletion::script)]
                    .into_iter()
                    .flatten()
                    .collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_loaded_where_the_acl_allows_it() {
        for &store in Store::ALL {
            for &mode in ProfileMode::ALL {
                for &newest_wins in NewestWins::ALL {
                    if store == Store::Json && newest_wins != NewestWins::Off {
                        continue;
                    }
                    let profile = Profile { store, mode, newest_wins, ..Profile::default() };
                    let deletes = Forms::of(&profile).with_deletion(Duration::from_secs(1));
                    for forms in [Forms::of(&profile), deletes] {
                        let allowed = forms.acl().contains("+script|load");
                        assert_eq!(!forms.scripts().is_empty(), allowed, "{forms:?}");
                    }
                }
            }
        }
    }
}
