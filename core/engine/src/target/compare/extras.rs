//! What the target has and the source lacks.

use std::sync::Arc;

use blit_contract::{Entry, RelPath, Result, Side};
use blit_wire::Verb;
use futures_util::StreamExt;

use super::{super::delete::all_of, Comparer};

impl Comparer {
    /// Notes what the target has and the source lacks. Answers whether anything of it will go.
    pub(super) async fn extras(&mut self, directory: &RelPath, extras: Vec<Entry>) -> Result<bool> {
        let mut any = false;
        if !self.wants_extras {
            return Ok(any);
        }
        for extra in extras {
            let path = directory.join(extra.name.clone());
            if self.must_stay(directory, &extra) {
                continue;
            }
            any = true;
            self.doom(&path, &extra).await?;
        }
        Ok(any)
    }

    /// Puts an entry, and everything beneath it, on the list of deletions.
    async fn doom(&mut self, path: &RelPath, entry: &Entry) -> Result<()> {
        let site = Arc::clone(&self.site);
        self.compared.doomed.push(&site, path, entry)?;
        if !entry.is_directory() {
            return Ok(());
        }
        let mut listing = all_of(&site, path);
        while let Some(batch) = listing.next().await {
            let batch = batch?;
            for problem in batch.problems {
                site.session.scan_problem(Side::Target, problem).await;
            }
            for entry in batch.entries {
                let at = batch.directory.join(entry.name.clone());
                if self.must_stay(&batch.directory, &entry) {
                    self.compared.doomed.keep(&at, path);
                } else {
                    self.compared.doomed.push(&site, &at, &entry)?;
                }
            }
        }
        Ok(())
    }

    /// Whether something may take the place of a directory with all that is in it; if so, that is
    /// counted among what goes. What a filter leaves out, or is mounted, must not go with it.
    pub(super) async fn may_go_whole(
        &mut self,
        directory: &RelPath,
        path: &RelPath,
        entry: &Entry,
    ) -> Result<bool> {
        if self.site.session.options.verb == Verb::Check {
            return Ok(true);
        }
        if self.must_stay(directory, entry) {
            return Ok(false);
        }
        let site = Arc::clone(&self.site);
        let (mut entries, mut bytes) = (0, 0);
        let mut listing = all_of(&site, path);
        while let Some(batch) = listing.next().await {
            let batch = batch?;
            for problem in batch.problems {
                site.session.scan_problem(Side::Target, problem).await;
            }
            for entry in batch.entries {
                if self.must_stay(&batch.directory, &entry) {
                    return Ok(false);
                }
                entries += 1;
                bytes += entry.size;
            }
        }
        self.compared.doomed.count_only(&site, entries, bytes);
        Ok(true)
    }

    /// Whether an entry is not deleted, whatever the source has: another mount, or left out by a filter.
    fn must_stay(&self, directory: &RelPath, entry: &Entry) -> bool {
        self.compared.doomed.is_elsewhere(entry) || self.is_protected(directory, entry)
    }
}
