//! Files that keep the rules, and files that break each of them.

use super::*;

fn file(path: &str, text: &str) -> File {
    File {
        path: path.into(),
        text: text.into(),
    }
}

fn count_unsafe(path: &str, text: &str) -> usize {
    one_home_for_unsafe(&[file(path, text)]).len()
}

#[test]
fn unsafe_code_outside_its_home_is_found() {
    let block = "fn f() {\n    // SAFETY: sure\n    unsafe { g() }\n}\n";
    assert_eq!(count_unsafe("crates/ef-tensor/src/a.rs", block), 0);
    let found = one_home_for_unsafe(&[file("crates/ef-train/src/a.rs", block)]);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("crates/ef-train/src/a.rs line 3"), "{found:?}");
    assert_eq!(
        count_unsafe("crates/ef-density/src/a.rs", "#![allow(unsafe_code)]\n"),
        1
    );
    assert_eq!(
        count_unsafe(
            "crates/ef-density/src/a.rs",
            "#[expect(dead_code, unsafe_code)]\n"
        ),
        1
    );
}

#[test]
fn a_reason_must_stand_just_above() {
    let home = "crates/ef-tensor/src/a.rs";
    assert_eq!(count_unsafe(home, "unsafe { g() }\n"), 1);
    assert_eq!(
        count_unsafe(home, "// SAFETY: far\nlet x = 1;\nunsafe { g() }\n"),
        1
    );
    assert_eq!(
        count_unsafe(home, "// SAFETY: first\nunsafe { g() }\nunsafe { h() }\n"),
        1
    );
    assert_eq!(
        count_unsafe(
            home,
            "// SAFETY: long\n// reason\n#[inline]\nunsafe impl A for B {}\n"
        ),
        0
    );
}

#[test]
fn words_in_comments_and_literals_are_not_code() {
    let text = "// unsafe\n/* unsafe /* unsafe */ unsafe */\nlet a = \"unsafe \\\" unsafe\";\nlet b = r#\"un\"safe unsafe\"#;\n\
                let c = 'u'; fn f<'unsafe_life>() {}\nlet d = '\\''; let d = b\"unsafe\";\n";
    assert_eq!(count_unsafe("crates/ef-train/src/a.rs", text), 0);
    // and code after each literal is code again
    for before in ["'\\''", "\"\\\\\"", "r\"\\\"", "/* \" */", "'\"'", "r#\"\"\"#"] {
        assert_eq!(
            count_unsafe("crates/ef-train/src/a.rs", &format!("{before}; unsafe {{}}")),
            1,
            "{before}"
        );
    }
    assert_eq!(code_only("a // b\nc").lines().count(), 2);
}

#[test]
fn names_of_machines_and_registries_are_found() {
    let path = concat!("/ho", "me/me/x");
    let host = concat!("crates", ".io");
    assert_eq!(private_names(&[file("a.md", &format!("see {path}"))]).len(), 1);
    assert_eq!(
        private_names(&[file("a.md", &format!("\"{path}\" and https://static.{host}/x"))]).len(),
        2
    );
    assert!(private_names(&[file("a.md", &format!("docs{path} and a/b{path}"))]).is_empty());
    let lock = format!("source = \"{LOCK_SOURCE}\"");
    assert!(private_names(&[file("Cargo.lock", &lock)]).is_empty());
    assert_eq!(private_names(&[file("README.md", &lock)]).len(), 1);
    let mirror = format!("source = \"registry+https://mirror.{host}/index\"");
    assert_eq!(private_names(&[file("Cargo.lock", &mirror)]).len(), 1);
}

#[test]
fn a_crate_that_leaves_the_workspace_is_found() {
    let good = "[package]\nname = \"a\"\nversion.workspace = true\n\n[lints]\nworkspace = true\n";
    let readme = file("crates/a/README.md", "# a");
    assert!(layout(&[file("crates/a/Cargo.toml", good), readme]).is_empty());
    let own = "[package]\nversion = \"1.0.0\"\n\n[dependencies]\nworkspace = true\n";
    let found = layout(&[file("crates/a/Cargo.toml", own), file("crates/a/README.md", " ")]);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().all(|sentence| sentence.starts_with("a ")));
}
