//! Finds out whether source and target overlap, before anything is written.
//!
//! Names cannot tell: a bind mount or a symlinked root gives one place two names. What the kernel
//! says an object is can.

use blit_contract::{Cx, Entry, Identity, RelPath, Result};

use crate::{Overlap, Source, Stop, Target, Top, TopName};

/// Whether the two overlap, and how.
pub(crate) async fn find(cx: &Cx, source: &Source, target: &Target) -> Result<Option<Stop>> {
    match &source.top {
        Top::Contents => contents(cx, source, target).await,
        Top::Names(names) => named(cx, source, target, names).await,
    }
}

async fn contents(cx: &Cx, source: &Source, target: &Target) -> Result<Option<Stop>> {
    let source_chain = source.store.ancestry(cx, &RelPath::ROOT).await?;
    let target_chain = target.store.ancestry(cx, &RelPath::ROOT).await?;
    let target_exists = target.store.stat(cx, &RelPath::ROOT).await?.is_some();
    let how = judge(&source_chain, &target_chain, target_exists);
    Ok(how.map(|how| Stop::Overlap { how, entry: None }))
}

async fn named(
    cx: &Cx,
    source: &Source,
    target: &Target,
    names: &[TopName],
) -> Result<Option<Stop>> {
    let target_chain = target.store.ancestry(cx, &RelPath::ROOT).await?;
    for name in names {
        let source_path = RelPath::ROOT.join(name.source.clone());
        let target_path = RelPath::ROOT.join(name.target.clone());
        let Some(from) = source.store.stat(cx, &source_path).await? else {
            continue;
        };
        let there = target.store.stat(cx, &target_path).await?;
        let how = match there {
            Some(to) if same(&from.identity, &to.identity) => Some(Overlap::Same),
            _ if !from.is_directory() => None,
            _ if contains(&target_chain, &from.identity) => Some(Overlap::TargetInside),
            Some(to) if is_above(cx, source, &source_path, &to).await? => {
                Some(Overlap::SourceInside)
            }
            _ => None,
        };
        if let Some(how) = how {
            let entry = Some(source_path);
            return Ok(Some(Stop::Overlap { how, entry }));
        }
    }
    Ok(None)
}

/// Whether the directory that is already at the target's name holds the source.
async fn is_above(cx: &Cx, source: &Source, path: &RelPath, to: &Entry) -> Result<bool> {
    if !to.is_directory() {
        return Ok(false);
    }
    Ok(contains(
        &source.store.ancestry(cx, path).await?,
        &to.identity,
    ))
}

fn judge(source: &[Identity], target: &[Identity], target_exists: bool) -> Option<Overlap> {
    let (from, to) = (source.first()?, target.first()?);
    if target_exists && same(from, to) {
        Some(Overlap::Same)
    } else if contains(target, from) {
        Some(Overlap::TargetInside)
    } else if target_exists && contains(source, to) {
        Some(Overlap::SourceInside)
    } else {
        None
    }
}

fn contains(chain: &[Identity], one: &Identity) -> bool {
    chain.iter().any(|link| same(link, one))
}

/// Stores without such numbers leave zeros, which say nothing.
fn same(a: &Identity, b: &Identity) -> bool {
    a.inode != 0 && a.is_same_object(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(inodes: &[u64]) -> Vec<Identity> {
        let identity = |inode: &u64| Identity {
            device: 1,
            inode: *inode,
            ..Identity::default()
        };
        inodes.iter().map(identity).collect()
    }

    #[test]
    fn nesting_either_way_and_sameness_are_found() {
        let judge =
            |source: &[u64], target: &[u64], exists| judge(&chain(source), &chain(target), exists);
        assert_eq!(judge(&[5, 2], &[5, 2], true), Some(Overlap::Same));
        assert_eq!(
            judge(&[5, 2], &[7, 5, 2], true),
            Some(Overlap::TargetInside)
        );
        assert_eq!(
            judge(&[7, 5, 2], &[5, 2], true),
            Some(Overlap::SourceInside)
        );
        assert_eq!(judge(&[5, 2], &[6, 2], true), None);
    }

    #[test]
    fn a_target_that_is_yet_to_be_made_beside_the_source_is_fine() {
        assert_eq!(judge(&chain(&[5, 2]), &chain(&[2]), false), None);
        assert_eq!(
            judge(&chain(&[5, 2]), &chain(&[5, 2]), false),
            Some(Overlap::TargetInside)
        );
    }
}
