//! Between our types and the protocol's: everything that comes from outside is checked here, before
//! anybody uses it.

mod counts;
mod delegated;
mod event;
mod frame;
mod lanes;
mod message;
mod nouns;
mod report;
mod request;
mod rules;
mod words;

use blit_contract::BadName;

/// Bytes that are no message of the protocol. It ends the session: whoever sent them cannot be
/// trusted further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadMessage {
    /// They cannot be decoded.
    #[error("the bytes are no message of the protocol")]
    Malformed(#[from] prost::DecodeError),
    /// Something that must be there is not.
    #[error("{0} is missing in a message")]
    Missing(&'static str),
    /// A name breaks the rules of names.
    #[error("a name in a message is none: {0}")]
    Name(#[from] BadName),
    /// Something is larger than the protocol allows.
    #[error("{0} is larger than the protocol allows")]
    TooLarge(&'static str),
    /// A number means nothing here.
    #[error("{0} has a value that means nothing")]
    Unknown(&'static str),
}

type Decoded<T> = Result<T, BadMessage>;

/// What must be there.
fn needed<T>(value: Option<T>, what: &'static str) -> Decoded<T> {
    value.ok_or(BadMessage::Missing(what))
}

/// At most so many.
pub(crate) fn at_most(count: usize, max: usize, what: &'static str) -> Decoded<()> {
    if count <= max {
        Ok(())
    } else {
        Err(BadMessage::TooLarge(what))
    }
}

/// The value at a number's place in a table that both sides have. 0 stands for nothing.
fn at_place<T: Copy>(table: &[T], number: u32, what: &'static str) -> Decoded<T> {
    let place = (number as usize).checked_sub(1);
    place
        .and_then(|place| table.get(place))
        .copied()
        .ok_or(BadMessage::Unknown(what))
}

/// The number of a value in such a table.
fn place_of<T: PartialEq>(table: &[T], value: &T) -> u32 {
    let place = table.iter().position(|known| known == value);
    place.map_or(0, |place| place as u32 + 1)
}
