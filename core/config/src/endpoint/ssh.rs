//! `ssh://[USER@]HOST[:PORT]/PATH`: what a login reaches. `/~/PATH` begins at its home directory.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use blit_contract::RelPath;

use super::{
    Endpoint, EndpointProblem, encode, escape::decode, path_from_bytes, read_authority, read_names,
};

/// The part of a path that stands for the home directory. A directory of that name at the root is `%7E`.
const HOME: &[u8] = b"~";

pub(super) fn read_url(rest: &[u8]) -> Result<Endpoint, EndpointProblem> {
    let end = rest.iter().position(|b| *b == b'/').unwrap_or(rest.len());
    let at = rest[..end].iter().rposition(|b| *b == b'@');
    let (user, rest) = match at {
        Some(at) => (Some(read_user(&rest[..at])?), &rest[at + 1..]),
        None => (None, rest),
    };
    let (host, port, place) = read_authority(rest, EndpointProblem::SshAuthority)?;
    if place.is_empty() {
        return Err(EndpointProblem::SshPath);
    }
    let (at, slash) = read_path(place)?;
    Ok(Endpoint::Ssh {
        user,
        host,
        port,
        // A root has no name: it is always its contents.
        slash: slash || at.path.is_root(),
        place: at,
    })
}

/// A login name: nothing that ssh could take for an option, or a shell for anything.
fn read_user(bytes: &[u8]) -> Result<String, EndpointProblem> {
    let is_inside = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@');
    let begins_well = bytes
        .first()
        .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    match begins_well && bytes.iter().all(is_inside) {
        true => Ok(String::from_utf8_lossy(bytes).into_owned()),
        false => Err(EndpointProblem::SshAuthority),
    }
}

pub(super) fn write_path(f: &mut fmt::Formatter<'_>, at: &LoginPath, slash: bool) -> fmt::Result {
    let mut names = at.path.components().into_iter().peekable();
    match (at.from_home, names.peek()) {
        (true, _) => f.write_str("/~")?,
        // What is encoded leaves a tilde alone; here it would mean home.
        (false, Some(name)) if name.as_bytes() == HOME => {
            f.write_str("/%7E")?;
            names.next();
        }
        _ => {}
    }
    for name in names {
        write!(f, "/{}", encode(name.as_bytes()))?;
    }
    f.write_str(if slash || at.path.is_root() { "/" } else { "" })
}

/// A path that a login on another machine reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginPath {
    /// Whether it begins at the home directory, and not at the root.
    pub from_home: bool,
    /// The names from there on.
    pub path: RelPath,
}

impl LoginPath {
    /// As a path of this machine, where `home` is the home directory.
    ///
    /// # Errors
    /// A name is none where paths are text.
    pub fn on_this_machine(&self, home: &Path) -> Result<PathBuf, EndpointProblem> {
        let mut path = match self.from_home {
            true => home.to_owned(),
            false => PathBuf::from("/"),
        };
        for name in self.path.components() {
            path.push(path_from_bytes(name.as_bytes().to_vec())?);
        }
        Ok(path)
    }
}

impl fmt::Display for LoginPath {
    /// As it stands in a URL: `/srv/a%20b`, `/~/x`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_path(f, self, false)
    }
}

impl FromStr for LoginPath {
    type Err = EndpointProblem;

    fn from_str(text: &str) -> Result<Self, EndpointProblem> {
        match text.as_bytes() {
            path @ [b'/', ..] => read_path(path).map(|(at, _)| at),
            _ => Err(EndpointProblem::SshPath),
        }
    }
}

fn read_path(bytes: &[u8]) -> Result<(LoginPath, bool), EndpointProblem> {
    let mut parts = bytes
        .split(|b| *b == b'/')
        .skip_while(|part| part.is_empty())
        .peekable();
    let from_home = parts.next_if(|part| *part == HOME).is_some();
    let (path, slash) = read_names(parts, decode)?;
    Ok((LoginPath { from_home, path }, slash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_a_login_is_read_as_it_is_shown_and_found_on_its_machine() {
        for (text, path) in [
            ("/", "/"),
            ("/srv/a%20b", "/srv/a b"),
            ("/~/", "/home/me"),
            ("/~/x", "/home/me/x"),
            ("/%7E/x", "/~/x"),
        ] {
            let at: LoginPath = text.parse().unwrap();
            assert_eq!(at.to_string(), text);
            assert_eq!(
                at.on_this_machine(Path::new("/home/me")).unwrap(),
                Path::new(path)
            );
        }
        for text in ["", "srv", "~/x", "/a/../b", "/a%2Fb", "/a%00"] {
            assert!(text.parse::<LoginPath>().is_err(), "{text}");
        }
    }
}
