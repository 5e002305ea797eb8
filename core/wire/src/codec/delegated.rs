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
            backup: None,
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

    /// A session whose target keeps what it replaces, in that directory of its module.
    fn keeping(names: &[&[u8]]) -> SessionRequest {
        let names = names
            .iter()
            .map(|name| blit_contract::Name::new(name.to_vec()));
        let backup = Place {
            module: "m".to_owned(),
            path: names.collect::<Result<RelPath, _>>().unwrap(),
        };
        SessionRequest {
            backup: Some(backup),
            token: None,
            ..session(Role::Target)
        }
    }

    fn crossed(body: proto::request::Body) -> Result<Request, BadMessage> {
        let frame = framed(&proto::Request { body: Some(body) });
        Request::from_frame(frame.slice(4..))
    }

    #[test]
    fn a_backup_directory_comes_out_as_it_went_in_alone_and_in_a_pull() {
        for names in [&[&b"old"[..], b"\xff"][..], &[]] {
            let asked = keeping(names);
            assert_eq!(
                to_session_request(session_request(&asked)),
                Ok(asked.clone())
            );
            let pulled = PullRequest {
                session: asked,
                ..self::asked()
            };
            assert_eq!(to_pull(pull(&pulled)), Ok(pulled));
        }
    }

    #[test]
    fn a_target_that_is_to_keep_is_no_target_to_those_who_know_no_backup_directory() {
        let sent = session_request(&keeping(&[b"old"]));
        let known = [proto::Role::Source, proto::Role::Target].map(i32::from);
        assert!(!known.contains(&sent.role), "it would be played without");
        assert_eq!(session_request(&session(Role::Target)).role, known[1]);
    }

    #[test]
    fn a_backup_directory_without_its_role_or_with_names_that_are_none_is_refused() {
        let change: [fn(&mut proto::SessionRequest); 8] = [
            |it| it.role = proto::Role::Target.into(),
            |it| it.role = proto::Role::Source.into(),
            |it| it.backup = None,
            |it| it.backup.as_mut().unwrap().module = "m".repeat(1 << 14),
            |it| it.backup.as_mut().unwrap().path.as_mut().unwrap().names[0] = "..".into(),
            |it| it.backup.as_mut().unwrap().path.as_mut().unwrap().names[0] = "a/b".into(),
            |it| {
                it.backup.as_mut().unwrap().path.as_mut().unwrap().names[0] = vec![b'x'; 256].into()
            },
            |it| {
                it.backup.as_mut().unwrap().path.as_mut().unwrap().names =
                    vec![Bytes::from_static(b"d"); crate::PATH_NAMES_MAX + 1]
            },
        ];
        for (nth, change) in change.into_iter().enumerate() {
            let mut sent = session_request(&keeping(&[b"old"]));
            change(&mut sent);
            let body = proto::request::Body::Session(sent.clone());
            assert!(crossed(body).is_err(), "{nth}");
            let mut pull = pull(&asked());
            pull.session = Some(sent);
            assert!(crossed(proto::request::Body::Pull(pull)).is_err(), "{nth}");
        }
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
