//! Where something is: the grammar of SRC and DST.
//!
//! What is not clearly something else is local, as raw bytes. What looks like another tool's
//! grammar is an error that says how blit writes it.

mod error;
mod escape;
mod ssh;

use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
};

use blit_contract::{Name, RelPath};

pub use error::{EndpointError, EndpointProblem};
use escape::{decode, encode, path_from_bytes, show};
pub use ssh::LoginPath;

/// Where something is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// Another machine as a whole: `nas:`.
    Host {
        /// Its name or address, without brackets.
        host: String,
        /// The port, if one was given.
        port: Option<u16>,
    },
    /// A path on this machine, byte by byte as it was typed.
    Local(PathBuf),
    /// A place in a module of another machine: `nas:/photos/2026/`.
    Remote {
        /// Its name or address, without brackets.
        host: String,
        /// The port, if one was given.
        port: Option<u16>,
        /// The module.
        module: String,
        /// Where in the module; the root is the module itself.
        path: RelPath,
        /// Whether it ended in a slash.
        slash: bool,
    },
    /// A place on another machine that is reached over ssh: `ssh://me@nas/srv/photos/`.
    Ssh {
        /// Who logs in there, if that was said.
        user: Option<String>,
        /// Its name or address, without brackets.
        host: String,
        /// The port, if one was given.
        port: Option<u16>,
        /// Where it is there.
        place: LoginPath,
        /// Whether it ended in a slash.
        slash: bool,
    },
    /// A place in a store that a plugin provides: `s3://bucket/prefix`.
    Store {
        /// Which store.
        scheme: String,
        /// Which part of it.
        bucket: String,
        /// What all names begin with; may be empty.
        prefix: String,
    },
}

impl Endpoint {
    /// Whether a source of this spelling means its contents, and not the thing itself by its name.
    ///
    /// A source that ends in `/` or `/.` means its contents; so does a root, which has no name.
    #[must_use]
    pub fn means_contents(&self) -> bool {
        match self {
            Self::Host { .. } => false,
            Self::Local(path) => local_means_contents(path, cfg!(windows)),
            Self::Remote { path, slash, .. } => *slash || path.is_root(),
            Self::Ssh { place, slash, .. } => *slash || place.path.is_root(),
            Self::Store { prefix, .. } => prefix.is_empty() || prefix.ends_with('/'),
        }
    }
}

impl fmt::Display for Endpoint {
    /// The canonical form, which reads as the same endpoint again; local paths as they were typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { host, port } => {
                f.write_str("blit://")?;
                write_host(f, host, *port)
            }
            Self::Local(path) => f.write_str(&show(path.as_os_str())),
            Self::Remote {
                host,
                port,
                module,
                path,
                slash,
            } => {
                f.write_str("blit://")?;
                write_host(f, host, *port)?;
                write!(f, "/{module}")?;
                for name in path.components() {
                    write!(f, "/{}", encode(name.as_bytes()))?;
                }
                f.write_str(if *slash { "/" } else { "" })
            }
            Self::Ssh {
                user,
                host,
                port,
                place,
                slash,
            } => {
                f.write_str("ssh://")?;
                if let Some(user) = user {
                    write!(f, "{user}@")?;
                }
                write_host(f, host, *port)?;
                ssh::write_path(f, place, *slash)
            }
            Self::Store {
                scheme,
                bucket,
                prefix,
            } => {
                // A slash in its name must not end it.
                let bucket = encode(bucket.as_bytes()).replace('/', "%2F");
                write!(f, "{scheme}://{bucket}")?;
                match prefix.is_empty() {
                    true => Ok(()),
                    false => write!(f, "/{}", encode(prefix.as_bytes())),
                }
            }
        }
    }
}

/// Reads endpoints.
#[derive(Debug, Clone)]
pub struct EndpointParser {
    schemes: Vec<String>,
    windows: bool,
}

