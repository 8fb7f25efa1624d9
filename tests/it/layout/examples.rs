//! Small crates with known arrows: they prove that the layout tests see arrows at all.

use std::collections::{BTreeMap, BTreeSet};

use super::arrows::{Arrows, Crate, arrows, circles};

fn read(files: &[(&str, &str)]) -> Crate {
    let files: BTreeMap<String, String> =
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    Crate::read("house", &files)
}

fn arrows_of(files: &[(&str, &str)]) -> Arrows {
    let tree = read(files);
    assert_eq!(tree.unreached, [""; 0]);
    let (arrows, lost) = arrows(&tree);
    assert_eq!(lost, [""; 0]);
    arrows
}

/// The arrows as `from -> to: names`.
fn shown(files: &[(&str, &str)]) -> Vec<String> {
    let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
    arrows_of(files)
        .iter()
        .map(|((from, to), found)| format!("{from} -> {to}: {}", names(found)))
        .collect()
}

/// The arrows of `a.rs` with this text, beside a folder `b` and a file `c.rs`.
fn arrows_of_text(text: &str) -> Vec<String> {
    shown(&[
        ("lib.rs", "mod a; mod b; mod c; macro_rules! own { () => {} } use own;"),
        ("a.rs", text),
        ("b/mod.rs", "mod deep; pub use deep::Deep; pub use deep::deep; pub use outside::Thing;"),
        ("b/deep.rs", "pub struct Deep; pub fn deep() {}"),
        ("c.rs", "pub use crate::b::*; pub struct Plain; pub trait Able {} pub fn plain() {}"),
    ])
}

#[test]
fn an_arrow_leads_to_the_file_that_defines_the_name() {
    for text in [
        "use crate::b::Deep;",
        "use crate::{b::{Deep}, c as other};",
        "use crate::b::{self, Deep as Renamed};",
        "use super::b::Deep;",
        "use crate::c::Deep;",
        "use crate::c; struct A(c::Deep);",
        "use crate::c::*; struct A(Deep);",
        "use super::*; struct A(b::Deep);",
        "use super::c as other; struct A(other::Deep);",
        "struct A(Vec<Option<crate::b::Deep>>);",
        "impl crate::b::Deep {}",
        "fn f() { use super::c; { let _ = c::Deep; } }",
        "fn f() { fn g(_: crate::b::Deep) {} }",
        "mod inner { use super::super::b::Deep; }",
        "mod inner { pub use super::super::b::Deep; } fn f(_: inner::Deep) {}",
        "fn f() { vec![1, crate::b::Deep::new()]; }",
        "use crate::c; fn f() { assert!(x.c, \"{}\", c::Deep); }",
        "pub use crate::b::Deep; fn f() { print!(\"{}\", Deep::new()); }",
        "#[derive(Debug)] #[arg(parser = crate::b::Deep::parse)] struct A;",
        "struct A { #[serde(default = \"crate::b::Deep::new\")] a: u8 }",
        "macro_rules! m { ($x:ident) => { $crate::b::Deep } }",
        "#[cfg(feature = \"kafka\")] use crate::b::Deep;",
        "#[cfg(not(test))] use crate::b::Deep;",
        "#[cfg(any(test, unix))] use crate::b::Deep;",
    ] {
        assert_eq!(arrows_of_text(text), ["a.rs -> b/deep.rs: Deep"], "{text}");
    }
    let more = "use crate::b::deep; use super::c::{Able, plain}; fn f() { deep(); }";
    assert_eq!(arrows_of_text(more), ["a.rs -> b/deep.rs: deep", "a.rs -> c.rs: Able, plain"]);
    assert_eq!(arrows_of_text("fn f() { super::own!(); }"), ["a.rs -> lib.rs: own"]);
    let variant = "pub use crate::c::Plain; fn f(at: u8) { match at { Plain => {} } }";
    assert_eq!(arrows_of_text(variant), ["a.rs -> c.rs: Plain"]);
}

