//! How an entry is named: components of raw bytes, never a path string.
//!
//! A [`RelPath`] is a chain that shares its parents: making a child costs one allocation, whatever
//! the depth, so a tree of 2,000 levels with 200-byte names needs no 400,000-byte strings.

use std::{
    borrow::Borrow,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name, in bytes, that any store may offer (`NAME_MAX` of Linux).
const NAME_BYTES_MAX: usize = 255;

/// The name of one entry in its directory: 1 to 255 raw bytes, no `/`, no NUL, not `.` or `..`.
///
/// Whoever holds a `Name` may use it as one component under a held directory without a check.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<[u8]>);

/// Why some bytes are not a [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadName {
    /// The name is `.` or `..`.
    #[error("the name is \".\" or \"..\"")]
    Dots,
    /// The name is empty.
    #[error("the name is empty")]
    Empty,
    /// The name holds a NUL byte.
    #[error("the name holds a NUL byte")]
    Nul,
    /// The name holds a slash.
    #[error("the name holds a slash")]
    Slash,
    /// The name is longer than 255 bytes.
    #[error("the name is longer than 255 bytes")]
    TooLong,
}

impl Name {
    /// Checks `bytes` and keeps them as a name.
    ///
    /// # Errors
    /// [`BadName`] says which rule the bytes break.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Result<Self, BadName> {
        let bytes = bytes.into();
        match &*bytes {
            [] => Err(BadName::Empty),
            b"." | b".." => Err(BadName::Dots),
            long if long.len() > NAME_BYTES_MAX => Err(BadName::TooLong),
            any if any.contains(&b'/') => Err(BadName::Slash),
            any if any.contains(&0) => Err(BadName::Nul),
            _ => Ok(Self(bytes)),
        }
    }

    /// The raw bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Name {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Name {
    type Error = BadName;
    fn try_from(bytes: &[u8]) -> Result<Self, BadName> {
        Self::new(bytes)
    }
}

impl fmt::Display for Name {
    /// Writes the name with everything escaped that could move a cursor or hide text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(&self.0, f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(deserializer.deserialize_byte_buf(BytesVisitor)?)
            .map_err(serde::de::Error::custom)
    }
}

struct BytesVisitor;

impl serde::de::Visitor<'_> for BytesVisitor {
    type Value = Vec<u8>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte string")
    }
    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }
    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }
}

/// Where an entry is, from the root of its tree: a chain of [`Name`]s. Cheap to clone and to extend.
///
/// The root itself is the empty chain, [`RelPath::ROOT`].
#[derive(Clone, Default)]
pub struct RelPath(Option<Arc<Node>>);

struct Node {
    parent: RelPath,
    name: Name,
    depth: u32,
    /// Of the whole chain, so that a map keyed by paths costs the same at every depth.
    hash: u64,
}

impl RelPath {
    /// The root of a tree.
    pub const ROOT: Self = Self(None);

    /// The path of `name` in the directory `self`.
    #[must_use]
    pub fn join(&self, name: Name) -> Self {
        let mut hasher = std::hash::DefaultHasher::new();
        self.chain_hash().hash(&mut hasher);
        name.hash(&mut hasher);
        Self(Some(Arc::new(Node {
            depth: self.depth().saturating_add(1),
            hash: hasher.finish(),
            parent: self.clone(),
            name,
        })))
    }

    /// The directory that holds the entry; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<&Self> {
        self.0.as_deref().map(|node| &node.parent)
    }

    /// The last component; `None` for the root.
    #[must_use]
    pub fn name(&self) -> Option<&Name> {
        self.0.as_deref().map(|node| &node.name)
    }

    /// How many components the path has.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.0.as_deref().map_or(0, |node| node.depth)
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_none()
    }

    /// The components from the entry up to the root: the last name first.
    pub fn ancestors(&self) -> impl Iterator<Item = &Name> {
        let mut at = self;
        std::iter::from_fn(move || {
            let node = at.0.as_deref()?;
            at = &node.parent;
            Some(&node.name)
        })
    }

    /// The components from the root down.
    #[must_use]
    pub fn components(&self) -> Vec<&Name> {
        let mut names: Vec<&Name> = self.ancestors().collect();
        names.reverse();
        names
    }

    /// The components joined by `/`, as raw bytes: for display, filters and reports only.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.components()
            .iter()
            .map(|name| name.as_bytes())
            .collect::<Vec<_>>()
            .join(&b'/')
    }

    /// Whether `self` is `other` or lies beneath it.
    #[must_use]
    pub fn starts_with(&self, other: &Self) -> bool {
        let mut at = self;
        while at.depth() > other.depth() {
            match at.parent() {
                Some(parent) => at = parent,
                None => return false,
            }
        }
        at == other
    }

    /// Whether both are literally the same chain in memory: a fast answer that may say no too often.
    #[must_use]
    pub fn is_same_chain(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    fn chain_hash(&self) -> u64 {
        self.0.as_deref().map_or(0, |node| node.hash)
    }
}

