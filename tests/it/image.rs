//! `deploy/Dockerfile`: its last stage is put together by hand and started with a root that nobody
//! can write to.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::app::run;
use crate::harness::eventually_or;
use crate::harness::http::Client;
use crate::harness::redis::{Redis, free_port};
use crate::harness::started::Started;

/// The libraries of the base image, `cc-debian12` of distroless.
const BASE_LIBRARIES: &[&str] = &["libc.so.6", "libgcc_s.so.1", "libm.so.6", "ld-linux-"];

/// The configuration of the image's command.
const CONFIGURATION: &str = "/etc/traitsink/traitsink.toml";

fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The instructions of the Dockerfile's last stage, each with its argument.
struct Stage(Vec<(String, String)>);

impl Stage {
    fn last() -> Self {
        let text = fs::read_to_string(project().join("deploy/Dockerfile")).expect("the Dockerfile");
        let lines = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
        let whole = lines.join("\n").replace("\\\n", " ");
        let instructions = whole.lines().filter_map(|line| line.trim().split_once(' '));
        let mut stage = Vec::new();
        for (word, argument) in instructions {
            if word == "FROM" {
                stage.clear();
            }
            stage.push((word.to_owned(), argument.trim().to_owned()));
        }
        Self(stage)
    }

    fn all(&self, word: &str) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(one, _)| one == word)
            .map(|(_, argument)| argument.as_str())
            .collect()
    }

    /// The argument of the only instruction `word`.
    fn one(&self, word: &str) -> &str {
        let found = self.all(word);
        assert_eq!(found.len(), 1, "{word}: {found:?}");
        found[0]
    }

    /// The words of a list in JSON.
    fn words(&self, word: &str) -> Vec<String> {
        let list = self.one(word);
        let list = &list[list.find('[').expect("a list in JSON")..];
        serde_json::from_str(list).expect("a list of words")
    }

    /// The user and the group, as numbers.
    fn user(&self) -> (u32, u32) {
        let (user, group) = self.one("USER").split_once(':').expect("user:group");
        (user.parse().expect("a number"), group.parse().expect("a number"))
    }
}

/// The image as a directory, and the volume and the configuration beside it.
struct Image {
    dir: tempfile::TempDir,
    stage: Stage,
}

