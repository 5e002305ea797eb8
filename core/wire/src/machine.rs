//! The session as a state machine: which message is legal from whom, and when.

use crate::{
    LEDGER_DIGESTS_MAX, LISTING_ENTRIES_MAX, Message, NEEDS_MAX, SETTLED_MAX, VERSIONS, Verb,
    message::{Accept, Hello},
};

/// Which side of the session a machine watches the other side for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It reads trees.
    Source,
    /// It writes trees.
    Target,
}

/// A message that breaks the protocol. It ends the session: whoever sent it cannot be trusted further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// The batch is larger than the protocol allows.
    #[error("a {0} message holds more than the protocol allows")]
    TooLarge(&'static str),
    /// The seal counts other entries than were listed.
    #[error("the seal counts {sealed} entries, but {listed} were listed")]
    WrongCount {
        /// What the seal says.
        sealed: u64,
        /// What was listed.
        listed: u64,
    },
    /// The message may not come now.
    #[error("a {0} message came when none may")]
    WrongPhase(&'static str),
    /// The message may not come from that side.
    #[error("a {0} message came from the wrong side")]
    WrongSide(&'static str),
    /// The two sides share no version.
    #[error("the peer speaks versions {0} to {1}")]
    WrongVersion(u32, u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Greeting,
    Opening,
    Running,
    Over,
}

/// Judges the messages that one side receives.
#[derive(Debug)]
pub struct Machine {
    /// The role of the peer, whose messages are judged.
    peer: Role,
    phase: Phase,
    verb: Option<Verb>,
    listed: u64,
    listing_is_over: bool,
    needs_are_over: bool,
}

impl Machine {
    /// A machine for the side that talks with `peer`.
    #[must_use]
    pub fn facing(peer: Role) -> Self {
        Self {
            peer,
            phase: Phase::Greeting,
            verb: None,
            listed: 0,
            listing_is_over: false,
            needs_are_over: false,
        }
    }

    /// Notes which verb this side opened the session with.
    pub fn opened(&mut self, verb: Verb) {
        self.verb = Some(verb);
    }

    /// Judges a message of the peer.
    ///
    /// # Errors
    /// A [`Violation`], after which nothing more may be taken from the peer.
    pub fn receive(&mut self, message: &Message) -> Result<(), Violation> {
        match message {
            Message::Hello(hello) => self.greet(*hello),
            Message::Open(open) => self.open(open.verb),
            Message::Accept(Accept { version }) => self.accept(*version),
            Message::Listing(batch) => {
                self.from(Role::Source, "listing", !self.listing_is_over)?;
                self.listed += batch.entries.len() as u64;
                at_most(batch.entries.len(), LISTING_ENTRIES_MAX, "listing")
            }
            Message::Seal(seal) => self.end_listing("seal", seal.entries),
            Message::Unsealed(unsealed) => self.end_listing("unsealed", unsealed.entries),
            Message::Needs(needs) => {
                self.from(Role::Target, "needs", !self.needs_are_over)?;
                at_most(needs.len(), NEEDS_MAX, "needs")
            }
            Message::Ledger(ledger) => {
                self.from(Role::Target, "ledger", !self.needs_are_over)?;
                at_most(ledger.digests.len(), LEDGER_DIGESTS_MAX, "ledger")
            }
            Message::NeedsDone => {
                self.from(Role::Target, "end of needs", !self.needs_are_over)?;
                self.needs_are_over = true;
                Ok(())
            }
            Message::Settled(settled) => {
                self.from(Role::Target, "settled", self.verb == Some(Verb::Move))?;
                at_most(settled.len(), SETTLED_MAX, "settled")
            }
            Message::Summary(_) => {
                // What is left to say after it would never be heard.
                let has_said_all = match self.peer {
                    Role::Source => self.listing_is_over,
                    Role::Target => self.needs_are_over,
                };
                self.from(self.peer, "summary", has_said_all)?;
                self.phase = Phase::Over;
                Ok(())
            }
        }
    }

    fn greet(&mut self, hello: Hello) -> Result<(), Violation> {
        self.at(Phase::Greeting, "hello")?;
        let ours = Hello { versions: VERSIONS };
        ours.common_version(&hello)
            .ok_or(Violation::WrongVersion(hello.versions.0, hello.versions.1))?;
        self.phase = Phase::Opening;
        Ok(())
    }

    fn open(&mut self, verb: Verb) -> Result<(), Violation> {
        self.at(Phase::Opening, "open")?;
        if self.verb.is_some() {
            return Err(Violation::WrongSide("open"));
        }
        self.verb = Some(verb);
        self.phase = Phase::Running;
        Ok(())
    }

    fn accept(&mut self, version: u32) -> Result<(), Violation> {
        self.at(Phase::Opening, "accept")?;
        if self.verb.is_none() {
            return Err(Violation::WrongSide("accept"));
        }
        if version < VERSIONS.0 || version > VERSIONS.1 {
            return Err(Violation::WrongVersion(version, version));
        }
        self.phase = Phase::Running;
        Ok(())
    }

    fn end_listing(&mut self, what: &'static str, entries: u64) -> Result<(), Violation> {
        self.from(Role::Source, what, !self.listing_is_over)?;
        self.listing_is_over = true;
        if entries == self.listed {
            return Ok(());
        }
        Err(Violation::WrongCount {
            sealed: entries,
            listed: self.listed,
        })
    }

    fn at(&self, phase: Phase, what: &'static str) -> Result<(), Violation> {
        if self.phase == phase {
            Ok(())
        } else {
            Err(Violation::WrongPhase(what))
        }
    }

    fn from(&self, role: Role, what: &'static str, is_open: bool) -> Result<(), Violation> {
        if self.peer != role {
            return Err(Violation::WrongSide(what));
        }
        self.at(Phase::Running, what)?;
        if is_open {
            Ok(())
        } else {
            Err(Violation::WrongPhase(what))
        }
    }
}

fn at_most(count: usize, max: usize, what: &'static str) -> Result<(), Violation> {
    if count <= max {
        Ok(())
    } else {
        Err(Violation::TooLarge(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ledger, Open, Seal, Summary};
    use blit_contract::{EntryBatch, RelPath};

    fn hello() -> Message {
        Message::Hello(Hello { versions: VERSIONS })
    }

    fn open(verb: Verb) -> Open {
        Open {
            verb,
            dry_run: false,
            root: None,
            lanes: 1,
        }
    }

    /// What a target thinks of a source that opened the session.
    fn facing_an_open_source(verb: Verb) -> Machine {
        let mut machine = Machine::facing(Role::Source);
        machine.receive(&hello()).unwrap();
        machine.receive(&Message::Open(open(verb))).unwrap();
        machine
    }

    fn facing_an_open_target(verb: Verb) -> Machine {
        let mut machine = Machine::facing(Role::Target);
        machine.receive(&hello()).unwrap();
        machine.opened(verb);
        machine
            .receive(&Message::Accept(Accept { version: 1 }))
            .unwrap();
        machine
    }

    #[test]
    fn nothing_comes_before_hello() {
        let mut machine = Machine::facing(Role::Source);
        assert_eq!(
            machine.receive(&Message::Listing(EntryBatch::default())),
            Err(Violation::WrongPhase("listing"))
        );
    }

    #[test]
    fn a_source_never_needs_and_a_target_never_lists() {
        assert_eq!(
            facing_an_open_source(Verb::Copy).receive(&Message::Needs(vec![])),
            Err(Violation::WrongSide("needs"))
        );
        assert_eq!(
            facing_an_open_target(Verb::Copy)
                .receive(&Message::Listing(EntryBatch::new(RelPath::ROOT))),
            Err(Violation::WrongSide("listing"))
        );
    }

    #[test]
    fn a_seal_that_counts_wrong_is_a_violation() {
        assert_eq!(
            facing_an_open_source(Verb::Mirror).receive(&Message::Seal(Seal { entries: 1 })),
            Err(Violation::WrongCount {
                sealed: 1,
                listed: 0
            })
        );
    }

    #[test]
    fn nothing_is_listed_after_the_seal() {
        let mut machine = facing_an_open_source(Verb::Copy);
        machine
            .receive(&Message::Seal(Seal { entries: 0 }))
            .unwrap();
        assert_eq!(
            machine.receive(&Message::Listing(EntryBatch::default())),
            Err(Violation::WrongPhase("listing"))
        );
    }

    #[test]
    fn entries_settle_only_in_a_move() {
        assert!(
            facing_an_open_target(Verb::Move)
                .receive(&Message::Settled(vec![]))
                .is_ok()
        );
        assert_eq!(
            facing_an_open_target(Verb::Copy).receive(&Message::Settled(vec![])),
            Err(Violation::WrongPhase("settled"))
        );
    }

    #[test]
    fn a_ledger_comes_from_the_target_and_before_the_end_of_needs() {
        let ledger = |digests| {
            Message::Ledger(Ledger {
                need: 1,
                block_bytes: 1 << 16,
                digests: vec![[0; 32]; digests],
            })
        };
        assert_eq!(
            facing_an_open_source(Verb::Copy).receive(&ledger(1)),
            Err(Violation::WrongSide("ledger"))
        );
        let mut machine = facing_an_open_target(Verb::Copy);
        machine.receive(&ledger(LEDGER_DIGESTS_MAX)).unwrap();
        assert_eq!(
            machine.receive(&ledger(LEDGER_DIGESTS_MAX + 1)),
            Err(Violation::TooLarge("ledger"))
        );
        machine.receive(&Message::NeedsDone).unwrap();
        assert_eq!(
            machine.receive(&ledger(1)),
            Err(Violation::WrongPhase("ledger"))
        );
    }

    #[test]
    fn nothing_comes_after_the_summary() {
        let mut machine = facing_an_open_target(Verb::Copy);
        machine.receive(&Message::NeedsDone).unwrap();
        machine
            .receive(&Message::Summary(Summary::default()))
            .unwrap();
        assert_eq!(
            machine.receive(&Message::NeedsDone),
            Err(Violation::WrongPhase("end of needs"))
        );
    }

    #[test]
    fn a_summary_comes_when_all_was_listed_or_asked_for() {
        let early = Message::Summary(Summary::default());
        let refused = Err(Violation::WrongPhase("summary"));
        let mut source = facing_an_open_source(Verb::Copy);
        assert_eq!(source.receive(&early), refused);
        source
            .receive(&Message::Unsealed(crate::Unsealed {
                entries: 0,
                problems: 1,
            }))
            .unwrap();
        source.receive(&early).unwrap();
        assert_eq!(facing_an_open_target(Verb::Copy).receive(&early), refused);
    }

    #[test]
    fn peers_without_a_common_version_part() {
        let mut machine = Machine::facing(Role::Source);
        assert_eq!(
            machine.receive(&Message::Hello(Hello { versions: (7, 9) })),
            Err(Violation::WrongVersion(7, 9))
        );
    }
}
