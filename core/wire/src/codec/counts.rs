//! How often a field stands in a message, found before the message is taken apart.
//!
//! Two bytes can say "one more entry", and a decoded entry takes hundreds: without this, a message within
//! its limit of bytes would make gigabytes, and only then be refused for its many entries.

use prost::encoding::{WireType, decode_key, decode_varint};

use super::{BadMessage, Decoded, at_most};
use crate::{
    LISTING_ENTRIES_MAX, NEEDS_MAX, PATH_NAMES_MAX, Report, SETTLED_MAX,
    limits::{MODULES_MAX, NAMES_MAX, XATTRS_MAX},
};

/// A field, by the numbers of the fields that lead to it, and how often it may stand in one message.
pub(super) type Limit = (&'static [u32], usize);

/// The most attributes of all entries in one message: more that have names do not fit in its bytes.
const ALL_XATTRS_MAX: usize = 786_432;

/// Of a message of a session.
pub(super) const MESSAGE: &[Limit] = &[
    (&[4, 1, 1], PATH_NAMES_MAX),
    (&[4, 2], LISTING_ENTRIES_MAX),
    (&[7, 1], NEEDS_MAX),
    (&[9, 1], SETTLED_MAX),
];

/// Of a frame of a lane.
pub(super) const FRAME: &[Limit] = &[
    (&[1, 3], NEEDS_MAX),
    (&[1, 3, 2, 2], ALL_XATTRS_MAX),
    (&[2, 3], NEEDS_MAX),
    (&[2, 3, 2, 2], ALL_XATTRS_MAX),
    (&[3, 3], NEEDS_MAX),
    (&[6, 1, 2], XATTRS_MAX),
];

/// Of a request.
pub(super) const REQUEST: &[Limit] = &[
    (&[1, 5], NAMES_MAX),
    (&[1, 10, 2, 1], PATH_NAMES_MAX),
    (&[5, 2], LISTING_ENTRIES_MAX),
    (&[9, 1, 5], NAMES_MAX),
    (&[9, 1, 10, 2, 1], PATH_NAMES_MAX),
    (&[10, 1, 5], NAMES_MAX),
    (&[10, 1, 10, 2, 1], PATH_NAMES_MAX),
];

/// Of a reply.
pub(super) const REPLY: &[Limit] = &[
    (&[3, 1, 1], PATH_NAMES_MAX),
    (&[3, 2], LISTING_ENTRIES_MAX),
    (&[3, 3], LISTING_ENTRIES_MAX),
    (&[6, 1], LISTING_ENTRIES_MAX),
    (&[7, 3], MODULES_MAX),
    (&[11, 2], LISTING_ENTRIES_MAX),
    (&[12, 5], Report::PROBLEMS_MAX),
];

/// Refuses a message in which a field stands too often.
pub(super) fn check(message: &[u8], limits: &[Limit]) -> Decoded<()> {
    for (fields, max) in limits {
        at_most(count(message, fields)?, *max, "a list in a message")?;
    }
    Ok(())
}

/// How often the field stands there. What cannot be read counts no further: decoding will say so.
fn count(mut message: &[u8], fields: &[u32]) -> Decoded<usize> {
    let Some((first, rest)) = fields.split_first() else {
        return Ok(1);
    };
    let mut found = 0;
    while !message.is_empty() {
        let Ok((number, wire)) = decode_key(&mut message) else {
            break;
        };
        let size = match wire {
            WireType::Varint => decode_varint(&mut message).map(|_| 0),
            WireType::SixtyFourBit => Ok(8),
            WireType::ThirtyTwoBit => Ok(4),
            WireType::LengthDelimited => decode_varint(&mut message),
            // Nothing of ours is one, and what hides in it would not be counted.
            WireType::StartGroup | WireType::EndGroup => {
                return Err(BadMessage::Unknown("a group in a message"));
            }
        };
        let size = size.ok().and_then(|size| usize::try_from(size).ok());
        let Some((inside, behind)) = size.and_then(|size| message.split_at_checked(size)) else {
            break;
        };
        if number == *first && wire == WireType::LengthDelimited {
            found += count(inside, rest)?;
        }
        message = behind;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message in which that field stands so often, empty.
    fn with(fields: &[u32], times: usize) -> Vec<u8> {
        let Some((first, rest)) = fields.split_first() else {
            return Vec::new();
        };
        let inside = with(rest, times);
        let times = if rest.is_empty() { times } else { 1 };
        let mut one = Vec::new();
        prost::encoding::bytes::encode(*first, &inside, &mut one);
        one.repeat(times)
    }

    #[test]
    fn a_field_may_stand_as_often_as_its_limit_says() {
        for limits in [MESSAGE, FRAME, REQUEST, REPLY] {
            for (fields, max) in limits {
                assert_eq!(check(&with(fields, *max), limits), Ok(()), "{fields:?}");
                let refused = check(&with(fields, max + 1), limits);
                assert!(
                    matches!(refused, Err(BadMessage::TooLarge(_))),
                    "{fields:?}"
                );
            }
        }
    }

    #[test]
    fn parts_of_one_list_count_together_wherever_they_stand() {
        let half = with(&[7, 1], NEEDS_MAX / 2 + 1);
        assert_eq!(check(&half, MESSAGE), Ok(()));
        let hello = with(&[1], 1);
        let whole = [&half[..], &hello, &half].concat();
        assert!(check(&whole, MESSAGE).is_err(), "decoding would join them");
    }

    #[test]
    fn nothing_hides_in_a_group() {
        let hidden = [vec![0x0b], with(&[7, 1], NEEDS_MAX + 1)].concat();
        assert!(check(&hidden, MESSAGE).is_err());
    }
}
