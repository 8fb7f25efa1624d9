//! Which items are built only for tests.

use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// Whether a `#[cfg(..)]` among the attributes holds in no build but that of tests.
pub(super) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let predicate = attribute.parse_args::<Meta>().expect("a predicate in cfg(..)");
        holds(&predicate) == Some(false)
    })
}

/// Whether the predicate holds outside tests. `None`: in some builds.
fn holds(predicate: &Meta) -> Option<bool> {
    let Meta::List(list) = predicate else {
        return if predicate.path().is_ident("test") { Some(false) } else { None };
    };
    let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    let parts: Vec<_> = parts.expect("predicates in cfg(..)").iter().map(holds).collect();
    if list.path.is_ident("not") {
        parts[0].map(|holds| !holds)
    } else {
        // `any` is settled by one that holds, `all` by one that does not.
        let settles = list.path.is_ident("any");
        if parts.contains(&Some(settles)) {
            Some(settles)
        } else if parts.contains(&None) {
            None
        } else {
            Some(!settles)
        }
    }
}
