//! The checks of this machine and of a directory.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags, XattrFlags},
    io::Errno,
    process::Resource,
};

use crate::{Check, Verdict};

/// With fewer open files blit works, and a deep tree takes longer.
const FILES_MIN: u64 = 256;

/// What the kernel and the limits of this process give.
#[must_use]
pub fn check_machine() -> Vec<Check> {
    vec![
        kernel(),
        kernel_tls(),
        containment(),
        open_files(),
        terminal(),
    ]
}

/// What the file system of a directory gives. Writes a hidden file there and removes it.
#[must_use]
pub fn check_directory(path: &Path) -> Vec<Check> {
    let file = match File::create_new(probe_path(path)) {
        Ok(file) => file,
        Err(error) => {
            let detail = format!("{}: {error}", path.display());
            return vec![Check::new("writing", Verdict::Bad, detail)];
        }
    };
    let mut checks = vec![
        Check::new("writing", Verdict::Good, path.display().to_string()),
        unnamed_files(path),
        reflinks(path, &file),
        xattrs(&file),
        room(path),
    ];
    if let Err(error) = std::fs::remove_file(probe_path(path)) {
        checks.push(Check::new("removing", Verdict::Bad, error.to_string()));
    }
    checks
}

fn kernel() -> Check {
    let system = rustix::system::uname();
    let detail = format!(
        "{} {}",
        system.sysname().to_string_lossy(),
        system.release().to_string_lossy()
    );
    Check::new("kernel", Verdict::Good, detail)
}

/// With it `sendfile` could encrypt on its way.
fn kernel_tls() -> Check {
    match try_kernel_tls() {
        Ok(()) => Check::new(
            "kernel TLS",
            Verdict::Good,
            "the kernel can encrypt sockets",
        ),
        Err(error) => Check::new(
            "kernel TLS",
            Verdict::Lacking,
            format!("{error}; data is encrypted by blit itself"),
        ),
    }
}

#[cfg(target_os = "linux")]
fn try_kernel_tls() -> std::io::Result<()> {
    // It is attached to sockets that are connected.
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let socket = std::net::TcpStream::connect(listener.local_addr()?)?;
    crate::sys::attach_tls(&socket)
}

#[cfg(not(target_os = "linux"))]
fn try_kernel_tls() -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// `openat2` keeps a path below its directory in one call.
fn containment() -> Check {
    let opened = rustix::fs::openat2(
        rustix::fs::CWD,
        ".",
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    );
    match opened {
        Ok(_) => Check::new("openat2", Verdict::Good, "paths stay below their directory"),
        Err(error) => Check::new(
            "openat2",
            Verdict::Lacking,
            format!("{error}; walking step by step"),
        ),
    }
}

fn open_files() -> Check {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    match limit.current {
        Some(files) if files < FILES_MIN => Check::new(
            "open files",
            Verdict::Lacking,
            format!("{files}; 1024 or more are better"),
        ),
        Some(files) => Check::new("open files", Verdict::Good, files.to_string()),
        None => Check::new("open files", Verdict::Good, "without limit"),
    }
}

fn terminal() -> Check {
    use std::io::IsTerminal;
    let term = std::env::var("TERM").unwrap_or_default();
    let detail = match (std::io::stderr().is_terminal(), &*term) {
        (false, _) => "none: no progress row, no questions".to_owned(),
        (true, "dumb") => "dumb: no progress row".to_owned(),
        (true, term) => term.to_owned(),
    };
    Check::new("terminal", Verdict::Good, detail)
}

/// `O_TMPFILE` makes files that have no name until they are whole.
fn unnamed_files(path: &Path) -> Check {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR) {
        Ok(_) => Check::new(
            "O_TMPFILE",
            Verdict::Good,
            "files get their names when they are whole",
        ),
        Err(error) => Check::new(
            "O_TMPFILE",
            Verdict::Lacking,
            format!("{error}; using hidden names"),
        ),
    }
}

fn reflinks(path: &Path, file: &File) -> Check {
    let lacking = |detail: String| Check::new("reflink", Verdict::Lacking, detail);
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let Ok(copy) = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR) else {
        return lacking("not tried: needs O_TMPFILE".to_owned());
    };
    match rustix::fs::ioctl_ficlone(&copy, file) {
        Ok(()) => Check::new("reflink", Verdict::Good, "copies share blocks"),
        Err(Errno::OPNOTSUPP | Errno::NOTTY | Errno::INVAL) => {
            lacking("this file system has none; data is copied".to_owned())
        }
        Err(error) => lacking(error.to_string()),
    }
}

fn xattrs(file: &File) -> Check {
    match rustix::fs::fsetxattr(file, "user.blit.doctor", b"1", XattrFlags::empty()) {
        Ok(()) => Check::new("extended attributes", Verdict::Good, "kept"),
        Err(error) => Check::new(
            "extended attributes",
            Verdict::Lacking,
            format!("{error}; not kept there"),
        ),
    }
}

fn room(path: &Path) -> Check {
    match rustix::fs::statvfs(path) {
        Ok(room) => {
            let free = blit_config::units::size(room.f_bavail.saturating_mul(room.f_frsize));
            Check::new("room", Verdict::Good, format!("{free} free"))
        }
        Err(error) => Check::new("room", Verdict::Lacking, error.to_string()),
    }
}

/// Where a probe writes.
fn probe_path(directory: &Path) -> PathBuf {
    directory.join(format!(".blit-doctor-{}", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_as_it_was_after_its_check() {
        let folder = tempfile::tempdir().unwrap();
        let checks = check_directory(folder.path());
        assert!(checks.iter().all(|check| check.verdict != Verdict::Bad));
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_is_asked_whether_it_can_encrypt_a_socket() {
        // Whatever it says, it has understood the question.
        if let Err(error) = try_kernel_tls() {
            let kinds = [Errno::NOENT, Errno::NOPROTOOPT];
            let errno = error.raw_os_error().map(Errno::from_raw_os_error);
            assert!(kinds.map(Some).contains(&errno), "{error}");
        }
        assert_ne!(kernel_tls().verdict, Verdict::Bad);
    }

    #[test]
    fn a_directory_that_is_not_there_is_bad() {
        let checks = check_directory(Path::new("/no/such/directory"));
        assert_eq!(checks.len(), 1);
        assert_eq!(checks[0].verdict, Verdict::Bad);
    }
}
