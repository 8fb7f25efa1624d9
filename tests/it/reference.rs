//! A second, simple version of the transform, for comparison. It reads characters into a tree, with
//! strings in UTF-16 as in JavaScript and objects as lists. It is slow, has no limits, and takes
//! only events that are objects.

use std::collections::{BTreeMap, BTreeSet};

use crate::golden::Expect;

pub(crate) type Utf16 = Vec<u16>;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Js {
    Null,
    Bool(bool),
    Number(f64),
    String(Utf16),
    Array(Vec<Js>),
    Object(Vec<(Utf16, Js)>),
}

/// The expected effect of an event for the destination `Redis`, without a prefix; names and values
/// may have `max_update` bytes. `nulls_delete`: a null removes its field.
pub(crate) fn transform_within(text: &str, nulls_delete: bool, max_update: usize) -> Expect {
    let expect = transform(text, nulls_delete);
    let Expect::Update { fields, removed, .. } = &expect else { return expect };
    let size = fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
        + removed.iter().map(String::len).sum::<usize>();
    if size > max_update { Expect::Rejected("too_large".into()) } else { expect }
}

/// The expected effect of an event for the destination `Redis`, without a prefix. `nulls_delete`: a
/// null removes its field.
pub(crate) fn transform(text: &str, nulls_delete: bool) -> Expect {
    let Some(event) = read(text) else { return Expect::Rejected("invalid_json".into()) };
    let Js::Object(_) = &event else { return Expect::Rejected("not_an_object".into()) };
    match event.get("type") {
        None | Some(Js::Null) => return Expect::Skipped("no_type".into()),
        Some(Js::String(kind)) if kind.is_empty() => return Expect::Skipped("no_type".into()),
        Some(Js::String(kind)) if String::from_utf16_lossy(kind).to_lowercase() == "identify" => {}
        _ => return Expect::Skipped("not_identify".into()),
    }
    if !delivered(event.get("integrations")) {
        return Expect::Skipped("integration_off".into());
    }
    let id =
        event.get("userId").filter(|id| **id != Js::Null).and_then(to_string).unwrap_or_default();
    let id = String::from_utf16_lossy(&id);
    if id.chars().all(|c| " \t\n\r\u{b}\u{c}\u{a0}\u{feff}\u{2028}\u{3000}".contains(c)) {
        return Expect::Skipped("blank_user_id".into());
    }
    let mut collected = Collected::default();
    if let Some(traits @ Js::Object(_)) =
        event.get("context").and_then(|context| context.get("traits"))
    {
        collected = flatten(traits);
    }
    if let Some(traits @ Js::Object(_)) = event.get("traits") {
        for (name, value) in flatten(traits).own {
            collected.assign(name, value);
        }
    }
    let (mut fields, mut removed) = (BTreeMap::new(), BTreeSet::new());
    for (name, value) in &collected.own {
        let name = String::from_utf16_lossy(name);
        let value = match value {
            Js::Null if nulls_delete => {
                fields.remove(&name);
                removed.insert(name);
                continue;
            }
            Js::Null | Js::Object(_) => continue,
            array @ Js::Array(_) => stringify(array),
            scalar => String::from_utf16_lossy(&to_string(scalar).expect("no object")),
        };
        removed.remove(&name);
        fields.insert(name, value);
    }
    if fields.is_empty() && removed.is_empty() {
        Expect::Skipped("no_traits".into())
    } else {
        Expect::Update { key: format!("user:{id}"), fields, removed }
    }
}

/// The value of JSON text; `None`: it is none.
pub(crate) fn read(text: &str) -> Option<Js> {
    let mut reader = JsonReader { chars: text.chars().collect(), at: 0 };
    reader.value().filter(|_| reader.rest_is_blank())
}

fn delivered(integrations: Option<&Js>) -> bool {
    let all = match integrations {
        None => return true,
        Some(integrations @ Js::Object(_)) => match integrations.get("All") {
            None => true,
            Some(Js::Bool(all)) => *all,
            Some(_) => return false,
        },
        Some(_) => return false,
    };
    match integrations.and_then(|integrations| integrations.get("Redis")) {
        Some(Js::Bool(on)) => *on,
        Some(Js::Object(_)) => true,
        _ => all,
    }
}

/// The object that flattening fills: its properties, and whether its prototype was removed.
#[derive(Default)]
struct Collected {
    own: Vec<(Utf16, Js)>,
    bare: bool,
}

