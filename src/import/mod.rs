//! Another system's settings for Redis as a configuration of this program: what `config import`
//! prints, and what `--rudderstack` reads.
//!
//! Text in, TOML and notes out. Each system has a file or a folder of its own that takes its
//! options one by one (`transfer`), so that each gets exactly one note; options that are left are
//! noted as unknown.

mod address;
mod deepstream;
mod draft;
mod java_store;
mod oxd;
mod redwood;
mod rudderstack;
mod stalwart;
mod syntax;
mod transfer;

use std::path::Path;

use crate::config::SettingsLayer;

pub use draft::{Import, Note, NoteKind};

/// Whose settings they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum System {
    /// A Redis destination: its settings, the whole destination, or Rudder CLI's YAML
    Rudderstack,
    /// oxd-server.yml
    Oxd,
    /// config.toml up to 0.15, or the JSON of an in-memory store since 0.16
    Stalwart,
    /// The configuration file, or the options of its Redis cache
    Deepstream,
    /// persistence.redis, with dotted keys or nested
    Redwood,
}

/// Converts the text of a file of `system`. `variable` is asked for the environment variables that
/// the file refers to.
///
/// An option that cannot be converted is a note of the kind [`NoteKind::Failed`] beside the rest.
///
/// # Errors
/// The file is not of that form, or holds no settings for Redis. The text never quotes a value.
pub fn import(
    system: System,
    text: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Import, String> {
    let text = text.trim_start_matches('\u{feff}');
    match system {
        System::Rudderstack => rudderstack::convert(syntax::yaml_or_json(text)?, variable),
        System::Oxd => oxd::convert(syntax::yaml_or_json(text)?),
        System::Stalwart => stalwart::convert(syntax::toml_or_json(text)?, variable),
        System::Deepstream => deepstream::convert(syntax::yaml_or_json(text)?, variable),
        System::Redwood => redwood::convert(syntax::properties_yaml_or_json(text)?),
    }
}

/// RudderStack's settings in the JSON file `path`, to stand for the `[redis]` section and for what
/// they say about `[profile]`. Errors in them are reported by [`crate::config::load`], beside all
/// others.
pub fn rudderstack_layer(path: &Path) -> SettingsLayer {
    let read = std::fs::read_to_string(path)
        .map_err(|error| vec![format!("cannot be read: {error}")])
        .and_then(|text| rudderstack::layer(&text));
    SettingsLayer {
        origin: format!("RudderStack settings {}", path.display()),
        tables: &["redis", "profile"],
        read,
    }
}
