//! The events that both benchmarks write.

use std::fmt::Write as _;

/// Number of different users.
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
        concat!(
            r#"{{"type":"identify","messageId":"4a8f9d2e-5b7c-4e31-9f60-{user:012}","#,
            r#""anonymousId":"9c1d7e52-3f4b-4a68-8d2e-7b6a5c4f3e2d","#,
            r#""userId":"user-{user}","channel":"web","#,
            r#""context":{{"app":{{"name":"RudderLabs JavaScript SDK","#,
            r#""namespace":"com.rudderlabs.javascript","version":"3.34.1"}},"#,
            r#""library":{{"name":"RudderLabs JavaScript SDK","version":"3.34.1"}},"#,
            r#""userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML,"#,
            r#" like Gecko) Chrome/131.0.0.0 Safari/537.36","locale":"en-US","#,
            r#""screen":{{"width":1920,"height":1080,"density":1}},"#,
            r#""page":{{"path":"/pricing","referrer":"https://example.com/","#,
            r#""search":"","title":"Pricing","url":"https://example.com/pricing"}}}},"#,
            r#""traits":{{"name":"{name}","email":"{email}","plan":"{plan}","#,
            r#""age":{age},"address":{{"city":"{city}","country":"{country}"}},"#,
            r#""company":"{company}","createdAt":"{created}"}},"#,
            r#""integrations":{{"All":true}},"#,
            r#""originalTimestamp":"2026-01-15T09:30:00.123Z","#,
            r#""sentAt":"2026-01-15T09:30:00.456Z"}}"#,
        ),
        user = user,
        name = name,
        email = email,
        plan = plan,
        age = age,
        city = city,
        country = country,
        company = company,
        created = created
    )
    .expect("writing to a string");
    out.push('\n');
}
