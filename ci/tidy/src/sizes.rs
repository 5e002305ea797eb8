//! Sizes, tests not counted: what does not fit in a head does not fit in a file.

use crate::source::{is_test, lines_between, only_in_tests};
use crate::{SourceFile, Workspace};
use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, Item, ItemFn, Signature, TraitItemFn};

/// Lines of a function, from its signature to its last brace. Aim at 10.
const FUNCTION_LINES_MAX: usize = 70;
/// Lines of a file. Aim at 150.
const FILE_LINES_MAX: usize = 500;
/// Lines of a crate. Aim at 2,000.
const CRATE_LINES_MAX: usize = 8_000;

/// Functions, files and crates stay below their limits.
#[must_use]
pub fn sizes(workspace: &Workspace) -> Vec<String> {
    let mut found = Vec::new();
    for member in &workspace.crates {
        let mut crate_lines = 0;
        for source in &member.sources {
            let file_lines = source.lines();
            crate_lines += file_lines;
            report(&mut found, &source.path, file_lines, FILE_LINES_MAX);
            functions(source, &mut found);
        }
        report(&mut found, &member.path, crate_lines, CRATE_LINES_MAX);
    }
    found
}

fn report(found: &mut Vec<String>, what: &str, lines: usize, lines_max: usize) {
    if lines > lines_max {
        found.push(format!(
            "{what} has {lines} lines, the limit is {lines_max}"
        ));
    }
}

fn functions(source: &SourceFile, found: &mut Vec<String>) {
    if source.is_tests() {
        return;
    }
    let mut visitor = Functions {
        path: &source.path,
        found,
    };
    visitor.visit_file(&source.tree);
}

/// Measures each function that is not a test.
struct Functions<'a> {
    path: &'a str,
    found: &'a mut Vec<String>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &Signature, body: &Block) {
        let start: Span = signature.span();
        let lines = lines_between(start.start(), body.span().end());
        let what = format!(
            "{}:{} fn {}",
            self.path,
            start.start().line,
            signature.ident
        );
        report(self.found, &what, lines, FUNCTION_LINES_MAX);
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, it: &'ast ItemFn) {
        self.measure(&it.sig, &it.block);
        visit::visit_item_fn(self, it);
    }

    fn visit_impl_item_fn(&mut self, it: &'ast ImplItemFn) {
        if !only_in_tests(&it.attrs) {
            self.measure(&it.sig, &it.block);
            visit::visit_impl_item_fn(self, it);
        }
    }

    fn visit_trait_item_fn(&mut self, it: &'ast TraitItemFn) {
        if let Some(body) = &it.default {
            self.measure(&it.sig, body);
        }
        visit::visit_trait_item_fn(self, it);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imagined;

    fn with_source(text: &str) -> Vec<String> {
        let mut workspace = imagined::workspace();
        imagined::add_source(&mut workspace, "core/plan", "core/plan/src/long.rs", text);
        sizes(&workspace)
    }

    fn function(name: &str, lines: usize) -> String {
        format!("fn {name}() {{\n{}}}\n", "    call();\n".repeat(lines - 2))
    }

    #[test]
    fn a_function_over_the_limit_is_found() {
        assert_eq!(
            with_source(&function("long", 71)),
            ["core/plan/src/long.rs:1 fn long has 71 lines, the limit is 70"]
        );
        assert!(with_source(&function("fits", 70)).is_empty());
    }

    #[test]
    fn a_method_over_the_limit_is_found() {
        let text = format!("struct A;\nimpl A {{\n{}}}\n", function("long", 71));
        assert_eq!(
            with_source(&text),
            ["core/plan/src/long.rs:3 fn long has 71 lines, the limit is 70"]
        );
    }

    #[test]
    fn a_provided_method_of_a_trait_over_the_limit_is_found() {
        let text = format!("trait A {{\n{}}}\n", function("long", 71));
        assert_eq!(with_source(&text).len(), 1);
    }

    #[test]
    fn a_long_test_is_nobodys_business() {
        let text = format!(
            "#[cfg(test)]\nmod tests {{\n#[test]\n{}}}\n",
            function("long", 600)
        );
        assert!(with_source(&text).is_empty());
    }

    #[test]
    fn a_file_over_the_limit_is_found() {
        assert_eq!(
            with_source(&"const A: u8 = 0;\n".repeat(501)),
            ["core/plan/src/long.rs has 501 lines, the limit is 500"]
        );
    }

    #[test]
    fn a_crate_over_the_limit_is_found() {
        let mut workspace = imagined::workspace();
        for number in 0..17 {
            let path = format!("core/plan/src/part{number}.rs");
            let text = "const A: u8 = 0;\n".repeat(480);
            imagined::add_source(&mut workspace, "core/plan", &path, &text);
        }
        assert_eq!(
            sizes(&workspace),
            ["core/plan has 8161 lines, the limit is 8000"]
        );
    }
}
