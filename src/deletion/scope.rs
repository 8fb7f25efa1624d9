//! Where the keys of a user may be. Pure.

use std::collections::BTreeSet;

/// The prefixes and entities under which the keys of a user may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyScope {
    /// Prefixes of `redis.key`; `""` is none. Each once.
    pub prefixes: Vec<String>,
    /// Pairs of entity and id type, of the keys that `[profile.entities]` makes. Each once.
    pub entities: Vec<(String, String)>,
}

/// One source of the configuration: its name, and the prefix of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSource {
    pub name: String,
    /// The prefix, or the default where each event may say another one.
    pub prefix: String,
    /// Each event may say another prefix.
    pub dynamic: bool,
}

/// Which keys there are, as far as the configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfiguredKeys {
    /// `redis.prefix` and `deletion.prefixes`.
    pub prefixes: Vec<String>,
    pub sources: Vec<NamedSource>,
}

impl ConfiguredKeys {
    /// True when a source has this name.
    pub(super) fn has_source(&self, name: &str) -> bool {
        self.sources.iter().any(|source| source.name == name)
    }

    /// The prefixes of the sources with these `names`; `None`: no source has one of them. Prefixes
    /// that events have said so far are `seen`.
    pub(super) fn of_sources<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
        seen: &[String],
    ) -> Option<Vec<String>> {
        let mut found = BTreeSet::new();
        for name in names {
            for source in self.sources.iter().filter(|source| source.name == name) {
                found.insert(source.prefix.clone());
                if source.dynamic {
                    found.extend(seen.iter().cloned());
                }
            }
        }
        (!found.is_empty()).then(|| found.into_iter().collect())
    }

    /// Every key: under what is configured, and what events have said so far.
    pub fn everywhere(&self, seen: &KeyScope) -> KeyScope {
        let sources = self.sources.iter().map(|source| &source.prefix);
        let all = self.prefixes.iter().chain(sources).chain(&seen.prefixes);
        let prefixes: BTreeSet<&String> = all.collect();
        KeyScope {
            prefixes: prefixes.into_iter().cloned().collect(),
            entities: seen.entities.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> ConfiguredKeys {
        let source = |name: &str, prefix: &str, dynamic| NamedSource {
            name: name.into(),
            prefix: prefix.into(),
            dynamic,
        };
        ConfiguredKeys {
            prefixes: vec!["".into(), "old".into()],
            sources: vec![source("web", "team", false), source("app", "", true)],
        }
    }

    #[test]
    fn a_source_has_its_prefixes_only() {
        let of = |names: &[&str]| keys().of_sources(names.iter().copied(), &["a".into()]);
        assert_eq!(of(&["web"]), Some(vec!["team".into()]));
        assert_eq!(of(&["app", "other"]), Some(vec!["".into(), "a".into()]));
        assert_eq!(of(&["other"]), None);
        assert_eq!((keys().has_source("web"), keys().has_source("team")), (true, false));
    }

    #[test]
    fn everywhere_is_each_prefix_once() {
        let seen = KeyScope {
            prefixes: vec!["a".into(), "old".into()],
            entities: vec![("e".into(), "t".into())],
        };
        let all = keys().everywhere(&seen);
        assert_eq!(all.prefixes, ["", "a", "old", "team"]);
        assert_eq!(all.entities, seen.entities);
    }
}
