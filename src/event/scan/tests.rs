//! The scanner and `serde_json` agree on what is valid, and on where values stand.

use super::*;
use crate::event::envelope::Envelope;
use crate::event::{RejectReason, json};

/// The whole of `text` as one value.
fn scanned(text: &str) -> Option<&str> {
    let mut scanner = Scanner::new(text);
    let value = scanner.value()?;
    scanner.is_end().then_some(value)
}

/// Both judge `text` alike, alone and where it stands in another place of a block of 64 bytes.
fn assert_agreed(text: &str) {
    let blanks = |byte: char| matches!(byte, ' ' | '\t' | '\n' | '\r');
    let expected = json::is_valid(text).then(|| text.trim_matches(blanks));
    assert_eq!(scanned(text), expected, "{text:?}");
    let list = format!(r#"["{}",{text}]"#, "x".repeat(text.len() * 7 % 64));
    assert_eq!(scanned(&list).is_some(), json::is_valid(&list), "{list:?}");
}

/// Both find the same parts in `text`, and in an event that holds it.
fn assert_same_parts(text: &str) {
    assert_eq!(Envelope::read(text), expected_envelope(text), "{text:?}");
    let event = format!(r#"{{"context":{{"a":{text},"traits":{text}}},"type":{text},"b":"\\"}}"#);
    assert_eq!(Envelope::read(&event), expected_envelope(&event), "{event:?}");
}

/// What `serde_json` finds, with one pass for each part.
fn expected_envelope(text: &str) -> Result<Envelope<'_>, RejectReason> {
    if !json::is_valid(text) {
        return Err(RejectReason::InvalidJson);
    }
    if json::first(text) != b'{' {
        return Err(RejectReason::NotAnObject);
    }
    let part = |name: &str| json::member_at(text, &[name]);
    let of_context = |name: &str| json::member_at(text, &["context", name]);
    Ok(Envelope {
        kind: part("type"),
        is_cloud_event: part("specversion").is_some(),
        user_id: part("userId"),
        context_traits: of_context("traits"),
        sources: of_context("sources"),
        traits: part("traits"),
        integrations: part("integrations"),
        timestamp: part("timestamp"),
        original_timestamp: part("originalTimestamp"),
        sent_at: part("sentAt"),
        received_at: part("receivedAt"),
    })
}

/// All texts of up to `most` of the `letters`.
fn texts(letters: &str, most: u32) -> impl Iterator<Item = String> {
    let count = letters.len();
    (0..=most).flat_map(move |len| {
        (0..count.pow(len)).map(move |number| {
            let letter = |at| letters.as_bytes()[number / count.pow(at) % count];
            (0..len).map(|at| char::from(letter(at))).collect()
        })
    })
}

#[test]
fn every_short_text_is_judged_alike() {
    texts("{}[]:,\"\\u1t \n", 3).for_each(|text| assert_agreed(&text));
    texts("01-+.eE", 5).for_each(|text| assert_agreed(&text));
    texts("\"\\u0aFg/\u{1}", 4).for_each(|text| assert_agreed(&format!("\"{text}\"")));
}

#[test]
fn words_strings_and_depth_are_judged_alike() {
    for word in ["true", "false", "null", "nul", "truE", "falsey", "NaN", "Infinity", "\u{feff}1"] {
        assert_agreed(word);
    }
    for len in 0..200 {
        let run = "é".repeat(len / 2) + &"a".repeat(len);
        for end in ["", "\\n", "\\\\", "\\\"", "\\u00e9", "\\ud800", "\\x", "\\u00g0", "\u{1f}"] {
            assert_agreed(&format!("\"{run}{end}{run}\""));
        }
        let open = "[{\"a\":".repeat(len) + "[";
        let close = "]".to_owned() + &"}]".repeat(len);
        assert_agreed(&format!("{open}{close}"));
        assert_agreed(&format!("{open}{}", close.replacen('}', "]", 1)));
        assert_agreed(&format!("{open}{close}]"));
    }
    let deep = "[".repeat(100_000);
    assert_eq!(scanned(&deep), None);
    let deep = deep.clone() + &"]".repeat(100_000);
    assert_eq!(scanned(&deep), Some(&*deep));
}

/// Appends JSON text, mostly valid.
fn push_random(random: &mut fastrand::Rng, depth: usize, out: &mut String) {
    const NAMES: &[&str] = &[
        "\"context\"",
        "\"traits\"",
        "\"type\"",
        "\"userId\"",
        "\"sources\"",
        "\"timestamp\"",
        "\"tr\\u0061its\"",
        "\"specversion\"",
        "\"batch\"",
        "\"\"",
        "\"\\ud800\"",
        "\"a longer name than the others, in more than one block of bytes: é😀\"",
    ];
    const SCALARS: &[&str] = &[
        "null",
        "true",
        "false",
        "0",
        "-0.0",
        "12345678901234567890",
        "1e400",
        "-1.5E-7",
        "\"\"",
        "\"text\"",
        "\"a\\\"b\\\\\"",
        "\"\\u00e9\\ud83d\\ude00\\/\"",
        "\"https://www.example.com/a/path?with=a&query=string#and-a-fragment-é\"",
        "01",
        "nul",
        "\"\t\"",
        "\"\\x\"",
    ];
    let blank = |random: &mut fastrand::Rng| ["", "", "", " ", "\n\t", "\r"][random.usize(..6)];
    let count = random.usize(..5);
    // The last four are not valid.
    let scalars = SCALARS.len() - if random.u8(..20) == 0 { 0 } else { 4 };
    match random.u8(..if depth < 6 { 5 } else { 1 }) {
        0 => out.push_str(SCALARS[random.usize(..scalars)]),
        1 => {
            out.push('[');
            for at in 0..count {
                out.push_str(if at > 0 { "," } else { "" });
                out.push_str(blank(random));
                push_random(random, depth + 1, out);
            }
            out.push(']');
        }
        _ => {
            out.push('{');
            for at in 0..count {
                out.push_str(if at > 0 { "," } else { "" });
                out.push_str(blank(random));
                out.push_str(NAMES[random.usize(..NAMES.len())]);
                out.push_str(blank(random));
                out.push(':');
                out.push_str(blank(random));
                push_random(random, depth + 1, out);
                out.push_str(blank(random));
            }
            out.push('}');
        }
    }
}

#[test]
fn random_and_broken_texts_are_read_alike() {
    let mut random = fastrand::Rng::with_seed(0x7261_6974);
    let (mut valid, mut invalid) = (0, 0);
    for _ in 0..6_000 {
        let mut text = String::new();
        push_random(&mut random, 0, &mut text);
        assert_agreed(&text);
        assert_same_parts(&text);
        if json::is_valid(&text) {
            valid += 1
        } else {
            invalid += 1
        }
        let mut chars: Vec<char> = text.chars().collect();
        let at = random.usize(..chars.len());
        match random.u8(..3) {
            0 => _ = chars.remove(at),
            1 => chars.insert(at, char::from(b"{}[]:,\"\\ 0-.etn\0\n"[random.usize(..17)])),
            _ => chars.truncate(at),
        }
        let text: String = chars.into_iter().collect();
        assert_agreed(&text);
        assert_same_parts(&text);
    }
    assert!(valid > 2000 && invalid > 200, "{valid} valid, {invalid} invalid");
}
