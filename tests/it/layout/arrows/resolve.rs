//! Finds the definition that a path leads to.

use super::modules::{Crate, NameKind, Scope};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Definition {
    Module(usize),
    /// The defining file, and the name there.
    Item(usize, String),
    /// An item of another crate, or a local name.
    Outside,
}

/// The position of a path: its module, and the enclosing blocks that contain items, the outermost
/// first.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) module: usize,
    pub(super) blocks: &'a [Scope],
}

impl Crate {
    /// All definitions that a path may lead to; a function and a module may share a name. Empty if
    /// the path leads into the crate but nothing there has this name.
    pub(super) fn resolve(&self, place: Place<'_>, path: &[String]) -> Vec<Definition> {
        Search { tree: self, paths: Vec::new(), names: Vec::new() }.path(place, path)
    }
}

/// A search that remembers its steps, because re-exports may form a circle.
struct Search<'a> {
    tree: &'a Crate,
    paths: Vec<&'a [String]>,
    names: Vec<(usize, &'a str)>,
}

impl<'a> Search<'a> {
    fn path(&mut self, place: Place<'a>, path: &'a [String]) -> Vec<Definition> {
        if self.paths.iter().any(|other| std::ptr::eq(*other, path)) {
            return Vec::new();
        }
        self.paths.push(path);
        let found = self.walk(place, path);
        self.paths.pop();
        found
    }

    fn walk(&mut self, place: Place<'a>, path: &'a [String]) -> Vec<Definition> {
        let (mut targets, mut rest) = self.first(place, path);
        while let [name, after @ ..] = rest {
            let mut next = Vec::new();
            for target in &targets {
                if let Definition::Module(module) = target {
                    next.extend(self.name(Place { module: *module, blocks: &[] }, name));
                }
            }
            if next.is_empty() {
                // The rest of the path is a variant, a function of a type, or the like.
                targets.retain(|target| !matches!(target, Definition::Module(_)));
                return targets;
            }
            (targets, rest) = (next, after);
        }
        targets
    }

    /// The modules or items at the start of the path, and the rest of the path.
    fn first(&mut self, place: Place<'a>, path: &'a [String]) -> (Vec<Definition>, &'a [String]) {
        let parent = |module: usize| self.tree.modules[module].parent;
        let mut rest = path;
        let mut start = None;
        while let [name, after @ ..] = rest {
            let module = start.unwrap_or(place.module);
            start = match name.as_str() {
                "crate" => {
                    Some(std::iter::successors(Some(module), |at| parent(*at)).last().unwrap())
                }
                "self" => Some(module),
                "super" => parent(module),
                _ => break,
            };
            rest = after;
        }
        if let Some(module) = start {
            return (vec![Definition::Module(module)], rest);
        }
        let name = &path[0];
        let mut found = self.name(place, name);
        if found.is_empty() {
            // `main.rs` names the library like any other crate.
            found.push(if *name == self.tree.name {
                Definition::Module(0)
            } else {
                Definition::Outside
            });
        }
        (found, &path[1..])
    }

    /// All definitions of the name at this place; inner blocks are searched first.
    fn name(&mut self, place: Place<'a>, name: &'a str) -> Vec<Definition> {
        let Place { module, blocks } = place;
        let scope = blocks.last().unwrap_or(&self.tree.modules[module].scope);
        let mut found = Vec::new();
        for entry in scope.names.get(name).into_iter().flatten() {
            match entry {
                NameKind::Module(module) => found.push(Definition::Module(*module)),
                NameKind::Item => {
                    found.push(Definition::Item(self.tree.modules[module].file, name.into()))
                }
                NameKind::Import(path) => found.extend(self.path(place, path)),
            }
        }
        if !found.is_empty() {
            return found;
        }
        if blocks.is_empty() {
            if self.names.contains(&(module, name)) {
                return found;
            }
            self.names.push((module, name));
        }
        for glob in &scope.globs {
            for target in self.path(place, glob) {
                if let Definition::Module(module) = target {
                    found.extend(self.name(Place { module, blocks: &[] }, name));
                }
            }
        }
        match blocks {
            [] => _ = self.names.pop(),
            outer if found.is_empty() => {
                found = self.name(Place { module, blocks: &outer[..outer.len() - 1] }, name);
            }
            _ => {}
        }
        found
    }
}
