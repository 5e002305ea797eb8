//! What is not an endpoint, why, and what to write instead.

use std::ffi::OsStr;

use blit_contract::BadName;

use super::escape::show;

/// Something is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not an endpoint")]
pub struct EndpointError {
    text: String,
    problem: EndpointProblem,
}

/// Why it is not one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointProblem {
    /// What follows `scheme://` is no host.
    Authority,
    /// A remote path has a backslash.
    Backslash,
    /// A remote path has a `..`.
    DotDot,
    /// There is nothing.
    Empty,
    /// A `%` is not followed by two hexadecimal digits, or they give no text.
    Escape,
    /// The module's name is none.
    Module,
    /// A part of the path is no name.
    Name(BadName),
    /// A store without a bucket.
    NoBucket,
    /// A port that there is not.
    Port,
    /// A port without a colon after it.
    PortNeedsColon,
    /// `host::module`, as rsync's daemon has it.
    RsyncModule,
    /// `rsync://`.
    RsyncScheme,
    /// What follows `ssh://` is no host.
    SshAuthority,
    /// `ssh://HOST` without a path.
    SshPath,
    /// `-`, which is reserved.
    Stdio,
    /// No plugin serves this scheme.
    UnknownScheme(String),
    /// `user@host:`.
    UserAt,
}

impl EndpointError {
    pub(super) fn new(text: &OsStr, problem: EndpointProblem) -> Self {
        let text = show(text);
        Self { text, problem }
    }

    /// The stable word for documentation and scripts.
    #[must_use]
    pub fn slug(&self) -> &'static str {
        "syntax.endpoint"
    }

    /// Why it is not one, for branching.
    #[must_use]
    pub fn problem(&self) -> &EndpointProblem {
        &self.problem
    }

    /// Why it is not one, in one sentence.
    #[must_use]
    pub fn cause(&self) -> String {
        match &self.problem {
            EndpointProblem::Authority => "after :// a host is expected".into(),
            EndpointProblem::Backslash => "paths on other machines have forward slashes".into(),
            EndpointProblem::DotDot => "a path on another machine cannot go up with ..".into(),
            EndpointProblem::Empty => "it is empty".into(),
            EndpointProblem::Escape => {
                "in a URL, % is followed by two hexadecimal digits that give valid text".into()
            }
            EndpointProblem::Module => {
                "a module name begins with a letter and has letters, digits, . _ and - only".into()
            }
            EndpointProblem::Name(bad) => bad.to_string(),
            EndpointProblem::NoBucket => "it names no bucket".into(),
            EndpointProblem::Port => "a port is a number from 1 to 65535".into(),
            EndpointProblem::PortNeedsColon => "after a port a colon is expected".into(),
            EndpointProblem::RsyncModule => "that is rsync's daemon syntax".into(),
            EndpointProblem::RsyncScheme => "blit does not speak rsync's protocol".into(),
            EndpointProblem::SshAuthority => {
                "after ssh:// a host is expected, or a user, @ and a host".into()
            }
            EndpointProblem::SshPath => "it names a machine, and nothing on it".into(),
            EndpointProblem::Stdio => "- is reserved for standard input and output".into(),
            EndpointProblem::UnknownScheme(scheme) => format!("no plugin provides {scheme}://"),
            EndpointProblem::UserAt => "blit knows machines, not logins".into(),
        }
    }

    /// What to write or do instead.
    #[must_use]
    pub fn next(&self) -> String {
        let text = &self.text;
        match &self.problem {
            EndpointProblem::Authority => "write blit://HOST[:PORT]/MODULE[/PATH]".into(),
            EndpointProblem::Backslash => format!("write {}", text.replace('\\', "/")),
            EndpointProblem::DotDot => "write the path from its root".into(),
            EndpointProblem::Empty => "name a path or HOST:/MODULE".into(),
            EndpointProblem::Escape => "write a percent sign itself as %25".into(),
            EndpointProblem::Module => "list the modules of a host with: blit list HOST".into(),
            EndpointProblem::Name(_) => "check the path".into(),
            EndpointProblem::NoBucket => "write scheme://BUCKET[/PREFIX]".into(),
            EndpointProblem::Port => "write HOST:PORT:/MODULE".into(),
            EndpointProblem::PortNeedsColon => format!("with a port write {}", with_colon(text)),
            EndpointProblem::RsyncModule => {
                format!("for blit write {}", text.replacen("::", ":/", 1))
            }
            EndpointProblem::RsyncScheme => "start blit-daemon there and write HOST:/MODULE".into(),
            EndpointProblem::SshAuthority => "write ssh://[USER@]HOST[:PORT]/PATH".into(),
            EndpointProblem::SshPath => {
                format!("write {text}/PATH, or {text}/~/PATH for one below the home directory")
            }
            EndpointProblem::Stdio => "for a file of that name write ./-".into(),
            EndpointProblem::UnknownScheme(_) => "see what there is with: blit plugin list".into(),
            EndpointProblem::UserAt => {
                let (login, rest) = text.split_once('@').unwrap_or(("", text));
                let over_ssh = match rest.split_once(':') {
                    Some((host, path)) if path.starts_with('/') => format!("{host}{path}"),
                    Some((host, path)) => format!("{host}/~/{path}"),
                    None => rest.to_owned(),
                };
                format!("over ssh write ssh://{login}@{over_ssh}; to a paired machine {rest}")
            }
        }
    }
}

/// `nas:9031/photos` as `nas:9031:/photos`.
fn with_colon(text: &str) -> String {
    let after_host = text
        .rfind("]:")
        .map_or_else(|| text.find(':'), |at| Some(at + 1));
    let port_at = after_host.map_or(0, |at| at + 1);
    let digits = text[port_at..]
        .bytes()
        .take_while(u8::is_ascii_digit)
        .count();
    let (host_and_port, rest) = text.split_at(port_at + digits);
    match rest {
        "" => format!("{host_and_port}:/MODULE"),
        rest => format!("{host_and_port}:{rest}"),
    }
}
