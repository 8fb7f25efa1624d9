//! The command line: verbs and options, and nothing about what they do.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::error::ErrorKind;
use clap::{Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;

use crate::config::{ConfigArgs, LogFormat};
use crate::import::System;

const EXAMPLES: &str = "\
Examples:
  traitsink demo                                     try it: no Redis, no file
  traitsink -c traitsink.toml check --connect        is it right, is Redis reachable?
  traitsink -c traitsink.toml run
  traitsink -s redis.url=rediss://cache:6380 run     keys by flags
  TRAITSINK_REDIS__URL=redis://cache traitsink run   or by variables
  traitsink config default > traitsink.toml          every key, commented";

/// The heading of the options that every verb takes, in help texts.
pub const OPTIONS_HEADING: &str = "Options for every verb";

/// Writes the traits of analytics identify events to Redis hashes.
///
/// Each identify event becomes one HSET on `[prefix:]user:<id>`; sources get their answer after
/// Redis confirmed the write.
#[derive(Debug, Parser)]
#[command(
    name = "traitsink",
    version,
    long_version = LONG_VERSION.as_str(),
    after_help = EXAMPLES,
    max_term_width = 110
)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
}

// Options before and after the verb. (A doc comment would become the description of every verb.)
// Not `Debug`: `--set` may hold a secret.
#[derive(Clone, Default, Args)]
#[command(next_help_heading = OPTIONS_HEADING)]
pub struct Options {
    /// Configuration file (.toml, .yaml, .yml, .json); repeat it to lay one over the other
    #[arg(short, long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// One key, over files and variables; the value is TOML or plain text
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Log warnings and errors only; `check` says nothing when all is well
    #[arg(short, long)]
    quiet: bool,
    /// Log debug messages too
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    /// How log lines look
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

/// The verb: what to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Take events from the configured sources and write them to Redis (the verb may be left out)
    Run {
        #[command(flatten)]
        rudderstack: Rudderstack,
    },
    /// Try it out: a store inside this process, the HTTP source and three example users
    Demo {
        /// Exit after printing the three hashes
        #[arg(long)]
        once: bool,
    },
    /// Check the configuration and say what it would do
    Check {
        /// Also reach everything it will use
        #[arg(long)]
        connect: bool,
        /// Only ask a running worker whether it makes progress: its admin listener, such as
        /// http://127.0.0.1:9464; no configuration is read
        #[arg(long, value_name = "URL", conflicts_with_all = ["connect", "file"])]
        live: Option<String>,
        #[command(flatten)]
        rudderstack: Rudderstack,
    },
    /// Show what events would become: one JSON event per line in, one JSON line each out; needs no
    /// Redis
    #[command(after_help = "Example:\n  echo \
            '{\"type\":\"identify\",\"userId\":\"u1\",\"traits\":{\"a\":1}}' | traitsink explain")]
    Explain {
        /// Prefix of the keys, instead of redis.prefix
        #[arg(long, value_name = "PREFIX")]
        prefix: Option<String>,
        /// When the events come, instead of now: 2026-11-28T10:00:00Z, or milliseconds since 1970
        #[arg(long, value_name = "TIME", value_parser = moment)]
        now: Option<Timestamp>,
    },
    /// Send files of events, dead letters or archives, one JSON object per line, through to Redis
    #[command(after_help = "Examples:\n  traitsink replay --dry-run repair.ndjson\n  \
            traitsink replay --rate 5000 --resume '/backup/2026-11-*/'")]
    Replay(ReplayArgs),
    /// Watch workers: rates, freshness, lag, lanes, Redis, the last rejections
    #[command(after_help = "Keys: q, Esc and ctrl-C end it; arrows, j and k choose a worker; ? \
            explains the words")]
    Top {
        /// Admin listeners of the workers [default: http://127.0.0.1:9464]
        #[arg(value_name = "URL")]
        urls: Vec<String>,
    },
    /// Print what a worker decides on its events, one JSON line each
    #[command(after_help = "`admin.tap` of the worker says what is shown: off, redacted or full. \
            Of more than 500 events a second a sample is shown.")]
    Tap {
        /// Admin listener of the worker [default: http://127.0.0.1:9464]
        #[arg(value_name = "URL")]
        url: Option<String>,
        /// End after so many lines
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        limit: Option<u64>,
    },
    /// Print a configuration or its schema
    #[command(subcommand, arg_required_else_help = true)]
    Config(ConfigVerb),
    /// Print completions for a shell
    #[command(
        after_help = "Example:\n  traitsink completions bash > /etc/bash_completion.d/traitsink"
    )]
    Completions { shell: Shell },
    /// Print the manual page traitsink(1), for `man -l`
    #[command(hide = true)]
    Man,
}

