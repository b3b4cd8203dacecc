//! Crates with a circle between folders, and crates that only look as if they had one.

use super::*;

/// The failures of a crate `c` of these files, given by their paths below its `src/`.
fn failures(files: &[(&str, &str)]) -> Failures {
    let file = |(path, text): &(&str, &str)| File {
        path: format!("crates/c/src/{path}"),
        text: (*text).to_owned(),
    };
    between_folders(&files.iter().map(file).collect::<Vec<_>>())
}

/// Asserts that there is one circle, whose sentence holds all of `parts`.
fn assert_circle(files: &[(&str, &str)], parts: &[&str]) {
    let found = failures(files);
    assert_eq!(found.len(), 1, "{found:#?}");
    parts
        .iter()
        .for_each(|part| assert!(found[0].contains(part), "no {part:?} in {found:#?}"));
}

#[track_caller]
fn assert_none(files: &[(&str, &str)]) {
    let found = failures(files);
    assert!(found.is_empty(), "{found:#?}");
}

const ROOT: (&str, &str) = ("lib.rs", "mod a;\nmod b;\n");
const A_MOD: (&str, &str) = ("a/mod.rs", "mod x;\npub use x::X;\n");
const B_MOD: (&str, &str) = ("b/mod.rs", "mod y;\npub use y::Y;\n");
const X_NEEDS_Y: (&str, &str) = ("a/x.rs", "//! x\nuse crate::b::Y;\npub struct X(Y);\n");

#[test]
fn two_folders_that_use_each_other_are_found_behind_their_modules() {
    let y = (
        "b/y.rs",
        "pub struct Y;\nimpl Y {\n    fn f() -> crate::a::X {}\n}\n",
    );
    assert_eq!(
        failures(&[ROOT, A_MOD, B_MOD, X_NEEDS_Y, y]),
        [
            "c has files of different folders that use each other, a/x.rs -> b/y.rs -> a/x.rs, by `use crate::b::Y` at \
             crates/c/src/a/x.rs:2, `crate::a::X` at crates/c/src/b/y.rs:3: move what both need into a file below both"
        ]
    );
}

#[test]
fn a_circle_of_three_files_names_each_arrow() {
    assert_circle(
        &[
            ("lib.rs", "mod a; mod b; mod c; pub use c::Z;"),
            A_MOD,
            B_MOD,
            X_NEEDS_Y,
            ("b/y.rs", "use crate::Z;\npub struct Y(Z);"),
            (
                "c.rs",
                "use crate::{\n    a::{self, X as Other},\n};\npub struct Z(Other);",
            ),
        ],
        &[
            "a/x.rs -> b/y.rs -> c.rs -> a/x.rs",
            "`use crate::Z` at crates/c/src/b/y.rs:1",
            "`use crate::a::X` at crates/c/src/c.rs:2",
            "a file below them all",
        ],
    );
}

#[test]
fn every_way_to_name_the_other_file_is_followed() {
    let ways = [
        "use super::super::a::x::X;",
        "use crate::a::{x::{X}};",
        "use crate::a::*; fn f(_: X) {}",
        "use crate::X;",
        "use crate::a; fn f() { a::X::new() }",
        "use crate::a as other; const C: u8 = other::x::MADE_BY_A_MACRO;",
        "fn f() { assert!(crate::a::X::new().fine()) }",
        "impl Z for crate::a::X {}",
        "mod inside { use super::super::super::a::X; }",
        "mod inside { fn f() { use crate::a::X; } }",
        "macro_rules! m { () => { $crate::a::X } }",
        "#[cfg(any(test, unix))] use crate::a::X;",
        "#[cfg(not(test))] use crate::a::X;",
        "#[cfg(test)] use std::{fmt, fs}; use crate::a::X;",
        "#[cfg(test)] const A: [u8; 1] = { [1; 1] }; use crate::a::X;",
        "#[test] fn t<A, B>() {} use crate::a::X;",
        "struct S { #[cfg(test)] t: u8, x: crate::a::X }",
    ];
    let root = ("lib.rs", "mod a; mod b; pub use a::X;");
    for way in ways {
        let y = format!("pub struct Y;\n{way}\n");
        let found = failures(&[root, A_MOD, B_MOD, X_NEEDS_Y, ("b/y.rs", &y)]);
        assert_eq!(found.len(), 1, "{way}: {found:#?}");
        assert!(found[0].contains("crates/c/src/b/y.rs:2"), "{way}: {found:#?}");
    }
}

