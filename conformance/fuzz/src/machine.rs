//! The state machine, fed with whatever decodes.

use blit_wire::{Machine, Message, Role, Verb};

use crate::wire::messages;

/// The lowest bit of the first byte says which role speaks, the next whether this side opens the session,
/// and the two above those with what. The rest is a stream of messages.
pub(crate) fn run(bytes: &[u8]) {
    const VERBS: [Verb; 4] = [Verb::Check, Verb::Copy, Verb::Mirror, Verb::Move];
    let Some((choice, stream)) = bytes.split_first() else {
        return;
    };
    let peer = match choice & 1 {
        0 => Role::Source,
        _ => Role::Target,
    };
    let mut machine = Machine::facing(peer);
    let mut said = Said::by(peer);
    if choice & 2 != 0 {
        let verb = VERBS[usize::from(choice >> 2 & 3)];
        machine.opened(verb);
        said.verb = Some(verb);
    }
    for frame in messages(stream, stream.len().max(1)).0 {
        let Ok(message) = Message::from_frame(frame) else {
            return;
        };
        if let Err(violation) = machine.receive(&message) {
            assert!(!violation.to_string().is_empty(), "a refusal says why");
            return;
        }
        said.add(&message);
    }
}

/// What a peer has said that was let through: the rules once more, told as a story.
struct Said {
    peer: Role,
    verb: Option<Verb>,
    count: usize,
    listed: u64,
    has_sealed: bool,
    has_done: bool,
    is_over: bool,
}

impl Said {
    fn by(peer: Role) -> Self {
        Self {
            peer,
            verb: None,
            count: 0,
            listed: 0,
            has_sealed: false,
            has_done: false,
            is_over: false,
        }
    }

    fn add(&mut self, message: &Message) {
        let is_source = self.peer == Role::Source;
        assert!(!self.is_over, "the summary was the last");
        let is_greeting = matches!(message, Message::Hello(_));
        assert_eq!(is_greeting, self.count == 0, "hello comes first, and once");
        let begins = matches!(message, Message::Open(_) | Message::Accept(_));
        assert_eq!(begins, self.count == 1, "then open or accept, and once");
        self.count += 1;
        match message {
            Message::Open(open) => {
                assert!(self.verb.is_none(), "only one side opens");
                self.verb = Some(open.verb);
            }
            Message::Accept(_) => assert!(self.verb.is_some(), "nothing was opened"),
            Message::Listing(batch) => {
                assert!(is_source && !self.has_sealed);
                self.listed += batch.entries.len() as u64;
            }
            Message::Seal(seal) => self.seal(seal.entries),
            Message::Unsealed(unsealed) => self.seal(unsealed.entries),
            Message::Needs(_) => assert!(!is_source && !self.has_done),
            Message::NeedsDone => {
                assert!(!is_source && !self.has_done);
                self.has_done = true;
            }
            Message::Settled(_) => assert!(!is_source && self.verb == Some(Verb::Move)),
            Message::Summary(_) => self.is_over = true,
            _ => {}
        }
    }

    fn seal(&mut self, entries: u64) {
        assert!(self.peer == Role::Source && !self.has_sealed);
        assert_eq!(entries, self.listed);
        self.has_sealed = true;
    }
}
