//! Which file defines what a path names.

use std::collections::BTreeSet;

use super::modules::Modules;
use super::use_tree::Bound;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Target {
    Module(usize),
    /// Something that this module defines, modules aside.
    ItemOf(usize),
}

/// Lookups that are under way, so that imports which lead to each other end.
type Pending = BTreeSet<(usize, String)>;

impl Modules {
    /// The files that define what a path names in a module; none for a module, for other crates, and for names that
    /// the module does not know.
    pub(super) fn defining_files(&self, module: usize, path: &[String]) -> BTreeSet<&str> {
        let targets = self
            .targets(module, path, &mut Pending::new())
            .unwrap_or_default();
        self.files_of(&targets)
    }

    /// The files that define a name of the module to which `path` leads, as `use path::*` brings it in.
    pub(super) fn defining_files_among(&self, module: usize, path: &[String], name: &str) -> BTreeSet<&str> {
        let targets = self
            .among(module, path, name, &mut Pending::new())
            .unwrap_or_default();
        self.files_of(&targets)
    }

    fn files_of(&self, targets: &[Target]) -> BTreeSet<&str> {
        let file = |target: &Target| match *target {
            Target::ItemOf(module) => Some(self.list[module].file.as_str()),
            Target::Module(_) => None,
        };
        targets.iter().filter_map(file).collect()
    }

    /// Where a path leads that is read in a module; `None` if the module does not know its first name.
    fn targets(&self, module: usize, path: &[String], pending: &mut Pending) -> Option<Vec<Target>> {
        let (first, mut rest) = path.split_first()?;
        let mut from = match first.as_str() {
            "crate" => 0,
            "self" => module,
            "super" => self.list[module].parent?,
            name => {
                let found = self.lookup(module, name, pending)?;
                return Some(self.walk_all(&found, rest, pending));
            }
        };
        while let Some((next, after)) = rest.split_first()
            && next == "super"
        {
            from = self.list[from].parent?;
            rest = after;
        }
        Some(self.walk(from, rest, pending))
    }

    /// Goes on from a module by the rest of a path.
    fn walk(&self, module: usize, rest: &[String], pending: &mut Pending) -> Vec<Target> {
        let Some((name, rest)) = rest.split_first() else {
            return vec![Target::Module(module)];
        };
        match self.lookup(module, name, pending) {
            Some(found) => self.walk_all(&found, rest, pending),
            // a name that a macro makes is somewhere in the module's file
            None => vec![Target::ItemOf(module)],
        }
    }

    /// Goes on from what a name means: the rest of a path is inside a module if there is one.
    fn walk_all(&self, found: &[Target], rest: &[String], pending: &mut Pending) -> Vec<Target> {
        if rest.is_empty() {
            return found.to_vec();
        }
        let modules = found.iter().filter_map(|target| match *target {
            Target::Module(module) => Some(module),
            Target::ItemOf(_) => None,
        });
        let inside: Vec<Target> = modules
            .flat_map(|module| self.walk(module, rest, pending))
            .collect();
        // without a module among them, the rest is a variant or a function of a type
        if inside.is_empty() { found.to_vec() } else { inside }
    }

    /// What a name means in a module, where it may be several things; `None` if the module has no such name.
    fn lookup(&self, module: usize, name: &str, pending: &mut Pending) -> Option<Vec<Target>> {
        if !pending.insert((module, name.to_owned())) {
            return None;
        }
        let own = &self.list[module];
        let mut found = Vec::new();
        found.extend(own.children.get(name).map(|child| Target::Module(*child)));
        found.extend(own.items.contains(name).then_some(Target::ItemOf(module)));
        let mut known = !found.is_empty();
        for import in &own.imports {
            if matches!(&import.bound, Bound::Name(bound) if bound == name) {
                known = true;
                found.extend(self.targets(module, &import.path, pending).unwrap_or_default());
            }
        }
        if !known {
            for import in own.imports.iter().filter(|import| import.bound == Bound::All) {
                let among = self.among(module, &import.path, name, pending);
                known |= among.is_some();
                found.extend(among.unwrap_or_default());
            }
        }
        pending.remove(&(module, name.to_owned()));
        known.then_some(found)
    }

    /// What a name means in the module to which `path` leads; `None` if there is no such module or name.
    fn among(&self, from: usize, path: &[String], name: &str, pending: &mut Pending) -> Option<Vec<Target>> {
        let targets = self.targets(from, path, pending)?;
        targets.into_iter().find_map(|target| match target {
            Target::Module(module) => self.lookup(module, name, pending),
            Target::ItemOf(_) => None,
        })
    }
}
