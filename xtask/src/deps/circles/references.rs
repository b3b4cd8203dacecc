//! Which file of a crate names something of which other.

use super::modules::{Module, Modules};
use super::shortest::{Arrows, Reference};
use super::use_tree::{Bound, Import};

/// Every file's first `use` of each other file, or the first path in its code if no `use` leads there.
pub(super) fn between_files(modules: &Modules) -> Arrows {
    let root = &modules.list[0].file;
    let mut arrows = Arrows::new();
    for (id, module) in modules
        .list
        .iter()
        .enumerate()
        .filter(|(_, module)| module.file != *root)
    {
        let mut add = |file: &str, line: usize, text: String| {
            if file != module.file && file != root {
                let arrow = (module.file.clone(), file.to_owned());
                arrows.entry(arrow).or_insert(Reference { line, text });
            }
        };
        for import in module
            .imports
            .iter()
            .filter(|import| !merely_hands_on(module, import))
        {
            let path = import.path.join("::");
            if import.bound == Bound::All {
                for word in &module.words {
                    for file in modules.defining_files_among(id, &import.path, word) {
                        add(file, import.line, format!("use {path}::*"));
                    }
                }
            }
            for file in modules.defining_files(id, &import.path) {
                add(file, import.line, format!("use {path}"));
            }
        }
        for mention in &module.mentions {
            for file in modules.defining_files(id, &mention.path) {
                add(file, mention.line, mention.path.join("::"));
            }
        }
    }
    arrows
}

/// Whether an import only re-exports a name of a module's own child, which the module itself does not use.
fn merely_hands_on(module: &Module, import: &Import) -> bool {
    let path = match import.path.split_first() {
        Some((first, rest)) if first == "self" => rest,
        Some((first, rest)) if first == "crate" => {
            rest.strip_prefix(module.path.as_slice()).unwrap_or_default()
        }
        _ => import.path.as_slice(),
    };
    let of_child = path
        .first()
        .is_some_and(|first| module.children.contains_key(first));
    let used = matches!(&import.bound, Bound::Name(name) if module.words.contains(name));
    import.exported && of_child && !used
}
