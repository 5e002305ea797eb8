//! Rules. They come before anything of a session is known, so that each is measured before it is taken
//! apart.

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    BadMessage, Decoded, at_most, at_place,
    nouns::{time, to_name, to_time},
    place_of,
};
use crate::{
    Anchor, Bounds, PathList, Rules,
    limits::{PATH_NAMES_MAX, PATTERN_BYTES_MAX},
    proto,
    rules::{check_list, check_patterns},
};

const ANCHORS: &[Anchor] = &[Anchor::Root, Anchor::Entry, Anchor::Entries];

/// What ends a pattern; two of them end a path.
const END: u8 = 0;

/// Nothing crosses if there are no rules.
pub(super) fn rules(rules: &Rules) -> Option<proto::Rules> {
    if rules.is_empty() {
        return None;
    }
    let bounds = &rules.bounds;
    Some(proto::Rules {
        anchor: place_of(ANCHORS, &rules.anchor),
        exclude: patterns(&rules.exclude),
        include: patterns(&rules.include),
        list: rules.list.as_ref().map(list),
        size_min: bounds.size_min,
        size_max: bounds.size_max,
        modified_min: bounds.modified_min.map(time),
        modified_max: bounds.modified_max.map(time),
    })
}

pub(super) fn to_rules(rules: Option<proto::Rules>) -> Decoded<Rules> {
    let Some(rules) = rules else {
        return Ok(Rules::default());
    };
    let moment = |time: Option<proto::Time>| time.map(|time| to_time(Some(time))).transpose();
    let rules = Rules {
        anchor: at_place(ANCHORS, rules.anchor, "the anchor of rules")?,
        exclude: to_patterns(&rules.exclude)?,
        include: to_patterns(&rules.include)?,
        list: rules.list.as_ref().map(to_list).transpose()?,
        bounds: Bounds {
            size_min: rules.size_min,
            size_max: rules.size_max,
            modified_min: moment(rules.modified_min)?,
            modified_max: moment(rules.modified_max)?,
        },
    };
    // Where rules begin that choose nothing is nowhere.
    Ok(match rules.is_empty() {
        true => Rules::default(),
        false => rules,
    })
}

fn patterns(patterns: &[String]) -> Bytes {
    let mut bytes = BytesMut::new();
    for pattern in patterns {
        bytes.put_slice(pattern.as_bytes());
        bytes.put_u8(END);
    }
    bytes.freeze()
}

fn to_patterns(bytes: &Bytes) -> Decoded<Vec<String>> {
    let count = bytes.iter().filter(|byte| **byte == END).count();
    check_patterns(count, bytes.len())?;
    let bytes = match bytes.split_last() {
        None => return Ok(Vec::new()),
        Some((&END, bytes)) => bytes,
        Some(_) => return Err(BadMessage::Missing("the end of a pattern")),
    };
    let patterns = bytes.split(|byte| *byte == END).map(|pattern| {
        at_most(pattern.len(), PATTERN_BYTES_MAX, "a pattern")?;
        let text = std::str::from_utf8(pattern);
        Ok(text
            .map_err(|_| BadMessage::Unknown("a pattern"))?
            .to_owned())
    });
    patterns.collect()
}

fn list(list: &PathList) -> Bytes {
    let mut bytes = BytesMut::with_capacity(list.bytes());
    for path in list.joined() {
        bytes.put_slice(path);
        bytes.put_slice(&[END, END]);
    }
    bytes.freeze()
}

fn to_list(bytes: &Bytes) -> Decoded<PathList> {
    let ends = bytes.windows(2).filter(|two| *two == [END, END]).count();
    check_list(ends, bytes.len())?;
    let mut paths = Vec::with_capacity(ends);
    let mut rest = &bytes[..];
    while let Some(end) = rest.windows(2).position(|two| two == [END, END]) {
        let path = &rest[..end];
        let mut names = 0;
        for name in path.split(|byte| *byte == END) {
            to_name(&Bytes::copy_from_slice(name))?;
            names += 1;
        }
        at_most(names, PATH_NAMES_MAX, "a path")?;
        paths.push(Box::from(path));
        rest = &rest[end + 2..];
    }
    match rest.is_empty() {
        true => Ok(PathList::from_joined(paths.into_iter())),
        false => Err(BadMessage::Missing("the end of a path")),
    }
}

