//! The modules of a crate, and the names in each.

use std::collections::{BTreeMap, HashMap};

use syn::{Item, UseTree, Visibility};

use super::cfg::is_for_tests;
use super::tokens;

/// The root files of a crate, a program or a build script.
const ROOTS: [&str; 3] = ["lib.rs", "main.rs", "build.rs"];

/// The files of a crate, below `src`.
pub(crate) struct Crate {
    pub(super) name: String,
    pub(crate) files: Vec<Source>,
    pub(super) modules: Vec<Module>,
    /// Files that no `mod x;` includes, not even one for tests.
    pub(crate) unreached: Vec<String>,
}

pub(crate) struct Source {
    /// The path below `src`, such as `redis/mod.rs`.
    pub(crate) path: String,
    /// The types defined outside inline modules.
    pub(crate) types: Vec<String>,
    pub(super) module: usize,
    pub(super) syntax: syn::File,
}

/// A module: a file, or `mod x { .. }` in a file.
pub(super) struct Module {
    pub(super) file: usize,
    pub(super) parent: Option<usize>,
    pub(super) scope: Scope,
}

/// The names of a module, or of a block with items.
#[derive(Default)]
pub(super) struct Scope {
    pub(super) names: HashMap<String, Vec<NameKind>>,
    /// The paths before `::*`.
    pub(super) globs: Vec<Vec<String>>,
}

pub(super) enum NameKind {
    Module(usize),
    /// The name is defined here.
    Item,
    /// The name is imported by `use`, from this path.
    Import(Vec<String>),
}

/// One name that a `use` imports, or `*`.
pub(super) struct Leaf {
    pub(super) path: Vec<String>,
    /// `None` for `*`.
    pub(super) name: Option<String>,
}

impl Crate {
    /// Reads a crate from its files, given as path below `src` and text.
    pub(crate) fn read(name: &str, texts: &BTreeMap<String, String>) -> Self {
        let mut tree = Self {
            name: name.into(),
            files: Vec::new(),
            modules: Vec::new(),
            unreached: Vec::new(),
        };
        let mut for_tests = Vec::new();
        for root in ROOTS.into_iter().filter(|root| texts.contains_key(*root)) {
            tree.add_file(texts, root, "", None, &mut for_tests);
        }
        for path in texts.keys() {
            let is_for_tests = for_tests.iter().any(|stem: &String| {
                path.strip_prefix(stem).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            });
            if !is_for_tests && tree.files.iter().all(|file| file.path != *path) {
                tree.unreached.push(path.clone());
            }
        }
        tree
    }

    /// Adds a file and its modules. `below` is the folder of these modules; it ends with `/` or is
    /// empty.
    fn add_file(
        &mut self,
        texts: &BTreeMap<String, String>,
        path: &str,
        below: &str,
        parent: Option<usize>,
        for_tests: &mut Vec<String>,
    ) -> usize {
        let mut syntax =
            syn::parse_file(&texts[path]).unwrap_or_else(|error| panic!("{path}: {error}"));
        let items = std::mem::take(&mut syntax.items);
        let (file, module) = (self.files.len(), self.modules.len());
        self.modules.push(Module { file, parent, scope: scope_of(&items) });
        let types = types_of(&items);
        self.files.push(Source { path: path.into(), types, module, syntax });
        self.add_modules(texts, &items, module, below, for_tests);
        self.files[file].syntax.items = items;
        module
    }

    fn add_modules(
        &mut self,
        texts: &BTreeMap<String, String>,
        items: &[Item],
        parent: usize,
        folder: &str,
        for_tests: &mut Vec<String>,
    ) {
        for item in items {
            let Item::Mod(item) = item else { continue };
            let name = item.ident.to_string();
            let stem = format!("{folder}{name}");
            let below = format!("{stem}/");
            if is_for_tests(&item.attrs) {
                for_tests.push(stem);
                continue;
            }
            let module = if let Some((_, items)) = &item.content {
                let module = self.modules.len();
                let file = self.modules[parent].file;
                self.modules.push(Module { file, parent: Some(parent), scope: scope_of(items) });
                self.add_modules(texts, items, module, &below, for_tests);
                module
            } else {
                let places = [format!("{stem}.rs"), format!("{stem}/mod.rs")];
                let place = places.iter().find(|place| texts.contains_key(*place));
                let place =
                    place.unwrap_or_else(|| panic!("there is no file for mod {name}, {stem}.rs"));
                self.add_file(texts, place, &below, Some(parent), for_tests)
            };
            self.modules[parent]
                .scope
                .names
                .entry(name)
                .or_default()
                .push(NameKind::Module(module));
        }
    }

