//! Whether what is exported can be had, for programs that watch machines: `grpc.health.v1`.

use std::{pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_core::Stream;
use futures_util::stream;
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_server::{Health as Calls, HealthServer},
};

use crate::VerifiedPeer;

/// How often whoever watches is looked after.
const BEAT: Duration = Duration::from_secs(1);

/// No name of a module is longer.
const REQUEST_BYTES_MAX: usize = 1 << 10;

/// How something that is exported does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It can be had.
    Serving,
    /// It is there, and cannot be had now.
    NotServing,
    /// It will not be had again: the daemon ends.
    Ending,
    /// There is no such thing for whoever asks.
    Unknown,
}

impl Health {
    fn status(self) -> ServingStatus {
        match self {
            Self::Serving => ServingStatus::Serving,
            Self::NotServing | Self::Ending => ServingStatus::NotServing,
            Self::Unknown => ServingStatus::ServiceUnknown,
        }
    }
}

/// Who knows how it does: for a peer, or for the administrator; the daemon as a whole is `""`.
pub(crate) type Judge = Arc<dyn Fn(Option<&VerifiedPeer>, &str) -> Health + Send + Sync>;

pub(crate) struct HealthService(Judge);

/// The service that asks `judge`.
pub(crate) fn service(judge: Judge) -> HealthServer<HealthService> {
    HealthServer::new(HealthService(judge)).max_decoding_message_size(REQUEST_BYTES_MAX)
}

type Answers = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[async_trait]
impl Calls for HealthService {
    type WatchStream = Answers;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let peer = request.extensions().get::<VerifiedPeer>();
        match (self.0)(peer, &request.get_ref().service) {
            Health::Unknown => Err(Status::not_found("there is no such service")),
            health => Ok(Response::new(answer(health))),
        }
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Answers>, Status> {
        let peer = request.extensions().get::<VerifiedPeer>().cloned();
        let service = request.into_inner().service;
        let judge = Arc::clone(&self.0);
        let ask = move || judge(peer.as_ref(), &service);
        Ok(Response::new(Box::pin(changes(ask))))
    }
}

/// How it does now, and then each time that it changes, until it ends.
fn changes(
    ask: impl Fn() -> Health + Send,
) -> impl Stream<Item = Result<HealthCheckResponse, Status>> + Send {
    let beat = tokio::time::interval(BEAT);
    stream::unfold((beat, None, ask), |(mut beat, told, ask)| async move {
        if told == Some(Health::Ending) {
            return None;
        }
        loop {
            beat.tick().await;
            let health = ask();
            if told != Some(health) {
                return Some((Ok(answer(health)), (beat, Some(health), ask)));
            }
        }
    })
}

fn answer(health: Health) -> HealthCheckResponse {
    HealthCheckResponse {
        status: health.status().into(),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use parking_lot::Mutex;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_watches_hears_of_changes_only_and_of_the_end() {
        let states = [
            Health::Serving,
            Health::Serving,
            Health::NotServing,
            Health::NotServing,
            Health::Ending,
        ];
        let states = Mutex::new(states.into_iter());
        let ask = move || states.lock().next().unwrap();
        let told: Vec<_> = changes(ask).map(|it| it.unwrap().status()).collect().await;
        let expected = [
            ServingStatus::Serving,
            ServingStatus::NotServing,
            ServingStatus::NotServing,
        ];
        assert_eq!(told, expected);
    }
}
