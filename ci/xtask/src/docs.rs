//! `cargo xtask docs`: writes the generated part of `docs/`.

use crate::steps::{cargo, check};

pub(crate) fn run() -> eyre::Result<()> {
    check(cargo().args(["run", "--quiet", "--locked", "--package=blit-docs"]))
}
