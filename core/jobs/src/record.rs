//! A job as it is kept: one file each, whole or not at all, which nobody else may read.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use blit_control::{jobs::JobRecord, private_file};
use prost::Message;

use crate::{BadSpec, JobState, Spec, id::is_id};

/// What the file begins with.
const MAGIC: &str = "blit-job";

/// The form that this program writes, and the newest that it reads.
const FORM: u32 = 1;

/// Nothing that we write is longer: a message of the control plane, and the lines that are kept.
const BYTES_MAX: u64 = 8 << 20;

/// What the names of the files end in.
const SUFFIX: &str = "job";

/// A job as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// What it is called.
    pub id: String,
    /// What it is to do.
    pub spec: Spec,
    /// What it was when it was written.
    pub state: JobState,
    /// When it began, RFC 3339 in UTC.
    pub began: String,
    /// When it ended; empty if it has not.
    pub ended: String,
    /// What a shell would have seen.
    pub exit: u8,
    /// What a late watcher is told.
    pub lines: Vec<String>,
}

/// Why a file is no job.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] io::Error),
    /// It is not as it was written.
    #[error("it is not as it was written: {0}")]
    Broken(&'static str),
    /// A later program has written it.
    #[error("it has form {0}, and this program reads form {FORM}")]
    Newer(u32),
    /// What it says is no job.
    #[error(transparent)]
    Spec(#[from] BadSpec),
}

impl Record {
    /// As the bytes of a file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let body = JobRecord {
            id: self.id.clone(),
            spec: Some(self.spec.to_message()),
            state: self.state.into(),
            began: self.began.clone(),
            ended: self.ended.clone(),
            exit: self.exit.into(),
            lines: self.lines.clone(),
        }
        .encode_to_vec();
        let sum = blake3::hash(&body).to_hex();
        let head = format!("{MAGIC} {FORM} {} {sum}\n", body.len());
        [head.into_bytes(), body].concat()
    }

    /// What such bytes say.
    ///
    /// # Errors
    /// [`RecordError`]
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let broken = RecordError::Broken;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (head, body) = bytes.split_at(end.ok_or(broken("it has no first line"))?);
        let body = &body[1..];
        let head = std::str::from_utf8(head).map_err(|_| broken("it begins with no text"))?;
        let words: Vec<&str> = head.split(' ').collect();
        let [MAGIC, form, length, sum] = words[..] else {
            return Err(broken("it does not say what it is"));
        };
        match form.parse() {
            Ok(FORM) => {}
            Ok(newer) => return Err(RecordError::Newer(newer)),
            Err(_) => return Err(broken("it does not say its form")),
        }
        if length.parse() != Ok(body.len()) {
            return Err(broken("it has another length than it says"));
        }
        if *blake3::hash(body).to_hex() != *sum {
            return Err(broken("it has another digest than it says"));
        }
        Self::from_body(body)
    }

    fn from_body(bytes: &[u8]) -> Result<Self, RecordError> {
        let broken = RecordError::Broken;
        let kept = JobRecord::decode(bytes).map_err(|_| broken("its fields"))?;
        let spec = kept.spec.as_ref().ok_or(broken("it has no job"))?;
        let exit = u8::try_from(kept.exit).map_err(|_| broken("its exit code"))?;
        let state = kept.state();
        match is_id(&kept.id) && state != JobState::Unspecified {
            true => Ok(Self {
                spec: Spec::from_message(spec)?,
                id: kept.id,
                state,
                began: kept.began,
                ended: kept.ended,
                exit,
                lines: kept.lines,
            }),
            false => Err(broken("its name, or its state")),
        }
    }

    /// Writes it to `folder`; answers how many bytes it has.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<u64> {
        let bytes = self.to_bytes();
        private_file::write(&file_of(folder, &self.id), &bytes)?;
        Ok(bytes.len() as u64)
    }

    pub(crate) fn read(folder: &Path, id: &str) -> Result<Self, RecordError> {
        let file = file_of(folder, id);
        if fs::metadata(&file)?.len() > BYTES_MAX {
            return Err(RecordError::Broken("it is too long"));
        }
        let record = Self::from_bytes(&private_file::read(&file)?)?;
        match record.id == id {
            true => Ok(record),
            false => Err(RecordError::Broken("it is of another job")),
        }
    }

    pub(crate) fn remove(folder: &Path, id: &str) -> io::Result<()> {
        fs::remove_file(file_of(folder, id))
    }
}

/// The jobs that are kept in `folder`, which need not be there.
pub(crate) fn ids(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut ids = Vec::new();
    for entry in entries {
        let name = PathBuf::from(entry?.file_name());
        let is_job = name.extension().is_some_and(|suffix| suffix == SUFFIX);
        let id = name.file_stem().and_then(|stem| stem.to_str());
        ids.extend(id.filter(|id| is_job && is_id(id)).map(str::to_owned));
    }
    ids.sort();
    Ok(ids)
}

fn file_of(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("{id}.{SUFFIX}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::copy;

    fn record() -> Record {
        Record {
            id: crate::new_id(jiff::Timestamp::UNIX_EPOCH),
            spec: copy(),
            state: JobState::Ended,
            began: "1970-01-01T00:00:00.000Z".to_owned(),
            ended: "1970-01-01T00:00:01.000Z".to_owned(),
            exit: 3,
            lines: vec!["{}".to_owned()],
        }
    }

    #[test]
    fn what_is_kept_is_read_again_and_nobody_else_may() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let jobs = folder.path().join("jobs");
        let record = record();
        record.write(&jobs).unwrap();
        assert_eq!(ids(&jobs).unwrap(), [&*record.id]);
        assert_eq!(Record::read(&jobs, &record.id).unwrap(), record);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&jobs), 0o700);
        assert_eq!(mode(&file_of(&jobs, &record.id)), 0o600);
    }

    #[test]
    fn what_was_cut_or_changed_or_is_of_a_later_form_is_refused() {
        let bytes = record().to_bytes();
        Record::from_bytes(&bytes).unwrap();
        for at in 0..bytes.len() {
            assert!(Record::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Record::from_bytes(&changed).is_err(), "changed at {at}");
        }
        let newer = [b"blit-job 2 ", &bytes["blit-job 1 ".len()..]].concat();
        let newer = Record::from_bytes(&newer).unwrap_err();
        assert!(matches!(newer, RecordError::Newer(2)), "{newer}");
    }

    #[test]
    fn a_record_under_another_name_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let record = record();
        record.write(folder.path()).unwrap();
        let other = crate::new_id(jiff::Timestamp::from_second(9).unwrap());
        fs::rename(
            file_of(folder.path(), &record.id),
            file_of(folder.path(), &other),
        )
        .unwrap();
        let error = Record::read(folder.path(), &other).unwrap_err();
        assert!(error.to_string().contains("another job"), "{error}");
    }
}
