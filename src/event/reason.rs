//! The reasons why an event is not written: the same words in `explain`, metrics and dead letters.

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$vdoc:meta])* $variant:ident => $word:literal),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in metrics, dead letters and `explain`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

reasons! {
    /// Why a well-formed event needs no write.
    SkipReason {
        NotIdentify => "not_identify",
        /// The object's `type` is missing, null or empty, and no path imposes one.
        NoType => "no_type",
        BlankUserId => "blank_user_id",
        NoTraits => "no_traits",
        IntegrationOff => "integration_off",
        /// A Kafka message without a value (a tombstone) or without events, or a blank line of a
        /// file.
        Empty => "empty",
    }
}

reasons! {
    /// Why an event cannot be used: it is unreadable or exceeds a limit of `[transform]`.
    RejectReason {
        InvalidJson => "invalid_json",
        InvalidUtf8 => "invalid_utf8",
        NotAnObject => "not_an_object",
        TooLarge => "too_large",
        TooDeep => "too_deep",
        TooManyFields => "too_many_fields",
        KeyTooLong => "key_too_long",
        FieldNameTooLong => "field_name_too_long",
    }
}
