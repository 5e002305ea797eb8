//! Leave to fetch for somebody else: signed, for one machine, one session, once and soon.
//!
//! Whoever may read a tree asks the machine that has it for a token, and hands it to the machine that shall
//! fetch the tree. That one shows it where it came from. It is no key: it is worth nothing to anybody but
//! the machine that it names, and never gives more than that machine and the one that asked may do by
//! themselves. `docs/spec/session.md`, section 8, has the rules.

mod claims;

use std::{collections::HashMap, time::Duration};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use blit_contract::Time;
use blit_wire::{LaneWishes, Request, SessionRequest};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use parking_lot::Mutex;

use crate::{Identity, NodeId};
use claims::{Bytes, Claims, Op, Security};

/// No token is longer.
pub const TOKEN_BYTES_MAX: usize = 1_024;

/// How long a token serves: to begin, not to end.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(60);

/// How many tokens that were shown are remembered. As long as there are so many, no other is taken.
const USED_MAX: usize = 65_536;

/// How much of its number is told of a token: enough to find it again, too little to make it.
const MARK_CHARACTERS: usize = 8;

/// Why a token does not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The text is no token.
    #[error("that is no token")]
    NotOne,
    /// It is longer than a token can be.
    #[error("a token has at most {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    /// Whoever it names has not signed it.
    #[error("its signature is wrong")]
    Forged,
    /// It is for a machine that is another one than this, or was made by one.
    #[error("it is for another machine")]
    OtherAudience,
    /// It was given to another machine than the one that shows it.
    #[error("it was given to another machine")]
    OtherBearer,
    /// Its time is over.
    #[error("it is older than {} s", TOKEN_LIFETIME.as_secs())]
    Expired,
    /// It was made before this machine's daemon started, or after now.
    #[error("it is not of this run of the daemon")]
    OtherRun,
    /// It was shown before.
    #[error("it was used before")]
    Used,
    /// As many were shown as are remembered.
    #[error("too many tokens are in use")]
    Full,
    /// It is for another place.
    #[error("it is for another path")]
    OtherPlace,
    /// It is for doing something else there.
    #[error("it is for another action")]
    OtherAction,
    /// It is for other entries, or by other rules.
    #[error("it is for another session")]
    OtherSession,
    /// Data would cross in clear, and it does not say so.
    #[error("it is not for data in clear")]
    InClear,
    /// The system gives no random numbers, or the key does not sign.
    #[error("no token can be made here")]
    Unmade,
}

/// What a session does at its source: what a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errand {
    place: [u8; 32],
    what: [u8; 32],
    deletes: bool,
    is_clear: bool,
}

impl Errand {
    /// What a session of this request does at the source. Two requests have the same one if the same
    /// entries are read, and removed or not, in the same place.
    #[must_use]
    pub fn of(session: &SessionRequest) -> Self {
        let mut place = blake3::Hasher::new();
        let mut add = |bytes: &[u8]| {
            // With its length: what ends a name is not to be guessed.
            place.update(&(bytes.len() as u64).to_le_bytes());
            place.update(bytes);
        };
        add(session.place.module.as_bytes());
        for name in session.place.path.components() {
            add(name.as_bytes());
        }
        Self {
            place: *place.finalize().as_bytes(),
            what: *blake3::hash(&essence(session)).as_bytes(),
            deletes: session.removes(),
            is_clear: session.lanes.clear,
        }
    }

    fn ops(&self) -> Vec<Op> {
        match self.deletes {
            true => vec![Op::Read, Op::Delete],
            false => vec![Op::Read],
        }
    }

    fn security(&self) -> Security {
        match self.is_clear {
            true => Security::Clear,
            false => Security::Encrypted,
        }
    }
}

/// A request without what a target may choose by itself: its lanes, what it keeps, and what it leaves alone.
fn essence(session: &SessionRequest) -> bytes::Bytes {
    let mut bare = session.clone();
    bare.token = None;
    bare.lanes = LaneWishes::default();
    bare.terms.ignore_existing = false;
    bare.terms.preserve = blit_contract::Preserve::NONE;
    Request::Session(Box::new(bare)).to_frame()
}

/// A token as it was written, with nothing of it proved.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    claims: Claims,
    /// What is signed: everything before the last point.
    signed: String,
    signature: Vec<u8>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({})", self.mark())
    }
}

impl Token {
    /// Takes a text apart. There is one spelling of each token.
    ///
    /// # Errors
    /// [`TokenError::TooLong`], [`TokenError::NotOne`].
    pub fn read(text: &str) -> Result<Self, TokenError> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenError::NotOne)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::NotOne)?;
        let decode = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes());
        let claims = decode(claims).map_err(|_| TokenError::NotOne)?;
        let claims = Claims::read(&claims).ok_or(TokenError::NotOne)?;
        // What a token is signed with is not read from it: its header can be no other.
        if header != claims.header() {
            return Err(TokenError::NotOne);
        }
        Ok(Self {
            signed: signed.to_owned(),
            signature: decode(signature).map_err(|_| TokenError::NotOne)?,
            claims,
        })
    }

    /// As it is handed over; it is never told to anybody else.
    #[must_use]
    pub fn text(&self) -> String {
        let signature = BASE64URL_NOPAD.encode(&self.signature);
        format!("{}.{signature}", self.signed)
    }

    /// The machine that it is for, where the tree is.
    #[must_use]
    pub fn audience(&self) -> NodeId {
        self.claims.aud.node()
    }

    /// The machine that may show it.
    #[must_use]
    pub fn bearer(&self) -> NodeId {
        self.claims.sub.node()
    }

    /// What both machines call the session in their logs.
    #[must_use]
    pub fn session(&self) -> String {
        HEXLOWER.encode(&self.claims.sid.0)
    }

    /// Its number in the log.
    #[must_use]
    pub fn mark(&self) -> String {
        let mut mark = HEXLOWER.encode(&self.claims.jti.0);
        mark.truncate(MARK_CHARACTERS);
        mark
    }
}

