//! The payload.

use std::fmt::Write as _;

/// So many different ones.
pub(super) const USERS: u64 = 100_000;

/// The traits of one browser event, about 1 KB with its envelope.
pub(super) fn traits(user: u64) -> [(&'static str, String); 8] {
    [
        ("name", format!("Maria Gonzalez {user}")),
        ("email", format!("maria.gonzalez.{user}@example.com")),
        ("plan", "enterprise-annual".into()),
        ("age", "37".into()),
        ("address.city", "San Francisco".into()),
        ("address.country", "United States".into()),
        ("company", "Example Widgets Incorporated".into()),
        ("createdAt", "2026-01-15T09:30:00.000Z".into()),
    ]
}

/// Appends an event as one line.
pub(super) fn event(out: &mut String, user: u64) {
    let [name, email, plan, age, city, country, company, created] =
        traits(user).map(|(_, value)| value);
    write!(
        out,
        r#"{{"type":"identify","messageId":"4a8f9d2e-5b7c-4e31-9f60-{user:012}","anonymousId":"9c1d7e52-3f4b-4a68-8d2e-7b6a5c4f3e2d","userId":"user-{user}","channel":"web","context":{{"app":{{"name":"RudderLabs JavaScript SDK","namespace":"com.rudderlabs.javascript","version":"3.34.1"}},"library":{{"name":"RudderLabs JavaScript SDK","version":"3.34.1"}},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36","locale":"en-US","screen":{{"width":1920,"height":1080,"density":1}},"page":{{"path":"/pricing","referrer":"https://example.com/","search":"","title":"Pricing","url":"https://example.com/pricing"}}}},"traits":{{"name":"{name}","email":"{email}","plan":"{plan}","age":{age},"address":{{"city":"{city}","country":"{country}"}},"company":"{company}","createdAt":"{created}"}},"integrations":{{"All":true}},"originalTimestamp":"2026-01-15T09:30:00.123Z","sentAt":"2026-01-15T09:30:00.456Z"}}"#
    )
    .expect("writing to a string");
    out.push('\n');
}