impl Drop for RelPath {
    /// Unlinks the chain in a loop: a derived drop would recurse once a level, and overflow the stack.
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(node) = next {
            next = match Arc::into_inner(node) {
                Some(mut node) => node.parent.0.take(),
                None => break,
            };
        }
    }
}

impl PartialEq for RelPath {
    fn eq(&self, other: &Self) -> bool {
        let (mut a, mut b) = (self, other);
        loop {
            match (&a.0, &b.0) {
                (None, None) => return true,
                (Some(x), Some(y)) if Arc::ptr_eq(x, y) => return true,
                (Some(x), Some(y))
                    if x.hash == y.hash && x.depth == y.depth && x.name == y.name =>
                {
                    (a, b) = (&x.parent, &y.parent);
                }
                _ => return false,
            }
        }
    }
}

impl Eq for RelPath {}

impl Hash for RelPath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.chain_hash());
    }
}

impl FromIterator<Name> for RelPath {
    fn from_iter<I: IntoIterator<Item = Name>>(names: I) -> Self {
        names
            .into_iter()
            .fold(Self::ROOT, |path, name| path.join(name))
    }
}

impl fmt::Display for RelPath {
    /// Writes the components joined by `/`, escaped as [`Name`] does; the root is `.`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        for (at, name) in self.components().iter().enumerate() {
            if at > 0 {
                f.write_str("/")?;
            }
            fmt::Display::fmt(name, f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Serialize for RelPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.components())
    }
}

impl<'de> Deserialize<'de> for RelPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Name>::deserialize(deserializer)?
            .into_iter()
            .collect())
    }
}

/// Bytes of a name or path, shown so that a terminal displays them and obeys none of them.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(self.0, f)
    }
}

/// Writes bytes so that a terminal shows them and obeys none of them.
fn write_escaped(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_control() || is_invisible(c) => {
                    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                        write!(f, "\\x{byte:02X}")?;
                    }
                }
                c => fmt::Write::write_char(f, c)?,
            }
        }
        for byte in chunk.invalid() {
            write!(f, "\\x{byte:02X}")?;
        }
    }
    Ok(())
}

/// Characters that reorder or hide the text around them (Unicode's bidi controls and zero widths).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(bytes: &[u8]) -> Name {
        Name::new(bytes).unwrap()
    }

    #[test]
    fn a_name_is_one_component_of_raw_bytes() {
        assert_eq!(Name::new(*b""), Err(BadName::Empty));
        assert_eq!(Name::new(*b"."), Err(BadName::Dots));
        assert_eq!(Name::new(*b".."), Err(BadName::Dots));
        assert_eq!(Name::new(*b"a/b"), Err(BadName::Slash));
        assert_eq!(Name::new(*b"a\0b"), Err(BadName::Nul));
        assert_eq!(Name::new(vec![b'a'; 256]), Err(BadName::TooLong));
        for good in [&b"..."[..], b"\xff\xfe", b"-rf", b" ", b"C:x", &[b'a'; 255]] {
            assert_eq!(name(good).as_bytes(), good);
        }
    }

    #[test]
    fn a_chain_of_a_million_levels_neither_overflows_nor_forgets() {
        let deep: RelPath = std::iter::repeat_n(name(b"d"), 1_000_000).collect();
        assert_eq!(deep.depth(), 1_000_000);
        let twin: RelPath = std::iter::repeat_n(name(b"d"), 1_000_000).collect();
        assert!(deep == twin);
    }

    #[test]
    fn equal_paths_are_equal_whoever_built_them() {
        let a: RelPath = [name(b"x"), name(b"y")].into_iter().collect();
        let b = RelPath::ROOT.join(name(b"x")).join(name(b"y"));
        assert_eq!(a, b);
        assert!(a.starts_with(&RelPath::ROOT.join(name(b"x"))));
        assert!(!a.starts_with(&RelPath::ROOT.join(name(b"y"))));
        assert_ne!(a, RelPath::ROOT.join(name(b"y")).join(name(b"x")));
    }

    #[test]
    fn what_could_steer_a_terminal_is_shown_escaped() {
        let shown = name(b"\x1b[2J\xff\n\xe2\x80\xaex").to_string();
        assert_eq!(shown, "\\x1B[2J\\xFF\\n\\xE2\\x80\\xAEx");
    }
}