impl Collected {
    fn assign(&mut self, name: Utf16, value: Js) {
        if name == utf16("__proto__") && !self.bare {
            self.bare = value == Js::Null;
        } else {
            assign(&mut self.own, name, value);
        }
    }
}

fn flatten(traits: &Js) -> Collected {
    fn step(object: &[(Utf16, Js)], parent: &[u16], out: &mut Collected) {
        for (key, value) in object {
            let name =
                if parent.is_empty() { key.clone() } else { [parent, &utf16("."), key].concat() };
            match value {
                Js::Object(members) if !members.is_empty() => step(members, &name, out),
                leaf => out.assign(name, leaf.clone()),
            }
        }
    }
    let mut out = Collected::default();
    if let Js::Object(members) = traits {
        step(members, &[], &mut out);
    }
    out
}

pub(crate) fn assign(members: &mut Vec<(Utf16, Js)>, name: Utf16, value: Js) {
    match members.iter_mut().find(|(known, _)| *known == name) {
        Some(member) => member.1 = value,
        None => members.push((name, value)),
    }
}

pub(crate) fn utf16(text: &str) -> Utf16 {
    text.encode_utf16().collect()
}

/// The value as a string; `None` for a TypeError.
fn to_string(value: &Js) -> Option<Utf16> {
    Some(match value {
        Js::Null => utf16("null"),
        Js::Bool(value) => utf16(&value.to_string()),
        Js::Number(number) if *number == 0.0 && number.is_sign_negative() => utf16("-0"),
        Js::Number(number) => utf16(&number_text(*number)),
        Js::String(text) => text.clone(),
        Js::Array(elements) => {
            elements.iter().map(to_string).collect::<Option<Vec<_>>>()?.join(&u16::from(b','))
        }
        Js::Object(_) if value.get("toString").is_some() => return None,
        Js::Object(_) => utf16("[object Object]"),
    })
}

