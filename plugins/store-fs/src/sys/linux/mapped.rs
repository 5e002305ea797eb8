//! Files looked at through memory: no call copies their bytes, and the process sees them all the same.
//!
//! A mapped file that becomes shorter, or whose disk cannot be read, raises SIGBUS where it is looked at,
//! and that ends the process. So a handler puts zeros in the place of what is gone and remembers it: whoever
//! looks is told afterwards. A SIGBUS from anywhere else goes where it went before.

use std::{
    ffi::c_void,
    io,
    ops::Range,
    os::fd::BorrowedFd,
    ptr,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use blit_contract::View;
use rustix::mm::{MapFlags, ProtFlags};

/// How many mappings there may be at a time: more than sessions have lanes.
const PLACES: usize = 1_024;

/// One mapping, where the handler finds it: it may take no lock.
struct Place {
    is_taken: AtomicBool,
    start: AtomicUsize,
    /// 0: nothing is mapped.
    end: AtomicUsize,
    is_torn: AtomicBool,
}

static MAPPED: [Place; PLACES] = [const {
    Place {
        is_taken: AtomicBool::new(false),
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        is_torn: AtomicBool::new(false),
    }
}; PLACES];

/// What happened to SIGBUS before; the error if the handler could not be installed.
static BEFORE: OnceLock<Result<libc::sigaction, i32>> = OnceLock::new();

/// A range of a file, mapped for reading.
#[derive(Debug)]
pub(super) struct Mapping {
    place: &'static Place,
    /// The first page.
    start: *mut c_void,
    mapped: usize,
    /// Where the range begins in the first page.
    lead: usize,
    size: usize,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Place")
    }
}

// SAFETY: the mapping belongs to the process and not to a thread, and is only read.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps `range` of the file, which may end before the range does.
    ///
    /// # Errors
    /// If the file cannot be mapped, or too many are.
    pub(super) fn of(file: BorrowedFd<'_>, range: &Range<u64>) -> io::Result<Self> {
        install()?;
        let page = rustix::param::page_size();
        let lead = (range.start % page as u64) as usize;
        let size = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
        let mapped = (lead + size).next_multiple_of(page);
        let place = Place::take().ok_or_else(|| io::Error::other("too many mapped files"))?;
        // SAFETY: a new mapping at an address that the kernel chooses touches no memory of ours.
        let start = unsafe {
            rustix::mm::mmap(
                ptr::null_mut(),
                mapped,
                ProtFlags::READ,
                MapFlags::SHARED | MapFlags::POPULATE,
                file,
                range.start - lead as u64,
            )
        };
        let start = match start {
            Ok(start) => start,
            Err(errno) => {
                place.is_taken.store(false, Ordering::Release);
                return Err(errno.into());
            }
        };
        place.is_torn.store(false, Ordering::Relaxed);
        place.start.store(start as usize, Ordering::Relaxed);
        place.end.store(start as usize + mapped, Ordering::Release);
        Ok(Self {
            place,
            start,
            mapped,
            lead,
            size,
        })
    }
}

impl View for Mapping {
    fn look(&self, offset: usize, buffer: &mut [u8]) -> usize {
        let size = buffer.len().min(self.size.saturating_sub(offset));
        let from = self.start.cast::<u8>();
        // SAFETY: the mapping goes at least as far as the range, and `offset` lies in it.
        let from = unsafe { from.add(self.lead + offset.min(self.size)) };
        // SAFETY: the source lies in the mapping, which lives as long as `self`; pages that are gone are
        // put there by the handler. Other processes may write to the file meanwhile, so no reference to
        // the mapping is ever made: its bytes are copied, and whatever they are is a byte.
        unsafe { ptr::copy_nonoverlapping(from, buffer.as_mut_ptr(), size) };
        size
    }

    fn is_torn(&self) -> bool {
        self.place.is_torn.load(Ordering::Acquire)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        self.place.end.store(0, Ordering::Release);
        // SAFETY: nothing refers to the mapping any more: looking copies.
        let unmapped = unsafe { rustix::mm::munmap(self.start, self.mapped) };
        debug_assert!(unmapped.is_ok());
        self.place.is_taken.store(false, Ordering::Release);
    }
}

impl Place {
    fn take() -> Option<&'static Self> {
        MAPPED
            .iter()
            .find(|place| !place.is_taken.swap(true, Ordering::Acquire))
    }

    fn holds(&self, address: usize) -> bool {
        let end = self.end.load(Ordering::Acquire);
        address < end && address >= self.start.load(Ordering::Relaxed)
    }
}

