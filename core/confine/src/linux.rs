//! Landlock and seccomp.

use std::{collections::BTreeMap, env::consts::ARCH, path::Path};

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

use crate::{Reach, Unconfined};

/// Without these a confined thread could rename nothing from one directory to another (before 5.19), and
/// so publish nothing; or it could cut off files that it may not write (before 6.2).
const NEEDED: ABI = ABI::V3;

/// What we know of. Of it holds what the kernel knows.
const KNOWN: ABI = ABI::V5;

/// Calls that answer `EPERM`.
const FORBIDDEN: &[libc::c_long] = &[
    // Programs.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Other processes.
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    // What is where.
    libc::SYS_chroot,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_pivot_root,
    libc::SYS_setns,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_umount2,
    libc::SYS_unshare,
    // Files past all directories.
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    // The kernel itself.
    libc::SYS_acct,
    libc::SYS_bpf,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_perf_event_open,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_userfaultfd,
    // Keys.
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
];

pub(crate) fn forbid_calls() -> Result<(), Unconfined> {
    let why = |error: &dyn std::error::Error| Unconfined(format!("seccomp: {error}"));
    let arch = TargetArch::try_from(ARCH).map_err(|error| why(&error))?;
    // An empty list of rules is: whatever the arguments.
    let calls: BTreeMap<_, _> = FORBIDDEN.iter().map(|call| (*call, Vec::new())).collect();
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(calls, SeccompAction::Allow, refuse, arch);
    let program = filter.and_then(BpfProgram::try_from);
    let program = program.map_err(|error| why(&error))?;
    seccompiler::apply_filter(&program).map_err(|error| why(&error))
}

/// Rules that wait for the thread that they will hold for.
#[derive(Debug)]
pub(crate) struct Rules(RulesetCreated);

impl Rules {
    pub(crate) fn new(reach: &Reach) -> Result<Self, Unconfined> {
        let rules = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(NEEDED))
            .map_err(|error| why(&error))?
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(KNOWN))
            .map_err(|error| why(&error))?
            .create()
            .map_err(|error| why(&error))?;
        let look = AccessFs::ReadFile | AccessFs::ReadDir;
        let change = AccessFs::from_all(KNOWN) & !BitFlags::from(AccessFs::Execute);
        let read = reach.read.iter().map(|path| (path, look));
        let write = reach.write.iter().map(|path| (path, change));
        let rules = read
            .chain(write)
            .try_fold(rules, |rules, (path, access)| with(rules, path, access));
        rules.map(Self)
    }

    /// From now on they hold for this thread, and for all that it starts.
    pub(crate) fn hold(self) -> Result<(), Unconfined> {
        let held = self.0.restrict_self().map_err(|error| why(&error))?;
        match held {
            RestrictionStatus {
                ruleset: RulesetStatus::NotEnforced,
                ..
            } => Err(Unconfined("this kernel has no Landlock".to_owned())),
            _ => Ok(()),
        }
    }
}

fn with(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, Unconfined> {
    // What is not there cannot be reached.
    let Ok(place) = PathFd::new(path) else {
        return Ok(rules);
    };
    // For a file, what concerns directories is left out.
    let access = match path.is_dir() {
        true => access,
        false => access & AccessFs::from_file(KNOWN),
    };
    rules
        .add_rule(PathBeneath::new(place, access))
        .map_err(|error| why(&error))
}

fn why(error: &dyn std::error::Error) -> Unconfined {
    Unconfined(format!("Landlock: {error}"))
}
