//! Large files of which the target has a part already, across a wire that is watched.

use std::sync::Arc;

use blit_contract::{
    Attributes, Cx, Durability, EndState, Entry, ErrorKind, Kind, Name, Preserve, Replace, Store,
    WriteOptions, WritePolicy,
};
use blit_engine::{Report, Stop, Verb};
use blit_store_mem::{Fault, Faults, MemStore, Operation};

use crate::{
    remote::{BOTH, Run, Way, Wire},
    support::path,
};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 24 * MIB;

/// How much of a lane that was cut off may cross again (performance goal R1): it was under way.
const AGAIN_MAX: u64 = 16 * MIB;

/// Content in which no two blocks are equal.
fn content(size: u64, seed: u64) -> Vec<u8> {
    let mut state = seed * 2 + 1;
    let mut bytes = Vec::with_capacity(size as usize + 8);
    while (bytes.len() as u64) < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size as usize);
    bytes
}

fn holding(bytes: &[u8]) -> MemStore {
    let store = MemStore::new();
    store.add_file("large", bytes.to_vec()).unwrap();
    store
}

/// The same, changed a moment later than what [`holding`] makes.
fn newer(bytes: &[u8]) -> MemStore {
    let store = holding(b"");
    store.add_file("large", bytes.to_vec()).unwrap();
    store
}

async fn copy(way: Way, source: &MemStore, target: &MemStore, wire: &Arc<Wire>) -> Report {
    let mut run = Run::new(Verb::Copy);
    run.wire = Arc::clone(wire);
    run.go(way, source, target).await.0
}

/// Copies, and answers how many bytes crossed: by the wire, and by the report.
async fn copied(way: Way, source: &MemStore, target: &MemStore) -> u64 {
    let wire = Wire::whole();
    let report = copy(way, source, target, &wire).await;
    assert!(report.is_clean(), "{way:?} {report:?}");
    assert_eq!(report.ends.get(EndState::Copied), 1, "{way:?}");
    assert_eq!(target.content("large"), source.content("large"), "{way:?}");
    assert!(target.kept_content().is_empty(), "{way:?}");
    let told = report.wire_bytes.abs_diff(wire.crossed());
    assert!(told < 64 << 10, "{way:?}: {} of {}", told, wire.crossed());
    // What is no hole, and was not there.
    let entry = source.stat(&Cx::default(), &path("large")).await;
    let sent = entry
        .unwrap()
        .unwrap()
        .allocated
        .saturating_sub(report.matched_bytes);
    assert!(wire.crossed() >= sent, "{way:?} {report:?}");
    wire.crossed()
}

