//! A JSON document as `explain` and a tap show it.

use serde::ser::{Error, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::event::Limits;
use crate::event::js::{self, Value, lossy};

/// The text of a JSON document, serialized as it is.
pub(in crate::event) struct ShownDocument<'a> {
    pub(in crate::event) text: &'a [u8],
    /// What stands in place of every value that is no object; `None`: the values are shown.
    pub(in crate::event) hidden: Option<&'a str>,
}

impl Serialize for ShownDocument<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = std::str::from_utf8(self.text).map_err(S::Error::custom)?;
        match self.hidden {
            None => serde_json::from_str::<&RawValue>(text)
                .map_err(S::Error::custom)?
                .serialize(serializer),
            Some(hidden) => {
                let value = js::parse(text, Limits::DEEPEST);
                let value = value.map_err(|_| S::Error::custom("the document is too deep"))?;
                HiddenValues { value: &value, hidden }.serialize(serializer)
            }
        }
    }
}

/// Objects with their names; any other value as `hidden`.
struct HiddenValues<'a> {
    value: &'a Value<'a>,
    hidden: &'a str,
}

impl Serialize for HiddenValues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Value::Object(members) = self.value else { return self.hidden.serialize(serializer) };
        let members = members
            .iter()
            .map(|(name, value)| (lossy(name), HiddenValues { value, hidden: self.hidden }));
        serializer.collect_map(members)
    }
}
