use blit_contract::{Durability, Name, Preserve, RelPath};
use blit_wire::{Compare, MaxDelete, Place, Role, Rules, Terms, Top, TopName, Verb};

use super::*;

const NOW: Time = Time {
    secs: 1_000_000,
    nanos: 0,
};
const STARTED: Duration = Duration::from_secs(3_600);

/// A machine that gives tokens, one that asks for them, and one that fetches.
struct Stage {
    _state: tempfile::TempDir,
    tokens: Tokens,
    by: NodeId,
    bearer: NodeId,
}

impl Stage {
    fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let own = Identity::load_or_create(state.path()).unwrap();
        Self {
            _state: state,
            tokens: Tokens::new(own).unwrap(),
            by: NodeId::from_bytes([1; 32]),
            bearer: NodeId::from_bytes([2; 32]),
        }
    }

    fn issue(&self, session: &SessionRequest) -> Issued {
        let errand = Errand::of(session);
        let between = (self.by, self.bearer);
        let issued = self.tokens.issue(&errand, between, (STARTED, NOW));
        issued.unwrap()
    }

    fn redeem(&self, text: &str, session: &SessionRequest) -> Result<Granted, TokenError> {
        self.redeem_at(text, session, STARTED)
    }

    fn redeem_at(
        &self,
        text: &str,
        session: &SessionRequest,
        up: Duration,
    ) -> Result<Granted, TokenError> {
        let errand = Errand::of(session);
        self.tokens.redeem(text, self.bearer, &errand, up)
    }
}

fn path(names: &[&str]) -> RelPath {
    let names = names.iter();
    names
        .map(|name| Name::new(name.as_bytes()).unwrap())
        .collect()
}

fn session() -> SessionRequest {
    SessionRequest {
        place: Place {
            module: "m".to_owned(),
            path: path(&["a", "b"]),
        },
        role: Role::Source,
        terms: Terms {
            verb: Verb::Copy,
            compare: Compare::Quick,
            dry_run: false,
            items: false,
            update: false,
            ignore_existing: false,
            one_file_system: false,
            specials: false,
            verify: false,
            max_delete: MaxDelete::Default,
            durability: Durability::None,
            preserve: Preserve::NONE,
        },
        top: Top::Contents,
        is_relayed: false,
        rules: Rules::default(),
        lanes: LaneWishes::default(),
        token: None,
        backup: None,
    }
}

fn changed(change: impl FnOnce(&mut SessionRequest)) -> SessionRequest {
    let mut session = session();
    change(&mut session);
    session
}

#[test]
fn a_token_serves_whom_it_names_for_what_it_says_and_says_on_whose_behalf() {
    let stage = Stage::new();
    let issued = stage.issue(&session());
    assert!(
        issued.text.len() <= TOKEN_BYTES_MAX,
        "{}",
        issued.text.len()
    );
    let token = Token::read(&issued.text).unwrap();
    assert_eq!(token.bearer(), stage.bearer);
    assert_eq!(token.audience(), stage.tokens.own.id());
    let granted = stage.redeem(&issued.text, &session()).unwrap();
    assert_eq!(granted.by, stage.by);
    assert_eq!(granted.session, issued.session);
    assert!(!format!("{issued:?}").contains(&issued.text));
}

#[test]
fn a_token_serves_once_whatever_came_of_it() {
    let stage = Stage::new();
    let issued = stage.issue(&session());
    stage.redeem(&issued.text, &session()).unwrap();
    let again = stage.redeem(&issued.text, &session());
    assert_eq!(again, Err(TokenError::Used));
    let wasted = stage.issue(&session());
    let elsewhere = changed(|it| it.place.module = "n".to_owned());
    let refused = stage.redeem(&wasted.text, &elsewhere);
    assert_eq!(refused, Err(TokenError::OtherPlace));
    let again = stage.redeem(&wasted.text, &session());
    assert_eq!(again, Err(TokenError::Used));
}

