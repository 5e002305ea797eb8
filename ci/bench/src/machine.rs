//! What stands beside every figure: the machine, the file system, the sources. Never a name of
//! a host or a user.

use crate::memory::field_kib;
use crate::shell;
use eyre::Context;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A machine, as far as it matters for speed.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Machine {
    /// The processor's own name.
    pub processor: String,
    /// How many of its cores may be used.
    pub cores: usize,
    /// Main memory.
    pub memory_bytes: u64,
    /// The release of the kernel.
    pub kernel: String,
}

impl Machine {
    /// Describes this machine.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn this() -> eyre::Result<Self> {
        let read = |path| fs::read_to_string(path).wrap_err(path);
        Ok(Self {
            processor: processor(&read("/proc/cpuinfo")?),
            cores: std::thread::available_parallelism()?.get(),
            memory_bytes: field_kib(&read("/proc/meminfo")?, "MemTotal:").unwrap_or(0) * 1_024,
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        })
    }
}

fn processor(text: &str) -> String {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let name = line
        .and_then(|it| it.split_once(':'))
        .map(|(_, name)| name.trim());
    name.unwrap_or("unknown").to_owned()
}

/// The kind of file system that holds `path`; and of the one that holds its image, if it is in one: a disk
/// in memory is not a disk.
pub(crate) fn file_system(path: &Path) -> eyre::Result<String> {
    let kind = mounted(path, "fstype")?;
    let device = mounted(path, "source")?;
    let image = device.strip_prefix("/dev/loop").map(|number| {
        fs::read_to_string(format!("/sys/block/loop{number}/loop/backing_file")).unwrap_or_default()
    });
    match image {
        Some(image) => {
            let beneath = mounted(Path::new(image.trim()), "fstype")?;
            Ok(format!("{kind} (an image on {beneath})"))
        }
        None => Ok(kind),
    }
}

/// What `df` says of where `path` is mounted.
fn mounted(path: &Path, field: &str) -> eyre::Result<String> {
    let field = format!("--output={field}");
    let said = shell::output(Command::new("df").arg(field).arg(path))?;
    Ok(said.lines().last().unwrap_or_default().trim().to_owned())
}

/// The commit that is checked out; a `+` says that files differ from it.
#[must_use]
pub fn commit() -> String {
    let git = |arguments: &[&str]| shell::output(Command::new("git").args(arguments));
    let Ok(id) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let changes = git(&["status", "--porcelain", "--untracked-files=no"]).unwrap_or_default();
    let mark = if changes.is_empty() { "" } else { "+" };
    format!("{}{mark}", id.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_called_by_its_name() {
        assert_eq!(
            processor("processor\t: 0\nmodel name\t: AMD EPYC\n"),
            "AMD EPYC"
        );
        assert_eq!(processor(""), "unknown");
    }

    #[test]
    fn this_machine_has_a_core_and_memory() {
        let machine = Machine::this().unwrap();
        assert!(machine.cores > 0 && machine.memory_bytes > 0);
    }
}
