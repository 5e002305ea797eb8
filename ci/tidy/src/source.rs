//! One Rust file, parsed once, and what the rules ask of it.

use proc_macro2::{Delimiter, Ident, LineColumn, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::{Attribute, Item, Meta};

/// A Rust file of the workspace.
pub struct SourceFile {
    /// The path relative to the root, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// The syntax tree.
    pub tree: syn::File,
    tokens: TokenStream,
}

/// A test of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// The name of its function.
    pub name: String,
    /// Whether it runs only when somebody asks for it.
    pub is_ignored: bool,
}

/// A file that is not Rust.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be parsed")]
pub struct SourceError {
    path: String,
    #[source]
    source: syn::Error,
}

impl SourceFile {
    /// Parses `text`, which lies at `path`.
    ///
    /// # Errors
    /// When it is not Rust.
    pub fn parse(path: &str, text: &str) -> Result<Self, SourceError> {
        let failed = |source| SourceError {
            path: path.to_owned(),
            source,
        };
        Ok(Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tree: syn::parse_file(text).map_err(failed)?,
            tokens: text
                .parse()
                .map_err(|error| failed(syn::Error::from(error)))?,
        })
    }

    /// Whether the whole file is tests: `tests.rs`, or anything below a `tests/` folder.
    #[must_use]
    pub fn is_tests(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.split('/').any(|part| part == "tests")
    }

    /// Whether the file is a `sys` module, where system calls are made.
    #[must_use]
    pub fn is_sys(&self) -> bool {
        self.path.ends_with("/sys.rs") || self.path.split('/').any(|part| part == "sys")
    }

    /// How many lines are not tests.
    #[must_use]
    pub fn lines(&self) -> usize {
        if self.is_tests() {
            return 0;
        }
        let in_tests: usize = self
            .tree
            .items
            .iter()
            .filter(|item| is_test(item))
            .map(lines_of)
            .sum();
        self.text.lines().count().saturating_sub(in_tests)
    }

    /// Calls `visit` with every identifier and keyword, those in macro calls too. Comments and
    /// strings hold none.
    pub fn identifiers(&self, mut visit: impl FnMut(&Ident)) {
        walk(self.tokens.clone(), &mut visit);
    }

    /// Every test in the file, those inside macro calls too.
    #[must_use]
    pub fn tests(&self) -> Vec<Test> {
        let mut found = Vec::new();
        gather_tests(self.tokens.clone(), &mut found);
        found
    }

    /// Whether the file begins with `#![forbid(unsafe_code)]`.
    #[must_use]
    pub fn forbids_unsafe(&self) -> bool {
        self.tree.attrs.iter().any(|attribute| {
            attribute.path().is_ident("forbid") && mentions(attribute, "unsafe_code")
        })
    }
}

/// Whether an item exists only in tests.
pub(crate) fn is_test(item: &Item) -> bool {
    match item {
        Item::Fn(it) => only_in_tests(&it.attrs),
        Item::Impl(it) => only_in_tests(&it.attrs),
        Item::Mod(it) => only_in_tests(&it.attrs),
        Item::Struct(it) => only_in_tests(&it.attrs),
        Item::Use(it) => only_in_tests(&it.attrs),
        _ => false,
    }
}

/// Whether `attributes` hold `#[test]` or `#[cfg(test)]`.
pub(crate) fn only_in_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let last = attribute.path().segments.last();
        last.is_some_and(|it| it.ident == "test")
            || (attribute.path().is_ident("cfg") && mentions(attribute, "test"))
    })
}

/// How many lines something spans.
pub(crate) fn lines_of(it: &impl Spanned) -> usize {
    let span = it.span();
    lines_between(span.start(), span.end())
}

/// How many lines lie between two places, both included.
pub(crate) fn lines_between(start: LineColumn, end: LineColumn) -> usize {
    end.line + 1 - start.line
}