#[test]
fn a_token_grows_old_by_the_time_that_the_daemon_runs_whatever_the_time_of_day() {
    let stage = Stage::new();
    let end = STARTED + TOKEN_LIFETIME;
    for (up, taken) in [
        (STARTED, Ok(())),
        (end, Ok(())),
        (end + Duration::from_millis(1), Err(TokenError::Expired)),
        (end * 1_000, Err(TokenError::Expired)),
        (
            STARTED - Duration::from_millis(1),
            Err(TokenError::OtherRun),
        ),
    ] {
        // As a clock says that was set a century back or ahead meanwhile.
        for now in [Time::new(-3_000_000_000, 0), NOW, Time::new(i64::MAX, 0)] {
            let between = (stage.by, stage.bearer);
            let errand = Errand::of(&session());
            let issued = stage.tokens.issue(&errand, between, (STARTED, now));
            let issued = issued.unwrap();
            let redeemed = stage.redeem_at(&issued.text, &session(), up);
            assert_eq!(redeemed.map(drop), taken, "{up:?} {now:?}");
        }
    }
}

#[test]
fn a_token_of_another_run_or_another_machine_is_refused() {
    let stage = Stage::new();
    let text = stage.issue(&session()).text;
    let restarted = Tokens::new(stage.tokens.own.clone()).unwrap();
    let errand = Errand::of(&session());
    let shown = restarted.redeem(&text, stage.bearer, &errand, STARTED);
    assert_eq!(shown, Err(TokenError::OtherRun));
    let elsewhere = Stage::new();
    let shown = elsewhere.redeem(&text, &session());
    assert_eq!(shown, Err(TokenError::OtherAudience));
}

#[test]
fn a_token_in_other_hands_is_refused_and_still_serves_the_right_ones() {
    let stage = Stage::new();
    let text = stage.issue(&session()).text;
    let errand = Errand::of(&session());
    for other in [stage.by, stage.tokens.own.id()] {
        let shown = stage.tokens.redeem(&text, other, &errand, STARTED);
        assert_eq!(shown, Err(TokenError::OtherBearer));
    }
    stage.redeem(&text, &session()).unwrap();
}

#[test]
fn a_token_is_for_one_path_one_action_and_one_session() {
    let stage = Stage::new();
    let moving = |session: &mut SessionRequest| session.terms.verb = Verb::Move;
    let name = TopName::same(Name::new(b"f".to_vec()).unwrap());
    for (asked, refused) in [
        (
            changed(|it| it.place.path = path(&["a"])),
            TokenError::OtherPlace,
        ),
        (
            changed(|it| it.place.path = path(&["a", "b", "c"])),
            TokenError::OtherPlace,
        ),
        (
            // The same bytes, cut elsewhere.
            changed(|it| it.place.path = path(&["ab"])),
            TokenError::OtherPlace,
        ),
        (changed(moving), TokenError::OtherAction),
        (
            changed(|it| it.top = Top::Names(vec![name])),
            TokenError::OtherSession,
        ),
        (
            changed(|it| it.rules.bounds.size_max = Some(1)),
            TokenError::OtherSession,
        ),
        (
            changed(|it| it.terms.verb = Verb::Mirror),
            TokenError::OtherSession,
        ),
        (changed(|it| it.lanes.clear = true), TokenError::InClear),
    ] {
        let text = stage.issue(&session()).text;
        let redeemed = stage.redeem(&text, &asked);
        assert_eq!(redeemed, Err(refused), "{asked:?}");
    }
    // Less than was asked for is another session, too; but whoever may have clear lanes need not.
    let moved = stage.issue(&changed(moving)).text;
    let copied = stage.redeem(&moved, &session());
    assert_eq!(copied, Err(TokenError::OtherSession));
    let clear = stage.issue(&changed(|it| it.lanes.clear = true)).text;
    stage.redeem(&clear, &session()).unwrap();
}

#[test]
fn a_target_may_keep_less_and_leave_more_alone_than_was_asked_for() {
    let stage = Stage::new();
    let asked = changed(|it| it.terms.preserve.owner = true);
    let text = stage.issue(&asked).text;
    let narrower = changed(|it| it.terms.ignore_existing = true);
    stage.redeem(&text, &narrower).unwrap();
}

