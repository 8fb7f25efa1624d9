//! `data_dir`: where state is kept by default.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// systemd's state directory, else `$XDG_STATE_HOME/traitsink`, else `~/.local/state/traitsink`.
pub(crate) fn default(environment: &BTreeMap<OsString, OsString>) -> Option<PathBuf> {
    let absolute =
        |path: &Path| (path.is_absolute() && path.to_str().is_some()).then(|| path.to_owned());
    let variable =
        |name: &str| environment.get(&OsString::from(name)).map(Path::new).and_then(absolute);
    // systemd joins several directories by colons; ours is the first.
    let systemd = environment
        .get(&OsString::from("STATE_DIRECTORY"))
        .and_then(|paths| std::env::split_paths(paths).next());
    systemd
        .and_then(|path| absolute(&path))
        .or_else(|| variable("XDG_STATE_HOME").map(|path| path.join("traitsink")))
        .or_else(|| variable("HOME").map(|path| path.join(".local/state/traitsink")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_set_and_absolute_wins() {
        let of = |variables: &[(&str, &str)]| {
            default(
                &variables
                    .iter()
                    .map(|(name, value)| (OsString::from(name), OsString::from(value)))
                    .collect(),
            )
        };
        let home = ("HOME", "/home/u");
        let cases = [
            (
                vec![("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"), ("XDG_STATE_HOME", "/s"), home],
                "/var/lib/a",
            ),
            (vec![("XDG_STATE_HOME", "/s"), home], "/s/traitsink"),
            (vec![("XDG_STATE_HOME", "relative"), home], "/home/u/.local/state/traitsink"),
            (vec![("STATE_DIRECTORY", ""), home], "/home/u/.local/state/traitsink"),
        ];
        for (variables, expected) in cases {
            assert_eq!(of(&variables), Some(PathBuf::from(expected)), "{variables:?}");
        }
        assert_eq!(of(&[]), None);
    }
}
