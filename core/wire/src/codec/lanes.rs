//! How the lanes of a session may be opened.

use blit_contract::{Endpoint, Offer, SecurityClass, SessionGrant, TransportCaps};
use bytes::Bytes;

use super::{BadMessage, Decoded, at_most, at_place, place_of, words::word};
use crate::{
    LaneWishes, LanesUsed,
    limits::{OFFERS_MAX, TEXT_BYTES_MAX},
    proto,
};

const CLASSES: &[SecurityClass] = &[
    SecurityClass::TrustedNetwork,
    SecurityClass::Encrypted,
    SecurityClass::SameMachine,
];

pub(super) fn wishes(wishes: LaneWishes) -> proto::LaneWishes {
    proto::LaneWishes {
        clear: wishes.clear,
        machine: match wishes.machine {
            Some(proof) => Bytes::copy_from_slice(&proof),
            None => Bytes::new(),
        },
    }
}

pub(super) fn to_wishes(wishes: proto::LaneWishes) -> Decoded<LaneWishes> {
    let machine = match wishes.machine.len() {
        0 => None,
        _ => {
            let proof = wishes.machine[..].try_into();
            Some(proof.map_err(|_| BadMessage::Unknown("the proof of a machine"))?)
        }
    };
    Ok(LaneWishes {
        clear: wishes.clear,
        machine,
    })
}

pub(super) fn grant(grant: &SessionGrant) -> proto::SessionAccepted {
    let offers = grant.offers.iter().map(|offer| proto::LaneOffer {
        scheme: offer.endpoint.scheme.clone(),
        authority: offer.endpoint.authority.clone(),
        security: place_of(CLASSES, &offer.security),
    });
    proto::SessionAccepted {
        session: Bytes::copy_from_slice(&grant.id),
        offers: offers.collect(),
    }
}

pub(super) fn to_grant(accepted: proto::SessionAccepted) -> Decoded<SessionGrant> {
    let id = accepted.session[..].try_into();
    at_most(accepted.offers.len(), OFFERS_MAX, "the ways to open lanes")?;
    let offers = accepted.offers.into_iter().map(|offer| {
        at_most(
            offer.scheme.len(),
            TEXT_BYTES_MAX,
            "the name of a transport",
        )?;
        at_most(offer.authority.len(), TEXT_BYTES_MAX, "an address")?;
        Ok(Offer::new(
            Endpoint::new(offer.scheme, offer.authority),
            TransportCaps::new(),
            at_place(CLASSES, offer.security, "a security class")?,
        ))
    });
    Ok(SessionGrant {
        id: id.map_err(|_| BadMessage::Unknown("the session"))?,
        offers: offers.collect::<Decoded<_>>()?,
    })
}

pub(super) fn used(used: LanesUsed) -> proto::LanesUsed {
    proto::LanesUsed {
        transport: used.transport.to_owned(),
        security: place_of(CLASSES, &used.security),
        lanes: used.lanes,
    }
}

pub(super) fn to_used(used: proto::LanesUsed) -> Decoded<LanesUsed> {
    Ok(LanesUsed {
        transport: word(&used.transport),
        security: at_place(CLASSES, used.security, "a security class")?,
        lanes: used.lanes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_and_grants_come_out_as_they_went_in() {
        for machine in [None, Some([7; 32])] {
            let wished = LaneWishes {
                clear: true,
                machine,
            };
            assert_eq!(to_wishes(wishes(wished)), Ok(wished));
        }
        let offers = CLASSES.iter().map(|class| {
            let endpoint = Endpoint::new("tcp", "");
            Offer::new(endpoint, TransportCaps::new(), *class)
        });
        let granted = SessionGrant {
            id: [3; 16],
            offers: offers.collect(),
        };
        let back = to_grant(grant(&granted)).unwrap();
        assert_eq!(back.id, granted.id);
        let classes =
            |it: &SessionGrant| it.offers.iter().map(|it| it.security).collect::<Vec<_>>();
        assert_eq!(classes(&back), classes(&granted));
    }

    #[test]
    fn lanes_that_were_used_come_out_as_they_went_in() {
        for transport in ["grpc", "tcp", "unix"] {
            for security in CLASSES {
                let told = LanesUsed {
                    transport,
                    security: *security,
                    lanes: 4,
                };
                assert_eq!(to_used(used(told)), Ok(told));
            }
        }
        let nowhere = proto::LanesUsed::default();
        assert!(to_used(nowhere).is_err());
    }

    #[test]
    fn proofs_and_numbers_of_another_length_are_refused() {
        let short = proto::LaneWishes {
            clear: false,
            machine: Bytes::from_static(b"short"),
        };
        assert!(to_wishes(short).is_err());
        let short = proto::SessionAccepted {
            session: Bytes::from_static(b"short"),
            offers: Vec::new(),
        };
        assert!(to_grant(short).is_err());
    }
}