#[test]
fn no_character_of_a_token_can_be_another() {
    let stage = Stage::new();
    let text = stage.issue(&session()).text;
    for at in 0..text.len() {
        for other in ['A', 'B', '-', '.', '='] {
            let mut forged: Vec<char> = text.chars().collect();
            if forged[at] == other {
                continue;
            }
            forged[at] = other;
            let forged: String = forged.into_iter().collect();
            let shown = stage.redeem(&forged, &session());
            assert!(shown.is_err(), "{at} {other}");
        }
    }
    for (text, why) in [
        (String::new(), TokenError::NotOne),
        ("a.b".to_owned(), TokenError::NotOne),
        ("..".to_owned(), TokenError::NotOne),
        (format!("{text}.x"), TokenError::NotOne),
        ("x".repeat(TOKEN_BYTES_MAX), TokenError::NotOne),
        ("x".repeat(TOKEN_BYTES_MAX + 1), TokenError::TooLong),
    ] {
        assert_eq!(stage.redeem(&text, &session()), Err(why), "{text}");
    }
    // After all that it still serves.
    stage.redeem(&text, &session()).unwrap();
}

/// The text with other claims, and with the signature of whoever `signs`.
fn rewritten(text: &str, signs: &Identity, change: impl FnOnce(&mut Claims)) -> String {
    let mut claims = Token::read(text).unwrap().claims;
    change(&mut claims);
    let written = BASE64URL_NOPAD.encode(&claims.write().unwrap());
    let signed = format!("{}.{written}", claims.header());
    let signature = signs.sign(signed.as_bytes()).unwrap().signature;
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}

#[test]
fn claims_that_were_changed_need_the_key_of_the_issuer() {
    let stage = Stage::new();
    let other = tempfile::tempdir().unwrap();
    let other = Identity::load_or_create(other.path()).unwrap();
    let text = stage.issue(&session()).text;
    let later = rewritten(&text, &other, |claims| claims.up += 1);
    let shown = stage.redeem(&later, &session());
    assert_eq!(shown, Err(TokenError::Forged));
    let own = rewritten(&text, &other, |claims| {
        claims.iss = Bytes(*other.id().as_bytes());
    });
    let shown = stage.redeem(&own, &session());
    assert_eq!(shown, Err(TokenError::OtherAudience));
    // What signs a token is not read from it.
    for header in [
        r#"{"alg":"none","typ":"blit-dp+jwt","kid":""}"#,
        r#"{"typ":"blit-dp+jwt","alg":"EdDSA"}"#,
        "",
    ] {
        let (_, rest) = text.split_once('.').unwrap();
        let header = BASE64URL_NOPAD.encode(header.as_bytes());
        let shown = stage.redeem(&format!("{header}.{rest}"), &session());
        assert_eq!(shown, Err(TokenError::NotOne));
    }
}

#[test]
fn only_one_spelling_of_the_claims_is_taken() {
    let stage = Stage::new();
    let text = stage.issue(&session()).text;
    let claims = Token::read(&text).unwrap().claims.write().unwrap();
    let claims = String::from_utf8(claims).unwrap();
    for other in [
        format!("{claims} "),
        claims.replacen("\"v\":1", "\"v\":2", 1),
        claims.replacen("{", "{\"more\":1,", 1),
        claims.replacen("\"up\":", "\"up\": ", 1),
        claims.replacen("\"v\":1", "\"v\":1,\"v\":1", 1),
        claims.replacen("read", "\\u0072ead", 1),
    ] {
        assert_eq!(Claims::read(other.as_bytes()), None, "{other}");
    }
    assert!(Claims::read(claims.as_bytes()).is_some());
}

#[test]
fn as_many_tokens_as_are_remembered_are_taken_at_a_time_and_no_more() {
    let stage = Stage::new();
    let end = STARTED + TOKEN_LIFETIME;
    for number in 0..USED_MAX as u128 {
        let used = stage.tokens.use_up(number.to_le_bytes(), end, STARTED);
        assert_eq!(used, Ok(()));
    }
    let text = stage.issue(&session()).text;
    let one_more = stage.redeem(&text, &session());
    assert_eq!(one_more, Err(TokenError::Full));
    // Those that are too old anyway make room.
    let later = end + Duration::from_millis(1);
    let between = (stage.by, stage.bearer);
    let issued = stage
        .tokens
        .issue(&Errand::of(&session()), between, (later, NOW));
    let issued = issued.unwrap();
    stage.redeem_at(&issued.text, &session(), later).unwrap();
}