/// Whether the arguments of an attribute are the one `word`, or a list that holds it.
fn mentions(attribute: &Attribute, word: &str) -> bool {
    let Meta::List(list) = &attribute.meta else {
        return false;
    };
    let direct = |token: TokenTree| matches!(token, TokenTree::Ident(it) if it == word);
    list.tokens.clone().into_iter().any(direct)
}

fn walk(tokens: TokenStream, visit: &mut impl FnMut(&Ident)) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => walk(group.stream(), visit),
            TokenTree::Ident(ident) => visit(&ident),
            TokenTree::Literal(_) | TokenTree::Punct(_) => {}
        }
    }
}

/// A function is a test when an attribute before it ends in `test`: `#[test]`, `#[tokio::test(…)]`.
fn gather_tests(tokens: TokenStream, found: &mut Vec<Test>) {
    let (mut is_test, mut is_ignored) = (false, false);
    let (mut after_hash, mut after_fn) = (false, false);
    for token in tokens {
        let is_hash = matches!(&token, TokenTree::Punct(it) if it.as_char() == '#');
        let is_fn = matches!(&token, TokenTree::Ident(it) if it == "fn");
        match token {
            TokenTree::Group(it) if after_hash && it.delimiter() == Delimiter::Bracket => {
                let attribute = path_end(it.stream());
                is_test |= attribute == "test";
                is_ignored |= attribute == "ignore";
            }
            TokenTree::Group(it) => {
                gather_tests(it.stream(), found);
                if it.delimiter() == Delimiter::Brace {
                    (is_test, is_ignored) = (false, false);
                }
            }
            TokenTree::Ident(name) if after_fn && is_test => found.push(Test {
                name: name.to_string(),
                is_ignored,
            }),
            _ => {}
        }
        (after_hash, after_fn) = (is_hash, is_fn);
    }
}

/// The last word of the path with which an attribute begins.
fn path_end(attribute: TokenStream) -> String {
    let mut end = String::new();
    for token in attribute {
        match token {
            TokenTree::Ident(it) => end = it.to_string(),
            TokenTree::Punct(it) if it.as_char() == ':' => {}
            _ => break,
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> SourceFile {
        SourceFile::parse("core/plan/src/lib.rs", text).unwrap()
    }

    #[test]
    fn lines_in_test_modules_are_not_counted() {
        let text = "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
        assert_eq!(parsed(text).lines(), 2);
    }

    #[test]
    fn a_file_of_tests_counts_nothing() {
        let file = SourceFile::parse("core/plan/src/pack/tests.rs", "fn a() {}\n").unwrap();
        assert_eq!(file.lines(), 0);
    }

    #[test]
    fn not_test_is_not_a_test() {
        let file = parsed("#[cfg(not(test))]\nmod real {}\n");
        assert_eq!(file.lines(), 2);
    }

    #[test]
    fn identifiers_in_macro_calls_are_seen_and_those_in_strings_are_not() {
        let mut seen = Vec::new();
        parsed("fn a() { call!(inner); }\nconst B: &str = \"hidden\"; // hidden\n")
            .identifiers(|it| seen.push(it.to_string()));
        assert!(seen.contains(&"inner".to_owned()));
        assert!(!seen.contains(&"hidden".to_owned()));
    }

    #[test]
    fn tests_are_found_in_modules_and_macro_calls_with_any_attributes() {
        let text = "#[test]\nfn a() {}\nfn helper() {}\nmod tests {\n\
                    #[tokio::test(flavor = \"multi_thread\")]\n#[ignore = \"slow\"]\nasync fn b() {}\n}\n\
                    proptest! {\n#[test]\nfn c(x in 0..9) {}\n}\n#[cfg(test)]\nfn d() {}\n";
        let found = parsed(text).tests();
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.name.as_str(), it.is_ignored))
            .collect();
        assert_eq!(found, [("a", false), ("b", true), ("c", false)]);
    }

    #[test]
    fn what_is_not_rust_is_an_error_that_names_the_file() {
        let error = SourceFile::parse("core/plan/src/lib.rs", "fn (")
            .err()
            .unwrap();
        assert_eq!(error.to_string(), "core/plan/src/lib.rs cannot be parsed");
    }
}