impl EndpointParser {
    /// A parser that knows the stores of these schemes, with the rules of this operating system.
    #[must_use]
    pub fn new<S: Into<String>>(schemes: impl IntoIterator<Item = S>) -> Self {
        Self {
            schemes: schemes.into_iter().map(Into::into).collect(),
            windows: cfg!(windows),
        }
    }

    /// The same with the rules of Windows, or without.
    #[must_use]
    pub fn with_windows(mut self, windows: bool) -> Self {
        self.windows = windows;
        self
    }

    /// Reads one endpoint.
    ///
    /// # Errors
    /// [`EndpointError`] says what was probably meant, and how it is written.
    pub fn parse(&self, text: &OsStr) -> Result<Endpoint, EndpointError> {
        self.read(text)
            .map_err(|problem| EndpointError::new(text, problem))
    }

    fn read(&self, text: &OsStr) -> Result<Endpoint, EndpointProblem> {
        let bytes = text.as_encoded_bytes();
        let local = || Ok(Endpoint::Local(PathBuf::from(text)));
        match bytes {
            [] => return Err(EndpointProblem::Empty),
            b"-" => return Err(EndpointProblem::Stdio),
            [b'.' | b'/' | b'~' | b'\\', ..] => return local(),
            _ if self.begins_with_drive(bytes) => return local(),
            _ => {}
        }
        if let Some((scheme, rest)) = split_scheme(bytes) {
            return self.read_url(&scheme, rest);
        }
        refuse_other_grammars(bytes)?;
        match split_host(bytes) {
            Some((host, rest)) if host.len() > 1 => read_short(host, rest),
            _ => local(),
        }
    }

    /// `C:`, `C:\` and `C:/` are drives wherever they are typed: a host has two letters or more.
    fn begins_with_drive(&self, bytes: &[u8]) -> bool {
        match bytes {
            [letter, b':'] => letter.is_ascii_alphabetic(),
            [letter, b':', next, ..] => {
                letter.is_ascii_alphabetic() && (self.windows || matches!(next, b'\\' | b'/'))
            }
            _ => false,
        }
    }

    fn read_url(&self, scheme: &str, rest: &[u8]) -> Result<Endpoint, EndpointProblem> {
        match scheme {
            "blit" => read_blit_url(rest),
            "file" => read_file_url(rest),
            "ssh" => ssh::read_url(rest),
            "rsync" => Err(EndpointProblem::RsyncScheme),
            known if self.schemes.iter().any(|s| s == known) => read_store_url(known, rest),
            unknown => Err(EndpointProblem::UnknownScheme(unknown.to_owned())),
        }
    }
}

/// Splits `scheme://rest`; the scheme comes in lower case.
fn split_scheme(bytes: &[u8]) -> Option<(String, &[u8])> {
    let end = bytes.windows(3).position(|three| three == b"://")?;
    let scheme = std::str::from_utf8(&bytes[..end]).ok()?;
    let is_inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-');
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    (is_scheme && scheme.chars().all(is_inside))
        .then(|| (scheme.to_ascii_lowercase(), &bytes[end + 3..]))
}

/// What other tools write, and would be read here as something else.
fn refuse_other_grammars(bytes: &[u8]) -> Result<(), EndpointProblem> {
    let first = bytes.split(|b| *b == b'/').next().unwrap_or_default();
    let has_two_colons = first.windows(2).any(|two| two == b"::");
    if has_two_colons && !bytes.starts_with(b"[") {
        return Err(EndpointProblem::RsyncModule);
    }
    let at = first.iter().position(|b| *b == b'@');
    if let Some(at) = at.filter(|at| *at > 0) {
        let is_login = !first[..at].iter().any(|b| matches!(b, b'\\' | b':'));
        if is_login && split_host(&bytes[at + 1..]).is_some() {
            return Err(EndpointProblem::UserAt);
        }
    }
    Ok(())
}

/// Splits `HOST:rest`.
fn split_host(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (host, rest) = read_host(bytes)?;
    Some((host, rest.strip_prefix(b":")?))
}