/// Installs the handler, once.
fn install() -> io::Result<()> {
    static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();
    let before = BEFORE.get_or_init(|| {
        let mut before = no_action();
        set_action(ptr::null(), &raw mut before).map(|()| before)
    });
    // What was there before is known by now, so the handler finds it.
    let installed = INSTALLED.get_or_init(|| {
        let mut action = no_action();
        action.sa_sigaction = on_bus_error as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        set_action(&raw const action, ptr::null_mut())
    });
    match (before, installed) {
        (Ok(_), Ok(())) => Ok(()),
        (Err(errno), _) | (_, Err(errno)) => Err(io::Error::from_raw_os_error(*errno)),
    }
}

/// The default.
fn no_action() -> libc::sigaction {
    // SAFETY: all zeros is a `sigaction`.
    unsafe { std::mem::zeroed() }
}

/// Says what happens to SIGBUS, and what happened before.
fn set_action(new: *const libc::sigaction, old: *mut libc::sigaction) -> Result<(), i32> {
    // SAFETY: callers give null or what lives. The only handler of ours calls what a handler may
    // (signal-safety(7)), and has the flags that its form needs.
    match unsafe { libc::sigaction(libc::SIGBUS, new, old) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error().raw_os_error().unwrap_or(0)),
    }
}

extern "C" fn on_bus_error(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gives a `siginfo_t` that lives as long as this call.
    let told = unsafe { &*info };
    // SAFETY: that of a SIGBUS has an address.
    let address = unsafe { told.si_addr() } as usize;
    let mut places = MAPPED.iter();
    match places.find(|place| place.holds(address)) {
        Some(place) if patch(place, address) => place.is_torn.store(true, Ordering::Release),
        _ => pass_on(signal, info, context),
    }
}

/// Puts zeros from the page of `address` to the end of the mapping.
fn patch(place: &Place, address: usize) -> bool {
    let page = rustix::param::page_size();
    let from = address - address % page;
    let end = place.end.load(Ordering::Acquire);
    // SAFETY: the pages belong to the mapping that `place` describes: it is being looked at, so it lives.
    let zeros = unsafe {
        rustix::mm::mmap_anonymous(
            from as *mut c_void,
            end - from,
            ProtFlags::READ,
            MapFlags::PRIVATE | MapFlags::FIXED,
        )
    };
    zeros.is_ok()
}

/// A SIGBUS that is not ours: as if this handler were not there.
fn pass_on(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    let Some(Ok(before)) = BEFORE.get() else {
        return;
    };
    match before.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {
            // When this returns, what raised the signal does so again and ends the process, as it
            // would have.
            let default = no_action();
            set_action(&raw const default, ptr::null_mut()).ok();
        }
        handler if before.sa_flags & libc::SA_SIGINFO != 0 => {
            type Handler = extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void);
            // SAFETY: with this flag the address is that of a function of this form.
            let handler = unsafe { std::mem::transmute::<usize, Handler>(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: without the flag it is that of a function of this form.
            let handler = unsafe { std::mem::transmute::<usize, extern "C" fn(i32)>(handler) };
            handler(signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::fd::AsFd};

    use super::*;

    fn file(content: &[u8]) -> std::fs::File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    #[test]
    fn a_range_is_seen_wherever_it_begins() {
        let content: Vec<u8> = (0..20_000).map(|at| (at % 251) as u8).collect();
        let file = file(&content);
        let mapping = Mapping::of(file.as_fd(), &(5_000..19_000)).unwrap();
        let mut buffer = [0; 20_000];
        assert_eq!(mapping.look(0, &mut buffer), 14_000);
        assert_eq!(buffer[..14_000], content[5_000..19_000]);
        assert_eq!(mapping.look(13_000, &mut buffer), 1_000);
        assert_eq!(buffer[..1_000], content[18_000..19_000]);
        assert!(!mapping.is_torn());
    }

    #[test]
    fn what_is_gone_reads_as_zeros_and_is_known() {
        let file = file(&[7; 50_000]);
        let mapping = Mapping::of(file.as_fd(), &(0..50_000)).unwrap();
        file.set_len(5_000).unwrap();
        let mut buffer = [1; 50_000];
        assert_eq!(mapping.look(0, &mut buffer), 50_000);
        assert!(buffer[..5_000].iter().all(|byte| *byte == 7));
        assert!(buffer[8_192..].iter().all(|byte| *byte == 0));
        assert!(mapping.is_torn());
        drop(mapping);
        // The place is taken again, and remembers nothing.
        let mapping = Mapping::of(file.as_fd(), &(0..5_000)).unwrap();
        mapping.look(0, &mut buffer);
        assert!(!mapping.is_torn());
    }

    #[test]
    fn many_threads_look_while_files_are_cut_off() {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut buffer = [0; 1 << 16];
                    for round in 0..50 {
                        let file = file(&[9; 1 << 16]);
                        let mapping = Mapping::of(file.as_fd(), &(0..1 << 16)).unwrap();
                        if round % 2 == 0 {
                            file.set_len(0).unwrap();
                        }
                        mapping.look(0, &mut buffer);
                        assert_eq!(mapping.is_torn(), round % 2 == 0);
                    }
                });
            }
        });
    }
}
