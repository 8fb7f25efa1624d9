//! The tree that `JSON.parse` would build.

use std::borrow::Cow;
use std::collections::HashMap;

use super::string::lossy;

/// A value; strings are WTF-8.
#[derive(Debug, PartialEq)]
pub(in crate::event) enum Value<'a> {
    Null,
    Bool(bool),
    Number(f64),
    String(Cow<'a, [u8]>),
    Array(Vec<Value<'a>>),
    /// Members in the order in which `Object.keys` lists them, every name once.
    Object(Vec<ObjectMember<'a>>),
}

/// `base` with the members of `over`, objects member by member; any other value of `over` takes the
/// place of what was there.
pub(in crate::event) fn merged<'a>(base: Value<'a>, over: Value<'a>) -> Value<'a> {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            let mut members = ObjectBuilder::default();
            base.into_iter().for_each(|(name, value)| members.set(name, value));
            over.into_iter().for_each(|(name, value)| members.merge(name, value));
            members.finish()
        }
        (_, over) => over,
    }
}

/// The value with U+FFFD for each lone surrogate; of names that become equal the last one counts.
pub(in crate::event) fn without_surrogates(value: Value<'_>) -> Value<'_> {
    match value {
        Value::String(text) => Value::String(well_formed(text)),
        Value::Array(elements) => {
            Value::Array(elements.into_iter().map(without_surrogates).collect())
        }
        Value::Object(list) => {
            let mut members = ObjectBuilder::default();
            for (name, value) in list {
                members.set(well_formed(name), without_surrogates(value));
            }
            members.finish()
        }
        scalar => scalar,
    }
}

fn well_formed(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    match std::str::from_utf8(&text) {
        Ok(_) => text,
        Err(_) => Cow::Owned(lossy(&text).into_owned().into_bytes()),
    }
}

/// A name and its value.
pub(in crate::event) type ObjectMember<'a> = (Cow<'a, [u8]>, Value<'a>);

/// An object with fewer members compares names; a larger one hashes them.
const SMALL: usize = 16;

/// Collects the members of one object: a repeated name keeps its first position and takes the last
/// value.
#[derive(Default)]
pub(super) struct ObjectBuilder<'a> {
    list: Vec<ObjectMember<'a>>,
    /// Position of each name, once the object is no longer small.
    index: HashMap<Cow<'a, [u8]>, usize>,
}

impl<'a> ObjectBuilder<'a> {
    pub(super) fn set(&mut self, name: Cow<'a, [u8]>, value: Value<'a>) {
        match self.position(&name) {
            Some(at) => self.list[at].1 = value,
            None => {
                if self.list.len() >= SMALL {
                    self.index.insert(name.clone(), self.list.len());
                }
                self.list.push((name, value));
            }
        }
    }

    fn merge(&mut self, name: Cow<'a, [u8]>, value: Value<'a>) {
        match self.position(&name) {
            Some(at) => {
                let member = &mut self.list[at].1;
                *member = merged(std::mem::replace(member, Value::Null), value);
            }
            None => self.set(name, value),
        }
    }

    fn position(&mut self, name: &[u8]) -> Option<usize> {
        if self.list.len() < SMALL {
            return self.list.iter().position(|(known, _)| **known == *name);
        }
        if self.index.is_empty() {
            self.index
                .extend(self.list.iter().enumerate().map(|(at, (known, _))| (known.clone(), at)));
        }
        self.index.get(name).copied()
    }

    /// Array indices come first, ascending; all other names keep their order.
    pub(super) fn finish(mut self) -> Value<'a> {
        if self.list.iter().any(|(name, _)| array_index(name).is_some()) {
            self.list.sort_by_key(|(name, _)| array_index(name).map_or(u64::MAX, u64::from));
        }
        Value::Object(self.list)
    }
}

/// The number whose canonical decimal form is `name`, up to 2^32 - 2.
fn array_index(name: &[u8]) -> Option<u32> {
    if !(1..=10).contains(&name.len())
        || (name[0] == b'0' && name.len() > 1)
        || !name.iter().all(u8::is_ascii_digit)
    {
        return None;
    }
    std::str::from_utf8(name).ok()?.parse().ok().filter(|&index| index != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_numbers_below_the_limit_are_array_indices() {
        for (name, index) in [("0", Some(0)), ("10", Some(10)), ("4294967294", Some(u32::MAX - 1))]
        {
            assert_eq!(array_index(name.as_bytes()), index);
        }
        for name in ["", "00", "01", "-1", "1.0", "+1", "4294967295", "99999999999", "1a"] {
            assert_eq!(array_index(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn small_and_large_objects_treat_a_repeated_name_alike() {
        for size in [3, SMALL - 1, SMALL, SMALL + 1, 100] {
            let mut members = ObjectBuilder::default();
            for at in 0..size {
                members.set(Cow::Owned(format!("k{at}").into_bytes()), Value::Null);
            }
            members.set(Cow::Borrowed(b"k1"), Value::Bool(true));
            let Value::Object(list) = members.finish() else { unreachable!("an object was built") };
            assert_eq!(list.len(), size);
            assert_eq!(list[1], (Cow::Borrowed(b"k1".as_slice()), Value::Bool(true)));
        }
    }
}