pub(crate) fn stringify(value: &Js) -> String {
    match value {
        Js::Null => "null".into(),
        Js::Bool(value) => value.to_string(),
        Js::Number(number) if !number.is_finite() => "null".into(),
        Js::Number(number) => number_text(*number),
        Js::String(text) => quote(text),
        Js::Array(elements) => {
            format!("[{}]", elements.iter().map(stringify).collect::<Vec<_>>().join(","))
        }
        Js::Object(members) => {
            let members: Vec<_> =
                members.iter().map(|(name, value)| quote(name) + ":" + &stringify(value)).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

fn quote(text: &[u16]) -> String {
    let escaped = char::decode_utf16(text.iter().copied()).map(|c| match c {
        Ok('"') => "\\\"".into(),
        Ok('\\') => "\\\\".into(),
        Ok('\u{8}') => "\\b".into(),
        Ok('\u{c}') => "\\f".into(),
        Ok('\n') => "\\n".into(),
        Ok('\r') => "\\r".into(),
        Ok('\t') => "\\t".into(),
        Ok(c) if c < ' ' => format!("\\u{:04x}", u32::from(c)),
        Ok(c) => c.to_string(),
        Err(lone) => format!("\\u{:04x}", lone.unpaired_surrogate()),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// Number::toString of ECMAScript, from the fewest digits that are read as the same number.
fn number_text(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    let sign = if number < 0.0 { "-" } else { "" };
    let rounded = (0..17).map(|digits| format!("{:.digits$e}", number.abs()));
    let scientific = rounded.into_iter().find(|text| text.parse() == Ok(number.abs())).unwrap();
    let (mantissa, exponent) = scientific.split_once('e').unwrap();
    let digits = mantissa.replace('.', "");
    let (count, point) = (digits.len() as i32, exponent.parse::<i32>().unwrap() + 1);
    let body = match point {
        _ if number == 0.0 => "0".into(),
        1..=21 if count <= point => digits + &"0".repeat((point - count) as usize),
        1..=21 => format!("{}.{}", &digits[..point as usize], &digits[point as usize..]),
        -5..=0 => format!("0.{}{digits}", "0".repeat(-point as usize)),
        _ => {
            let fraction = if count > 1 { format!(".{}", &digits[1..]) } else { String::new() };
            format!("{}{fraction}e{:+}", &digits[..1], point - 1)
        }
    };
    format!("{sign}{body}")
}

impl Js {
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(known, _)| *known == utf16(name)).map(|(_, value)| value)
    }
}

/// Reads JSON by its grammar; `None` for invalid text.
struct JsonReader {
    chars: Vec<char>,
    at: usize,
}

impl JsonReader {
    fn value(&mut self) -> Option<Js> {
        self.blanks();
        match self.chars.get(self.at)? {
            '{' => self.object(),
            '[' => self.array(),
            '"' => self.string().map(Js::String),
            'n' => self.word("null", Js::Null),
            't' => self.word("true", Js::Bool(true)),
            'f' => self.word("false", Js::Bool(false)),
            _ => self.number(),
        }
    }

    fn object(&mut self) -> Option<Js> {
        let mut members = Vec::new();
        self.at += 1;
        if !self.took('}') {
            loop {
                self.blanks();
                let name = self.string()?;
                if !self.took(':') {
                    return None;
                }
                assign(&mut members, name, self.value()?);
                if self.took('}') {
                    break;
                }
                if !self.took(',') {
                    return None;
                }
            }
        }
        let index = |name: &Utf16| {
            let text = String::from_utf16_lossy(name);
            text.parse::<u32>().ok().filter(|index| index.to_string() == text && *index < u32::MAX)
        };
        let (mut numbered, named): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|(name, _)| index(name).is_some());
        numbered.sort_by_key(|(name, _)| index(name));
        numbered.extend(named);
        Some(Js::Object(numbered))
    }

    fn array(&mut self) -> Option<Js> {
        let mut elements = Vec::new();
        self.at += 1;
        if self.took(']') {
            return Some(Js::Array(elements));
        }
        loop {
            elements.push(self.value()?);
            if self.took(']') {
                return Some(Js::Array(elements));
            }
            if !self.took(',') {
                return None;
            }
        }
    }

    fn string(&mut self) -> Option<Utf16> {
        if self.chars.get(self.at) != Some(&'"') {
            return None;
        }
        let mut units = Utf16::new();
        loop {
            self.at += 1;
            match *self.chars.get(self.at)? {
                '"' => break,
                '\\' => {
                    self.at += 1;
                    let escape = *self.chars.get(self.at)?;
                    units.push(match escape {
                        '"' | '\\' | '/' => escape as u16,
                        'b' => 8,
                        'f' => 12,
                        'n' => 10,
                        'r' => 13,
                        't' => 9,
                        'u' => {
                            let hex: String =
                                self.chars.get(self.at + 1..self.at + 5)?.iter().collect();
                            self.at += 4;
                            if !hex.chars().all(|c| c.is_ascii_hexdigit()) {
                                return None;
                            }
                            u16::from_str_radix(&hex, 16).ok()?
                        }
                        _ => return None,
                    });
                }
                c if c < ' ' => return None,
                c => units.extend(c.encode_utf16(&mut [0; 2]).iter()),
            }
        }
        self.at += 1;
        Some(units)
    }

    fn number(&mut self) -> Option<Js> {
        let start = self.at;
        let digits = |reader: &mut Self| {
            let from = reader.at;
            while reader.chars.get(reader.at).is_some_and(char::is_ascii_digit) {
                reader.at += 1;
            }
            (reader.at > from).then_some(())
        };
        self.at += usize::from(self.chars.get(self.at) == Some(&'-'));
        if self.chars.get(self.at) == Some(&'0') {
            self.at += 1
        } else {
            digits(self)?
        }
        if self.chars.get(self.at) == Some(&'.') {
            self.at += 1;
            digits(self)?;
        }
        if matches!(self.chars.get(self.at), Some('e' | 'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.chars.get(self.at), Some('+' | '-')));
            digits(self)?;
        }
        self.chars[start..self.at].iter().collect::<String>().parse().ok().map(Js::Number)
    }

    fn word(&mut self, word: &str, value: Js) -> Option<Js> {
        let end = self.at + word.len();
        let found = self.chars.get(self.at..end)?.iter().collect::<String>() == word;
        self.at = end;
        found.then_some(value)
    }

    fn took(&mut self, wanted: char) -> bool {
        self.blanks();
        let found = self.chars.get(self.at) == Some(&wanted);
        self.at += usize::from(found);
        found
    }

    fn blanks(&mut self) {
        while matches!(self.chars.get(self.at), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    fn rest_is_blank(&mut self) -> bool {
        self.blanks();
        self.at == self.chars.len()
    }
}
