//! Tools from the registry, each in the version that this project knows.

use crate::steps::{cargo, check};
use crate::suites::target_folder;
use eyre::Context;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A tool, pinned, so that a new release of it cannot fail an old commit.
pub(crate) struct Tool {
    name: &'static str,
    version: &'static str,
}

pub(crate) const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
};

pub(crate) const CARGO_FUZZ: Tool = Tool {
    name: "cargo-fuzz",
    version: "0.13.2",
};

impl Tool {
    /// Where it is: built below the target folder when the machine has another version or none.
    pub(crate) fn path(&self) -> eyre::Result<PathBuf> {
        let installed = PathBuf::from(self.name);
        if self.is(&installed) {
            return Ok(installed);
        }
        let tools = std::env::current_dir()?.join(target_folder()).join("tools");
        let built = tools.join("bin").join(self.name);
        if !self.is(&built) {
            let version = format!("--version={}", self.version);
            let mut install = cargo();
            install.args(["install", self.name, "--locked", "--debug", "--quiet"]);
            install.arg(version).arg("--root").arg(&tools);
            install.arg("--target-dir").arg(tools.join("build"));
            check(&mut install).wrap_err_with(|| format!("{} cannot be installed", self.name))?;
        }
        Ok(built)
    }

    fn is(&self, program: &Path) -> bool {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|it| {
            String::from_utf8_lossy(&it.stdout)
                .split_whitespace()
                .any(|it| it == self.version)
        })
    }
}