/// The arguments of `replay`: its input, and how it is read.
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// Files, directories and patterns to read in this order; - is standard input. Gzip and zstd
    /// are found by content
    #[arg(value_name = "FILE", required_unless_present = "dead_letter_topic")]
    pub files: Vec<PathBuf>,
    /// Read dead_letter.topic instead, to its end as of now
    #[arg(long, conflicts_with_all = ["files", "resume", "format"])]
    pub dead_letter_topic: bool,
    /// The kind of lines; auto looks at each
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub format: ReplayFormat,
    /// Go on where an earlier replay of the same files was ended
    #[arg(long)]
    pub resume: bool,
    /// The most events a second, of all files together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub rate: Option<u64>,
    /// Write nothing and say what would be written, as JSON; needs no Redis
    #[arg(long, conflicts_with_all = ["resume", "dead_letter_topic"])]
    pub dry_run: bool,
    /// How progress is shown; by default a bar on a terminal, and else lines
    #[arg(long, value_name = "HOW")]
    pub progress: Option<ProgressKind>,
}

/// The kinds of lines in replayed files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReplayFormat {
    Auto,
    Events,
    DeadLetters,
    Archive,
}

/// How the progress of a replay is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressKind {
    Bar,
    Plain,
    None,
}

/// Where `[redis]` may come from besides files, variables and flags.
#[derive(Debug, Clone, Args)]
pub struct Rudderstack {
    /// RudderStack Redis destination settings (JSON), which stand for the [redis] section
    #[arg(long = "rudderstack", value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// The verb behind `config`: what it prints.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigVerb {
    /// The effective configuration, with *** for secrets
    Show,
    /// A documented file with every key and its default
    Default,
    /// The JSON schema, for editors
    Schema,
    /// Another system's settings for Redis as a configuration of this program
    #[command(
        long_about = "Another system's settings for Redis as a configuration of this \
            program\n\nThe configuration goes to standard output, secrets included; one line for \
            each option to standard error. Variables that the file refers to are taken from the \
            environment.",
        after_help = "Example:\n  traitsink config import --from oxd \
            /opt/oxd-server/conf/oxd-server.yml > traitsink.toml"
    )]
    Import {
        /// Whose file it is
        #[arg(long, value_name = "SYSTEM")]
        from: System,
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Shells that completions are made for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// A command line that was understood.
pub struct Invocation {
    pub options: Options,
    pub verb: Verb,
}

impl Options {
    /// `-q` was given.
    pub fn quiet(&self) -> bool {
        self.quiet
    }

    /// The layers of the configuration that these options and the process's environment name.
    pub fn config_args(&self) -> ConfigArgs {
        let level = match (self.quiet, self.verbose) {
            (true, _) => Some(("--quiet", "log.level", "warn".to_owned())),
            (_, true) => Some(("--verbose", "log.level", "debug".to_owned())),
            _ => None,
        };
        let format = self.log_format.and_then(|format| {
            let word = format.to_possible_value()?.get_name().to_owned();
            Some(("--log-format", "log.format", word))
        });
        ConfigArgs {
            files: self.config.clone(),
            set: self.set.clone(),
            environment: std::env::vars_os().collect(),
            flags: level.into_iter().chain(format).collect(),
            ..ConfigArgs::default()
        }
    }

    /// Adds what was typed behind a verb to what was typed before it.
    fn extend(&mut self, later: Self) {
        self.config.extend(later.config);
        self.set.extend(later.set);
        self.quiet |= later.quiet;
        self.verbose |= later.verbose;
        self.log_format = later.log_format.or(self.log_format);
    }
}

/// The command line with the options at every level. Clap's own global options would lose the
/// values before the verb when there are others behind it.
pub fn command() -> Command {
    fn with_options(command: Command) -> Command {
        Options::augment_args(command).mut_subcommands(with_options)
    }
    with_options(Cli::command())
}

/// Understands a command line.
///
/// # Errors
/// Usage errors, and the requests for help and version, as clap gives them.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Invocation, clap::Error> {
    let matches = command().try_get_matches_from(args)?;
    let mut options = Options::default();
    let mut level = Some(&matches);
    while let Some(matches) = level {
        options.extend(Options::from_arg_matches(matches)?);
        level = matches.subcommand().map(|(_, matches)| matches);
    }
    let usage = |kind, text: &str| command().error(kind, text);
    if options.quiet && options.verbose {
        return Err(usage(ErrorKind::ArgumentConflict, "--quiet cannot be used with --verbose"));
    }
    // Checked here and not by a value parser, whose message would quote the value: it may be a
    // secret.
    if options
        .set
        .iter()
        .any(|set| set.split_once('=').is_none_or(|(key, _)| key.trim().is_empty()))
    {
        return Err(usage(ErrorKind::ValueValidation, "--set takes path.to.key=value"));
    }
    let verb = match Cli::from_arg_matches(&matches)?.verb {
        Some(verb) => verb,
        None if options.config_args().is_empty() => {
            let text = format!(
                "nothing to do: give a verb or a configuration\n\n{}",
                command().render_help()
            );
            return Err(clap::Error::raw(ErrorKind::MissingSubcommand, text));
        }
        None => Verb::Run { rudderstack: Rudderstack { file: None } },
    };
    Ok(Invocation { options, verb })
}

