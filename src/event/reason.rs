//! The reasons why an event is not written: the same words in `explain`, metrics and dead letters.

use crate::words::words;

words! {
    /// Why a well-formed event needs no write.
    SkipReason {
        NotIdentify => "not_identify",
        /// The object's `type` is missing, null or empty, and no path imposes one.
        NoType => "no_type",
        BlankUserId => "blank_user_id",
        BlankGroupId => "blank_group_id",
        NoTraits => "no_traits",
        IntegrationOff => "integration_off",
        /// The deletion API was told that nothing of this user is to be written.
        Suppressed => "suppressed",
        /// A Kafka message without a value (a tombstone) or without events, or a blank line of a
        /// file.
        Empty => "empty",
    }
}

words! {
    /// Why an event cannot be used: it is unreadable, exceeds a limit of `[transform]`, breaks a
    /// rule of `[profile]`, or says what cannot be written.
    RejectReason {
        InvalidJson => "invalid_json",
        InvalidUtf8 => "invalid_utf8",
        NotAnObject => "not_an_object",
        TooLarge => "too_large",
        TooDeep => "too_deep",
        TooManyFields => "too_many_fields",
        KeyTooLong => "key_too_long",
        FieldNameTooLong => "field_name_too_long",
        /// What the event says as its prefix is no text.
        BadPrefix => "bad_prefix",
        /// An event of RudderStack's Profiles branch without `traits` that can be written.
        NoDocument => "no_document",
        /// A trait whose name begins with `profile.time_field`, while that is in use.
        ReservedField => "reserved_field",
        /// What stands at `profile.ttl_path` is no time to live.
        BadTtl => "bad_ttl",
    }
}
