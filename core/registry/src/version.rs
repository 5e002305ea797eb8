//! Which of two versions is the newer one.

use std::cmp::Ordering;

/// Compares versions the way people read them: number by number; a pre-release comes before its release.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (without_build(a), without_build(b));
    let (a_release, a_pre) = split_pre_release(a);
    let (b_release, b_pre) = split_pre_release(b);
    compare_parts(a_release, b_release).then_with(|| match (a_pre, b_pre) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => compare_parts(a, b),
    })
}

fn without_build(version: &str) -> &str {
    version.split_once('+').map_or(version, |(kept, _)| kept)
}

fn split_pre_release(version: &str) -> (&str, Option<&str>) {
    match version.split_once('-') {
        Some((release, pre)) => (release, Some(pre)),
        None => (version, None),
    }
}

fn compare_parts(a: &str, b: &str) -> Ordering {
    a.split('.')
        .map(Part::from)
        .cmp(b.split('.').map(Part::from))
}

/// The order of the variants is that of semantic versioning: numbers come before words.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Number(u64),
    Word(&'a str),
}

impl<'a> From<&'a str> for Part<'a> {
    fn from(text: &'a str) -> Self {
        text.parse().map_or(Self::Word(text), Self::Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers_not_as_text() {
        let ascending = [
            "0.9.0",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-rc.2",
            "1.0.0-rc.10",
            "1.0.0",
            "1.0.1+build.7",
            "1.9.0",
            "1.10.0",
        ];
        for pair in ascending.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
        assert_eq!(compare("1.0.0", "1.0.0+other"), Ordering::Equal);
    }
}
