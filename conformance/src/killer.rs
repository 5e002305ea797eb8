//! Kills a process as it enters a system call, counted over all of its threads.
//!
//! `strace` counts for each thread. Whatever a thread does that starts late is then hidden behind the
//! same calls of an earlier one, and a sweep never gets there.

use std::collections::HashSet;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
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
    Tracer::of(process, nth, Arc::default()).run()
}

/// A process that runs already, whose calls are counted from now on, and which is killed as it enters one
/// of them.
#[derive(Debug)]
pub struct Watch {
    process: Pid,
    calls: Arc<AtomicUsize>,
    nth: usize,
    tracing: JoinHandle<()>,
}

impl Watch {
    /// Kills the process as it enters the `nth` call, counted over all of its threads.
    ///
    /// # Panics
    /// When it cannot be traced.
    #[must_use]
    pub fn over(process: u32, nth: usize) -> Self {
        let process = Pid::from_raw(process.cast_signed());
        let calls = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&calls);
        let (ready, is_ready) = mpsc::channel();
        // Whoever traces has to be one thread from the beginning to the end.
        let tracing = std::thread::spawn(move || {
            seize_all(process);
            ready.send(()).expect("somebody waits");
            Tracer::of(process, nth, counted).run_beside();
        });
        is_ready.recv().expect("it is traced");
        Self {
            process,
            calls,
            nth,
            tracing,
        }
    }

    /// How many calls there were.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Whether it was killed here.
    #[must_use]
    pub fn has_struck(&self) -> bool {
        self.calls() >= self.nth
    }

    /// Kills the process, should it still run, and waits until it has ended. Whoever started it takes its
    /// exit code, and not before: until then he would be told of each call at which it stops.
    ///
    /// # Panics
    /// When it could not be traced to its end.
    pub fn end(self) {
        // It may have ended.
        let _ = kill(self.process, Signal::SIGKILL);
        self.tracing.join().expect("it was traced");
    }
}

/// Traces all threads that there are; those that they start are traced from their first call on.
fn seize_all(process: Pid) {
    let mut seized = HashSet::new();
    loop {
        let before = seized.len();
        let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
        for task in tasks {
            let name = task.expect("it runs").file_name();
            let thread = name.to_str().and_then(|name| name.parse().ok());
            let thread = Pid::from_raw(thread.expect("the number of a thread"));
            // One that a thread started which is traced is traced already, and one may have ended.
            if seized.insert(thread) && ptrace::seize(thread, options()).is_ok() {
                let _ = ptrace::interrupt(thread);
            }
        }
        if seized.len() == before {
            return;
        }
    }
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
    calls: Arc<AtomicUsize>,
    /// Which threads are inside of a system call: each is met at its entry and at its exit.
    inside: HashSet<Pid>,
}

/// Children of other threads belong to other tests.
const OURS: WaitPidFlag = WaitPidFlag::__WALL.union(WaitPidFlag::__WNOTHREAD);

impl Tracer {
    fn of(process: Pid, nth: usize, calls: Arc<AtomicUsize>) -> Self {
        Self {
            process,
            nth,
            calls,
            inside: HashSet::new(),
        }
    }

    fn run(mut self) -> Ended {
        loop {
            match waitpid(Pid::from_raw(-1), Some(OURS)).expect("it lives") {
                WaitStatus::PtraceSyscall(thread) => {
                    self.meet(thread);
                    go_on(thread, None);
                }
                WaitStatus::PtraceEvent(thread, ..) => go_on(thread, None),
                WaitStatus::Stopped(thread, signal) => go_on(thread, Some(signal)),
                WaitStatus::Exited(thread, code) if thread == self.process => {
                    return Ended::Itself {
                        code,
                        calls: self.calls.load(Ordering::SeqCst),
                    };
                }
                WaitStatus::Signaled(thread, ..) if thread == self.process => return Ended::Killed,
                _ => {}
            }
        }
    }

    /// The same for a process that somebody else waits for: its end is left for them.
    fn run_beside(mut self) {
        let peek = OURS | WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT;
        // They may have been told of its end first.
        while let Ok(seen) = waitid(Id::All, peek) {
            let has_ended = matches!(seen, WaitStatus::Exited(..) | WaitStatus::Signaled(..));
            if has_ended && seen.pid() == Some(self.process) {
                return;
            }
            let Some(Ok(met)) = seen.pid().map(|thread| waitpid(thread, Some(OURS))) else {
                return;
            };
            match met {
                WaitStatus::PtraceSyscall(thread) => {
                    self.meet(thread);
                    go_on(thread, None);
                }
                WaitStatus::PtraceEvent(thread, ..) => go_on(thread, None),
                WaitStatus::Stopped(thread, signal) => go_on(thread, Some(signal)),
                _ => {}
            }
        }
    }

    fn meet(&mut self, thread: Pid) {
        if self.inside.remove(&thread) {
            return;
        }
        self.inside.insert(thread);
        if is_mutating(thread) && self.calls.fetch_add(1, Ordering::SeqCst) + 1 == self.nth {
            kill(self.process, Signal::SIGKILL).expect("it is ours");
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
    fn a_process_that_runs_already_is_killed_before_the_call_happens() {
        use std::os::unix::process::ExitStatusExt;
        let scratch = Scratch::new();
        let mut child = Command::new("sh")
            .args(["-c", "read go; exec mkdir one two three"])
            .current_dir(scratch.root())
            .stdin(Stdio::piped())
            .spawn()
            .expect("it starts");
        let watch = Watch::over(child.id(), 2);
        assert!(!watch.has_struck());
        let mut go = child.stdin.take().expect("a way in");
        std::io::Write::write_all(&mut go, b"go\n").expect("it listens");
        while !watch.has_struck() {
            std::thread::yield_now();
        }
        watch.end();
        assert_eq!(child.wait().expect("its end").signal(), Some(9));
        let found = ["one", "two"].map(|it| scratch.path(it).exists());
        assert_eq!(found, [true, false]);
    }

    #[test]
    fn a_run_that_makes_fewer_calls_ends_by_itself_and_they_are_counted() {
        let scratch = Scratch::new();
        let ended = two_directories(&scratch, 3);
        assert_eq!(ended, Ended::Itself { code: 0, calls: 2 });
        assert!(scratch.path("two").exists());
    }
}
