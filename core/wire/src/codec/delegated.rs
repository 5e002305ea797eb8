//! What a client asks of the two machines of a session in which it has no part.

use std::net::SocketAddr;

use bytes::Bytes;

use super::{
    BadMessage, Decoded, at_most, needed,
    request::{place, session_request, to_place, to_session_request},
};
use crate::{PullRequest, TokenRequest, limits::TOKEN_BYTES_MAX, proto};

pub(super) fn token(wish: &TokenRequest) -> proto::TokenRequest {
    proto::TokenRequest {
        session: Some(session_request(&wish.session)),
        bearer: Bytes::copy_from_slice(&wish.bearer),
    }
}

pub(super) fn to_token(wish: proto::TokenRequest) -> Decoded<TokenRequest> {
    Ok(TokenRequest {
        session: to_session_request(needed(wish.session, "the session")?)?,
        bearer: to_machine(&wish.bearer)?,
    })
}

pub(super) fn pull(pull: &PullRequest) -> proto::PullRequest {
    let address = pull.address.map(|address| address.to_string());
    proto::PullRequest {
        session: Some(session_request(&pull.session)),
        source: Bytes::copy_from_slice(&pull.source),
        address: address.unwrap_or_default(),
        from: Some(place(&pull.from)),
        token: pull.token.clone(),
        bytes_per_sec: pull.bytes_per_sec.unwrap_or_default(),
    }
}

pub(super) fn to_pull(pull: proto::PullRequest) -> Decoded<PullRequest> {
    // An address and nothing that would have to be looked up.
    let address = match &*pull.address {
        "" => None,
        text => Some(text.parse::<SocketAddr>()),
    };
    let address = address.transpose();
    Ok(PullRequest {
        session: to_session_request(needed(pull.session, "the session")?)?,
        source: to_machine(&pull.source)?,
        address: address.map_err(|_| BadMessage::Unknown("an address"))?,
        from: to_place(pull.from)?,
        token: needed(to_text(pull.token)?, "the token")?,
        bytes_per_sec: (pull.bytes_per_sec > 0).then_some(pull.bytes_per_sec),
    })
}

/// A token; whoever made it takes it apart.
pub(super) fn to_text(token: String) -> Decoded<Option<String>> {
    at_most(token.len(), TOKEN_BYTES_MAX, "a token")?;
    Ok((!token.is_empty()).then_some(token))
}

fn to_machine(bytes: &[u8]) -> Decoded<[u8; 32]> {
    let id = bytes.try_into();
    id.map_err(|_| BadMessage::Unknown("the id of a machine"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Compare, LaneWishes, MaxDelete, Place, Request, Role, Rules, SessionRequest};
    use crate::{Terms, Top, Verb, framing::framed};
    use blit_contract::{Durability, Preserve, RelPath};

    fn session(role: Role) -> SessionRequest {
        let place = Place {
            module: "m".to_owned(),
            path: RelPath::ROOT,
        };
        let terms = Terms {
            verb: Verb::Move,
            compare: Compare::Quick,
            dry_run: false,
            items: true,
            update: false,
            ignore_existing: false,
            one_file_system: false,
            specials: false,
            verify: false,
            max_delete: MaxDelete::Default,
            durability: Durability::Batch,
            preserve: Preserve::NONE,
        };
        SessionRequest {
            place,
            role,
            terms,
            top: Top::Contents,
            is_relayed: false,
            rules: Rules::default(),
            lanes: LaneWishes::default(),
            token: Some("a.b.c".to_owned()),
        }
    }

    fn asked() -> PullRequest {
        PullRequest {
            session: session(Role::Target),
            source: [7; 32],
            address: Some("[2001:db8::1]:9031".parse().unwrap()),
            from: session(Role::Source).place,
            token: "x".repeat(TOKEN_BYTES_MAX),
            bytes_per_sec: Some(1),
        }
    }

    #[test]
    fn what_is_asked_of_either_machine_comes_out_as_it_went_in() {
        let wish = TokenRequest {
            session: session(Role::Source),
            bearer: [3; 32],
        };
        assert_eq!(to_token(token(&wish)), Ok(wish));
        assert_eq!(to_pull(pull(&asked())), Ok(asked()));
        let plain = PullRequest {
            address: None,
            bytes_per_sec: None,
            ..asked()
        };
        assert_eq!(to_pull(pull(&plain)), Ok(plain));
    }

    #[test]
    fn ids_addresses_and_tokens_that_are_none_are_refused() {
        let change: [fn(&mut proto::PullRequest); 7] = [
            |it| it.source = Bytes::from_static(b"short"),
            |it| it.address = "nas:9031".to_owned(),
            |it| it.address = "10.0.0.1".to_owned(),
            |it| it.token.push('x'),
            |it| it.token.clear(),
            |it| it.from = None,
            |it| it.session = None,
        ];
        for change in change {
            let mut pull = pull(&asked());
            change(&mut pull);
            let body = Some(proto::request::Body::Pull(pull.clone()));
            let frame = framed(&proto::Request { body });
            assert!(to_pull(pull).is_err());
            assert!(Request::from_frame(frame.slice(4..)).is_err());
        }
    }
}
