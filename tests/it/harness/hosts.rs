//! Host names that only one worker sees.

use std::process::Command;

/// The `/etc/hosts` of one worker; the worker uses no other source of names.
pub(crate) struct Hosts {
    dir: tempfile::TempDir,
}

impl Hosts {
    /// An empty file: no name has an address.
    pub(crate) fn new() -> Self {
        let hosts = Self { dir: tempfile::tempdir().expect("a directory") };
        std::fs::write(hosts.dir.path().join("hosts"), "").expect("writing hosts");
        std::fs::write(hosts.dir.path().join("nsswitch.conf"), "hosts: files\n")
            .expect("writing nsswitch.conf");
        let tried = hosts.command().arg("true").output();
        let tried = tried.expect("unshare (Debian package util-linux) is needed");
        assert!(
            tried.status.success(),
            "a worker with an /etc/hosts of its own needs permission to \
             create namespaces and to mount: run the tests as root, and in a container with \
             --privileged\n{}",
            String::from_utf8_lossy(&tried.stderr)
        );
        hosts
    }

    /// Gives `name` these addresses, in this order; removes all other names.
    pub(crate) fn set(&self, name: &str, addresses: &[&str]) {
        let lines: String = addresses.iter().map(|address| format!("{address} {name}\n")).collect();
        // The file is written in place, because this file is mounted.
        std::fs::write(self.dir.path().join("hosts"), lines).expect("writing hosts");
    }

    /// A command to which the caller adds a program, which then sees these names. The mounts belong
    /// to that process and end with it.
    pub(crate) fn command(&self) -> Command {
        let mount = |name: &str| {
            format!("mount --bind '{}' /etc/{name}; ", self.dir.path().join(name).display())
        };
        let script = mount("hosts") + &mount("nsswitch.conf") + "exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-ec", &script, "sh"]);
        command
    }
}