/// Reads RFC 3339, or milliseconds since 1970.
fn moment(text: &str) -> Result<Timestamp, String> {
    let moment = match text.parse() {
        Ok(ms) => Timestamp::from_millisecond(ms),
        Err(_) => text.parse(),
    };
    moment.map_err(|_| "write 2026-11-28T10:00:00Z, or milliseconds since 1970".to_owned())
}

static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    let revision = option_env!("TRAITSINK_REVISION").unwrap_or("unknown");
    format!(
        "{}\nrevision: {revision}\nrustc: {}\nfeatures: {}",
        env!("CARGO_PKG_VERSION"),
        env!("TRAITSINK_RUSTC"),
        features()
    )
});

#[cfg(feature = "kafka")]
fn features() -> String {
    format!("kafka (librdkafka {})", rdkafka::util::get_rdkafka_version().1)
}

#[cfg(not(feature = "kafka"))]
fn features() -> String {
    "none".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Invocation, ErrorKind> {
        parse(line.split(' ').map(OsString::from)).map_err(|error| error.kind())
    }

    #[test]
    fn the_definition_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn options_before_and_behind_the_verb_add_up_in_order() {
        let options =
            parsed("traitsink -c a.toml -s x.y=1 config -c b.toml show -c c.toml -s x.y=2 -q")
                .unwrap()
                .options;
        assert_eq!(options.config, ["a.toml", "b.toml", "c.toml"].map(PathBuf::from));
        assert_eq!(options.set, ["x.y=1", "x.y=2"]);
        assert!(options.quiet());
    }

    #[test]
    fn without_a_verb_a_configuration_runs() {
        assert!(matches!(parsed("traitsink -s redis.database=1").unwrap().verb, Verb::Run { .. }));
        assert_eq!(parsed("traitsink -q run -v").err(), Some(ErrorKind::ArgumentConflict));
        assert_eq!(parsed("traitsink run -s redis.url").err(), Some(ErrorKind::ValueValidation));
        assert_eq!(parsed("traitsink replay").err(), Some(ErrorKind::MissingRequiredArgument));
    }
}