impl Image {
    /// Puts the stage together: the base's files, and what is copied into it.
    fn new(configuration: &str) -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "the image is mounted and entered like a container: run this test as root"
        );
        let image = Self { dir: tempfile::tempdir().expect("a directory"), stage: Stage::last() };
        fs::set_permissions(image.dir.path(), Permissions::from_mode(0o755)).expect("opening it");
        for name in ["proc", "tmp", "etc/traitsink", "usr/bin", "home/nonroot"] {
            fs::create_dir_all(image.root().join(name)).expect("a directory");
        }
        let user = "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n";
        fs::write(image.root().join("etc/passwd"), user).expect("etc/passwd");
        fs::write(image.root().join("etc/group"), "nonroot:x:65532:\n").expect("etc/group");
        image.add_libraries();
        for argument in image.stage.all("COPY") {
            image.copy(argument);
        }
        fs::write(image.dir.path().join("traitsink.toml"), configuration).expect("configuration");
        fs::write(image.inside(CONFIGURATION), "").expect("a place for the configuration");
        let volume = image.inside(image.stage.one("VOLUME"));
        let owner = fs::metadata(&volume).expect("the volume is in the image");
        // A new volume gets the owner of the directory in the image.
        fs::create_dir(image.volume()).expect("the volume");
        let (user, group) = image.stage.user();
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&owner), user, "the owner of the volume");
        chown(image.volume(), Some(user), Some(group)).expect("chown");
        image
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn volume(&self) -> PathBuf {
        self.dir.path().join("volume")
    }

    fn inside(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    /// Copies the libraries that the program asks for; all of them are in the base image.
    fn add_libraries(&self) {
        let ldd = Command::new("ldd").arg(env!("CARGO_BIN_EXE_traitsink")).output().expect("ldd");
        let text = String::from_utf8(ldd.stdout).expect("text");
        let paths = text.split_whitespace().filter(|word| word.starts_with('/'));
        for path in paths.collect::<BTreeSet<_>>() {
            let name = path.rsplit('/').next().expect("a name");
            let known = BASE_LIBRARIES.iter().any(|library| name.starts_with(library));
            assert!(known, "{path} is not in the base image");
            let target = self.inside(path);
            fs::create_dir_all(target.parent().expect("a parent")).expect("a directory");
            fs::copy(path, target).expect("a library");
        }
    }

    /// What `COPY` does with the results of the first stage.
    fn copy(&self, argument: &str) {
        let words: Vec<&str> = argument.split_whitespace().collect();
        let (options, [from, to]) = words.split_at(words.len() - 2) else { panic!("{argument}") };
        assert!(options.contains(&"--from=build"), "{argument}");
        let to = self.inside(to);
        fs::create_dir_all(to.parent().expect("a parent")).expect("a directory");
        match *from {
            "/src/target/dist/traitsink" => {
                fs::copy(env!("CARGO_BIN_EXE_traitsink"), &to).expect("the program");
            }
            "/state" => {
                fs::create_dir(&to).expect("the state");
                fs::set_permissions(&to, Permissions::from_mode(0o700)).expect("permissions");
            }
            other => panic!("{other} is not known to this test"),
        }
        let owner = options.iter().find_map(|option| option.strip_prefix("--chown="));
        if let Some((user, group)) = owner.and_then(|owner| owner.split_once(':')) {
            let number = |text: &str| Some(text.parse().expect("a number"));
            chown(&to, number(user), number(group)).expect("chown");
        }
    }

    /// `words` in the image: its root cannot be written to, its volume can, its user and its
    /// variables are set.
    fn command(&self, words: &[String]) -> Command {
        let script = "
            mount --bind \"$1\" \"$1\"
            mount -o remount,bind,ro \"$1\"
            mount --bind \"$2\" \"$1$3\"
            mount --bind \"$4\" \"$1$5\"
            mount -o remount,bind,ro \"$1$5\"
            mount --bind /proc \"$1/proc\"
            root=\"$1\" user=\"$6\"
            shift 6
            exec chroot --userspec=\"$user\" --groups= \"$root\" \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-euc", script, "sh"]);
        command.arg(self.root()).arg(self.volume()).arg(self.stage.one("VOLUME"));
        command.arg(self.dir.path().join("traitsink.toml")).args([CONFIGURATION]);
        command.arg(self.stage.one("USER")).args(words).current_dir("/");
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        for variable in self.stage.all("ENV") {
            let (name, value) = variable.split_once('=').expect("NAME=VALUE");
            command.env(name, value);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Every path in the image with its kind, size and time of change.
    fn files(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut left = vec![self.root()];
        while let Some(dir) = left.pop() {
            for entry in fs::read_dir(dir).expect("a directory") {
                let path = entry.expect("an entry").path();
                let seen = fs::symlink_metadata(&path).expect("metadata");
                let changed = seen.modified().expect("a time");
                found.insert(format!("{} {} {changed:?}", path.display(), seen.len()));
                if seen.is_dir() {
                    left.push(path);
                }
            }
        }
        found
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_image_works_with_a_root_that_cannot_be_written_to() {
    let redis = Redis::start();
    let (http, admin) = (free_port(), free_port());
    let image = Image::new(&format!(
        "[http]\nlisten = \"127.0.0.1:{http}\"\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n\
         [redis]\nurl = \"redis://127.0.0.1:{}\"\n",
        redis.port()
    ));
    assert_eq!(image.stage.user(), (65532, 65532));
    let before = image.files();

    let start = [image.stage.words("ENTRYPOINT"), image.stage.words("CMD")].concat();
    let log = image.dir.path().join("log");
    let mut command = image.command(&start);
    command.stderr(fs::File::create(&log).expect("a log"));
    let mut worker = Started(command.spawn().expect("unshare (Debian package util-linux)"));
    let mut ask = Client::new(([127, 0, 0, 1], admin).into());
    eventually_or(|| read(&log), || ask.get("/ready").is_some_and(|answer| answer.status == 200));
    assert_eq!(ask.get("/live").expect("an answer").status, 200);
    let id = worker.0.id();
    let status = read(Path::new(&format!("/proc/{id}/status")));
    assert!(status.contains("\nUid:\t65532\t65532\t65532\t65532\n"), "{status}");

    redis.cli(&["SET", "user:taken", "x"]);
    let mut client = Client::new(([127, 0, 0, 1], http).into());
    for user in ["u1", "taken"] {
        let body = format!("{{\"userId\":\"{user}\",\"traits\":{{\"plan\":\"free\"}}}}");
        assert_eq!(client.post("/v1/identify", body).expect("an answer").status, 200);
    }
    assert_eq!(redis.hgetall("user:u1").len(), 1);
    assert!(read(&image.volume().join("dead-letters.ndjson")).contains("wrong_type"));

    let usual = image.stage.words("HEALTHCHECK");
    let port = format!(":{admin}");
    let check: Vec<String> = usual.iter().map(|word| word.replace(":9464", &port)).collect();
    assert_ne!(check, usual, "the check asks the default port");
    let healthy = || image.command(&check).output().expect("the check");
    let answer = healthy();
    assert!(answer.status.success(), "{answer:?}");

    kill(Pid::from_raw(id.try_into().expect("an id")), Signal::SIGTERM).expect("SIGTERM");
    assert!(worker.0.wait().expect("own child").success(), "{}", read(&log));
    assert_eq!(healthy().status.code(), Some(69));
    assert_eq!(image.files(), before, "something was written outside of the volume");
}

#[test]
fn the_image_says_what_it_is_and_checks_the_default_port() {
    let stage = Stage::last();
    let labels = stage.one("LABEL");
    for (name, value) in [
        ("title", env!("CARGO_PKG_NAME")),
        ("description", env!("CARGO_PKG_DESCRIPTION")),
        ("version", env!("CARGO_PKG_VERSION")),
        ("licenses", env!("CARGO_PKG_LICENSE")),
        ("base.name", stage.one("FROM")),
    ] {
        let label = format!("org.opencontainers.image.{name}=\"{value}\"");
        assert!(labels.contains(&label), "no {label} in {labels}");
    }
    let defaults = run(&["config", "default"], b"");
    let defaults = String::from_utf8(defaults.stdout).expect("text");
    let url = stage.words("HEALTHCHECK").pop().expect("an address");
    let address = url.strip_prefix("http://").expect("http");
    let admin = defaults.split("[admin]").nth(1).expect("the section");
    assert!(admin.contains(&format!("listen = \"{address}\"")), "{address}");
}

#[test]
fn the_build_gets_everything_that_cargo_needs() {
    let text = read(&project().join(".dockerignore"));
    let patterns = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let (mut anywhere, mut top) = (BTreeSet::new(), BTreeSet::new());
    for pattern in patterns {
        assert!(!pattern.trim_start_matches("**/").contains(['*', '!', '/']), "{pattern}");
        match pattern.strip_prefix("**/") {
            Some(name) => anywhere.insert(name),
            None => top.insert(pattern),
        };
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut left = vec![PathBuf::new()];
    while let Some(inside) = left.pop() {
        fs::create_dir_all(dir.path().join(&inside)).expect("a directory");
        for entry in fs::read_dir(project().join(&inside)).expect("a directory") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("text");
            let excluded = anywhere.contains(name.as_str())
                || inside == Path::new("") && top.contains(name.as_str());
            if excluded {
                continue;
            }
            let path = inside.join(&name);
            if entry.file_type().expect("a kind").is_dir() {
                left.push(path);
            } else {
                fs::copy(entry.path(), dir.path().join(&path)).expect("a copy");
            }
        }
    }
    for path in [".cargo/config.toml", ".cargo/openssl-perl", "Cargo.lock", "src/main.rs"] {
        assert!(dir.path().join(path).is_file(), "{path} is left out");
    }
    assert!(!dir.path().join("target").exists() && !dir.path().join(".git").exists());
    // A target of Cargo.toml without its file is an error.
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let read = Command::new(cargo)
        .args(["metadata", "--offline", "--locked", "--no-deps", "--format-version=1"])
        .current_dir(dir.path())
        .output()
        .expect("cargo");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&read.stdout).expect("JSON");
    let package = &metadata["packages"][0];
    for target in package["targets"].as_array().expect("targets") {
        let path = target["src_path"].as_str().expect("a path");
        assert!(Path::new(path).is_file(), "{path} is left out");
    }
    let readme = package["readme"].as_str().expect("a README");
    assert!(dir.path().join(readme).is_file(), "{readme} is left out");
}