/// A token that was made.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// As it is handed over; it is never told to anybody else.
    pub text: String,
    /// What the session is called in the logs.
    pub session: String,
    /// Its number in the log.
    pub mark: String,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issued({})", self.mark)
    }
}

/// What a token proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The machine that asked for it, on whose behalf it is used.
    pub by: NodeId,
    /// What the session is called in the logs.
    pub session: String,
}

/// The tokens of this machine: makes them, and takes each once.
#[derive(Debug)]
pub struct Tokens {
    own: Identity,
    /// Tokens of an earlier run are not remembered, and not taken.
    run: [u8; 16],
    /// Which were shown, and when they would have ended.
    used: Mutex<HashMap<[u8; 16], Duration>>,
}

impl Tokens {
    /// None yet.
    ///
    /// # Errors
    /// [`TokenError::Unmade`]
    pub fn new(own: Identity) -> Result<Self, TokenError> {
        Ok(Self {
            own,
            run: random()?,
            used: Mutex::default(),
        })
    }

    /// Makes one for the machine `bearer`, because the machine `by` asks for it. `up` is for how long this
    /// daemon has run: by that, and not by the time of day, a token grows old. `now` is for people.
    ///
    /// # Errors
    /// [`TokenError::Unmade`]
    pub fn issue(
        &self,
        errand: &Errand,
        (by, bearer): (NodeId, NodeId),
        (up, now): (Duration, Time),
    ) -> Result<Issued, TokenError> {
        let own = Bytes(*self.own.id().as_bytes());
        let iat = now.secs.max(0);
        let claims = Claims {
            v: claims::VERSION,
            iss: own.clone(),
            sub: Bytes(*bearer.as_bytes()),
            aud: own,
            by: Bytes(*by.as_bytes()),
            at: Bytes(errand.place),
            op: errand.ops(),
            what: Bytes(errand.what),
            sec: errand.security(),
            sid: Bytes(random()?),
            jti: Bytes(random()?),
            run: Bytes(self.run),
            iat,
            exp: iat.saturating_add_unsigned(TOKEN_LIFETIME.as_secs()),
            up: millis(up),
        };
        let written = claims.write().ok_or(TokenError::Unmade)?;
        let written = BASE64URL_NOPAD.encode(&written);
        let signed = format!("{}.{written}", claims.header());
        let signature = self.own.sign(signed.as_bytes()).ok_or(TokenError::Unmade)?;
        let token = Token {
            claims,
            signature: signature.signature,
            signed,
        };
        Ok(Issued {
            session: token.session(),
            mark: token.mark(),
            text: token.text(),
        })
    }

    /// Takes one that the machine `bearer`, whose key is proved, shows for `errand`. It serves no second
    /// time, whatever comes of it.
    ///
    /// # Errors
    /// [`TokenError`]
    pub fn redeem(
        &self,
        text: &str,
        bearer: NodeId,
        errand: &Errand,
        up: Duration,
    ) -> Result<Granted, TokenError> {
        let token = Token::read(text)?;
        let claims = &token.claims;
        if claims.iss.node() != self.own.id() || claims.aud.node() != self.own.id() {
            return Err(TokenError::OtherAudience);
        }
        if !self
            .own
            .has_signed(token.signed.as_bytes(), &token.signature)
        {
            return Err(TokenError::Forged);
        }
        if claims.sub.node() != bearer {
            return Err(TokenError::OtherBearer);
        }
        let made = Duration::from_millis(claims.up);
        if claims.run.0 != self.run || made > up {
            return Err(TokenError::OtherRun);
        }
        let end = made + TOKEN_LIFETIME;
        if up > end {
            return Err(TokenError::Expired);
        }
        self.use_up(claims.jti.0, end, up)?;
        is_for(claims, errand)?;
        Ok(Granted {
            by: claims.by.node(),
            session: token.session(),
        })
    }

    fn use_up(&self, number: [u8; 16], end: Duration, up: Duration) -> Result<(), TokenError> {
        let mut used = self.used.lock();
        if used.contains_key(&number) {
            return Err(TokenError::Used);
        }
        if used.len() >= USED_MAX {
            // Those need no memory any more: they are too old for another reason.
            used.retain(|_, end| *end >= up);
        }
        if used.len() >= USED_MAX {
            return Err(TokenError::Full);
        }
        used.insert(number, end);
        Ok(())
    }
}

/// Whether a token is for that.
fn is_for(claims: &Claims, errand: &Errand) -> Result<(), TokenError> {
    if claims.at.0 != errand.place {
        return Err(TokenError::OtherPlace);
    }
    if errand.ops().iter().any(|op| !claims.op.contains(op)) {
        return Err(TokenError::OtherAction);
    }
    if claims.what.0 != errand.what {
        return Err(TokenError::OtherSession);
    }
    if errand.security() < claims.sec {
        return Err(TokenError::InClear);
    }
    Ok(())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn random() -> Result<[u8; 16], TokenError> {
    let mut bytes = [0; 16];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| TokenError::Unmade).map(|()| bytes)
}

#[cfg(test)]
mod tests;
