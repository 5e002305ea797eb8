//! Words that are `&'static str` with us: reasons and the names of operations.
//!
//! A peer may be newer and have others, so its words are kept, but only few and short ones: they are
//! never given back.

use std::{
    collections::HashSet,
    sync::{LazyLock, Mutex, PoisonError},
};

const WORDS_MAX: usize = 512;
const WORD_BYTES_MAX: usize = 80;

/// What stands for a word that was not kept.
const OTHER: &str = "other";

static KNOWN: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);

/// The word as one of ours.
pub(super) fn word(text: &str) -> &'static str {
    let is_plain = |c: char| c.is_ascii_graphic() || c == ' ';
    if text.is_empty() {
        return "";
    }
    if text.len() > WORD_BYTES_MAX || !text.chars().all(is_plain) {
        return OTHER;
    }
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(word) = known.get(text) {
        return word;
    }
    if known.len() >= WORDS_MAX {
        return OTHER;
    }
    let word: &'static str = Box::leak(text.into());
    known.insert(word);
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_kept_once_and_only_if_it_is_short_and_plain() {
        assert!(std::ptr::eq(word("read"), word("read")));
        assert_eq!(word(&"x".repeat(WORD_BYTES_MAX + 1)), OTHER);
        assert_eq!(word("\x1b[2J"), OTHER);
        assert_eq!(word(""), "");
    }
}