/// Reads a host name or an address in brackets, and what follows it.
fn read_host(bytes: &[u8]) -> Option<(String, &[u8])> {
    if let Some(inside) = bytes.strip_prefix(b"[") {
        let end = inside.iter().position(|b| *b == b']')?;
        let host = std::str::from_utf8(&inside[..end]).ok()?;
        return is_address(host).then(|| (host.to_owned(), &inside[end + 1..]));
    }
    let is_inside = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let end = bytes.iter().position(|b| !is_inside(b));
    let (host, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
    let is_host = host.first()?.is_ascii_alphanumeric() && host.last()?.is_ascii_alphanumeric();
    is_host.then(|| (String::from_utf8_lossy(host).into_owned(), rest))
}

/// An IPv6 address, perhaps with the network card that it is to be reached through: `fe80::1%eth0`.
fn is_address(host: &str) -> bool {
    let (address, zone) = host.split_once('%').unwrap_or((host, "-"));
    let is_inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    address.parse::<std::net::Ipv6Addr>().is_ok() && !zone.is_empty() && zone.chars().all(is_inside)
}

/// Reads what follows `HOST:` in the short form.
fn read_short(host: String, rest: &[u8]) -> Result<Endpoint, EndpointProblem> {
    if rest.contains(&b'\\') {
        return Err(EndpointProblem::Backslash);
    }
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    match (&rest[..digits], &rest[digits..]) {
        ([], _) => read_place(host, None, rest, |part| Ok(part.to_vec())),
        (port, [b':', place @ ..]) => {
            read_place(
                host,
                Some(read_port(port)?),
                place,
                |part| Ok(part.to_vec()),
            )
        }
        (_, [] | [b'/', ..]) => Err(EndpointProblem::PortNeedsColon),
        _ => read_place(host, None, rest, |part| Ok(part.to_vec())),
    }
}

fn read_blit_url(rest: &[u8]) -> Result<Endpoint, EndpointProblem> {
    let (host, port, place) = read_authority(rest, EndpointProblem::Authority)?;
    read_place(host, port, place, decode)
}

/// Reads `HOST[:PORT]` and what follows it: nothing, or a path. `wrong` is said of anything else.
fn read_authority(
    bytes: &[u8],
    wrong: EndpointProblem,
) -> Result<(String, Option<u16>, &[u8]), EndpointProblem> {
    let Some((host, rest)) = read_host(bytes) else {
        return Err(wrong);
    };
    let (port, rest) = match rest.strip_prefix(b":") {
        Some(after) => {
            let digits = after.iter().take_while(|b| b.is_ascii_digit()).count();
            (Some(read_port(&after[..digits])?), &after[digits..])
        }
        None => (None, rest),
    };
    match rest {
        [] | [b'/', ..] => Ok((host, port, rest)),
        _ => Err(wrong),
    }
}

fn read_port(digits: &[u8]) -> Result<u16, EndpointProblem> {
    let port = std::str::from_utf8(digits)
        .ok()
        .and_then(|d| d.parse().ok());
    port.filter(|port| *port > 0).ok_or(EndpointProblem::Port)
}

/// Reads `/MODULE/PATH`, whose parts are spelled as `decode` reads them.
fn read_place(
    host: String,
    port: Option<u16>,
    place: &[u8],
    decode: impl Fn(&[u8]) -> Result<Vec<u8>, EndpointProblem>,
) -> Result<Endpoint, EndpointProblem> {
    let mut parts = place
        .split(|b| *b == b'/')
        .skip_while(|part| part.is_empty());
    let Some(module) = parts.next() else {
        return Ok(Endpoint::Host { host, port });
    };
    let module = read_module(module)?;
    let (path, slash) = read_names(parts, decode)?;
    Ok(Endpoint::Remote {
        host,
        port,
        module,
        path,
        slash,
    })
}

/// Reads the parts of a path, and whether it ends in a slash.
fn read_names<'a>(
    parts: impl Iterator<Item = &'a [u8]>,
    decode: impl Fn(&[u8]) -> Result<Vec<u8>, EndpointProblem>,
) -> Result<(RelPath, bool), EndpointProblem> {
    let mut path = RelPath::ROOT;
    let mut slash = false;
    for part in parts {
        let bytes = decode(part)?;
        slash = bytes.is_empty() || bytes == b".";
        match &*bytes {
            b"" | b"." => {}
            b".." => return Err(EndpointProblem::DotDot),
            _ => path = path.join(Name::new(bytes).map_err(EndpointProblem::Name)?),
        }
    }
    Ok((path, slash))
}

