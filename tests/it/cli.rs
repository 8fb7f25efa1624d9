//! The command line, tested with the real binary: help, exit codes, the output, and secrets that
//! are never printed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::harness::certs::Authority;

/// Runs the binary with an environment of a home directory and `variables` only.
fn traitsink(args: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_traitsink"))
        .args(args)
        .env_clear()
        .env("HOME", "/home/u")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn exit_codes_are_those_of_sysexits() {
    for (args, code) in [
        (&["--help"][..], 0),
        (&["-h"], 0),
        (&["help", "run"], 0),
        (&["config", "show", "--help"], 0),
        (&["--version"], 0),
        (&["config", "default"], 0),
        (&["config", "schema"], 0),
        (&["check"], 0),
        (&["check", "-s", "redis.prefix=x"], 0),
        (&["-s", "redis.prefix=x", "check"], 0),
        (&[], 64),
        (&["frobnicate"], 64),
        (&["check", "--frobnicate"], 64),
        (&["config"], 64),
        (&["replay"], 64),
        (&["completions", "tcsh"], 64),
        (&["-q", "check", "-v"], 64),
        (&["check", "-s", "redis.prefix"], 64),
        (&["check", "-c", "/nonexistent.toml"], 78),
        (&["check", "-s", "redis.ulr=x"], 78),
        (&["run", "-s", "redis.ulr=x"], 78),
        // A configuration without a verb means `run`.
        (&["-s", "redis.ulr=x"], 78),
    ] {
        let output = traitsink(args, &[]);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", err(&output));
        assert_eq!(output.stdout.is_empty(), code != 0, "{args:?}");
        assert_eq!(output.stderr.is_empty(), code == 0, "{args:?}: {}", err(&output));
    }
    assert_eq!(traitsink(&[], &[("TRAITSINK_REDIS__ULR", "x")]).status.code(), Some(78));
}

#[test]
fn help_names_every_verb_and_the_options_everywhere() {
    let help = out(&traitsink(&["--help"], &[]));
    for verb in ["run", "demo", "check", "explain", "replay", "config", "completions"] {
        assert!(help.contains(&format!("\n  {verb} ")), "{verb}");
        let help = out(&traitsink(&[verb, "--help"], &[]));
        for option in [
            "--config <FILE>",
            "--set <KEY=VALUE>",
            "--quiet",
            "--verbose",
            "--log-format <FORMAT>",
        ] {
            assert!(help.contains(option), "{verb} {option}");
        }
    }
}

#[test]
fn the_long_version_names_features() {
    let version = concat!("traitsink ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(out(&traitsink(&["-V"], &[])), version);
    let long = out(&traitsink(&["--version"], &[]));
    assert!(long.starts_with(version) && long.contains("\nrustc: 1."), "{long}");
    let features = if cfg!(feature = "kafka") {
        "\nfeatures: kafka (librdkafka 2."
    } else {
        "\nfeatures: none\n"
    };
    assert!(long.contains(features), "{long}");
}

#[test]
fn completions_name_the_verbs() {
    for shell in ["bash", "zsh", "fish"] {
        let script = out(&traitsink(&["completions", shell], &[]));
        for verb in
            ["run", "demo", "check", "explain", "replay", "config", "completions", "log-format"]
        {
            assert!(script.contains(verb), "{shell} {verb}");
        }
    }
}

#[test]
fn the_documented_file_and_the_schema_are_printed() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/traitsink.toml");
    assert_eq!(out(&traitsink(&["config", "default"], &[])), fs::read_to_string(deploy).unwrap());
    let schema: serde_json::Value =
        serde_json::from_str(&out(&traitsink(&["config", "schema"], &[]))).unwrap();
    assert_eq!(schema["properties"]["delivery"]["properties"]["lanes"]["maximum"], 1024);
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn every_deployed_configuration_passes_check() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let files = fs::read_dir(deploy).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    assert!(files.iter().any(|path| path.ends_with("traitsink.toml")), "{files:?}");
    for path in files {
        let output = traitsink(&["-c", path.to_str().unwrap(), "check"], &[]);
        assert!(output.status.success(), "{}: {}", path.display(), err(&output));
        assert!(out(&output).ends_with("\nconfiguration is valid\n"), "{}", out(&output));
    }
}

#[test]
fn a_ca_file_without_a_certificate_is_an_error() {
    let directory = TempDir::new().unwrap();
    let ca = directory.path().join("ca.pem");
    fs::write(&ca, "not a certificate").unwrap();
    let setting = format!("redis.tls.ca_file={}", ca.display());
    for verb in ["check", "run"] {
        let output = traitsink(
            &["-s", "redis.url=rediss://h", "-s", &setting, "-s", "http.listen=127.0.0.1:0", verb],
            &[],
        );
        assert_eq!(output.status.code(), Some(78), "{verb}");
        assert!(
            err(&output).contains(&format!("no certificates found in {}", ca.display())),
            "{}",
            err(&output)
        );
    }
}

#[test]
fn check_says_what_it_would_do_and_quiet_says_nothing() {
    let directory = TempDir::new().unwrap();
    let authority = Authority::new("private");
    let (ca, file) = (authority.ca_file(), directory.path().join("a.toml"));
    fs::write(
        &file,
        format!(
            "[redis]\nurl = \"rediss://u:canary@cache:1/2\"\n[redis.tls]\nca_file = \"{}\"",
            ca.display()
        ),
    )
    .unwrap();
    let output = traitsink(&["check", "-c", file.to_str().unwrap()], &[]);
    let expected = format!(
        "source        none: `run` needs one, such as [http]\n\
         redis         cache:1, database 2, as user \"u\", TLS, trusting {}\n\
         keys          user:<id>\n\
         dead letters  /home/u/.local/state/traitsink/dead-letters.ndjson, up to 1.0 GiB\n\
         admin         http://127.0.0.1:9464/metrics, /live, /ready\n\
         configuration is valid\n",
        ca.display()
    );
    assert_eq!((out(&output), err(&output)), (expected, String::new()));

    let quiet = traitsink(&["-q", "check", "-s", "redis.url=rediss://h#insecure"], &[]);
    assert_eq!(
        (quiet.status.code(), out(&quiet), err(&quiet)),
        (Some(0), String::new(), String::new())
    );
    let loud = traitsink(&["check", "-s", "redis.url=rediss://h#insecure"], &[]);
    assert!(
        err(&loud).starts_with("warning: redis: TLS certificates are NOT verified"),
        "{}",
        err(&loud)
    );
    assert!(out(&loud).contains("TLS, certificates NOT verified"));
}

#[test]
fn check_says_what_profiles_become() {
    for (settings, lines) in [
        (
            &[
                "redis.key={prefix}p:{{{userId}}}:x",
                "redis.group_key={prefix}g:{groupId}",
                "redis.prefix={{ event.context.tenant || none }}",
                r#"http.sources=[{name="web",write_key="k",prefix="w"},{name="b",write_key="l"}]"#,
                "profile.nulls=delete",
                "profile.ttl=90d",
                "profile.ttl_path=context.ttl",
                "profile.newest_wins=field",
                r#"profile.field_ttl=[{match="s.*",ttl="30m"}]"#,
                "deletion.listen=127.0.0.1:9465",
                "deletion.token=t",
                "deletion.event=User Deleted",
            ][..],
            "keys          <context.tenant or none>:p:{<id>}:x\n\
             keys          w:p:{<id>}:x from the source \"web\"\n\
             groups        <context.tenant or none>:g:<id>\n\
             profile       a null removes its field, ends 90d after the last write, ends when the \
             event says so (context.ttl), \"s.*\" ends 30m after its last write, each field keeps \
             its newest value\n\
             deletion      API on 127.0.0.1:9465, the event \"User Deleted\"\n\
             dead letters  ",
        ),
        (
            &[
                "profile.store=json",
                "profile.mode=replace",
                "profile.ttl=1h",
                "profile.ttl_mode=once",
                "profile.entities.workspace_id=w",
                "profile.entities.destination_id=d",
                "deletion.prefixes=a",
            ],
            "keys          user:<id>\n\
             keys          w:d:<entity>:<id type>:<id> of RudderStack's Profiles\n\
             profile       a JSON document, each event replaces it, ends 1h after the first write\n\
             deletion      nobody can ask for it here: suppressions by other workers hold\n\
             dead letters  ",
        ),
    ] {
        let settings = settings.iter().flat_map(|&setting| ["-s", setting]);
        let args: Vec<&str> = std::iter::once("check").chain(settings).collect();
        let output = traitsink(&args, &[]);
        assert!(out(&output).contains(lines), "{}{}", out(&output), err(&output));
    }
}

#[test]
fn check_lists_all_errors_and_all_missing_files() {
    let output = traitsink(&["check", "-s", "redis.ulr=x", "-s", "delivery.lanes=0"], &[]);
    assert_eq!(
        err(&output),
        "traitsink: 2 errors in the configuration (`traitsink config default` shows every key)\n\
         redis.ulr (--set): unknown key; the nearest known key is redis.url\n\
         delivery.lanes (--set): 0 is not a whole number from 1 to 1024\n"
    );
    let tls = [
        "redis.tls.enabled=true",
        "redis.tls.ca_file=/no/ca",
        "redis.tls.cert_file=/no/cert",
        "redis.tls.key_file=/",
    ];
    let args: Vec<_> =
        ["check"].into_iter().chain(tls.iter().flat_map(|set| ["-s", set])).collect();
    let output = traitsink(&args, &[]);
    assert_eq!(output.status.code(), Some(78));
    assert_eq!(
        err(&output),
        "traitsink: 3 errors in the configuration (`traitsink config default` shows every key)\n\
         redis.tls.ca_file (--set): /no/ca cannot be read: No such file or directory (os error 2)\n\
         redis.tls.cert_file (--set): /no/cert cannot be read: No such file or directory (os error \
         2)\n\
         redis.tls.key_file (--set): / cannot be read: is a directory\n"
    );
}

#[test]
fn show_prints_what_is_effective() {
    let shown = out(&traitsink(
        &["config", "show"],
        &[("TRAITSINK_REDIS__PREFIX", "0123"), ("TRAITSINK_DELIVERY__LANES", "8")],
    ));
    let shown: toml::Table = shown.parse().unwrap();
    assert_eq!(shown["redis"]["prefix"].as_str(), Some("0123"));
    assert_eq!(shown["delivery"]["lanes"].as_integer(), Some(8));
    assert_eq!(shown["redis"]["url"].as_str(), Some("redis://127.0.0.1:6379/0"));
    assert_eq!(shown["log"]["level"].as_str(), Some("info"));
    let level = |flag| {
        out(&traitsink(&["config", "show", flag], &[])).parse::<toml::Table>().unwrap()["log"]
            .clone()
    };
    assert_eq!(level("-q")["level"].as_str(), Some("warn"));
    assert_eq!(level("-v")["level"].as_str(), Some("debug"));
    assert_eq!(level("--log-format=json")["format"].as_str(), Some("json"));
}

#[test]
fn secrets_are_never_printed() {
    let directory = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let secret = write("secret", "canary\n");
    let broken = write("broken.toml", "[redis]\npassword = \"canary\n");
    let misplaced =
        write("misplaced.yaml", "redis: 'redis://:canary@h'\nhttp: {write_keys: canary}\n");
    let settings = write(
        "settings.json",
        r#"{"address": "h:1", "clusterMode": false, "password": "canary",
            "caCertificate": "canary"}"#,
    );
    let from_file = format!("redis.password_file={secret}");
    let source = format!("http.sources=[{{write_key_file=\"{secret}\"}}]");
    for (args, code) in [
        (&["config", "show", "-s", "redis.url=rediss://u:canary@h/0"][..], 0),
        (
            &[
                "config",
                "show",
                "-s",
                "redis.password=canary",
                "-s",
                "http.write_keys=canary,canary2",
            ],
            0,
        ),
        (&["config", "show", "-s", &from_file, "-s", &source], 0),
        (&["config", "show", "-s", "redis.tls.enabled=true", "-s", "redis.tls.ca_pem=canary"], 0),
        (&["check", "-v", "-s", "redis.url=redis://:canary@h"], 0),
        (&["check", "--rudderstack", &settings], 0),
        (&["check", "--rudderstack", &settings, "-s", "redis.password=canary2"], 78),
        (&["check", "-c", &broken], 78),
        (&["check", "-c", &misplaced], 78),
        (&["check", "-s", "redis.password:canary"], 64),
        (&["check", "-s", "redis.passwd=canary"], 78),
        (&["check", "-s", "redis.password=[\"canary\"]"], 78),
        (&["check", "-s", "redis=redis://:canary@h"], 78),
        (&["check", "-s", "redis.url=redis://:canary/x@h"], 78),
        (&["check", "-s", "redis.url=redis://h:canary"], 78),
        (&["check", "-s", "redis.url=canary@h"], 78),
        (&["check", "-s", "redis.url=redis://:a@h", "-s", "redis.password=canary"], 78),
        (&["check", "-s", "redis.url=redis://canary@h"], 78),
        (&["check", "-s", "http.write_keys=canary,canary"], 78),
        (&["check", "-s", "http.write_keys=canary:x"], 78),
    ] {
        let output = traitsink(args, &[]);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", err(&output));
        assert!(!(out(&output) + &err(&output)).contains("canary"), "{args:?}");
    }
    let variables =
        [("TRAITSINK_REDIS__PASSWORD", "canary"), ("TRAITSINK_HTTP__WRITE_KEYS", "canary")];
    let shown = out(&traitsink(&["config", "show"], &variables));
    assert!(
        shown.contains("password = \"***\"") && shown.contains("write_keys = [\"***\"]"),
        "{shown}"
    );
    assert!(
        shown.contains("url = \"redis://:***@127.0.0.1:6379/0\"") && !shown.contains("canary"),
        "{shown}"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_traitsink"))
        .args(["config", "schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), err(&output)), (Some(0), String::new()));
}
