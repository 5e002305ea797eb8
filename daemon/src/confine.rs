//! What the daemon gives up: calls as a whole, and files for each module.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use blit_confine::{Domain, Reach, Unconfined, can_confine, forbid_calls};
use blit_wire::Access;

use crate::{audit, config::ModuleConfig};

/// What is in force.
#[derive(Debug)]
pub(crate) struct Confinement {
    calls: Result<(), Unconfined>,
    files: Result<(), Unconfined>,
    state: PathBuf,
}

/// What is read beside the module: about this process, and what it may use of the machine.
const READ: [&str; 2] = ["/proc", "/sys/fs/cgroup"];

/// Lists that outgrow memory are in here: nowhere that anybody else can reach.
fn spool_of(state: &Path) -> PathBuf {
    state.join("spool")
}

impl Confinement {
    /// Gives up calls. To be called before there are other threads: those that there are keep them.
    pub(crate) fn begin(state: &Path) -> Self {
        let begun = Self {
            calls: forbid_calls(),
            files: can_confine(),
            state: state.to_owned(),
        };
        for missing in [&begun.calls, &begun.files] {
            if let Err(why) = missing {
                tracing::warn!(slug = "confine.missing", %why, "less is given up than could be");
            }
        }
        begun
    }

    /// Has what outgrows memory lie where domains reach it.
    pub(crate) fn make_spool(&self) -> io::Result<()> {
        let spool = spool_of(&self.state);
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&spool)?;
        // Only the first call counts, and this is it.
        drop(tempfile::env::override_temp_dir(&spool));
        Ok(())
    }

    /// Threads for this module; none, if the kernel has no means.
    pub(crate) fn domain(&self, module: &ModuleConfig) -> Result<Option<Domain>, Unconfined> {
        self.domain_of(&self.reach(module))
    }

    /// Threads that read one directory, or change it too, and change another, which need not be there: then
    /// the nearest one above it that is. Either may be elsewhere. None, if the kernel has no means.
    pub(crate) fn between(
        &self,
        reads: Option<(&Path, bool)>,
        writes: Option<&Path>,
    ) -> Result<Option<Domain>, Unconfined> {
        let mut reach = Reach {
            read: READ.map(PathBuf::from).into(),
            write: vec![spool_of(&self.state)],
        };
        match reads {
            Some((source, true)) => reach.write.push(source.to_owned()),
            Some((source, false)) => reach.read.push(source.to_owned()),
            None => {}
        }
        let there = writes.and_then(|target| target.ancestors().find(|path| path.exists()));
        reach.write.extend(there.map(Path::to_owned));
        self.domain_of(&reach)
    }

    fn domain_of(&self, reach: &Reach) -> Result<Option<Domain>, Unconfined> {
        match self.files {
            Ok(()) => Domain::new(reach).map(Some),
            Err(_) => Ok(None),
        }
    }

    fn reach(&self, module: &ModuleConfig) -> Reach {
        let mut reach = Reach {
            read: READ.map(PathBuf::from).into(),
            write: vec![spool_of(&self.state), audit::folder_of(&self.state)],
        };
        match module.access {
            Access::ReadOnly => reach.read.push(module.path.clone()),
            Access::AddOnly | Access::ReadWrite => reach.write.push(module.path.clone()),
        }
        reach
    }

    /// For people.
    pub(crate) fn in_a_line(&self) -> String {
        let said = |what: &str, held: &Result<(), Unconfined>| match held {
            Ok(()) => what.to_owned(),
            Err(why) => format!("not {what} ({why})"),
        };
        let calls = said("system calls", &self.calls);
        format!("{calls}, {}", said("files of each module", &self.files))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Sources, disk::Disks, modules, plugins::Plugins};

    /// Modules with this access in a new directory each, opened.
    fn opened(folder: &Path, access: [&str; 2]) -> Vec<std::sync::Arc<modules::Module>> {
        let typed = access.map(|access| {
            let path = folder.join(access);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("f"), access).unwrap();
            format!("--module={access}={}:{access}", path.display())
        });
        let state = folder.join("state");
        fs::create_dir(&state).unwrap();
        let words = ["blit-daemon", "--config=/dev/null", &typed[0], &typed[1]];
        let args = clap::Parser::parse_from(words);
        let config = Sources::of_this_process(args).load().unwrap();
        let disks = std::sync::Arc::new(Disks::load(&state).unwrap());
        modules::open(&config.modules, &disks, &Plugins::load().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn threads_of_a_job_reach_its_source_and_its_target_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for name in ["source", "kept", "state/spool"] {
            fs::create_dir_all(at(name)).unwrap();
            fs::write(at(name).join("f"), name).unwrap();
        }
        let confinement = Confinement {
            calls: Ok(()),
            files: can_confine(),
            state: at("state"),
        };
        for moves in [false, true] {
            fs::create_dir_all(at("new")).unwrap();
            let target = at("new/deep/down");
            let source = at("source");
            let domain = confinement.between(Some((&source, moves)), Some(&target));
            let Some(domain) = domain.unwrap() else {
                let why = confinement.files.unwrap_err();
                return tracing::error!(%why, "NOT SHOWN");
            };
            let hidden = [at("kept/f"), at("state/f")];
            let tried = async move {
                fs::read(source.join("f")).unwrap();
                assert_eq!(fs::write(source.join("g"), "").is_ok(), moves);
                fs::create_dir_all(&target).unwrap();
                fs::write(target.join("f"), "").unwrap();
                for hidden in hidden {
                    let denied = fs::write(&hidden, "").unwrap_err();
                    assert_eq!(denied.kind(), io::ErrorKind::PermissionDenied, "{hidden:?}");
                }
            };
            domain.run(tried).await.unwrap();
            fs::remove_dir_all(at("new")).unwrap();
        }
    }

    #[tokio::test]
    async fn threads_of_a_module_reach_that_module_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let modules = opened(folder.path(), ["ro", "rw"]);
        let confinement = Confinement {
            calls: Ok(()),
            files: can_confine(),
            state: folder.path().join("state"),
        };
        let (read_only, writable) = (folder.path().join("ro"), folder.path().join("rw"));
        for (module, is_writable) in modules.iter().zip([false, true]) {
            let Some(domain) = module.domain(&confinement).unwrap() else {
                let why = confinement.files.unwrap_err();
                return tracing::error!(%why, "NOT SHOWN");
            };
            let (own, other) = match is_writable {
                true => (writable.clone(), read_only.clone()),
                false => (read_only.clone(), writable.clone()),
            };
            let key = folder.path().join("state/peers.toml");
            fs::write(&key, "").unwrap();
            let tried = async move {
                fs::read(own.join("f")).unwrap();
                assert_eq!(fs::write(own.join("g"), "").is_ok(), is_writable);
                for hidden in [other.join("f"), key, "/etc/passwd".into()] {
                    let denied = fs::read(&hidden).unwrap_err();
                    assert_eq!(denied.kind(), io::ErrorKind::PermissionDenied, "{hidden:?}");
                }
            };
            domain.run(tried).await.unwrap();
        }
    }
}
