//! `cargo xtask docs`: writes what of `docs/` is generated.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a task talks to whoever started it")]

use std::path::Path;

fn main() -> eyre::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let pages = blit_docs::pages(&root)?;
    for sentence in blit_docs::stale(&root, &pages)? {
        println!("{sentence}");
    }
    blit_docs::write(&root, &pages)?;
    println!("{} pages are as they should be", pages.len());
    Ok(())
}
