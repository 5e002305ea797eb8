//! What a job is to do, and the same as it crosses and is kept.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use blit_contract::RelPath;
use blit_control::jobs::{JobLeg, JobSpec};
use blit_engine::{Top, Verb};
use blit_wire::{FrameBuffer, LaneWishes, Place, Request, Role, Rules, SessionRequest, Terms};
use bytes::Bytes;

/// How many sessions a job may have: the command line makes one for each directory that it reads.
const LEGS_MAX: usize = 1_024;

/// How many sources may have been typed.
const SOURCES_MAX: usize = 65_536;

/// No system of ours has longer paths.
const PATH_BYTES_MAX: usize = 4_096;

/// What a job is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// What is read, as it was typed.
    pub sources: Vec<PathBuf>,
    /// Where it is written, as it was typed.
    pub target: PathBuf,
    /// Its sessions; at least one.
    pub legs: Vec<Leg>,
    /// How to behave in all of them.
    pub terms: Terms,
    /// Deletions need no question.
    pub yes: bool,
    /// How many bytes a second may move, if not as many as can.
    pub bytes_per_sec: Option<u64>,
}

/// One session of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leg {
    /// The directory that is read.
    pub source: PathBuf,
    /// What of it.
    pub top: Top,
    /// The directory that is written.
    pub target: PathBuf,
    /// Which entries take part.
    pub rules: Rules,
}

/// Why something is no job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no job: {0}")]
pub struct BadSpec(pub(crate) String);

impl Spec {
    /// As it crosses and is kept.
    #[must_use]
    pub fn to_message(&self) -> JobSpec {
        JobSpec {
            sources: self.sources.iter().map(|path| bytes_of(path)).collect(),
            target: bytes_of(&self.target),
            legs: self.legs.iter().map(|leg| self.leg_message(leg)).collect(),
            yes: self.yes,
            bytes_per_sec: self.bytes_per_sec.unwrap_or_default(),
        }
    }

    fn leg_message(&self, leg: &Leg) -> JobLeg {
        let request = Request::Session(Box::new(SessionRequest {
            place: Place {
                module: String::new(),
                path: RelPath::ROOT,
            },
            role: Role::Target,
            terms: self.terms,
            top: leg.top.clone(),
            is_relayed: false,
            rules: leg.rules.clone(),
            lanes: LaneWishes::default(),
            token: None,
        }));
        JobLeg {
            source: bytes_of(&leg.source),
            target: bytes_of(&leg.target),
            request: request.to_frame(),
        }
    }

    /// What such a message says.
    ///
    /// # Errors
    /// [`BadSpec`]: nothing that a job could do.
    pub fn from_message(message: &JobSpec) -> Result<Self, BadSpec> {
        at_most(message.legs.len(), LEGS_MAX, "sessions")?;
        at_most(message.sources.len(), SOURCES_MAX, "sources")?;
        let sources = message.sources.iter().map(path_of);
        let mut legs = Vec::with_capacity(message.legs.len());
        let mut terms: Option<Terms> = None;
        for leg in &message.legs {
            let (leg, own) = to_leg(leg)?;
            if *terms.get_or_insert(own) != own {
                return Err(bad("its sessions are not alike"));
            }
            legs.push(leg);
        }
        let terms = terms.ok_or_else(|| bad("it has no session"))?;
        if terms.verb == Verb::Check || terms.dry_run {
            return Err(bad("it changes nothing"));
        }
        Ok(Self {
            sources: sources.collect::<Result<_, _>>()?,
            target: path_of(&message.target)?,
            legs,
            terms,
            yes: message.yes,
            bytes_per_sec: Some(message.bytes_per_sec).filter(|bytes| *bytes > 0),
        })
    }
}

fn to_leg(leg: &JobLeg) -> Result<(Leg, Terms), BadSpec> {
    let mut frames = FrameBuffer::default();
    frames.push(leg.request.clone());
    let frame = frames.next_message().map_err(bad)?;
    let frame = frame.ok_or_else(|| bad("a session is cut off"))?;
    let Request::Session(request) = Request::from_frame(frame).map_err(bad)? else {
        return Err(bad("what it asks for is no session"));
    };
    let leg = Leg {
        source: path_of(&leg.source)?,
        top: request.top,
        target: path_of(&leg.target)?,
        rules: request.rules,
    };
    Ok((leg, request.terms))
}

fn bytes_of(path: &Path) -> Bytes {
    Bytes::copy_from_slice(path.as_os_str().as_bytes())
}

fn path_of(bytes: &Bytes) -> Result<PathBuf, BadSpec> {
    at_most(bytes.len(), PATH_BYTES_MAX, "bytes in a path")?;
    let path = Path::new(OsStr::from_bytes(bytes));
    if !path.is_absolute() || bytes.contains(&0) {
        return Err(bad("a path is not absolute"));
    }
    Ok(path.to_owned())
}

fn at_most(count: usize, most: usize, what: &str) -> Result<(), BadSpec> {
    match count > most {
        true => Err(BadSpec(format!("more than {most} {what}"))),
        false => Ok(()),
    }
}

fn bad(why: impl ToString) -> BadSpec {
    BadSpec(why.to_string())
}

#[cfg(test)]
pub(crate) mod tests {
    use blit_engine::{Options, TopName};

    use super::*;

    /// A copy of `/source/a` into `/target`.
    pub(crate) fn copy() -> Spec {
        let name = blit_contract::Name::new(*b"a").unwrap();
        Spec {
            sources: vec!["/source/a".into()],
            target: "/target".into(),
            legs: vec![Leg {
                source: "/source".into(),
                top: Top::Names(vec![TopName::same(name)]),
                target: "/target".into(),
                rules: Rules::default(),
            }],
            terms: Options::new(Verb::Copy).terms(),
            yes: false,
            bytes_per_sec: Some(1 << 20),
        }
    }

    fn refused(change: impl FnOnce(&mut JobSpec)) -> String {
        let mut message = copy().to_message();
        change(&mut message);
        Spec::from_message(&message).unwrap_err().to_string()
    }

    #[test]
    fn what_is_handed_over_is_what_was_meant() {
        let spec = copy();
        assert_eq!(Spec::from_message(&spec.to_message()).unwrap(), spec);
    }

    #[test]
    fn what_is_no_job_is_refused() {
        assert!(refused(|it| it.legs.clear()).contains("no session"));
        assert!(refused(|it| it.target = Bytes::from_static(b"here")).contains("absolute"));
        assert!(refused(|it| it.target = Bytes::from_static(b"/a\0b")).contains("absolute"));
        assert!(refused(|it| it.target = vec![b'/'; 5_000].into()).contains("more than"));
        assert!(refused(|it| it.legs[0].request = Bytes::new()).contains("cut off"));
        assert!(refused(|it| it.legs = vec![it.legs[0].clone(); 2_000]).contains("more than"));
        assert!(refused(|it| it.legs[0].request = Request::Status.to_frame()).contains("session"));
        let mut other = copy();
        other.terms.verb = Verb::Move;
        let other = other.to_message().legs[0].clone();
        assert!(refused(|it| it.legs.push(other)).contains("alike"));
        for terms in [
            Options::new(Verb::Check).terms(),
            Terms {
                dry_run: true,
                ..copy().terms
            },
        ] {
            let spec = Spec { terms, ..copy() };
            let refused = Spec::from_message(&spec.to_message()).unwrap_err();
            assert!(refused.to_string().contains("nothing"), "{refused}");
        }
    }
}
