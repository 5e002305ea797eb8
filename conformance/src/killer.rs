//! Kills a process as it enters a system call, counted over all of its threads.
//!
//! `strace` counts for each thread. Whatever a thread does that starts late is then hidden behind the
//! same calls of an earlier one, and a sweep never gets there.

use std::collections::HashSet;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::Blit;

/// How a traced run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was killed as it entered the call.
    Killed,
    /// It came to its end before, with this exit code, and had made that many calls.
    Itself {
        /// The exit code.
        code: i32,
        /// How many system calls that change something it made.
        calls: usize,
    },
}

/// Runs `blit`, and kills it as it enters the `nth` system call that changes something, which then
/// does not happen.
///
/// # Panics
/// When it cannot be traced.
#[must_use]
pub fn kill_at(blit: Blit, nth: usize) -> Ended {
    // The shell waits until it is traced.
    let waiting = blit.under(["sh", "-c", "kill -STOP $$; exec \"$@\"", "sh"]);
    let mut command: Command = waiting.command();
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let process = Pid::from_raw(child.expect("it starts").id().cast_signed());
    waitpid(process, Some(WaitPidFlag::WUNTRACED)).expect("it stops");
    ptrace::seize(process, options()).expect("it can be traced");
    kill(process, Signal::SIGCONT).expect("it is ours");
    Tracer {
        process,
        nth,
        calls: 0,
        inside: HashSet::new(),
    }
    .run()
}

fn options() -> ptrace::Options {
    ptrace::Options::PTRACE_O_TRACESYSGOOD
        | ptrace::Options::PTRACE_O_TRACECLONE
        | ptrace::Options::PTRACE_O_TRACEEXEC
        | ptrace::Options::PTRACE_O_EXITKILL
}

struct Tracer {
    process: Pid,
    nth: usize,
    calls: usize,
    /// Which threads are inside of a system call: each is met at its entry and at its exit.
    inside: HashSet<Pid>,
}

impl Tracer {
    fn run(mut self) -> Ended {
        // Children of other threads belong to other tests.
        let ours = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        loop {
            match waitpid(Pid::from_raw(-1), Some(ours)).expect("it lives") {
                WaitStatus::PtraceSyscall(thread) => {
                    self.meet(thread);
                    go_on(thread, None);
                }
                WaitStatus::PtraceEvent(thread, ..) => go_on(thread, None),
                WaitStatus::Stopped(thread, signal) => go_on(thread, Some(signal)),
                WaitStatus::Exited(thread, code) if thread == self.process => {
                    return Ended::Itself {
                        code,
                        calls: self.calls,
                    };
                }
                WaitStatus::Signaled(thread, ..) if thread == self.process => return Ended::Killed,
                _ => {}
            }
        }
    }

    fn meet(&mut self, thread: Pid) {
        if self.inside.remove(&thread) {
            return;
        }
        self.inside.insert(thread);
        if is_mutating(thread) {
            self.calls += 1;
            if self.calls == self.nth {
                kill(self.process, Signal::SIGKILL).expect("it is ours");
            }
        }
    }
}

fn go_on(thread: Pid, signal: Option<Signal>) {
    match ptrace::syscall(thread, signal) {
        // It was killed meanwhile.
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => panic!("{thread} does not go on: {error}"),
    }
}

/// Whether the call that a stopped thread is about to make is one of ours.
fn is_mutating(thread: Pid) -> bool {
    let shown = std::fs::read_to_string(format!("/proc/{thread}/syscall")).unwrap_or_default();
    let number = shown.split(' ').next().and_then(|it| it.parse().ok());
    number.is_some_and(|number| MUTATING.contains(&number))
}

/// Not `write`: data goes through `pwrite64`, and what is written otherwise are wake-ups between
/// threads. Those that take a path alone exist only on
/// older architectures.
const MUTATING: &[libc::c_long] = &[
    libc::SYS_copy_file_range,
    libc::SYS_fallocate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_fdatasync,
    libc::SYS_fremovexattr,
    libc::SYS_fsetxattr,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_linkat,
    libc::SYS_lsetxattr,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_renameat2,
    libc::SYS_sendfile,
    libc::SYS_setxattr,
    libc::SYS_symlinkat,
    libc::SYS_sync_file_range,
    libc::SYS_syncfs,
    libc::SYS_unlinkat,
    libc::SYS_utimensat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_link,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_renameat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rmdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_symlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scratch;

    /// A program in the place of blit that makes two directories, one after the other.
    fn two_directories(scratch: &Scratch, nth: usize) -> Ended {
        let program = Blit::at("/bin/mkdir").args([scratch.path("one"), scratch.path("two")]);
        kill_at(program, nth)
    }

    #[test]
    fn a_run_is_killed_before_the_call_happens() {
        for (nth, made) in [(1, [false, false]), (2, [true, false])] {
            let scratch = Scratch::new();
            assert_eq!(two_directories(&scratch, nth), Ended::Killed);
            let found = ["one", "two"].map(|it| scratch.path(it).exists());
            assert_eq!(found, made, "call {nth}");
        }
    }

    #[test]
    fn a_run_that_makes_fewer_calls_ends_by_itself_and_they_are_counted() {
        let scratch = Scratch::new();
        let ended = two_directories(&scratch, 3);
        assert_eq!(ended, Ended::Itself { code: 0, calls: 2 });
        assert!(scratch.path("two").exists());
    }
}