#[cfg(test)]
mod tests {
    use blit_contract::{Name, RelPath, Time};
    use proptest::prelude::*;

    use super::*;
    use crate::limits::{LIST_BYTES_MAX, PATTERNS_BYTES_MAX, PATTERNS_MAX};

    fn path(names: &[&[u8]]) -> RelPath {
        names.iter().map(|name| Name::new(*name).unwrap()).collect()
    }

    fn hostile(change: impl FnOnce(&mut proto::Rules)) -> Decoded<Rules> {
        let mut message = proto::Rules {
            anchor: 1,
            ..proto::Rules::default()
        };
        change(&mut message);
        to_rules(Some(message))
    }

    #[test]
    fn rules_cross_as_they_are() {
        let whole = Rules {
            anchor: Anchor::Entries,
            exclude: vec!["*.tmp".to_owned(), String::new(), "!ä".to_owned()],
            include: vec!["docs/".to_owned()],
            list: Some(
                [path(&[b"a", b"\xff"]), path(&[b"b"])]
                    .into_iter()
                    .collect(),
            ),
            bounds: Bounds {
                size_min: Some(0),
                size_max: Some(u64::MAX),
                modified_min: Some(Time::new(-1, 5)),
                modified_max: None,
            },
        };
        assert_eq!(to_rules(rules(&whole)), Ok(whole));
        let nothing = Rules {
            list: Some(PathList::from_iter([])),
            ..Rules::default()
        };
        assert_eq!(
            to_rules(rules(&nothing)),
            Ok(nothing),
            "an empty list is one"
        );
        assert_eq!(to_rules(rules(&Rules::default())), Ok(Rules::default()));
    }

    #[test]
    fn rules_beyond_a_limit_are_refused() {
        let too_large = |result: Decoded<Rules>| {
            assert!(matches!(result, Err(BadMessage::TooLarge(_))), "{result:?}");
        };
        let zeros = |count| Bytes::from(vec![0; count]);
        too_large(hostile(|it| it.exclude = zeros(PATTERNS_MAX + 1)));
        too_large(hostile(|it| it.include = zeros(PATTERNS_BYTES_MAX + 1)));
        let long = vec![b'x'; PATTERN_BYTES_MAX + 1];
        too_large(hostile(|it| {
            it.exclude = [&long[..], b"\0"].concat().into()
        }));
        too_large(hostile(|it| it.list = Some(zeros(LIST_BYTES_MAX + 1))));
        let deep = b"a\0".repeat(PATH_NAMES_MAX + 1);
        too_large(hostile(|it| {
            it.list = Some([&deep[..], b"\0"].concat().into());
        }));
    }

    #[test]
    fn rules_that_mean_nothing_are_refused() {
        assert!(hostile(|_| {}).is_ok());
        assert!(hostile(|it| it.anchor = 9).is_err());
        for pattern in [&b"\xff\0"[..], b"no end"] {
            assert!(hostile(|it| it.exclude = Bytes::from_static(pattern)).is_err());
        }
        for list in [
            &b"..\0\0"[..],
            b"a/b\0\0",
            b"a",
            b"a\0",
            b"\0\0",
            b"a\0\0\0",
        ] {
            let result = hostile(|it| it.list = Some(Bytes::from_static(list)));
            assert!(result.is_err(), "{list:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd_to_be_judged(exclude: Vec<u8>, list: Option<Vec<u8>>, anchor in 0..4_u32) {
            let judged = hostile(|it| {
                (it.anchor, it.exclude, it.list) = (anchor, exclude.into(), list.map(Bytes::from));
            });
            if let Ok(judged) = judged {
                prop_assert_eq!(judged.check(), Ok(()));
                prop_assert_eq!(to_rules(rules(&judged)), Ok(judged));
            }
        }
    }
}
