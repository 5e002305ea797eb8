//! The messages of the session stream.

use blit_contract::{Diff, DiffKind, EntryBatch, Replace};
use bytes::Bytes;
use prost::Message as _;

use super::{
    BadMessage, Decoded, at_most, counts,
    nouns::{entry, path, to_entry, to_path},
};
use crate::{
    BLOCK_BYTES, LEDGER_DIGESTS_MAX, LISTING_ENTRIES_MAX, Message, NEEDS_MAX, SETTLED_MAX, Seal,
    Settled, Summary, Unsealed, Verb,
    framing::framed,
    message::{Accept, Hello, Ledger, Open},
    proto::{self, message::Body},
};

impl Message {
    /// The message as it crosses a stream, behind its length.
    #[must_use]
    pub fn to_frame(&self) -> Bytes {
        framed(&proto::Message {
            body: Some(body(self)),
        })
    }

    /// The message in `bytes`, which stood behind their length.
    ///
    /// # Errors
    /// [`BadMessage`], after which nothing more may be taken from the peer.
    pub fn from_frame(bytes: Bytes) -> Result<Self, BadMessage> {
        counts::check(&bytes, counts::MESSAGE)?;
        let message = proto::Message::decode(bytes)?;
        to_message(message.body.ok_or(BadMessage::Missing("the body"))?)
    }
}

fn body(message: &Message) -> Body {
    match message {
        Message::Accept(Accept { version }) => Body::Accept(proto::Accept { version: *version }),
        Message::Hello(Hello { versions }) => Body::Hello(proto::Hello {
            oldest: versions.0,
            newest: versions.1,
        }),
        Message::Listing(batch) => Body::Listing(proto::Listing {
            directory: Some(path(&batch.directory)),
            entries: batch.entries.iter().map(entry).collect(),
            last: batch.last,
        }),
        Message::Ledger(ledger) => Body::Ledger(proto::Ledger {
            need: ledger.need,
            block_bytes: ledger.block_bytes,
            digests: ledger.digests.concat().into(),
        }),
        Message::Needs(diffs) => Body::Needs(proto::Needs {
            needs: diffs.iter().map(need).collect(),
        }),
        Message::NeedsDone => Body::NeedsDone(proto::NeedsDone {}),
        Message::Open(open) => Body::Open(proto::Open {
            verb: verb(open.verb).into(),
            dry_run: open.dry_run,
            root: open.root.as_ref().map(entry),
            lanes: open.lanes,
        }),
        Message::Seal(Seal { entries }) => Body::Seal(proto::Seal { entries: *entries }),
        Message::Settled(settled) => Body::Settled(proto::SettledBatch {
            settled: settled
                .iter()
                .map(|one| proto::Settled {
                    path: Some(path(&one.path)),
                    entry: Some(entry(&one.entry)),
                })
                .collect(),
        }),
        Message::Summary(Summary { removed }) => {
            Body::Summary(proto::Summary { removed: *removed })
        }
        Message::Unsealed(Unsealed { entries, problems }) => Body::Unsealed(proto::Unsealed {
            entries: *entries,
            problems: *problems,
        }),
    }
}

fn to_message(body: Body) -> Decoded<Message> {
    Ok(match body {
        Body::Accept(accept) => Message::Accept(Accept {
            version: accept.version,
        }),
        Body::Hello(hello) => Message::Hello(Hello {
            versions: (hello.oldest, hello.newest),
        }),
        Body::Listing(listing) => Message::Listing(to_listing(listing)?),
        Body::Needs(needs) => {
            at_most(needs.needs.len(), NEEDS_MAX, "the needs")?;
            Message::Needs(
                needs
                    .needs
                    .into_iter()
                    .map(to_need)
                    .collect::<Decoded<_>>()?,
            )
        }
        Body::Ledger(ledger) => Message::Ledger(to_ledger(&ledger)?),
        Body::NeedsDone(_) => Message::NeedsDone,
        Body::Open(open) => Message::Open(Open {
            verb: to_verb(open.verb())?,
            dry_run: open.dry_run,
            root: open.root.map(|root| to_entry(Some(root))).transpose()?,
            lanes: open.lanes,
        }),
        Body::Seal(seal) => Message::Seal(Seal {
            entries: seal.entries,
        }),
        Body::Settled(batch) => {
            at_most(batch.settled.len(), SETTLED_MAX, "what is settled")?;
            let settled = batch.settled.into_iter().map(|one| {
                Ok(Settled {
                    path: to_path(one.path)?,
                    entry: to_entry(one.entry)?,
                })
            });
            Message::Settled(settled.collect::<Decoded<_>>()?)
        }
        Body::Summary(summary) => Message::Summary(Summary {
            removed: summary.removed,
        }),
        Body::Unsealed(unsealed) => Message::Unsealed(Unsealed {
            entries: unsealed.entries,
            problems: unsealed.problems,
        }),
    })
}

