//! How fast data crosses to a directory of another machine, and back: the real way, once.

use std::{
    fs, io,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use blit_config::units;
use blit_contract::{
    Cancel, Cx, Durability, Name, NoHistory, Peer, Planner, Preserve, RelPath, Result, Store,
    WritePolicy,
};
use blit_control::Client;
use blit_engine::{
    AlwaysYes, HalfRole, Options, Progress, RemoteJob, RemoteStore, Report, Source, Stop, Target,
    Top, TopName, Verb, run_remote,
};
use blit_lanes::same_machine_proof;
use blit_wire::{LaneWishes, Place, Rules};
use tokio::sync::mpsc;

use crate::{Check, Verdict};

/// How much crosses each way.
const BYTES: usize = 16 << 20;

/// A directory of another machine, and what moves data there.
pub struct Crossing<'a> {
    /// The machine.
    pub client: Arc<Client>,
    /// The directory. It is as it was before, afterwards.
    pub place: Place,
    /// Who chooses how to move what.
    pub planner: Arc<dyn Planner>,
    /// Opens a directory of this machine as a store that can be written.
    pub open: &'a (dyn Fn(&Path) -> Result<Arc<dyn Store>> + Sync),
    /// Ends it soon.
    pub cancel: Cancel,
}

/// Writes a hidden file there, reads it back, compares it, and removes it.
pub async fn check_rate(crossing: Crossing<'_>) -> Vec<Check> {
    let name = format!(".blit-doctor-{}", std::process::id());
    let Ok(name) = Name::new(name.into_bytes()) else {
        return Vec::new();
    };
    let checks = there_and_back(&crossing, &name).await;
    let removed = remove(&crossing, &name).await;
    let mut checks = checks.unwrap_or_else(|detail| {
        vec![Check::new(
            "rate",
            Verdict::Lacking,
            format!("not measured: {detail}"),
        )]
    });
    if let Err(error) = removed {
        checks.push(Check::new("removing", Verdict::Bad, error.to_string()));
    }
    checks
}

/// What came of it; or why it cannot be measured.
async fn there_and_back(
    crossing: &Crossing<'_>,
    name: &Name,
) -> std::result::Result<Vec<Check>, String> {
    let (out, back) = (scratch()?, scratch()?);
    let text = String::from_utf8_lossy(name.as_bytes()).into_owned();
    fs::write(out.path().join(&text), content()).map_err(|cause| cause.to_string())?;
    let open = |folder: &tempfile::TempDir| (crossing.open)(folder.path());
    let top = Top::Names(vec![TopName::same(name.clone())]);
    let store = open(&out).map_err(|error| error.to_string())?;
    let source = HalfRole::Source(Source {
        store,
        top: top.clone(),
    });
    let there = timed(crossing, source, Top::Contents).await?;
    let store = open(&back).map_err(|error| error.to_string())?;
    let target = HalfRole::Target(Target { store });
    let here = timed(crossing, target, top).await?;
    let read = fs::read(back.path().join(&text)).map_err(|cause| cause.to_string())?;
    let content = match read == content() {
        true => Check::new("content", Verdict::Good, "what was written was read back"),
        false => Check::new("content", Verdict::Bad, "another content was read back"),
    };
    let detail = format!("{} there, {} back", told(there), told(here));
    Ok(vec![Check::new("rate", Verdict::Good, detail), content])
}

fn scratch() -> std::result::Result<tempfile::TempDir, String> {
    tempfile::tempdir().map_err(|cause: io::Error| cause.to_string())
}

/// Bytes that are neither holes nor alike, and the same each time.
fn content() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(BYTES / 8).flatten().collect()
}

/// How long a session takes; or why it did not come to a good end.
async fn timed(
    crossing: &Crossing<'_>,
    role: HalfRole,
    top: Top,
) -> std::result::Result<Duration, String> {
    let began = Instant::now();
    let report = session(crossing, role, top).await;
    let took = began.elapsed();
    match (report.is_clean(), report.stop) {
        (true, _) => Ok(took),
        (false, Some(Stop::Failed(problem))) => Err(problem.error.to_string()),
        (false, Some(Stop::Cancelled)) => Err("it was stopped".to_owned()),
        (false, Some(Stop::NoRoom { .. })) => Err("there is no room for it".to_owned()),
        (false, _) => Err("the file did not arrive".to_owned()),
    }
}

async fn session(crossing: &Crossing<'_>, role: HalfRole, top: Top) -> Report {
    let (events, mut told) = mpsc::channel(64);
    // Nobody wants to hear of each step, and somebody has to.
    let listening = tokio::spawn(async move { while told.recv().await.is_some() {} });
    let mut options = Options::new(Verb::Copy);
    options.preserve = Preserve::NONE;
    let peer: Arc<dyn Peer> = Arc::<Client>::clone(&crossing.client);
    let machine = peer.info().channel_binding;
    let report = run_remote(RemoteJob {
        token: None,
        backup: None,
        place: crossing.place.clone(),
        top,
        lanes: LaneWishes {
            clear: false,
            machine: machine.and_then(|binding| same_machine_proof(&binding)),
        },
        rules: Rules::default(),
        role,
        planner: Arc::clone(&crossing.planner),
        options,
        confirm: Arc::new(AlwaysYes),
        history: Arc::new(NoHistory),
        events,
        progress: Arc::<Progress>::default(),
        cancel: crossing.cancel.clone(),
        peer,
    })
    .await;
    drop(listening.await);
    report
}

/// Removes what was written there, if it is there.
async fn remove(crossing: &Crossing<'_>, name: &Name) -> Result<()> {
    let cx = Cx::default();
    let peer: Arc<dyn Peer> = Arc::<Client>::clone(&crossing.client);
    let store = RemoteStore::new(peer, crossing.place.clone());
    let path = RelPath::ROOT.join(name.clone());
    let Some(entry) = store.stat(&cx, &path).await? else {
        return Ok(());
    };
    let policy = WritePolicy::new(Durability::Batch, Preserve::NONE);
    for end in store.delete(&cx, policy, vec![(path, entry)]).await? {
        end?;
    }
    Ok(())
}

fn told(took: Duration) -> String {
    let rate = BYTES as f64 / took.as_secs_f64().max(f64::EPSILON);
    format!("{}/s", units::size(rate as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_crosses_has_no_holes_and_no_two_pieces_alike() {
        let content = content();
        assert_eq!(content.len(), BYTES);
        let pieces: std::collections::HashSet<&[u8]> = content.chunks(4_096).collect();
        assert_eq!(pieces.len(), BYTES / 4_096);
    }
}
