//! Finds items that are built for tests only.

use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// True if a `#[cfg(..)]` among the attributes holds in test builds only.
pub(super) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let predicate = attribute.parse_args::<Meta>().expect("a predicate in cfg(..)");
        holds(&predicate) == Some(false)
    })
}

/// True if the predicate holds outside tests; `None` if it holds in some builds.
fn holds(predicate: &Meta) -> Option<bool> {
    let Meta::List(list) = predicate else {
        return if predicate.path().is_ident("test") { Some(false) } else { None };
    };
    let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    let parts: Vec<_> = parts.expect("predicates in cfg(..)").iter().map(holds).collect();
    if list.path.is_ident("not") {
        parts[0].map(|holds| !holds)
    } else {
        // One true predicate decides `any`, one false predicate decides `all`.
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