/// A module begins with a letter, so that no port can be taken for one.
fn read_module(bytes: &[u8]) -> Result<String, EndpointProblem> {
    let is_inside = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let begins_well = bytes.first().is_some_and(u8::is_ascii_alphabetic);
    if !begins_well || bytes.len() > MODULE_BYTES_MAX || !bytes.iter().all(is_inside) {
        return match bytes {
            b".." => Err(EndpointProblem::DotDot),
            _ => Err(EndpointProblem::Module),
        };
    }
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

/// `file:///srv/x`, and `file:///C:/x` for a drive. A host in it is not reached.
fn read_file_url(rest: &[u8]) -> Result<Endpoint, EndpointProblem> {
    let rest = rest.strip_prefix(b"localhost").unwrap_or(rest);
    let path = match rest {
        [b'/', letter, b':', b'/', ..] if letter.is_ascii_alphabetic() => &rest[1..],
        [b'/', ..] => rest,
        _ => return Err(EndpointProblem::Authority),
    };
    let decoded = decode(path)?;
    // A slash that is not one, and what no system takes in a name.
    let slashes = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'/').count();
    if slashes(&decoded) != slashes(path) || decoded.contains(&0) {
        return Err(EndpointProblem::Escape);
    }
    path_from_bytes(decoded).map(Endpoint::Local)
}

fn read_store_url(scheme: &str, rest: &[u8]) -> Result<Endpoint, EndpointProblem> {
    let mut parts = rest.splitn(2, |b| *b == b'/');
    let mut text = || {
        let bytes = decode(parts.next().unwrap_or_default())?;
        String::from_utf8(bytes).map_err(|_| EndpointProblem::Escape)
    };
    let (bucket, prefix) = (text()?, text()?);
    if bucket.is_empty() {
        return Err(EndpointProblem::NoBucket);
    }
    Ok(Endpoint::Store {
        scheme: scheme.to_owned(),
        bucket,
        prefix,
    })
}

fn local_means_contents(path: &Path, windows: bool) -> bool {
    let is_slash = |b: &u8| *b == b'/' || (windows && *b == b'\\');
    let bytes = path.as_os_str().as_encoded_bytes();
    let last = bytes.rsplit(is_slash).next().unwrap_or_default();
    if matches!(last, b"" | b"." | b"..") {
        return true;
    }
    windows && (matches!(bytes, [letter, b':'] if letter.is_ascii_alphabetic()) || is_share(bytes))
}

/// `\\server\share` and nothing below it.
fn is_share(bytes: &[u8]) -> bool {
    let below = bytes.strip_prefix(br"\\").unwrap_or_default();
    let mut parts = below.split(|b| matches!(b, b'\\' | b'/'));
    let has_both = (0..2).all(|_| parts.next().is_some_and(|part| !part.is_empty()));
    has_both && parts.all(<[u8]>::is_empty)
}

fn write_host(f: &mut fmt::Formatter<'_>, host: &str, port: Option<u16>) -> fmt::Result {
    match host.contains(':') {
        true => write!(f, "[{host}]")?,
        false => write!(f, "{host}")?,
    }
    port.map_or(Ok(()), |port| write!(f, ":{port}"))
}

const MODULE_BYTES_MAX: usize = 63;

#[cfg(test)]
mod tests;
