//! Where jobs are asked about: by the administrator over the local socket, and by paired machines.

use std::sync::Arc;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use tonic::{Request, Response, Status, transport::Channel};

use crate::{
    JobLines, JobRefusal, ManageJobs, VerifiedPeer,
    proto::{
        CancelJobReply, CancelJobRequest, JobLine, JobRow, JobState, JobsReply, JobsRequest,
        WatchJobRequest,
        jobs_client::JobsClient,
        jobs_server::{Jobs, JobsServer},
    },
};

/// What a daemon may answer: all jobs that it remembers, each with its places.
const REPLY_BYTES_MAX: usize = 64 << 20;

/// No name of a job is longer.
const REQUEST_BYTES_MAX: usize = 1 << 10;

/// Who looks after the jobs for a peer, or for the administrator.
pub(crate) type Judge =
    Arc<dyn Fn(Option<&VerifiedPeer>) -> Result<Arc<dyn ManageJobs>, Status> + Send + Sync>;

pub(crate) struct JobsService(Judge);

/// The service that asks `judge` who may.
pub(crate) fn service(judge: Judge) -> JobsServer<JobsService> {
    JobsServer::new(JobsService(judge)).max_decoding_message_size(REQUEST_BYTES_MAX)
}

impl JobsService {
    fn for_whom<T>(&self, request: &Request<T>) -> Result<Arc<dyn ManageJobs>, Status> {
        (self.0)(request.extensions().get::<VerifiedPeer>())
    }
}

#[async_trait]
impl Jobs for JobsService {
    async fn list(&self, request: Request<JobsRequest>) -> Result<Response<JobsReply>, Status> {
        let jobs = self.for_whom(&request)?.all().await?;
        Ok(Response::new(JobsReply { jobs }))
    }

    type WatchStream = BoxStream<'static, Result<JobLine, Status>>;

    async fn watch(
        &self,
        request: Request<WatchJobRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let jobs = self.for_whom(&request)?;
        let told = jobs.watch(&request.into_inner().id).await?;
        Ok(Response::new(Box::pin(told.map(Ok))))
    }

    async fn cancel(
        &self,
        request: Request<CancelJobRequest>,
    ) -> Result<Response<CancelJobReply>, Status> {
        let jobs = self.for_whom(&request)?;
        let state = jobs.cancel(&request.into_inner().id).await?;
        Ok(Response::new(CancelJobReply {
            state: state.into(),
        }))
    }
}

/// The jobs of a daemon, for whoever may ask about them.
#[derive(Debug)]
pub struct JobsOf(JobsClient<Channel>);

impl JobsOf {
    pub(crate) fn behind(channel: Channel) -> Self {
        Self(JobsClient::new(channel).max_decoding_message_size(REPLY_BYTES_MAX))
    }

    /// Those that run, and those that are remembered.
    ///
    /// # Errors
    /// [`JobRefusal`]; so of all.
    pub async fn all(&mut self) -> Result<Vec<JobRow>, JobRefusal> {
        Ok(self.0.list(JobsRequest {}).await?.into_inner().jobs)
    }

    /// What a job tells; of no name the job that began last.
    ///
    /// # Errors
    /// [`JobRefusal`]
    pub async fn watch(&mut self, id: &str) -> Result<JobLines, JobRefusal> {
        let id = id.to_owned();
        let lines = self.0.watch(WatchJobRequest { id }).await?;
        Ok(JobLines(lines.into_inner()))
    }

    /// Stops a job; when it answers it has stopped, or was over.
    ///
    /// # Errors
    /// [`JobRefusal`]
    pub async fn cancel(&mut self, id: &str) -> Result<JobState, JobRefusal> {
        let id = id.to_owned();
        let reply = self.0.cancel(CancelJobRequest { id }).await?;
        Ok(reply.into_inner().state())
    }
}
