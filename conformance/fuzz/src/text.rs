//! What people type or paste, and what blit writes in lines.

use blit_config::{Age, DeleteLimit, Endpoint, EndpointParser, Period, Size};
use blit_contract::{History, Method, Name};
use blit_control::{Invitation, NodeId, TOKEN_BYTES_MAX, Token};
use blit_plan::MeasuredHistory;
use std::{
    ffi::OsStr,
    fmt::{Debug, Display},
    os::unix::ffi::OsStrExt,
    str::FromStr,
};

pub(crate) fn utf8(bytes: &[u8], then: impl FnOnce(&str)) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        then(text);
    }
}

/// What can be read can be written, and reads as the same again.
pub(crate) fn round<T: FromStr + Display + Debug + PartialEq>(text: &str)
where
    T::Err: Display + Debug,
{
    match text.parse::<T>() {
        Ok(value) => {
            let again = value.to_string().parse::<T>();
            assert_eq!(again.expect("what we write can be read"), value);
        }
        Err(error) => is_harmless(&error),
    }
}

/// A message for people quotes what was typed: nothing of that may steer a terminal.
pub(crate) fn is_harmless(error: &impl Display) {
    let text = error.to_string();
    let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    assert!(!text.contains(steers), "{text:?}");
}

/// There is one spelling of each token, and it is never told.
pub(crate) fn token(bytes: &[u8]) {
    utf8(bytes, |text| match Token::read(text) {
        Ok(token) => {
            assert!(text.len() <= TOKEN_BYTES_MAX, "{} bytes", text.len());
            assert_eq!(token.text(), text);
            assert!(!format!("{token:?}").contains(text));
        }
        Err(error) => is_harmless(&error),
    });
}

/// The first byte says by whose rules: with its lowest bit, by those of Windows.
pub(crate) fn endpoint(bytes: &[u8]) {
    let Some((choice, typed)) = bytes.split_first() else {
        return;
    };
    let parser = EndpointParser::new(["s3"]).with_windows(choice & 1 == 1);
    match parser.parse(OsStr::from_bytes(typed)) {
        // A path is shown to people as it is, and not to be read again.
        Ok(Endpoint::Local(path)) => is_path_of(path.as_os_str().as_bytes(), typed),
        Ok(found) => {
            let again = parser.parse(OsStr::new(&found.to_string()));
            assert_eq!(again.expect("what we write can be read"), found);
            let _ = found.means_contents();
        }
        Err(error) => is_harmless(&error),
    }
}

/// A path is what was typed, or was in a URL: then it has no more names than that has.
fn is_path_of(path: &[u8], typed: &[u8]) {
    if typed.ends_with(path) {
        return;
    }
    let names = |bytes: &[u8]| bytes.split(|byte| *byte == b'/').count();
    assert!(names(path) < names(typed) && !path.contains(&0), "{path:?}");
}

pub(crate) fn history(bytes: &[u8]) {
    const ROUTE: (&str, &str, &str) = ("store-fs", "store-fs", "transport-mem");
    utf8(bytes, |text| {
        let (records, broken) = blit_plan::decode(text);
        assert!(records.len() + broken <= text.lines().count());
        let written = blit_plan::compact(&records, records.len());
        assert_eq!(blit_plan::decode(&written), (records.clone(), 0));
        let measured = MeasuredHistory::of(&records, ROUTE);
        if let Some(cost) = measured.cost(Method::Pump, 1 << 20) {
            assert!(cost.bytes_per_sec.is_finite(), "{cost:?}");
        }
    });
}

pub(crate) fn invitation(bytes: &[u8]) {
    utf8(bytes, round::<Invitation>);
}

pub(crate) fn name(bytes: &[u8]) {
    let is_name = match bytes {
        b"" | b"." | b".." => false,
        any => any.len() <= 255 && !any.contains(&b'/') && !any.contains(&0),
    };
    let found = Name::new(bytes);
    assert_eq!(found.is_ok(), is_name);
    if let Ok(name) = found {
        assert_eq!(name.as_bytes(), bytes);
    }
}

pub(crate) fn node_id(bytes: &[u8]) {
    utf8(bytes, round::<NodeId>);
}

pub(crate) fn quantity(bytes: &[u8]) {
    utf8(bytes, |text| {
        round::<Size>(text);
        round::<Period>(text);
        round::<DeleteLimit>(text);
        let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
        match text.parse::<Age>() {
            Ok(age) => drop(age.moment(&now)),
            Err(error) => is_harmless(&error),
        }
    });
}
