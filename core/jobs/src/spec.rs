//! What a job is to do, and the same as it crosses and is kept.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::Duration,
};

use blit_contract::RelPath;
use blit_control::{
    NodeId,
    jobs::{JobLeg, JobSpec},
};
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
    /// For how long a machine that was lost is looked for.
    pub retry_for: Duration,
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
    /// The end that is on another machine, if one is; its directory above is then only for people.
    pub far: Option<FarEnd>,
}

/// The end of a session that is on another machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FarEnd {
    /// The key of that machine.
    pub machine: NodeId,
    /// What it does: its directory is the one that is read, or the one that is written.
    pub role: Role,
    /// The directory, as that machine calls it.
    pub place: Place,
    /// Lanes may be in clear, where that machine has it so too.
    pub clear: bool,
}

impl Leg {
    /// The directory on the other machine, for people.
    pub(crate) fn far_shown(&self) -> String {
        match self.far.as_ref().map(|far| far.role) {
            Some(Role::Source) => crate::shown(self.source.as_os_str()),
            _ => crate::shown(self.target.as_os_str()),
        }
    }
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
            retry_for_secs: u32::try_from(self.retry_for.as_secs()).unwrap_or(u32::MAX),
        }
    }

    /// The other machines that take part.
    pub fn machines(&self) -> impl Iterator<Item = NodeId> {
        let ends = self.legs.iter().filter_map(|leg| leg.far.as_ref());
        ends.map(|far| far.machine)
    }

    fn leg_message(&self, leg: &Leg) -> JobLeg {
        let nowhere = || Place {
            module: String::new(),
            path: RelPath::ROOT,
        };
        let far = leg.far.as_ref();
        let request = Request::Session(Box::new(SessionRequest {
            place: far.map_or_else(nowhere, |far| far.place.clone()),
            role: far.map_or(Role::Target, |far| far.role),
            terms: self.terms,
            top: leg.top.clone(),
            is_relayed: false,
            rules: leg.rules.clone(),
            lanes: LaneWishes {
                clear: far.is_some_and(|far| far.clear),
                machine: None,
            },
            token: None,
            backup: None,
        }));
        JobLeg {
            source: bytes_of(&leg.source),
            target: bytes_of(&leg.target),
            request: request.to_frame(),
            machine: far.map_or_else(Bytes::new, |far| {
                Bytes::copy_from_slice(far.machine.as_bytes())
            }),
        }
    }

    /// What such a message says.
    ///
    /// # Errors
    /// [`BadSpec`]: nothing that a job could do.
    pub fn from_message(message: &JobSpec) -> Result<Self, BadSpec> {
        at_most(message.legs.len(), LEGS_MAX, "sessions")?;
        at_most(message.sources.len(), SOURCES_MAX, "sources")?;
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
        let is_far = |role| {
            let ends = legs.iter().filter_map(|leg: &Leg| leg.far.as_ref());
            ends.map(|far| far.role).any(|it| it == role)
        };
        let sources = message.sources.iter();
        let sources = sources.map(|source| place_of(source, is_far(Role::Source)));
        Ok(Self {
            sources: sources.collect::<Result<_, _>>()?,
            target: place_of(&message.target, is_far(Role::Target))?,
            legs,
            terms,
            yes: message.yes,
            bytes_per_sec: Some(message.bytes_per_sec).filter(|bytes| *bytes > 0),
            retry_for: Duration::from_secs(message.retry_for_secs.into()),
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
    if request.backup.is_some() {
        // Whoever asks for it would lose it.
        return Err(bad("it keeps what it replaces"));
    }
    let far = match leg.machine.len() {
        0 => None,
        _ => Some(FarEnd {
            machine: key_of(&leg.machine)?,
            role: request.role,
            place: request.place,
            clear: request.lanes.clear,
        }),
    };
    let is_far = |role| far.as_ref().is_some_and(|far| far.role == role);
    let leg = Leg {
        source: place_of(&leg.source, is_far(Role::Source))?,
        top: request.top,
        target: place_of(&leg.target, is_far(Role::Target))?,
        rules: request.rules,
        far,
    };
    Ok((leg, request.terms))
}

fn key_of(bytes: &Bytes) -> Result<NodeId, BadSpec> {
    let key = <[u8; 32]>::try_from(&**bytes);
    key.map(NodeId::from_bytes)
        .map_err(|_| bad("what names a machine is no key"))
}

/// A directory of this machine, or what one of another machine is shown as.
fn place_of(bytes: &Bytes, is_far: bool) -> Result<PathBuf, BadSpec> {
    match is_far {
        false => path_of(bytes),
        true => shown_of(bytes).map(Path::to_owned),
    }
}

fn shown_of(bytes: &Bytes) -> Result<&Path, BadSpec> {
    at_most(bytes.len(), PATH_BYTES_MAX, "bytes in a path")?;
    match bytes.contains(&0) {
        true => Err(bad("no path has a NUL in it")),
        false => Ok(Path::new(OsStr::from_bytes(bytes))),
    }
}

fn bytes_of(path: &Path) -> Bytes {
    Bytes::copy_from_slice(path.as_os_str().as_bytes())
}

fn path_of(bytes: &Bytes) -> Result<PathBuf, BadSpec> {
    let path = shown_of(bytes)?;
    match path.is_absolute() {
        true => Ok(path.to_owned()),
        false => Err(bad("a path is not absolute")),
    }
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
                far: None,
            }],
            terms: Options::new(Verb::Copy).terms(),
            yes: false,
            bytes_per_sec: Some(1 << 20),
            retry_for: Duration::ZERO,
        }
    }

    /// The same to another machine.
    pub(crate) fn copy_to(machine: [u8; 32]) -> Spec {
        let mut spec = copy();
        spec.target = "nas:m/d".into();
        spec.retry_for = Duration::from_secs(120);
        spec.legs[0].target = "nas:/m/d".into();
        spec.legs[0].far = Some(FarEnd {
            machine: NodeId::from_bytes(machine),
            role: Role::Target,
            place: Place {
                module: "m".to_owned(),
                path: RelPath::ROOT.join(blit_contract::Name::new(*b"d").unwrap()),
            },
            clear: true,
        });
        spec
    }

    fn refused(change: impl FnOnce(&mut JobSpec)) -> String {
        let mut message = copy().to_message();
        change(&mut message);
        Spec::from_message(&message).unwrap_err().to_string()
    }

    #[test]
    fn what_is_handed_over_is_what_was_meant() {
        for spec in [copy(), copy_to([7; 32])] {
            assert_eq!(Spec::from_message(&spec.to_message()).unwrap(), spec);
        }
    }

    #[test]
    fn what_is_of_this_machine_is_absolute_also_where_another_one_takes_part() {
        let refused = |change: &dyn Fn(&mut JobSpec)| {
            let mut message = copy_to([7; 32]).to_message();
            change(&mut message);
            Spec::from_message(&message).unwrap_err().to_string()
        };
        let relative = Bytes::from_static(b"a");
        assert!(refused(&|it| it.sources[0] = relative.clone()).contains("absolute"));
        assert!(refused(&|it| it.legs[0].source = relative.clone()).contains("absolute"));
        assert!(refused(&|it| it.legs[0].machine = relative.clone()).contains("no key"));
        // Whoever does not know of other machines takes none for a directory of his own.
        assert!(refused(&|it| it.legs[0].machine = Bytes::new()).contains("absolute"));
    }

    #[test]
    fn what_is_no_job_is_refused() {
        assert!(refused(|it| it.legs.clear()).contains("no session"));
        assert!(refused(|it| it.target = Bytes::from_static(b"here")).contains("absolute"));
        assert!(refused(|it| it.target = Bytes::from_static(b"/a\0b")).contains("NUL"));
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

    #[test]
    fn a_job_that_would_lose_what_it_is_to_keep_is_refused() {
        let mut message = copy().to_message();
        let mut frames = FrameBuffer::default();
        frames.push(message.legs[0].request.clone());
        let frame = frames.next_message().unwrap().unwrap();
        let Request::Session(mut session) = Request::from_frame(frame).unwrap() else {
            panic!("no session");
        };
        session.backup = Some(session.place.clone());
        message.legs[0].request = Request::Session(session).to_frame();
        let refused = Spec::from_message(&message).unwrap_err();
        assert!(refused.to_string().contains("keeps"), "{refused}");
    }
}
