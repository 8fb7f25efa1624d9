//! Keys of the configuration whose values are words. The doc comments are their help.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::words;

words! {
    /// What a trait does that is null.
    #[derive(Default, Deserialize, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    Nulls {
        /// Nothing: Redis keeps the field.
        #[default]
        Skip => "skip",
        /// It removes its field, exactly this one, not those below it.
        Delete => "delete",
    }
}

words! {
    /// What an event leaves of the fields that it does not name.
    #[derive(Default, Deserialize, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    ProfileMode {
        /// All of them.
        #[default]
        Merge => "merge",
        /// None: the profile becomes exactly the event's traits.
        Replace => "replace",
    }
}

words! {
    /// Which writes set the TTL of the key.
    #[derive(Default, Deserialize, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    TtlMode {
        /// Every write.
        #[default]
        Refresh => "refresh",
        /// A write to a key that has none; needs Redis 7.0.
        Once => "once",
    }
}

words! {
    /// Whether an older event is kept from overwriting a newer one.
    #[derive(Default, Deserialize, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    NewestWins {
        /// The last to arrive wins.
        #[default]
        Off => "off",
        /// For each field the newest event that names it wins.
        Field => "field",
        /// The newest event wins, and older ones change nothing: for events that carry all traits.
        Profile => "profile",
    }
}

words! {
    /// The form in which profiles are kept.
    #[derive(Default, Deserialize, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    Store {
        /// A hash with flat fields.
        #[default]
        Hash => "hash",
        /// A JSON document with the traits as they are: needs Redis 8, or the module RedisJSON.
        Json => "json",
    }
}

words! {
    /// What a null in the traits does to a JSON document.
    #[derive(Default, Deserialize, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    JsonNulls {
        /// Nothing.
        Skip => "skip",
        /// It removes the member.
        #[default]
        Delete => "delete",
        /// The member becomes null, as with RudderStack.
        Keep => "keep",
    }
}

words! {
    /// Which traits of an event go into a JSON document.
    #[derive(Default, Deserialize, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    JsonTraits {
        /// `context.traits`, then `traits`.
        #[default]
        Both => "both",
        /// `traits`, or `context.traits` where there are none, as with RudderStack.
        Either => "either",
    }
}

words! {
    /// What a record with a null value does.
    #[derive(Default, Deserialize, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    Tombstones {
        /// Nothing.
        #[default]
        Skip => "skip",
        /// It deletes the user whose id is the record's key.
        Delete => "delete",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    /// The words of every enum, and that files take exactly those.
    #[test]
    fn files_take_the_words() {
        macro_rules! assert_words {
            ($($name:ident),+) => {$(
                for &value in $name::ALL {
                    assert_eq!(json!(value), value.as_str());
                    assert_eq!(from_value::<$name>(json!(value.as_str())).unwrap(), value);
                }
                assert!(from_value::<$name>(json!("")).is_err());
            )+};
        }
        assert_words!(
            Nulls,
            ProfileMode,
            TtlMode,
            NewestWins,
            Store,
            JsonNulls,
            JsonTraits,
            Tombstones
        );
    }
}
