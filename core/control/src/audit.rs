//! The record of who did what: lines of JSON, each holding the digest of the one before.
//!
//! A line that was changed, taken out or moved breaks the chain, and [`verify`] names it. Whoever can write
//! the file and has this program can of course write another chain: it shows tampering, it does not
//! prevent it.

mod verify;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Identity, private_file};
pub use verify::{AuditFlaw, Verified, verify};

/// The file that is written now.
const CURRENT: &str = "audit.jsonl";
/// Holds how far the log was when it was last made safe: what is cut off its end is missed.
const HEAD: &str = "head";
/// What the first line of all has before it.
const NOTHING_BEFORE: &str = "";
/// No line is longer: what others have a say in is cut to fit.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// Of each text that others have a say in. Escaped, it is at most six times as long.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// What happened.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AuditEvent {
    /// Who: a peer, or `local` for the administrator.
    pub actor: String,
    /// Its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// From where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What it did, or wished to do.
    pub action: &'static str,
    /// With what: a module and a path in it, or a peer.
    pub object: String,
    /// `allow` or `deny`.
    pub decision: &'static str,
    /// How it ended, or why it was denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The session that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// How many bytes were copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// How many entries there were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// How many were deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<u64>,
    /// Of a checkpoint: the key of the machine, and its signature of all lines before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

/// The action of a line that signs all lines before it.
const CHECKPOINT: &str = "audit.checkpoint";

/// The log in its folder, open for writing.
#[derive(Debug)]
pub struct AuditLog {
    folder: PathBuf,
    file: File,
    /// Where the last whole line ends.
    end: u64,
    /// Of the last line.
    number: u64,
    sum: String,
    /// Of the last checkpoint that this process wrote.
    signed: u64,
}

impl AuditLog {
    /// Opens the log in `folder`, behind its last line. Half a line that a crash left is cut off, and
    /// that is written down.
    ///
    /// # Errors
    /// If it cannot be written, or its last line is none of ours.
    pub fn open(folder: &Path) -> io::Result<Self> {
        private_file::make_directory(folder)?;
        let path = folder.join(CURRENT);
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
            .open(&path)?;
        let size = file.metadata()?.len();
        let mut tail = Vec::new();
        file.seek(SeekFrom::Start(size.saturating_sub(2 * LINE_BYTES_MAX)))?;
        file.read_to_end(&mut tail)?;
        let whole = tail
            .iter()
            .rposition(|it| *it == b'\n')
            .map_or(0, |at| at + 1);
        let torn = tail.len() - whole;
        let end = size - torn as u64;
        let (number, sum) = match tail[..whole].split(|it| *it == b'\n').rev().nth(1) {
            Some(line) => verify::place_of(line).ok_or_else(|| {
                let text = format!("the last line of {} is none of ours", path.display());
                io::Error::new(io::ErrorKind::InvalidData, text)
            })?,
            None => verify::last_of_closed(folder)?,
        };
        let folder = folder.to_owned();
        let mut log = Self {
            folder,
            file,
            end,
            number,
            sum,
            signed: 0,
        };
        if torn > 0 {
            log.file.set_len(end)?;
            log.append(&AuditEvent {
                actor: "local".to_owned(),
                action: "audit.mend",
                object: format!("{torn} bytes of an unfinished line"),
                decision: "allow",
                ..AuditEvent::default()
            })?;
        }
        Ok(log)
    }

    /// Adds a line. It is safe only after [`AuditLog::sync`].
    ///
    /// # Errors
    /// If it cannot be written; then nothing of it is there.
    pub fn append(&mut self, event: &AuditEvent) -> io::Result<()> {
        let number = self.number + 1;
        let mut event = event.clone();
        cut(&mut event.object);
        if let Some(result) = &mut event.result {
            cut(result);
        }
        let (line, sum) = line_of(number, &self.sum, &event)?;
        // Not over what somebody else has added meanwhile: that is found, not hidden.
        if let Err(cause) = self.file.write_all(line.as_bytes()) {
            drop(self.file.set_len(self.end));
            return Err(cause);
        }
        self.end += line.len() as u64;
        (self.number, self.sum) = (number, sum);
        Ok(())
    }

