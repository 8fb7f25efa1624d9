//! Redis behind stunnel, with the certificate of stunnel's old instructions.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use crate::harness::certs::Issued;
use crate::harness::redis::{Redis, free_port};
use crate::harness::{pause, run};
use crate::tls::{connect, trusting, unverified};

/// A plain server behind stunnel's TLS; killed on drop.
struct Stunnel {
    child: Child,
    port: u16,
}

impl Stunnel {
    fn before(server: &Redis, certificate: &Issued, dir: &Path) -> Self {
        let port = free_port();
        let conf = dir.join("stunnel.conf");
        let text = format!(
            "foreground = yes\npid =\n[redis]\naccept = 127.0.0.1:{port}\nconnect = \
             127.0.0.1:{}\ncert = {}\nkey = {}\n",
            server.port(),
            certificate.certificate.display(),
            certificate.key.display(),
        );
        std::fs::write(&conf, text).unwrap();
        let log = std::fs::File::create(dir.join("stunnel.log")).unwrap();
        let child = Command::new("stunnel4").arg(&conf).stderr(log).spawn();
        let stunnel =
            Self { child: child.expect("stunnel4 is needed by the tests; see tests/run"), port };
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                std::time::Instant::now() < deadline,
                "{}",
                std::fs::read_to_string(dir.join("stunnel.log")).unwrap()
            );
            pause();
        }
        stunnel
    }
}

impl Drop for Stunnel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn behind_stunnel_with_the_certificate_of_an_old_recipe() {
    let dir = tempfile::tempdir().unwrap();
    let server = Redis::start();
    let old =
        Issued { certificate: dir.path().join("stunnel.pem"), key: dir.path().join("stunnel.key") };
    // Stunnel's own instructions: a configuration without extensions, so the certificate has a
    // Common Name only.
    std::fs::write(dir.path().join("stunnel.cnf"), "[req]\ndistinguished_name = name\n[name]\n")
        .unwrap();
    let recipe = [
        "req",
        "-new",
        "-x509",
        "-nodes",
        "-days",
        "365",
        "-config",
        "stunnel.cnf",
        "-newkey",
        "rsa:2048",
    ];
    let names = ["-subj", "/CN=localhost", "-keyout", "stunnel.key", "-out", "stunnel.pem"];
    run("openssl", &[&recipe[..], &names].concat(), dir.path());
    let stunnel = Stunnel::before(&server, &old, dir.path());

    let error = connect("localhost", stunnel.port, trusting(&old.certificate))
        .await
        .err()
        .expect("no name to verify");
    for word in ["subjectAltName", "reissue", "CN=localhost"] {
        assert!(error.message.contains(word), "{word:?} is not in: {}", error.message);
    }
    let mut connection =
        connect("localhost", stunnel.port, unverified()).await.expect("skip_verify");
    connection.query(redis::cmd("HSET").arg("user:1").arg("name").arg("Jane")).await.expect("HSET");
    assert_eq!(server.hgetall("user:1"), [(b"name".to_vec(), b"Jane".to_vec())].into());
}
