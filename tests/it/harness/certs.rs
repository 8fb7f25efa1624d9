//! Valid and invalid certificates, made for one test.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use tempfile::TempDir;

use super::run;

/// A certificate and its key, as PEM files.
pub(crate) struct Issued {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// A certificate authority, in a directory that is removed with it.
pub(crate) struct Authority {
    dir: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        std::fs::write(dir.path().join("ca.key"), key.serialize_pem()).expect("writing a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a CA");
        std::fs::write(dir.path().join("ca.pem"), issuer.pem()).expect("writing a certificate");
        Self { dir, issuer }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The file of the CA certificate.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    pub(crate) fn ca_pem(&self) -> String {
        self.issuer.pem()
    }

    /// A valid server certificate for `names`, which are host names or IP addresses.
    pub(crate) fn server(&self, names: &[&str]) -> Issued {
        self.issue("server", params("redis server", names))
    }

    pub(crate) fn client(&self) -> Issued {
        let mut params = params("traitsink", &[]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue("client", params)
    }

    /// A valid server certificate for 127.0.0.1 that ends when `year` begins; takes the place of
    /// the one before.
    pub(crate) fn server_until(&self, year: i32) -> Issued {
        let mut params = params("redis server", &["127.0.0.1"]);
        params.not_after = date_time_ymd(year, 1, 1);
        self.issue("server", params)
    }

    /// The same for a client.
    pub(crate) fn client_until(&self, year: i32) -> Issued {
        let mut params = params("traitsink", &[]);
        params.not_after = date_time_ymd(year, 1, 1);
        self.issue("client", params)
    }

    /// A certificate that expired in 2021.
    pub(crate) fn expired(&self) -> Issued {
        let mut params = params("redis server", &["localhost"]);
        (params.not_before, params.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        self.issue("server", params)
    }

    /// A certificate that is valid from 2090 on.
    pub(crate) fn not_yet_valid(&self) -> Issued {
        let mut params = params("redis server", &["localhost"]);
        (params.not_before, params.not_after) =
            (date_time_ymd(2090, 1, 1), date_time_ymd(2091, 1, 1));
        self.issue("server", params)
    }

    /// A certificate with the host in its Common Name only, as in old setups.
    pub(crate) fn common_name_only(&self) -> Issued {
        self.issue("server", params("localhost", &[]))
    }

    /// A certificate for clients only, not for servers.
    pub(crate) fn client_usage_only(&self) -> Issued {
        let mut params = params("redis server", &["localhost"]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue("server", params)
    }

    /// A certificate for `localhost` made by `openssl`, with these options for key and signature.
    pub(crate) fn with_openssl(&self, key: &[&str], signature: &[&str]) -> Issued {
        self.request(key);
        std::fs::write(self.dir().join("names.cnf"), "subjectAltName = DNS:localhost\n")
            .expect("writing names.cnf");
        self.sign_request(&[signature, &["-extfile", "names.cnf"]].concat());
        self.issued("openssl")
    }

    /// A certificate of X.509 version 1, as `gen-test-certs.sh` of Redis made it for years.
    pub(crate) fn version_1(&self) -> Issued {
        self.request(&["-newkey", "rsa:2048"]);
        self.sign_request(&[]);
        let shown = run("openssl", &["x509", "-in", "openssl.pem", "-noout", "-text"], self.dir());
        if !shown.contains("Version: 1 ") {
            // OpenSSL 3.2 and later make version 1 only on request.
            let subject = [
                "-subj",
                "/CN=localhost",
                "-key",
                "openssl.key",
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
            ];
            run(
                "openssl",
                &[&["req", "-x509", "-x509v1", "-out", "openssl.pem"], &subject[..]].concat(),
                self.dir(),
            );
        }
        self.issued("openssl")
    }

    fn request(&self, key: &[&str]) {
        let request = [
            "req",
            "-new",
            "-nodes",
            "-keyout",
            "openssl.key",
            "-subj",
            "/CN=localhost",
            "-out",
            "openssl.csr",
        ];
        run("openssl", &[&request[..], key].concat(), self.dir());
    }

    fn sign_request(&self, options: &[&str]) {
        let sign = [
            "x509",
            "-req",
            "-in",
            "openssl.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
        ];
        run(
            "openssl",
            &[&sign[..], &["-days", "30", "-out", "openssl.pem"], options].concat(),
            self.dir(),
        );
    }

    fn issue(&self, name: &str, params: CertificateParams) -> Issued {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        write(self.dir(), name, &certificate.pem(), &key)
    }

    fn issued(&self, name: &str) -> Issued {
        let path = |extension| self.dir().join(name).with_extension(extension);
        Issued { certificate: path("pem"), key: path("key") }
    }
}

/// A self-signed certificate, and its directory.
pub(crate) fn self_signed(is_ca: bool) -> (TempDir, Issued) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut params = params("redis server", &["localhost"]);
    params.is_ca =
        if is_ca { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::ExplicitNoCa };
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    let issued = write(dir.path(), "self-signed", &certificate.pem(), &key);
    (dir, issued)
}

fn params(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("valid names");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn write(dir: &Path, name: &str, certificate: &str, key: &KeyPair) -> Issued {
    let path = |extension| dir.join(name).with_extension(extension);
    let issued = Issued { certificate: path("pem"), key: path("key") };
    std::fs::write(&issued.certificate, certificate).expect("writing a certificate");
    std::fs::write(&issued.key, key.serialize_pem()).expect("writing a key");
    issued
}
