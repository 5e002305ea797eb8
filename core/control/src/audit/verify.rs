//! Goes through the log and names the first line that is not as it was written.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use serde::Deserialize;

use super::{CHECKPOINT, CURRENT, HEAD, NOTHING_BEFORE, sum_of};
use crate::{NodeId, identity::Signature};

/// A log without a flaw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many lines it has.
    pub lines: u64,
    /// The number of its first line: those before are in files that are not here.
    pub first: u64,
    /// The machines that signed, in the order of their last signatures.
    pub signers: Vec<NodeId>,
    /// How many lines come after the last signature.
    pub unsigned: u64,
}

/// Why a log is not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditFlaw {
    /// It cannot be read.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is not as it was written.
    #[error("{path}, line {line}: {reason}")]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Lines are missing at its end.
    #[error("the log ends with number {found}, and was longer: it had {expected}")]
    CutOff {
        /// The number of the last line.
        found: u64,
        /// The number of the last line that there was.
        expected: u64,
    },
}

/// Checks a file of the log, or all files of its folder, in their order.
///
/// # Errors
/// [`AuditFlaw`] names the first line that is not as it was written.
pub fn verify(path: &Path) -> Result<Verified, AuditFlaw> {
    let failed = |source| AuditFlaw::File {
        path: path.to_owned(),
        source,
    };
    let mut chain = Chain::default();
    if !path.is_dir() {
        chain.file(path)?;
        return Ok(chain.end());
    }
    for file in files(path).map_err(failed)? {
        chain.file(&file)?;
    }
    let head = fs::read_to_string(path.join(HEAD)).unwrap_or_default();
    let expected = head.split(' ').next().and_then(|it| it.parse().ok());
    match expected {
        Some(expected) if expected > chain.number => Err(AuditFlaw::CutOff {
            found: chain.number,
            expected,
        }),
        _ => Ok(chain.end()),
    }
}

/// The closed files in their order, then the one that is written.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = closed(folder)?;
    let current = folder.join(CURRENT);
    if current.exists() || files.is_empty() {
        files.push(current);
    }
    Ok(files)
}

pub(super) fn closed(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|it| it.to_str());
        if name.is_some_and(|it| it.starts_with("audit-") && it.ends_with(".jsonl")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Number and digest of the last line of the closed files.
pub(super) fn last_of_closed(folder: &Path) -> io::Result<(u64, String)> {
    let Some(last) = closed(folder)?.pop() else {
        return Ok((0, NOTHING_BEFORE.to_owned()));
    };
    let text = fs::read(&last)?;
    let line = text.trim_ascii_end().rsplit(|it| *it == b'\n').next();
    line.and_then(place_of).ok_or_else(|| {
        let text = format!("the last line of {} is none of ours", last.display());
        io::Error::new(io::ErrorKind::InvalidData, text)
    })
}

/// Number and digest of a line.
pub(super) fn place_of(line: &[u8]) -> Option<(u64, String)> {
    let place: Place = serde_json::from_slice(line).ok()?;
    Some((place.seq, place.sum))
}

#[derive(Deserialize)]
struct Place {
    seq: u64,
    prev: String,
    sum: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    key: String,
    proof: Option<String>,
}

/// What a checkpoint signs: that it is this line, and behind which.
pub(super) fn signed_message(number: u64, before: &str) -> String {
    format!("blit audit checkpoint\n{number} {before}\n")
}

/// Key and signature as they stand in a line.
pub(super) fn proof_text(proof: &Signature) -> String {
    let (key, signature) = (
        HEXLOWER.encode(&proof.key),
        HEXLOWER.encode(&proof.signature),
    );
    format!("{key} {signature}")
}

/// Who signed this checkpoint.
fn signer_of(place: &Place) -> Option<NodeId> {
    let (key, signature) = place.proof.as_deref()?.split_once(' ')?;
    let proof = Signature {
        key: HEXLOWER.decode(key.as_bytes()).ok()?,
        signature: HEXLOWER.decode(signature.as_bytes()).ok()?,
    };
    let signer = proof.of(signed_message(place.seq, &place.prev).as_bytes())?;
    (signer.to_string() == place.key).then_some(signer)
}

/// How far the lines are checked.
#[derive(Default)]
struct Chain {
    first: Option<u64>,
    number: u64,
    sum: String,
    lines: u64,
    signers: Vec<NodeId>,
    unsigned: u64,
}

impl Chain {
    fn file(&mut self, path: &Path) -> Result<(), AuditFlaw> {
        let failed = |source| AuditFlaw::File {
            path: path.to_owned(),
            source,
        };
        let file = BufReader::new(File::open(path).map_err(failed)?);
        for (number, line) in (1..).zip(file.lines()) {
            let line = line.map_err(failed)?;
            self.line(&line).map_err(|reason| AuditFlaw::Line {
                path: path.to_owned(),
                line: number,
                reason,
            })?;
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let place: Place = serde_json::from_str(line).map_err(|_| "it is no line of the log")?;
        let ending = format!(",\"sum\":\"{}\"}}", place.sum);
        let text = line.strip_suffix(&ending).map(|text| format!("{text}}}"));
        if text.is_none_or(|text| sum_of(&text) != place.sum) {
            return Err("it was changed".to_owned());
        }
        let due = self.number.checked_add(1);
        if self.first.is_some() && due != Some(place.seq) {
            let due = due.map_or_else(|| "none".to_owned(), |it| it.to_string());
            return Err(format!("it has number {}, and {due} was due", place.seq));
        }
        let begins = self.first.is_none() && place.seq > 1;
        if !begins && place.prev != self.sum {
            return Err("it does not belong behind the line before it".to_owned());
        }
        self.unsigned += 1;
        if place.action == CHECKPOINT {
            let signer = signer_of(&place).ok_or("its signature is wrong")?;
            self.signers.retain(|known| *known != signer);
            self.signers.push(signer);
            self.unsigned = 0;
        }
        self.first.get_or_insert(place.seq);
        (self.number, self.sum) = (place.seq, place.sum);
        self.lines += 1;
        Ok(())
    }

    fn end(self) -> Verified {
        Verified {
            lines: self.lines,
            first: self.first.unwrap_or(1),
            signers: self.signers,
            unsigned: self.unsigned,
        }
    }
}
