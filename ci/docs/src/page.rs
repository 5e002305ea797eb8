//! The generated pages, and whether those that lie there are they.

use crate::{man, proof};
use eyre::Context;
use std::path::Path;
use std::{fs, io};

/// Folders of which every file is generated.
const WHOLE_FOLDERS: &[&str] = &["docs/man"];

/// A generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where it lies, from the root of the repository.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// Every generated page. The tables of sentences and of proof are read below `root`.
///
/// # Errors
/// When the table is not there or not a table.
pub fn pages(root: &Path) -> eyre::Result<Vec<Page>> {
    let mut pages = man::pages(&blit_cli::command())?;
    pages.extend(man::pages(&blit_daemon::command())?);
    for sentences in blit_tidy::SENTENCES {
        let table = fs::read_to_string(root.join(sentences.table)).wrap_err(sentences.table)?;
        pages.push(Page {
            path: sentences.page.to_owned(),
            text: sentences.written(&table)?,
        });
    }
    let proof = fs::read_to_string(root.join(proof::TABLE)).wrap_err(proof::TABLE)?;
    pages.push(Page {
        path: proof::PAGE.to_owned(),
        text: proof::page(&proof)?,
    });
    pages.push(Page {
        path: "docs/schema/events.v1.json".to_owned(),
        text: blit_cli::schema(),
    });
    pages.push(Page {
        path: "docs/schema/daemon.v1.json".to_owned(),
        text: blit_daemon::schema(),
    });
    pages.push(Page {
        path: "docs/daemon.md".to_owned(),
        text: blit_daemon::page(),
    });
    Ok(pages)
}

/// What below `root` is not as `pages` say, one sentence each.
///
/// # Errors
/// When a file cannot be read.
pub fn stale(root: &Path, pages: &[Page]) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for page in pages {
        match fs::read_to_string(root.join(&page.path)) {
            Ok(text) if text == page.text => {}
            Ok(_) => found.push(format!("{} is out of date", page.path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                found.push(format!("{} is missing", page.path));
            }
            Err(error) => return Err(error),
        }
    }
    let left = left_over(root, pages)?;
    found.extend(
        left.into_iter()
            .map(|path| format!("{path} is not generated any more")),
    );
    Ok(found)
}

/// Writes `pages` below `root`, and removes those that are not generated any more.
///
/// # Errors
/// When a file cannot be written or removed.
pub fn write(root: &Path, pages: &[Page]) -> io::Result<()> {
    for page in pages {
        let path = root.join(&page.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, &page.text)?;
    }
    for path in left_over(root, pages)? {
        fs::remove_file(root.join(path))?;
    }
    Ok(())
}

/// The files in generated folders that are none of `pages`.
fn left_over(root: &Path, pages: &[Page]) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for folder in WHOLE_FOLDERS {
        let entries = match fs::read_dir(root.join(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let path = format!("{folder}/{}", entry?.file_name().to_string_lossy());
            if !pages.iter().any(|page| page.path == path) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
