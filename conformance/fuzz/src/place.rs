//! Places on other machines: what goes into a command line of ssh, and what a daemon is asked for.

use blit_config::{EndpointParser, LoginPath, RemoteProgram};
use blit_contract::Name;
use blit_reach::RemotePlace;
use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use crate::text::{is_harmless, round, utf8};

/// What a daemon takes for a path of its user leads nowhere but below the home directory or the root.
pub(crate) fn login_path(bytes: &[u8]) {
    utf8(bytes, |text| {
        let Ok(path) = text.parse::<LoginPath>() else {
            return;
        };
        is_harmless(&path);
        assert_eq!(path.to_string().parse(), Ok(path.clone()));
        let home = Path::new("/home/me");
        let here = path.on_this_machine(home).expect("names are bytes here");
        let start = if path.from_home { home } else { Path::new("/") };
        let below = here.strip_prefix(start).expect("it begins there");
        assert_eq!(below.components().count(), path.path.components().len());
        let is_plain = |it| matches!(it, std::path::Component::Normal(_));
        assert!(below.components().all(is_plain), "{here:?}");
    });
}

/// A place is asked for by names alone, and what is split is the same place.
pub(crate) fn place(bytes: &[u8]) {
    let endpoint = EndpointParser::new([""; 0]).parse(OsStr::from_bytes(bytes));
    let Some(place) = endpoint.ok().and_then(RemotePlace::of) else {
        return;
    };
    is_harmless(&place.shown());
    is_harmless(&place.machine.name());
    let asked = place.wire();
    let names = asked.path.components();
    let is_name = |name: &&Name| Name::new(name.as_bytes()).is_ok();
    assert!(names.iter().all(is_name));
    if place.module().is_none() {
        // Over ssh the daemon reads it as a path of the login.
        let login: LoginPath = asked.module.parse().expect("what we ask for can be read");
        assert_eq!(login.path, place.path);
    }
    match place.split() {
        Some((directory, name)) => {
            assert_eq!(directory.path.join(name.clone()), place.path);
            assert_eq!(place.wire_entry().path.name(), Some(&name));
        }
        None => assert_eq!(place.wire_entry(), asked),
    }
}

/// What a shell on another machine gets to read.
pub(crate) fn program(bytes: &[u8]) {
    utf8(bytes, |text| {
        round::<RemoteProgram>(text);
        if text.parse::<RemoteProgram>().is_ok() {
            let obeys = |c: char| c.is_whitespace() || "$`\\\"'|&;<>()*?[]{}!#=%^,@:".contains(c);
            assert!(!text.contains(obeys) && !text.starts_with('-'), "{text:?}");
        }
    });
}
