//! Real TLS servers, good and bad, and the error messages about them.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use traitsink::config::{Pem, Tls};
use traitsink::redis::{Class, Connection, Trouble};
use traitsink::tls::TlsError;

use crate::harness::certs::{Authority, Issued, self_signed};
use crate::harness::redis::Redis;
use crate::harness::{connector, settings, tcp};

pub(crate) fn file(path: &Path) -> Pem {
    Pem::File(path.to_owned())
}

pub(crate) fn trusting(ca: &Path) -> Tls {
    Tls { ca: Some(file(ca)), ..Tls::default() }
}

pub(crate) fn unverified() -> Tls {
    Tls { skip_verify: true, ..Tls::default() }
}

pub(crate) fn showing(ca: &Authority, client: &Issued) -> Tls {
    Tls { client: Some((file(&client.certificate), file(&client.key))), ..trusting(&ca.ca_file()) }
}

pub(crate) async fn connect(host: &str, port: u16, tls: Tls) -> Result<Connection, Trouble> {
    let settings = traitsink::config::Redis { tls: Some(tls), ..settings(tcp(host, port)) };
    connector(&settings).expect("usable TLS settings").connect().await
}

/// The message of a connection that must fail; asserts that it contains all `words`.
pub(crate) async fn refused(host: &str, port: u16, tls: Tls, words: &[&str]) {
    let error = connect(host, port, tls)
        .await
        .err()
        .unwrap_or_else(|| panic!("connected; expected {words:?}"));
    for word in words {
        assert!(error.message.contains(word), "{word:?} is not in: {}", error.message);
    }
    assert_eq!((error.class, error.code.as_str()), (Class::Config, "NONE"), "{}", error.message);
}

/// The error of settings that must be refused at once; asserts that it contains all `words`.
pub(crate) fn unusable(tls: Tls, words: &[&str]) -> TlsError {
    let settings = traitsink::config::Redis { tls: Some(tls), ..settings(tcp("localhost", 1)) };
    let error =
        connector(&settings).err().unwrap_or_else(|| panic!("accepted; expected {words:?}"));
    for word in words {
        assert!(error.to_string().contains(word), "{word:?} is not in: {error}");
    }
    error
}

#[tokio::test]
async fn a_private_ca_by_host_name_and_by_address() {
    let ca = Authority::new("Private CA");
    let server = Redis::builder().tls(&ca.server(&["localhost", "127.0.0.1"])).start();
    for host in ["localhost", "127.0.0.1"] {
        let mut connection =
            connect(host, server.port(), trusting(&ca.ca_file())).await.expect(host);
        let session = connection.tls().expect("TLS").clone();
        assert_eq!((session.protocol.as_str(), session.verified), ("TLSv1_3", true));
        let set = redis::cmd("HSET").arg("user:1").arg("host").arg(host).to_owned();
        connection.query(&set).await.expect("HSET");
    }
    assert_eq!(server.hgetall("user:1"), [(b"host".to_vec(), b"127.0.0.1".to_vec())].into());
}

#[tokio::test]
async fn bundles_inline_text_and_keys_beside_certificates() {
    let (ca, other) = (Authority::new("Private CA"), Authority::new("Another CA"));
    let server = Redis::builder().tls(&ca.server(&["localhost"])).start();
    let key = std::fs::read_to_string(ca.dir().join("ca.key")).unwrap();
    let bundle = format!("a comment\n{}{key}{}", other.ca_pem(), ca.ca_pem());
    let inline = Pem::Inline(bundle.into(), "redis.tls.ca_pem");
    connect("localhost", server.port(), Tls { ca: Some(inline), ..Tls::default() })
        .await
        .expect("a bundle");
}

/// The system's roots belong to the process, so this test runs itself again with other roots.
#[tokio::test]
async fn the_roots_of_the_system() {
    if let Ok(port) = std::env::var("TRAITSINK_TEST_TLS_PORT") {
        connect("localhost", port.parse().unwrap(), Tls::default())
            .await
            .expect("trusted by the system");
        return;
    }
    let (ca, other) = (Authority::new("Private CA"), Authority::new("Another CA"));
    let server = Redis::builder().tls(&ca.server(&["localhost"])).start();
    let again = |roots: &Path| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tls::the_roots_of_the_system"])
            .env("TRAITSINK_TEST_TLS_PORT", server.port().to_string())
            .env("SSL_CERT_FILE", roots)
            .env_remove("SSL_CERT_DIR")
            .output()
            .unwrap()
    };
    let trusted = again(&ca.ca_file());
    assert!(trusted.status.success(), "{}", String::from_utf8_lossy(&trusted.stdout));
    assert!(String::from_utf8_lossy(&trusted.stdout).contains("1 passed"));
    let unknown = String::from_utf8_lossy(&again(&other.ca_file()).stdout).into_owned();
    assert!(unknown.contains("not in the system's 1 root certificates"), "{unknown}");
    let empty = ca.dir().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let none = String::from_utf8_lossy(&again(&empty).stdout).into_owned();
    assert!(none.contains("NoSystemRoots"), "{none}");
}

