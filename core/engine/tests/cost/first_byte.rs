//! Goal L6: the first byte leaves at once, however large the tree is.

use std::sync::{Arc, OnceLock};

use blit_engine::{Stop, Verb};
use blit_store_mem::SyntheticStore;

use crate::sink::Sink;
use crate::workload;

/// How many entries may be listed before the first content is written.
const LISTED_MAX: u64 = 500_000;

/// A count and no time: that many entries take a fraction of a second on any disk's cache, and ten
/// million do not.
async fn listed_before_the_first_byte(tree: SyntheticStore) -> u64 {
    let listed = Arc::new(OnceLock::new());
    let heard = Arc::clone(&listed);
    let report = workload::run(Verb::Copy, tree, move |job| {
        let (progress, cancel) = (Arc::clone(&job.progress), job.cancel.clone());
        Sink::telling(move || {
            let _ = heard.set(progress.scanned_entries.get());
            cancel.cancel();
        })
    })
    .await;
    assert!(matches!(report.stop, Some(Stop::Cancelled)), "{report:?}");
    *listed.get().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_byte_leaves_before_much_of_ten_million_entries_is_listed() {
    for per_directory in [10, 100, 3_000] {
        let tree = SyntheticStore::new(10_000_000, per_directory, 64);
        let listed = listed_before_the_first_byte(tree).await;
        eprintln!(
            "{per_directory} in each directory: {listed} entries listed before the first byte"
        );
        assert!(listed <= LISTED_MAX, "{listed} entries were listed first");
    }
}
