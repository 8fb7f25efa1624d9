//! Client certificates, as real servers demand them.

use std::path::Path;

use traitsink::config::Tls;

use crate::harness::certs::{Authority, Issued};
use crate::harness::redis::Redis;
use crate::harness::run;
use crate::tls::{connect, file, showing, trusting, unusable, unverified};

#[test]
fn client_keys_that_cannot_work_are_start_up_errors() {
    let ca = Authority::new("Private CA");
    let (client, server) = (ca.client(), ca.server(&["localhost"]));
    let with = |certificate: &Path, key: &Path| Tls {
        client: Some((file(certificate), file(key))),
        ..unverified()
    };
    unusable(
        with(&client.certificate, &server.key),
        &["does not belong to", "client.pem", "server.key"],
    );
    unusable(
        with(&client.certificate, &client.certificate),
        &["no private key found in", "client.pem"],
    );
    unusable(with(&client.key, &client.key), &["no certificates found in", "client.key"]);
    let key = client.key.display().to_string();
    run(
        "openssl",
        &["pkcs8", "-topk8", "-in", &key, "-passout", "pass:x", "-out", "pkcs8.key"],
        ca.dir(),
    );
    run(
        "openssl",
        &["ec", "-in", &key, "-aes128", "-passout", "pass:x", "-out", "sec1.key"],
        ca.dir(),
    );
    for encrypted in ["pkcs8.key", "sec1.key"] {
        unusable(
            with(&client.certificate, &ca.dir().join(encrypted)),
            &["is encrypted", "openssl pkey", encrypted],
        );
    }
    unusable(
        Tls { server_name: Some("not a name".to_owned()), ..unverified() },
        &["redis.tls.server_name"],
    );
}

#[tokio::test]
async fn a_missing_client_certificate() {
    let ca = Authority::new("Private CA");
    for protocol in ["TLSv1.3", "TLSv1.2"] {
        let server = Redis::builder()
            .mutual_tls(&ca.server(&["localhost"]), &ca.ca_file())
            .option("tls-protocols", protocol)
            .start();
        // Real servers answer with an alert or just close the stream, by chance.
        for _ in 0..20 {
            let error = connect("localhost", server.port(), trusting(&ca.ca_file()))
                .await
                .err()
                .expect("refused");
            assert!(error.message.contains("client certificate"), "{}", error.message);
            assert!(error.message.contains("redis.tls.cert_file"), "{}", error.message);
        }
        connect("localhost", server.port(), showing(&ca, &ca.client()))
            .await
            .expect("with a client certificate");
    }
}

#[tokio::test]
async fn client_keys_of_every_kind() {
    let ca = Authority::new("Private CA");
    let server = Redis::builder().mutual_tls(&ca.server(&["localhost"]), &ca.ca_file()).start();
    let pkcs8 = ca.client();
    connect("localhost", server.port(), showing(&ca, &pkcs8)).await.expect("PKCS#8");
    run("openssl", &["ec", "-in", &pkcs8.key.display().to_string(), "-out", "sec1.key"], ca.dir());
    let sec1 = Issued { certificate: pkcs8.certificate.clone(), key: ca.dir().join("sec1.key") };
    connect("localhost", server.port(), showing(&ca, &sec1)).await.expect("SEC1");
    let rsa = ca.with_openssl(&["-newkey", "rsa:2048"], &["-sha256"]);
    run("openssl", &["rsa", "-in", "openssl.key", "-traditional", "-out", "pkcs1.key"], ca.dir());
    let pkcs1 = Issued { certificate: rsa.certificate, key: ca.dir().join("pkcs1.key") };
    assert!(std::fs::read_to_string(&pkcs1.key).unwrap().contains("BEGIN RSA PRIVATE KEY"));
    connect("localhost", server.port(), showing(&ca, &pkcs1)).await.expect("PKCS#1");
    let both = ca.dir().join("both.pem");
    std::fs::write(
        &both,
        [std::fs::read(&pkcs8.certificate).unwrap(), std::fs::read(&pkcs8.key).unwrap()].concat(),
    )
    .unwrap();
    let one_file = Issued { certificate: both.clone(), key: both };
    connect("localhost", server.port(), showing(&ca, &one_file)).await.expect("both in one file");
}

#[tokio::test]
async fn a_client_certificate_of_a_foreign_ca() {
    let (ca, other) = (Authority::new("Private CA"), Authority::new("Another CA"));
    let server = Redis::builder().mutual_tls(&ca.server(&["localhost"]), &ca.ca_file()).start();
    let error = connect("localhost", server.port(), showing(&ca, &other.client()))
        .await
        .err()
        .expect("refused");
    assert!(error.message.contains("may not accept our client certificate"), "{}", error.message);
}