    /// How many lines there are that this process has not signed.
    #[must_use]
    pub fn unsigned(&self) -> u64 {
        self.number - self.signed
    }

    /// Adds a line with which this machine signs all lines before it. Whoever changes one of those, and
    /// all behind it, cannot make this line anew.
    ///
    /// # Errors
    /// If it cannot be written, or the key cannot sign.
    pub fn checkpoint(&mut self, identity: &Identity) -> io::Result<()> {
        let message = verify::signed_message(self.number + 1, &self.sum);
        let proof = identity.sign(message.as_bytes());
        let proof = proof.ok_or_else(|| io::Error::other("the key of this machine cannot sign"))?;
        self.append(&AuditEvent {
            actor: "local".to_owned(),
            key: Some(identity.id().to_string()),
            action: CHECKPOINT,
            decision: "allow",
            proof: Some(verify::proof_text(&proof)),
            ..AuditEvent::default()
        })?;
        self.signed = self.number;
        Ok(())
    }

    /// Removes closed files that were last written before `oldest`, and writes that down. The chain begins
    /// behind them then.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub fn remove_before(&mut self, oldest: SystemTime) -> io::Result<()> {
        for file in verify::closed(&self.folder)? {
            // What comes behind it is newer.
            if fs::metadata(&file)?.modified()? >= oldest {
                break;
            }
            fs::remove_file(&file)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            self.append(&AuditEvent {
                actor: "local".to_owned(),
                action: "audit.remove",
                object: name.into_owned(),
                decision: "allow",
                ..AuditEvent::default()
            })?;
        }
        Ok(())
    }

    /// Returns once all lines are on storage.
    ///
    /// # Errors
    /// If they are not.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()?;
        let head = format!("{} {}\n", self.number, self.sum);
        let path = self.folder.join(HEAD);
        let open = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path);
        // It is one small write in place. After a crash it is an older one, which is as true.
        let file = open?;
        file.write_all_at(head.as_bytes(), 0)?;
        file.set_len(head.len() as u64)
    }

    /// Whether the file has this size.
    #[must_use]
    pub fn is_due(&self, bytes_max: u64) -> bool {
        self.end >= bytes_max
    }

    /// Closes the file and begins a new one if it has this size. The chain goes on.
    ///
    /// # Errors
    /// If the file cannot be renamed or the new one not be made.
    pub fn rotate(&mut self, bytes_max: u64) -> io::Result<()> {
        if !self.is_due(bytes_max) {
            return Ok(());
        }
        self.sync()?;
        let closed = self.folder.join(format!("audit-{:012}.jsonl", self.number));
        fs::rename(self.folder.join(CURRENT), closed)?;
        let signed = self.signed;
        *self = Self::open(&self.folder)?;
        self.signed = signed;
        Ok(())
    }
}

/// The line, and its digest, which the next one holds.
fn line_of(number: u64, before: &str, event: &AuditEvent) -> io::Result<(String, String)> {
    let mut fields = Map::new();
    fields.insert("seq".to_owned(), number.into());
    let time = jiff::Timestamp::now().strftime("%FT%T%.3fZ").to_string();
    fields.insert("time".to_owned(), time.into());
    fields.insert("prev".to_owned(), before.into());
    if let Value::Object(event) = serde_json::to_value(event)? {
        fields.extend(event);
    }
    let text = serde_json::to_string(&fields)?;
    let sum = sum_of(&text);
    let open = text.strip_suffix('}').unwrap_or(&text);
    Ok((format!("{open},\"sum\":\"{sum}\"}}\n"), sum))
}

/// A name that fills the log would hide what others did.
fn cut(text: &mut String) {
    if text.len() > TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        text.push('…');
    }
}

fn sum_of(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests;
