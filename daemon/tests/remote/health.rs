//! What programs that watch machines are told: `grpc.health.v1`, of the daemon and of each module.

use std::fs;

use tonic::{Code, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::matrix::{Comes, Stage};

async fn asked(channel: &Channel, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let answer = HealthClient::new(channel.clone()).check(request).await;
    answer
        .map(|it| it.into_inner().status())
        .map_err(|status| status.code())
}

#[tokio::test]
async fn how_a_module_does_is_told_to_those_who_may_see_it_and_to_nobody_else() {
    let stage = Stage::new();
    let paired = stage.channel(Comes::Paired, 201).await.unwrap();
    fs::remove_dir_all(stage.scratch.path("away")).unwrap();
    for (service, expected) in [
        ("", Ok(ServingStatus::Serving)),
        ("ro", Ok(ServingStatus::Serving)),
        ("away", Ok(ServingStatus::NotServing)),
        ("hidden", Err(Code::NotFound)),
        ("nothing", Err(Code::NotFound)),
    ] {
        assert_eq!(asked(&paired, service).await, expected, "{service:?}");
    }
    for (from, who) in [(202, Comes::Unknown), (203, Comes::UnknownToPair)] {
        let stranger = stage.channel(who, from).await.unwrap();
        assert_eq!(asked(&stranger, "").await, Ok(ServingStatus::Serving));
        assert_eq!(asked(&stranger, "ro").await, Err(Code::NotFound));
    }
}

#[tokio::test]
async fn whoever_watches_a_module_hears_that_it_is_gone_and_back() {
    let stage = Stage::new();
    let paired = stage.channel(Comes::Paired, 204).await.unwrap();
    let request = HealthCheckRequest {
        service: "away".to_owned(),
    };
    let mut told = HealthClient::new(paired)
        .watch(request)
        .await
        .unwrap()
        .into_inner();
    let mut next = async || told.message().await.unwrap().unwrap().status();
    assert_eq!(next().await, ServingStatus::Serving);
    let (here, elsewhere) = (stage.scratch.path("away"), stage.scratch.path("elsewhere"));
    fs::rename(&here, &elsewhere).unwrap();
    assert_eq!(next().await, ServingStatus::NotServing);
    fs::rename(&elsewhere, &here).unwrap();
    assert_eq!(next().await, ServingStatus::Serving);
}
