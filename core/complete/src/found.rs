//! What a machine says is there.

use std::{sync::Arc, time::Duration};

use blit_contract::{Cx, ListOptions, Peer, RelPath, Store};
use blit_control::{Client, Identity, NodeId};
use blit_engine::{RemoteStore, ask_status};
use blit_wire::Place;
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::{Completer, Found};

/// Nobody reads more names than that.
const NAMES_MAX: usize = 4_096;

/// Asks the machine with that key what is at `place`, or for its modules; `None` if it does not answer in
/// time, or not well.
pub(crate) fn ask(
    completer: &Completer,
    (id, addresses): (NodeId, &[String]),
    place: Option<&Place>,
    budget: Duration,
) -> Option<Vec<Found>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let answer = runtime.block_on(within(budget, async {
        let identity = Identity::load(&completer.state).ok()??;
        let lanes = Arc::clone(&completer.lanes);
        let client = Client::connect(&identity, id, addresses, lanes)
            .await
            .ok()?;
        match place {
            Some(place) => entries(Arc::new(client), place).await,
            None => modules(&client).await,
        }
    }));
    // A name server that does not answer holds a thread, and nobody waits for it.
    runtime.shutdown_background();
    answer
}

/// What comes of it, if that is soon.
async fn within<T>(budget: Duration, answer: impl Future<Output = Option<T>>) -> Option<T> {
    timeout(budget, answer).await.ok().flatten()
}

async fn modules(client: &Client) -> Option<Vec<Found>> {
    let status = ask_status(&Cx::default(), client).await.ok()?;
    let modules = status.modules.iter().take(NAMES_MAX);
    Some(
        modules
            .filter_map(|module| Found::new(module.name.as_bytes(), true))
            .collect(),
    )
}

async fn entries(client: Arc<dyn Peer>, place: &Place) -> Option<Vec<Found>> {
    let store = RemoteStore::new(client, place.clone());
    let (cx, root) = (Cx::default(), RelPath::ROOT);
    let mut batches = store.list(&cx, &root, ListOptions::flat());
    let mut found = Vec::new();
    while let Some(batch) = batches.next().await {
        let entries = batch.ok()?.entries.into_iter();
        found.extend(entries.filter_map(|it| Found::new(it.name.as_bytes(), it.is_directory())));
        if found.len() >= NAMES_MAX {
            found.truncate(NAMES_MAX);
            break;
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without the budget this one would never end.
    #[tokio::test(start_paused = true)]
    async fn who_does_not_answer_in_time_is_not_waited_for() {
        let never = within(
            Duration::from_millis(250),
            std::future::pending::<Option<()>>(),
        );
        assert_eq!(never.await, None);
        assert_eq!(within(Duration::ZERO, async { Some(1) }).await, Some(1));
    }
}
