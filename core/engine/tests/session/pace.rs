//! `--bwlimit` between two machines: what it costs in virtual time, whichever side holds the source.

use std::time::Duration;

use blit_engine::Verb;
use blit_store_mem::MemStore;
use tokio::time::Instant;

use crate::remote::{BOTH, Run, Way};

const MIB: usize = 1 << 20;

/// Large enough for ranges of its own, and as much again in small files.
fn source() -> MemStore {
    let store = MemStore::new();
    store.add_file("large", vec![7; 20 * MIB]).unwrap();
    for number in 0..80 {
        let content = vec![number; MIB / 4];
        store.add_file(&format!("small/{number}"), content).unwrap();
    }
    store
}

/// Copies 40 MiB; answers how long it took by the clock that only waiting moves.
async fn took(way: Way, bytes_per_sec: Option<u64>) -> Duration {
    let (source, target) = (source(), MemStore::new());
    let mut run = Run::new(Verb::Copy);
    run.options.bytes_per_sec = bytes_per_sec;
    let began = Instant::now();
    let (report, _) = run.go(way, &source, &target).await;
    assert!(report.is_clean(), "{way:?} {report:?}");
    assert_eq!(target.content("large"), source.content("large"), "{way:?}");
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_limit_holds_between_two_machines_either_way() {
    for way in BOTH {
        let took = took(way, Some(4 << 20)).await;
        // 10 s, but for the quarter of a second that is kept for later, and what waits at the ends.
        assert!(took >= Duration::from_millis(9_500), "{way:?} {took:?}");
        assert!(took <= Duration::from_millis(11_500), "{way:?} {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_nobody_waits_between_two_machines() {
    for way in BOTH {
        let took = took(way, None).await;
        assert!(took <= Duration::from_secs(2), "{way:?} {took:?}");
    }
}