fn to_listing(listing: proto::Listing) -> Decoded<EntryBatch> {
    at_most(listing.entries.len(), LISTING_ENTRIES_MAX, "a listing")?;
    let mut batch = EntryBatch::new(to_path(listing.directory)?);
    let entries = listing.entries.into_iter();
    batch.entries = entries
        .map(|entry| to_entry(Some(entry)))
        .collect::<Decoded<_>>()?;
    batch.last = listing.last;
    Ok(batch)
}

fn to_ledger(ledger: &proto::Ledger) -> Decoded<Ledger> {
    const DIGEST_BYTES: usize = 32;
    let (digests, rest) = ledger.digests.as_chunks::<DIGEST_BYTES>();
    at_most(digests.len(), LEDGER_DIGESTS_MAX, "a ledger")?;
    let is_size = ledger.block_bytes.is_power_of_two() && BLOCK_BYTES.contains(&ledger.block_bytes);
    if !is_size || digests.is_empty() || !rest.is_empty() {
        return Err(BadMessage::Unknown("a ledger"));
    }
    Ok(Ledger {
        need: ledger.need,
        block_bytes: ledger.block_bytes,
        digests: digests.to_vec(),
    })
}

fn need(diff: &Diff) -> proto::Need {
    let kind = match diff.kind {
        DiffKind::Attributes => proto::NeedKind::Attributes,
        DiffKind::Digest => proto::NeedKind::Digest,
        _ => proto::NeedKind::Content,
    };
    proto::Need {
        id: diff.id,
        path: Some(path(&diff.path)),
        entry: Some(entry(&diff.entry)),
        kind: kind.into(),
        attempt: u32::from(diff.attempt),
    }
}

/// What a need may take the place of is the target's own business and does not cross.
fn to_need(need: proto::Need) -> Decoded<Diff> {
    let kind = match need.kind() {
        proto::NeedKind::Attributes => DiffKind::Attributes,
        proto::NeedKind::Content => DiffKind::Content,
        proto::NeedKind::Digest => DiffKind::Digest,
        proto::NeedKind::Unspecified => return Err(BadMessage::Unknown("the kind of a need")),
    };
    let (path, entry) = (to_path(need.path)?, to_entry(need.entry)?);
    let mut diff = Diff::new(path, entry, kind, Replace::Nothing);
    diff.id = need.id;
    diff.attempt = u8::try_from(need.attempt).map_err(|_| BadMessage::TooLarge("an attempt"))?;
    Ok(diff)
}

pub(super) fn verb(verb: Verb) -> proto::Verb {
    match verb {
        Verb::Check => proto::Verb::Check,
        Verb::Copy => proto::Verb::Copy,
        Verb::Mirror => proto::Verb::Mirror,
        Verb::Move => proto::Verb::Move,
    }
}

pub(super) fn to_verb(verb: proto::Verb) -> Decoded<Verb> {
    match verb {
        proto::Verb::Check => Ok(Verb::Check),
        proto::Verb::Copy => Ok(Verb::Copy),
        proto::Verb::Mirror => Ok(Verb::Mirror),
        proto::Verb::Move => Ok(Verb::Move),
        proto::Verb::Unspecified => Err(BadMessage::Unknown("the verb")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEWEST: u64 = *BLOCK_BYTES.start();

    fn ledger(block_bytes: u64, digests: usize) -> Ledger {
        Ledger {
            need: 7,
            block_bytes,
            digests: vec![[3; 32]; digests],
        }
    }

    fn crossed(sent: Ledger) -> Result<Message, BadMessage> {
        let frame = Message::Ledger(sent).to_frame();
        Message::from_frame(frame.slice(4..))
    }

    #[test]
    fn a_ledger_crosses_as_it_is() {
        for size in [FEWEST, FEWEST * 2, *BLOCK_BYTES.end()] {
            let sent = ledger(size, LEDGER_DIGESTS_MAX);
            let Ok(Message::Ledger(received)) = crossed(sent.clone()) else {
                panic!("{size} was refused");
            };
            assert_eq!(received, sent);
        }
    }

    #[test]
    fn a_ledger_with_impossible_blocks_or_too_many_is_refused() {
        for size in [0, 1, FEWEST / 2, FEWEST + 1, BLOCK_BYTES.end() * 2, 1 << 63] {
            let refused = crossed(ledger(size, 1)).unwrap_err();
            assert_eq!(refused, BadMessage::Unknown("a ledger"), "{size}");
        }
        let refused = crossed(ledger(FEWEST, LEDGER_DIGESTS_MAX + 1)).unwrap_err();
        assert_eq!(refused, BadMessage::TooLarge("a ledger"));
        let refused = crossed(ledger(FEWEST, 0)).unwrap_err();
        assert_eq!(refused, BadMessage::Unknown("a ledger"));
        for size in [1, 31, 33] {
            let ragged = proto::Ledger {
                need: 1,
                block_bytes: FEWEST,
                digests: vec![0; size].into(),
            };
            assert!(to_ledger(&ragged).is_err(), "{size}");
        }
    }
}
