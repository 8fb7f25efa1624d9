//! Java's key stores: this program reads PEM, so these are the commands that make it.

use std::path::Path;

/// PEM files to be made of a store.
pub(super) struct Conversion {
    /// Each with its key in a table of TLS.
    pub(super) files: Vec<(&'static str, String)>,
    /// The command that makes them; it asks for the passwords.
    pub(super) command: String,
}

/// The conversion of a store with the certificates to trust.
pub(super) fn trust(store: &str) -> Conversion {
    let certificates = beside(store, ".pem");
    let (p12, first) = to_pkcs12(store);
    let command =
        format!("{first}openssl pkcs12 -in {} -nokeys -out {}", quote(&p12), quote(&certificates));
    Conversion { files: vec![("ca_file", certificates)], command }
}

/// The conversion of a store with the client's certificate and key.
pub(super) fn client(store: &str) -> Conversion {
    let (certificates, key) = (beside(store, "-cert.pem"), beside(store, "-key.pem"));
    let (p12, first) = to_pkcs12(store);
    let p12 = quote(&p12);
    let command = format!(
        "(umask 077; {first}openssl pkcs12 -in {p12} -nokeys -out {} && openssl pkcs12 -in {p12} \
         -nocerts -nodes -out {})",
        quote(&certificates),
        quote(&key)
    );
    Conversion { files: vec![("cert_file", certificates), ("key_file", key)], command }
}

/// The store as PKCS12, and the beginning of a command that makes it.
fn to_pkcs12(store: &str) -> (String, String) {
    let extension =
        Path::new(store).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if ["p12", "pfx", "pkcs12"].iter().any(|known| extension.eq_ignore_ascii_case(known)) {
        return (store.to_owned(), String::new());
    }
    let p12 = beside(store, ".p12");
    let (from, to) = (quote(store), quote(&p12));
    let command = format!(
        "keytool -importkeystore -srckeystore {from} -destkeystore {to} -deststoretype PKCS12 && "
    );
    (p12, command)
}

/// `store` with another end.
fn beside(store: &str, end: &str) -> String {
    let path = Path::new(store);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}{end}")).to_string_lossy().into_owned()
}

/// As one word of a shell.
pub(super) fn quote(word: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | ':' | '@' | '+');
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_fit_the_kind_of_store() {
        assert_eq!(trust("/a/t.p12").command, "openssl pkcs12 -in /a/t.p12 -nokeys -out /a/t.pem");
        let keytool = concat!(
            r"keytool -importkeystore -srckeystore '/a/it'\''s.jks' ",
            r"-destkeystore '/a/it'\''s.p12' -deststoretype PKCS12"
        );
        let openssl = r"openssl pkcs12 -in '/a/it'\''s.p12' -nokeys -out '/a/it'\''s.pem'";
        assert_eq!(trust("/a/it's.jks").command, format!("{keytool} && {openssl}"));
    }
}