#[test]
fn tests_comments_literals_and_other_crates_make_no_circle() {
    let ways = [
        "#[cfg(test)]\nmod tests { use crate::a::X; }",
        "#[cfg(test)]\nmod tests;",
        "#[cfg(all(test, unix))]\n#[allow(unused)]\npub(crate) fn f<A, B>(_: crate::a::X) { { crate::a::X } }",
        "#[cfg(test)]\nuse crate::a::X;",
        "struct S { #[cfg(test)] x: crate::a::X, y: u8 }",
        "fn f() { #[cfg(test)] let x = { crate::a::X }; }",
        "mod checks { #![cfg(test)]\nuse crate::a::X; }",
        "/// Like [`X`](crate::a::X).\n//! use crate::a::X;\n/* crate::a::X */ fn f() { \"crate::a::X\"; }",
        "use other::a::X; use ::a::X;",
        "use crate::a;",
        "fn f<'a>() -> impl Z + use<'a> {}",
        "use crate::b::Y as Same; impl Same { fn x(&self) { self.a::<u8>() } }",
    ];
    for way in ways {
        let y = format!("pub struct Y;\n{way}\n");
        let tests = ("b/y/tests.rs", "use crate::a::X;");
        let found = failures(&[ROOT, A_MOD, B_MOD, X_NEEDS_Y, ("b/y.rs", &y), tests]);
        assert!(found.is_empty(), "{way}: {found:#?}");
    }
}

#[test]
fn a_module_that_hands_on_names_of_its_children_does_not_use_them() {
    // the child needs something that its own module defines, and another folder needs the child
    let a = ("a/mod.rs", "mod deep;\npub use deep::X;\npub struct Defined;\n");
    let deep = ("a/deep/mod.rs", "mod x;\npub(crate) use self::x::X;\n");
    let x = ("a/deep/x.rs", "use crate::a::Defined;\npub struct X(Defined);\n");
    let b = ("b.rs", "use crate::a::X;\n");
    assert_none(&[ROOT, a, deep, x, b]);
    let user = (
        "a/mod.rs",
        "mod deep;\npub use deep::X;\npub struct Defined(Box<X>);\n",
    );
    assert_circle(
        &[ROOT, user, deep, x, b],
        &["a/deep/x.rs -> a/mod.rs -> a/deep/x.rs"],
    );
}

#[test]
fn the_root_is_in_no_circle() {
    let root = (
        "lib.rs",
        "mod a;\npub struct Top(a::X);\nmod inside { use super::a::X; }\n",
    );
    assert_none(&[root, A_MOD, ("a/x.rs", "use crate::Top;\npub struct X(Top);\n")]);
}

#[test]
fn files_of_one_folder_may_use_each_other() {
    let mutual = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "mod x;\nuse x::X;\npub struct A(X);"),
        ("a/x.rs", "use super::A;\npub struct X(A);"),
        ("b.rs", "mod tests;"),
    ];
    assert_none(&mutual);
    let below_tests = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "use crate::b::B;\npub struct A(B);\n#[cfg(test)]\nmod tests;",
        ),
        ("a/tests.rs", ""),
        ("b.rs", "use crate::a::A;\npub struct B(A);"),
    ];
    assert_none(&below_tests);
    let with_a_folder = [
        ("a.rs", "mod x;\nuse crate::b::B;\npub struct A(B);"),
        ("a/x.rs", ""),
    ];
    assert_circle(
        &[below_tests[0], with_a_folder[0], with_a_folder[1], below_tests[3]],
        &["a.rs -> b.rs -> a.rs"],
    );
}

#[test]
fn circles_that_share_a_file_are_each_named() {
    let found = failures(&[
        ("main.rs", "mod args; mod jobs;"),
        (
            "args.rs",
            "use crate::jobs::{fit::Fit, draw::Draw};\npub fn seed() {}\n",
        ),
        ("jobs/mod.rs", "pub mod fit;\npub mod draw;\n"),
        (
            "jobs/fit.rs",
            "use crate::args;\npub struct Fit;\nfn f() { args::seed() }\n",
        ),
        (
            "jobs/draw.rs",
            "pub struct Draw;\nfn f() { crate::args::seed() }\n",
        ),
    ]);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("args.rs -> jobs/draw.rs") || found[0].contains("jobs/draw.rs -> args.rs"));
    assert!(
        found[1].contains("`args::seed` at crates/c/src/jobs/fit.rs:3"),
        "{found:#?}"
    );
}

#[test]
fn odd_code_is_read_without_a_panic() {
    let odd = [
        "use",
        "use ;",
        "use ::;",
        "use crate::",
        "use crate::{",
        "use {{{,}",
        "use a::{b",
        "pub use",
        "mod",
        "mod a",
        "mod a {",
        "mod a;",
        "mod b; use b::b; use b as c; use c as b; fn f() { b::x; c::x }",
        "#[",
        "#[cfg(",
        "#[cfg()]",
        "#![cfg(test)",
        "#[cfg(test)]",
        "#[cfg(test)] }",
        "#[cfg(all(test",
        "#[cfg(any())] x",
        "}}}",
        "((",
        "super::x",
        "use super::super::super::x;",
        "use self::*;",
        "use super::*; use crate::*; fn f(x: X) {}",
        "macro_rules!",
        "'",
        "r#",
        "r#type::x",
        "$crate::",
        "fn",
        "static mut",
        "é::ö",
        "use crate::é as _;",
        "use a as",
        "crate::crate::a",
        "use crate::a::self::X;",
        "use crate;",
    ];
    for text in odd {
        failures(&[("lib.rs", text), ("a.rs", text), ("b/mod.rs", text)]);
        failures(&[ROOT, ("a.rs", text), ("b/mod.rs", text)]);
    }
}