#[tokio::test]
async fn tls_1_2() {
    let ca = Authority::new("Private CA");
    let server =
        Redis::builder().tls(&ca.server(&["localhost"])).option("tls-protocols", "TLSv1.2").start();
    let connection =
        connect("localhost", server.port(), trusting(&ca.ca_file())).await.expect("TLS 1.2");
    assert_eq!(connection.tls().expect("TLS").protocol, "TLSv1_2");
}

#[test]
fn a_ca_file_without_certificates_is_a_start_up_error() {
    let ca = Authority::new("Private CA");
    let path = ca.dir().join("odd.pem");
    let whole = ca.ca_pem();
    let truncated = &whole[..whole.len() / 2];
    let key = std::fs::read_to_string(ca.dir().join("ca.key")).unwrap();
    for text in ["", "not PEM at all", truncated, &key] {
        std::fs::write(&path, text).unwrap();
        unusable(trusting(&path), &["odd.pem"]);
    }
    std::fs::write(&path, "").unwrap();
    let expected = format!("no certificates found in {}", path.display());
    unusable(trusting(&path), &[&expected]);
    unusable(Tls { skip_verify: true, ..trusting(&path) }, &[&expected]);
    unusable(trusting(&ca.dir().join("missing.pem")), &["cannot read", "missing.pem"]);
    let inline = Pem::Inline("nothing".to_owned().into(), "redis.tls.ca_pem");
    unusable(
        Tls { ca: Some(inline), ..Tls::default() },
        &["no certificates found in redis.tls.ca_pem"],
    );
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(&path, broken).unwrap();
    unusable(trusting(&path), &["no certificate in", "can be used"]);
}

#[tokio::test]
async fn an_unknown_issuer_is_named() {
    let (ca, other) = (Authority::new("Private CA"), Authority::new("Another CA"));
    let server = Redis::builder().tls(&ca.server(&["localhost"])).start();
    let other_file = other.ca_file();
    let words =
        ["signed by \"CN=Private CA\"", &*other_file.to_string_lossy(), "redis.tls.ca_file"];
    refused("localhost", server.port(), trusting(&other_file), &words).await;
    let connection = connect("localhost", server.port(), unverified()).await.expect("skip_verify");
    assert!(!connection.tls().expect("TLS").verified);
}

#[tokio::test]
async fn a_self_signed_certificate_may_be_trusted_unless_it_is_a_ca() {
    let other = Authority::new("Another CA");
    let (_dir, leaf) = self_signed(false);
    let server = Redis::builder().tls(&leaf).start();
    connect("localhost", server.port(), trusting(&leaf.certificate))
        .await
        .expect("trusted by itself");
    refused(
        "localhost",
        server.port(),
        trusting(&other.ca_file()),
        &["is self-signed", "redis.tls.ca_file"],
    )
    .await;

    let (_dir, ca) = self_signed(true);
    let server = Redis::builder().tls(&ca).start();
    refused(
        "localhost",
        server.port(),
        trusting(&ca.certificate),
        &["CA certificate", "basicConstraints = CA:FALSE"],
    )
    .await;
    connect("localhost", server.port(), unverified()).await.expect("skip_verify");
}

#[tokio::test]
async fn version_1_certificates() {
    let ca = Authority::new("Private CA");
    let server = Redis::builder().tls(&ca.version_1()).start();
    let words = ["X.509 version 1", "CN=localhost", "subjectAltName", "skip_verify"];
    refused("localhost", server.port(), trusting(&ca.ca_file()), &words).await;
    connect("localhost", server.port(), unverified()).await.expect("skip_verify");
}

#[tokio::test]
async fn a_common_name_alone() {
    let ca = Authority::new("Private CA");
    let server = Redis::builder().tls(&ca.common_name_only()).start();
    let words =
        ["no subjectAltName", "CN=localhost", "Common Name alone is not accepted", "reissue"];
    refused("localhost", server.port(), trusting(&ca.ca_file()), &words).await;
    connect("localhost", server.port(), unverified()).await.expect("skip_verify");
}