    /// The index of the module `mod name { .. }` in the module `parent`.
    pub(super) fn inline(&self, parent: usize, name: &str) -> usize {
        let names = &self.modules[parent].scope.names[name];
        names
            .iter()
            .find_map(|name| if let NameKind::Module(module) = name { Some(*module) } else { None })
            .unwrap()
    }
}

/// The names that the items define or import, without modules.
pub(super) fn scope_of<'a>(items: impl IntoIterator<Item = &'a Item>) -> Scope {
    let mut scope = Scope::default();
    let mut made = Vec::new();
    for item in items {
        let name = match item {
            item if is_for_tests(attributes(item)) => continue,
            Item::Use(item) => {
                for leaf in leaves(&item.tree) {
                    match leaf.name {
                        Some(name) => {
                            scope.names.entry(name).or_default().push(NameKind::Import(leaf.path))
                        }
                        None => scope.globs.push(leaf.path),
                    }
                }
                continue;
            }
            Item::Macro(item) if item.ident.is_none() => {
                made.extend(tokens::definitions(item.mac.tokens.clone()));
                continue;
            }
            item => defined(item),
        };
        if let Some(name) = name {
            scope.names.entry(name).or_default().push(NameKind::Item);
        }
    }
    for (name, _) in made {
        scope.names.entry(name).or_insert_with(|| vec![NameKind::Item]);
    }
    scope
}

/// The types among the items, those that macros define included.
fn types_of(items: &[Item]) -> Vec<String> {
    let mut types = Vec::new();
    for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
        match item {
            Item::Enum(_)
            | Item::Struct(_)
            | Item::Trait(_)
            | Item::TraitAlias(_)
            | Item::Type(_)
            | Item::Union(_) => {
                types.extend(defined(item));
            }
            Item::Macro(item) if item.ident.is_none() => {
                let made = tokens::definitions(item.mac.tokens.clone());
                types
                    .extend(made.into_iter().filter(|(_, is_type)| *is_type).map(|(name, _)| name));
            }
            _ => {}
        }
    }
    types.sort();
    types.dedup();
    types
}

fn defined(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

pub(super) fn attributes(item: &Item) -> &[syn::Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Each name that a `use` imports.
pub(super) fn leaves(tree: &UseTree) -> Vec<Leaf> {
    fn add(tree: &UseTree, before: &[String], found: &mut Vec<Leaf>) {
        let longer = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => add(&path.tree, &longer(&path.ident), found),
            UseTree::Group(group) => group.items.iter().for_each(|tree| add(tree, before, found)),
            UseTree::Glob(_) => found.push(Leaf { path: before.to_vec(), name: None }),
            UseTree::Name(name) if name.ident == "self" => {
                found.push(Leaf { path: before.to_vec(), name: before.last().cloned() });
            }
            UseTree::Name(name) => {
                found.push(Leaf { path: longer(&name.ident), name: Some(name.ident.to_string()) })
            }
            UseTree::Rename(name) => {
                let path = if name.ident == "self" { before.to_vec() } else { longer(&name.ident) };
                found.push(Leaf { path, name: Some(name.rename.to_string()) });
            }
        }
    }
    let mut found = Vec::new();
    add(tree, &[], &mut found);
    found
}

/// True if other modules can use this `use`.
pub(super) fn is_public(visibility: &Visibility) -> bool {
    match visibility {
        Visibility::Public(_) => true,
        Visibility::Restricted(to) => !to.path.is_ident("self"),
        Visibility::Inherited => false,
    }
}