/// Copies over a wire that is cut after so many bytes.
async fn cut(way: Way, source: &MemStore, target: &MemStore, bytes: u64) {
    let report = copy(way, source, target, &Wire::cut_after(bytes)).await;
    assert!(
        matches!(&report.stop, Some(Stop::Failed(problem))
            if problem.error.kind() == ErrorKind::Unreachable),
        "{way:?} {report:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_file_that_changed_a_little_only_that_crosses() {
    for way in BOTH {
        let old = content(SIZE, 1);
        let mut new = old.clone();
        for at in [0, 5 * MIB + 17, SIZE - 1] {
            new[at as usize] ^= 1;
        }
        let target = holding(&old);
        let source = newer(&new);
        let crossed = copied(way, &source, &target).await;
        // Three blocks, and the digests of all.
        assert!(crossed < 3 * (32 << 10) + SIZE / 500, "{way:?} {crossed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_grew_or_shrank_keeps_what_it_has() {
    for way in BOTH {
        for (old, new) in [(SIZE - 5, SIZE), (SIZE, SIZE - 5), (3 * MIB, SIZE)] {
            let all = content(SIZE, 2);
            let source = holding(&all[..new as usize]);
            let target = holding(&all[..old as usize]);
            let crossed = copied(way, &source, &target).await;
            let missing = new.saturating_sub(old);
            let allowed = missing + (32 << 10) + SIZE / 500;
            assert!(crossed < allowed, "{way:?} {old} {new}: {crossed}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_was_cut_off_goes_on_where_it_was() {
    for way in BOTH {
        let size = 40 * MIB;
        let source = holding(&content(size, 3));
        let target = MemStore::new();
        cut(way, &source, &target, size / 2).await;
        assert!(target.content("large").is_none());
        assert_eq!(target.kept_content().len(), 1, "{way:?}");
        let crossed = copied(way, &source, &target).await;
        assert!(crossed < size / 2 + AGAIN_MAX, "{way:?} {crossed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_off_change_takes_the_rest_from_the_old_version() {
    for way in BOTH {
        let size = 40 * MIB;
        let old = content(size, 4);
        let mut new = old.clone();
        new[..32 * MIB as usize].copy_from_slice(&content(32 * MIB, 5));
        let (source, target) = (newer(&new), holding(&old));
        cut(way, &source, &target, 24 * MIB).await;
        assert_eq!(target.content("large").unwrap(), old);
        let crossed = copied(way, &source, &target).await;
        assert!(crossed < 8 * MIB + AGAIN_MAX, "{way:?} {crossed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_and_then_tampered_with_is_never_believed() {
    let tampers: [fn(&mut Vec<u8>); 5] = [
        |bytes| bytes[100] ^= 1,
        |bytes| bytes.fill(7),
        |bytes| bytes.truncate(1_000),
        |bytes| bytes.resize(bytes.len() * 2, 9),
        |bytes| bytes.rotate_left(32 << 10),
    ];
    for (way, tampers) in [(Way::Push, &tampers[..]), (Way::Pull, &tampers[..1])] {
        for tamper in tampers {
            let source = holding(&content(SIZE, 6));
            let target = MemStore::new();
            cut(way, &source, &target, SIZE / 2).await;
            target.tamper(tamper);
            copied(way, &source, &target).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_does_not_begin_with_what_was_kept() {
    let source = holding(&content(SIZE, 7));
    let target = MemStore::new();
    cut(Way::Push, &source, &target, SIZE / 2).await;
    source.add_file("large", content(SIZE, 8)).unwrap();
    let report = copy(Way::Push, &source, &target, &Wire::whole()).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.matched_bytes, 0);
    assert_eq!(target.content("large").unwrap(), content(SIZE, 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_version_that_changes_meanwhile_costs_the_whole_file_and_nothing_else() {
    for way in BOTH {
        let old = content(SIZE, 9);
        let mut new = old.clone();
        new[1_000] ^= 1;
        let source = newer(&new);
        // The ledger reads the old version once, in pieces of a MiB; what is read after that is bad.
        let bad = Fault::corrupt(Operation::Read).after(SIZE / MIB).times(1);
        let target = holding(&old).with_faults(Faults::new().with(bad));
        let wire = Wire::whole();
        let report = copy(way, &source, &target, &wire).await;
        assert!(report.is_clean(), "{way:?} {report:?}");
        assert_eq!(target.content("large").unwrap(), new);
        assert!(wire.crossed() > SIZE, "{way:?} {}", wire.crossed());
        assert!(target.kept_content().is_empty());
    }
}

/// Puts a file with data only at these places.
async fn put_sparse(store: &MemStore, size: u64, data: &[(u64, Vec<u8>)]) {
    let mut entry = Entry::new(Name::new(*b"large").unwrap(), Kind::File);
    entry.size = size;
    let cx = Cx::default();
    let policy = WritePolicy::new(Durability::None, Preserve::NONE);
    let options = WriteOptions::new(policy, entry.clone(), Replace::Nothing);
    let writer = store.open_write(&cx, &path("large"), options).await;
    let writer = writer.unwrap();
    for (at, bytes) in data {
        writer.write_at(*at, bytes.clone().into()).await.unwrap();
    }
    let staged = writer.finish(entry, Attributes::default()).await.unwrap();
    let published = store.publish(&cx, policy, vec![staged]).await.unwrap();
    assert!(published[0].is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn holes_stay_holes_whatever_was_kept_or_replaced_there() {
    for way in BOTH {
        let data = [
            (MIB + 5, content(9 * MIB, 10)),
            (20 * MIB, content(MIB, 11)),
        ];
        let source = MemStore::new();
        put_sparse(&source, SIZE, &data).await;
        let held = |store: &MemStore| {
            let (store, cx) = (store.clone(), Cx::default());
            async move {
                store
                    .stat(&cx, &path("large"))
                    .await
                    .unwrap()
                    .unwrap()
                    .allocated
            }
        };
        // Over an old version that has data everywhere.
        let target = holding(&content(SIZE - 1, 12));
        copied(way, &source, &target).await;
        assert_eq!(held(&target).await, held(&source).await, "{way:?}");
        // Over what was kept, with data where no hole shows any.
        let target = MemStore::new();
        cut(way, &source, &target, 6 * MIB).await;
        target.tamper(|bytes| {
            for byte in bytes.iter_mut().filter(|byte| **byte == 0) {
                *byte = 3;
            }
        });
        copied(way, &source, &target).await;
        assert_eq!(held(&target).await, held(&source).await, "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_has_no_ledger_and_is_not_kept() {
    let source = holding(&content(15 * MIB, 13));
    let target = MemStore::new();
    cut(Way::Push, &source, &target, 9 * MIB).await;
    assert!(target.kept_content().is_empty());
    target.add_file("large", content(14 * MIB, 13)).unwrap();
    let crossed = copied(Way::Push, &source, &target).await;
    assert!(crossed > 15 * MIB, "{crossed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_counts_as_room_that_is_there() {
    for way in BOTH {
        let source = holding(&content(SIZE, 14));
        let target = MemStore::new().with_capacity(SIZE + MIB);
        cut(way, &source, &target, SIZE / 2).await;
        copied(way, &source, &target).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_without_room_keeps_nothing() {
    let source = holding(&content(SIZE, 15));
    let full = Fault::fail(Operation::Write, ErrorKind::NoSpace).after(9);
    let target = MemStore::new().with_faults(Faults::new().with(full));
    let report = copy(Way::Push, &source, &target, &Wire::whole()).await;
    assert!(matches!(report.stop, Some(Stop::Failed(_))), "{report:?}");
    assert!(target.kept_content().is_empty());
    assert!(target.paths().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_large_files_take_turns_and_all_arrive() {
    for way in BOTH {
        let (source, target) = (MemStore::new(), MemStore::new());
        for number in 0..10 {
            let name = format!("f{number:02}");
            let mut bytes = content(16 * MIB, 100 + number);
            target.add_file(&name, bytes.clone()).unwrap();
            bytes[77] ^= 1;
            source.add_file(&name, "").unwrap();
            source.add_file(&name, bytes).unwrap();
        }
        let wire = Wire::whole();
        let report = copy(way, &source, &target, &wire).await;
        assert!(report.is_clean(), "{way:?} {report:?}");
        for name in source.paths() {
            assert_eq!(source.content(&name), target.content(&name), "{name}");
        }
        assert!(wire.crossed() < 3 * MIB, "{way:?} {}", wire.crossed());
    }
}