#[tokio::test]
async fn another_name() {
    let ca = Authority::new("Private CA");
    let server = Redis::builder().tls(&ca.server(&["redis.example.com", "10.1.2.3"])).start();
    for host in ["localhost", "127.0.0.1"] {
        let asked = format!("not valid for \"{host}\"");
        let words = [&*asked, "only for redis.example.com, 10.1.2.3;", "redis.tls.server_name"];
        refused(host, server.port(), trusting(&ca.ca_file()), &words).await;
    }
    for name in ["redis.example.com", "10.1.2.3"] {
        let tls = Tls { server_name: Some(name.to_owned()), ..trusting(&ca.ca_file()) };
        connect("127.0.0.1", server.port(), tls).await.expect(name);
    }
}

#[tokio::test]
async fn out_of_its_time() {
    let ca = Authority::new("Private CA");
    let server = Redis::builder().tls(&ca.expired()).start();
    refused(
        "localhost",
        server.port(),
        trusting(&ca.ca_file()),
        &["expired on 2021-01-01T00:00:00Z", "it is now 20"],
    )
    .await;
    connect("localhost", server.port(), unverified()).await.expect("skip_verify");
    let server = Redis::builder().tls(&ca.not_yet_valid()).start();
    refused(
        "localhost",
        server.port(),
        trusting(&ca.ca_file()),
        &["valid only from 2090-01-01", "clocks"],
    )
    .await;
}

#[tokio::test]
async fn made_for_clients() {
    let ca = Authority::new("Private CA");
    let server = Redis::builder().tls(&ca.client_usage_only()).start();
    refused(
        "localhost",
        server.port(),
        trusting(&ca.ca_file()),
        &["not made for servers", "serverAuth"],
    )
    .await;
}

#[tokio::test]
async fn too_weak_a_key_or_signature() {
    for (key, signature) in
        [(["-newkey", "rsa:1024"], "-sha256"), (["-newkey", "rsa:2048"], "-sha1")]
    {
        let ca = Authority::new("Private CA");
        let server = Redis::builder().weak_tls().tls(&ca.with_openssl(&key, &[signature])).start();
        refused(
            "localhost",
            server.port(),
            trusting(&ca.ca_file()),
            &["too weak", "2048 bits", "SHA-256"],
        )
        .await;
        connect("localhost", server.port(), unverified()).await.expect("skip_verify");
    }
}

#[tokio::test]
async fn too_old_a_server() {
    let ca = Authority::new("Private CA");
    let certificate = ca.with_openssl(&["-newkey", "rsa:2048"], &["-sha256"]);
    let version =
        Redis::builder().weak_tls().tls(&certificate).option("tls-protocols", "TLSv1.1").start();
    refused("localhost", version.port(), trusting(&ca.ca_file()), &["TLS 1.2 or newer"]).await;
    let old = |ciphers| {
        Redis::builder()
            .weak_tls()
            .tls(&certificate)
            .option("tls-protocols", "TLSv1.2")
            .option("tls-ciphers", ciphers)
    };
    for ciphers in ["AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA"] {
        refused(
            "localhost",
            old(ciphers).start().port(),
            trusting(&ca.ca_file()),
            &["ECDHE key exchange and AES-GCM"],
        )
        .await;
    }
}

#[tokio::test]
async fn tls_to_a_plain_port() {
    let server = Redis::start();
    let settings = traitsink::config::Redis {
        tls: Some(unverified()),
        connect_timeout: Duration::from_secs(1),
        ..settings(tcp("127.0.0.1", server.port()))
    };
    let error = connector(&settings).unwrap().connect().await.err().expect("no TLS there");
    assert!(error.message.contains("is this port TLS?"), "{}", error.message);
}

#[tokio::test]
async fn tls_to_a_port_that_answers_something_else() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let web = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Read::read(&mut stream, &mut [0; 512]).unwrap();
        std::io::Write::write_all(&mut stream, b"-ERR unknown command\r\n").unwrap();
    });
    refused("127.0.0.1", port, unverified(), &["not TLS", "is this port TLS?"]).await;
    web.join().unwrap();
}

#[tokio::test]
async fn plain_text_to_a_tls_port() {
    let ca = Authority::new("Private CA");
    let server = Redis::builder().tls(&ca.server(&["localhost"])).start();
    let connector = connector(&settings(tcp("localhost", server.port()))).unwrap();
    let error = connector.connect().await.err().expect("the server demands TLS");
    assert!(error.message.contains("rediss://"), "{}", error.message);
}
