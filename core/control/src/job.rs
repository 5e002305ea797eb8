//! Jobs, as the administrator's end and the daemon speak of them.

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use tonic::{Code, Status, Streaming};

use crate::proto::{JobLine, JobRow, JobSpec, JobState, StartJobReply};

/// Why a daemon does nothing for a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JobRefusal {
    /// What is to be done cannot be done by a job.
    #[error("{0}")]
    Invalid(String),
    /// As many as may run, or watch, do.
    #[error("{0}")]
    Limit(String),
    /// The daemon does not answer, or not any more.
    #[error("{0}")]
    Lost(String),
    /// The daemon is about to end.
    #[error("the daemon is stopping")]
    Stopping,
    /// What the job is cannot be kept.
    #[error("{0}")]
    Unkept(String),
    /// There is no such job.
    #[error("there is no such job")]
    Unknown,
    /// The daemon does not know the other machine that takes part.
    #[error("{0}")]
    Unpaired(String),
    /// Whoever asks is not one that may.
    #[error("{0}")]
    Denied(String),
}

impl From<JobRefusal> for Status {
    fn from(refusal: JobRefusal) -> Self {
        let code = match refusal {
            JobRefusal::Invalid(_) => Code::InvalidArgument,
            JobRefusal::Limit(_) => Code::ResourceExhausted,
            JobRefusal::Lost(_) => Code::Unavailable,
            JobRefusal::Stopping => Code::Aborted,
            JobRefusal::Unkept(_) => Code::DataLoss,
            JobRefusal::Unknown => Code::NotFound,
            JobRefusal::Unpaired(_) => Code::FailedPrecondition,
            JobRefusal::Denied(_) => Code::PermissionDenied,
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<Status> for JobRefusal {
    fn from(status: Status) -> Self {
        let text = status.message().to_owned();
        match status.code() {
            Code::InvalidArgument | Code::OutOfRange => Self::Invalid(text),
            Code::ResourceExhausted => Self::Limit(text),
            Code::Aborted => Self::Stopping,
            Code::DataLoss => Self::Unkept(text),
            Code::NotFound => Self::Unknown,
            Code::FailedPrecondition => Self::Unpaired(text),
            Code::PermissionDenied | Code::Unauthenticated => Self::Denied(text),
            _ => Self::Lost(text),
        }
    }
}

/// The lines of a job, as they come.
pub type Told = BoxStream<'static, JobLine>;

/// Who looks after jobs.
#[async_trait]
pub trait ManageJobs: Send + Sync + 'static {
    /// Takes a job over.
    async fn start(&self, spec: JobSpec) -> Result<StartJobReply, JobRefusal>;
    /// Those that run, and those that are remembered.
    async fn all(&self) -> Result<Vec<JobRow>, JobRefusal>;
    /// What a job tells; of no name the job that began last.
    async fn watch(&self, id: &str) -> Result<Told, JobRefusal>;
    /// Stops a job, waits until it has, and answers what it is then.
    async fn cancel(&self, id: &str) -> Result<JobState, JobRefusal>;
}

/// What a job tells, at the administrator's end.
#[derive(Debug)]
pub struct JobLines(pub(crate) Streaming<JobLine>);

impl JobLines {
    /// The next line; nothing after the last one.
    ///
    /// # Errors
    /// The daemon is gone, or did not wait for this end.
    pub async fn next(&mut self) -> Result<Option<JobLine>, JobRefusal> {
        Ok(self.0.message().await?)
    }
}
