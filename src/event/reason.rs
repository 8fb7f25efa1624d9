//! Why an event is not written: the closed sets of words that `explain`, metrics and dead letters
//! share.

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident => $word:literal),+ $(,)? }) => {
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
    /// An event that is well formed and asks for nothing to be written.
    SkipReason {
        NotIdentify => "not_identify",
        /// The object's `type` is missing, null or empty, and no path imposes one.
        NoType => "no_type",
        BlankUserId => "blank_user_id",
        NoTraits => "no_traits",
        IntegrationOff => "integration_off",
        /// A Kafka message without a value (a tombstone) or without an event in it, or a blank line
        /// of a file.
        Empty => "empty",
    }
}

reasons! {
    /// An event that cannot be read or exceeds a limit of `[transform]`.
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
