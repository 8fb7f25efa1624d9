//! Finds the arrows of a crate: follows every path in every file to its definition.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, Meta, Stmt};

use super::cfg::is_for_tests;
use super::circles::Arrows;
use super::modules::{Crate, Scope, attributes, is_public, leaves, scope_of};
use super::resolve::{Definition, Place};
use super::tokens;

/// The arrows between the files of a crate, and the paths that lead into the crate but to no
/// definition.
pub(crate) fn arrows(tree: &Crate) -> (Arrows, Vec<String>) {
    let mut arrows = Arrows::new();
    let mut lost = Vec::new();
    for source in &tree.files {
        let mut file = File {
            tree,
            path: &source.path,
            module: source.module,
            blocks: Vec::new(),
            variables: Vec::new(),
            arrows: &mut arrows,
            lost: &mut lost,
        };
        file.visit_file(&source.syntax);
    }
    (arrows, lost)
}

/// The file that is read, and the position in it.
struct File<'a> {
    tree: &'a Crate,
    path: &'a str,
    module: usize,
    blocks: Vec<Scope>,
    /// The variables of each enclosing function.
    variables: Vec<HashSet<String>>,
    arrows: &'a mut Arrows,
    lost: &'a mut Vec<String>,
}

impl File<'_> {
    fn follow(&mut self, path: &[String], counts: bool) {
        if let [name] = path
            && self.variables.iter().any(|variables| variables.contains(name))
        {
            return;
        }
        let found = self.tree.resolve(Place { module: self.module, blocks: &self.blocks }, path);
        if found.is_empty() {
            self.lost.push(format!("{}: {}", self.path, path.join("::")));
        }
        for target in found {
            if let Definition::Item(file, name) = target
                && self.tree.files[file].path != self.path
                && counts
            {
                let ends = (self.path.to_owned(), self.tree.files[file].path.clone());
                self.arrows.entry(ends).or_default().insert(name);
            }
        }
    }

    fn follow_tokens(&mut self, tokens: TokenStream) {
        for path in tokens::paths(tokens) {
            self.follow(&path, true);
        }
    }

    /// Reads a function; its variables hide outer items of the same name.
    fn function(&mut self, variables: Variables, read: impl FnOnce(&mut Self)) {
        self.variables.push(variables.0);
        read(self);
        self.variables.pop();
    }
}

impl<'a> Visit<'a> for File<'_> {
    fn visit_item(&mut self, item: &'a Item) {
        if is_for_tests(attributes(item)) {
            return;
        }
        match item {
            Item::Use(item) if item.leading_colon.is_none() => {
                let counts = !is_public(&item.vis);
                for leaf in leaves(&item.tree) {
                    self.follow(&leaf.path, counts);
                }
            }
            Item::Use(_) => {}
            Item::Mod(item) => {
                if let Some((_, items)) = &item.content {
                    let inner = self.tree.inline(self.module, &item.ident.to_string());
                    let outer = std::mem::replace(&mut self.module, inner);
                    items.iter().for_each(|item| self.visit_item(item));
                    self.module = outer;
                }
            }
            item => visit::visit_item(self, item),
        }
    }

    fn visit_block(&mut self, block: &'a syn::Block) {
        let items = block
            .stmts
            .iter()
            .filter_map(|stmt| if let Stmt::Item(item) = stmt { Some(item) } else { None });
        self.blocks.push(scope_of(items));
        visit::visit_block(self, block);
        self.blocks.pop();
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        let mut variables = Variables::default();
        variables.visit_item_fn(item);
        self.function(variables, |file| visit::visit_item_fn(file, item));
    }

    fn visit_impl_item(&mut self, item: &'a syn::ImplItem) {
        let mut variables = Variables::default();
        if let syn::ImplItem::Fn(item) = item {
            if is_for_tests(&item.attrs) {
                return;
            }
            variables.visit_impl_item_fn(item);
        }
        self.function(variables, |file| visit::visit_impl_item(file, item));
    }

    fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
        let mut variables = Variables::default();
        variables.visit_trait_item_fn(item);
        self.function(variables, |file| visit::visit_trait_item_fn(file, item));
    }

    fn visit_field(&mut self, field: &'a syn::Field) {
        if !is_for_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_field_value(&mut self, field: &'a syn::FieldValue) {
        if !is_for_tests(&field.attrs) {
            visit::visit_field_value(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'a syn::Variant) {
        if !is_for_tests(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_arm(&mut self, arm: &'a syn::Arm) {
        if !is_for_tests(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_local(&mut self, local: &'a syn::Local) {
        if !is_for_tests(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        if path.leading_colon.is_none() {
            let names: Vec<String> =
                path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.follow(&names, true);
        }
        visit::visit_path(self, path);
    }

    /// A constant in a pattern looks like a variable; only its upper case differs.
    fn visit_pat_ident(&mut self, pattern: &'a syn::PatIdent) {
        let name = pattern.ident.to_string();
        if name.starts_with(char::is_uppercase) {
            self.follow(&[name], true);
        }
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_macro(&mut self, call: &'a syn::Macro) {
        self.visit_path(&call.path);
        self.follow_tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'a Attribute) {
        match &attribute.meta {
            Meta::List(list) if !list.path.is_ident("cfg") => {
                self.follow_tokens(list.tokens.clone());
                for path in tokens::quoted_paths(list.tokens.clone()) {
                    self.follow(&path, true);
                }
            }
            Meta::NameValue(pair) => self.visit_expr(&pair.value),
            Meta::Path(_) | Meta::List(_) => {}
        }
    }

    /// The path in `pub(in path)` is no use of an item.
    fn visit_visibility(&mut self, _: &'a syn::Visibility) {}
}

/// Names of variables and of generic types, which hide items of the crate.
#[derive(Default)]
struct Variables(HashSet<String>);

impl<'a> Visit<'a> for Variables {
    fn visit_pat_ident(&mut self, pattern: &'a syn::PatIdent) {
        let name = pattern.ident.unraw().to_string();
        if !name.starts_with(char::is_uppercase) {
            self.0.insert(name);
        }
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_type_param(&mut self, parameter: &'a syn::TypeParam) {
        self.0.insert(parameter.ident.to_string());
    }
}
