//! Both paths of the transform agree on any event, under wide and under tight limits.
//!
//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz transform -- -dict=tests/fuzz/json.dict`

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use traitsink::event::{Decision, Limits, Origin, Rules, Transformer, Update};

const WIDE: Limits = Limits {
    max_event: 1 << 20,
    max_depth: 1000,
    max_fields: 10_000,
    max_key: 1 << 20,
    max_field_name: 1 << 20,
    max_update: 1 << 24,
};
const TIGHT: Limits = Limits {
    max_depth: 4,
    max_fields: 4,
    max_key: 16,
    max_field_name: 8,
    max_update: 16,
    ..WIDE
};

fuzz_target!(|text: &[u8]| {
    for (limits, wrapped, nulls_delete) in [
        (WIDE, false, false),
        (TIGHT, false, false),
        (WIDE, true, false),
        (WIDE, false, true),
        (TIGHT, false, true),
    ] {
        let mut rules = Rules::new(limits, "Redis");
        rules.profile.nulls_delete = nulls_delete;
        let origin = Origin { wrapped, ..Origin::default() };
        let decide = |mut transformer: Transformer| transformer.transform(&rules, origin, text);
        match (decide(Transformer::default()), decide(Transformer::literal())) {
            (Decision::Update(usual), Decision::Update(literal)) => {
                assert_eq!(usual.key(), literal.key());
                let removed = |update: &Update| -> BTreeSet<Vec<u8>> {
                    update.removed().map(<[u8]>::to_vec).collect()
                };
                let gone = removed(&usual);
                assert_eq!(gone, removed(&literal));
                assert!(usual.fields().all(|(name, _)| !gone.contains(name)));
                let sorted = |fields: &mut Vec<(&[u8], &[u8])>| fields.sort_unstable();
                let mut usual: Vec<_> = usual.fields().collect();
                let mut literal: Vec<_> = literal.fields().collect();
                sorted(&mut usual);
                sorted(&mut literal);
                assert_eq!(usual, literal);
                let is_text = |text: &[u8]| str::from_utf8(text).is_ok();
                assert!(usual.iter().all(|(name, value)| is_text(name) && is_text(value)));
                assert!(usual.is_sorted_by(|(before, _), (name, _)| before < name), "a field is \
                    written once");
            }
            (usual, literal) => assert_eq!(usual, literal),
        }
    }
});