#[test]
fn what_names_nothing_of_another_file_is_no_arrow() {
    for text in [
        "pub use crate::b::Deep;",
        "pub(crate) use super::b::{Deep, deep};",
        "use crate::b; use super::c as other;",
        "use crate::b::Thing; fn f(_: Thing) {}",
        "use std::fmt; use ::b::Deep; fn f(_: b::Deep) {}",
        "struct Deep; fn f(_: Deep) {}",
        "struct Deep; mod inner { use super::Deep; } fn f(_: self::Deep, _: crate::a::Deep) {}",
        "pub use super::b::deep; fn f(deep: u8) -> u8 { print!(\"{}\", deep); deep + x.deep }",
        "pub use super::c::*; fn f<Deep>(deep: Deep) {}",
        "/// See [`Deep`](crate::b::Deep).\nstruct A;",
        "#[cfg(test)] use crate::b::Deep;",
        "#[cfg(all(test, unix))] use crate::b::Deep;",
        "#[cfg(test)] mod tests { use crate::b::Deep; fn f() { super::super::c::plain(); } }",
        "impl A { #[cfg(test)] fn f(_: crate::b::Deep) {} }",
        "pub(in crate::b) struct A;",
    ] {
        assert_eq!(arrows_of_text(text), [""; 0], "{text}");
    }
}

#[test]
fn a_circle_through_a_re_export_is_found() {
    let parent = "mod one; mod two; pub use one::One;";
    let one = ("one.rs", "use crate::two::Two; pub struct One;");
    let back = [("lib.rs", parent), one, ("two.rs", "pub struct Two(super::One);")];
    let found = circles(&arrows_of(&back));
    let text: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(text, ["circle of 2: one.rs -> two.rs (Two) -> one.rs (One)"]);

    let alone = [("lib.rs", parent), one, ("two.rs", "pub use crate::One; pub struct Two;")];
    assert_eq!(shown(&alone), ["one.rs -> two.rs: Two"]);
    assert!(circles(&arrows_of(&alone)).is_empty());
}

#[test]
fn a_parent_that_uses_its_children_and_is_used_by_them_is_a_circle() {
    let files = [
        ("lib.rs", "pub mod room;"),
        ("room/mod.rs", "mod part; mod other; pub struct Whole(part::Part);"),
        ("room/part.rs", "pub struct Part; fn f(_: super::other::Other) {}"),
        ("room/other.rs", "use super::Whole; pub struct Other; fn f(_: super::part::Part) {}"),
        ("main.rs", "fn main() { house::room::Whole::new(); }"),
    ];
    let found = circles(&arrows_of(&files));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].members.len(), 3);
    let text = found[0].to_string();
    let text: Vec<&str> = text.lines().map(str::trim).collect();
    assert_eq!(
        text,
        [
            "circle of 3: room/other.rs -> room/part.rs (Part) -> room/other.rs (Other)",
            "room/mod.rs -> room/part.rs: Part",
            "room/other.rs -> room/mod.rs: Whole",
            "room/other.rs -> room/part.rs: Part",
            "room/part.rs -> room/other.rs: Other",
        ]
    );
    assert!(shown(&files).contains(&"main.rs -> room/mod.rs: Whole".to_owned()));
}

#[test]
fn a_path_to_nothing_and_a_file_without_a_mod_are_reported() {
    let tree = read(&[
        ("lib.rs", "mod a; #[cfg(test)] mod examples;"),
        ("a.rs", "use crate::nowhere::Nothing;"),
        ("examples.rs", "mod more;"),
        ("examples/more.rs", ""),
        ("forgotten.rs", ""),
    ]);
    assert_eq!(tree.unreached, ["forgotten.rs"]);
    assert_eq!(arrows(&tree).1, ["a.rs: crate::nowhere::Nothing"]);
}

#[test]
fn types_are_found_also_where_macros_define_them() {
    let tree = read(&[(
        "lib.rs",
        "struct A; enum B {} type C = u8; trait D {} fn f() { struct In; } mod inner { struct In; }
         words! { /// Words.
             E { One => 1 } }
         local! { static NAME: u8 = 1; }
         form!(A, \"text\", |text: &str| Ok::<_, String>(text));
         #[cfg(test)] struct T;",
    )]);
    assert_eq!(tree.files[0].types, ["A", "B", "C", "D", "E"]);
}
