//! The files of the service, as they are in `ci/packaging/systemd`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use blit_config::Exit;

use super::Profile;
use crate::{atomic::Change, failure::Failure};

pub(super) const SERVICE: &str = "blit-daemon.service";
pub(super) const SOCKET: &str = "blit-daemon.socket";

/// A configuration that exports nothing.
pub(super) const CONFIG: &str = "\
# What this machine exports: docs/daemon.md has every key. After a change: systemctl reload blit-daemon
# blit-daemon module add NAME=PATH[:rw|:add] writes below what is here.
";

const UNIT: &str = include_str!("../../../ci/packaging/systemd/blit-daemon.service");
const SOCKET_UNIT: &str = include_str!("../../../ci/packaging/systemd/blit-daemon.socket");
const USER: &str = include_str!("../../../ci/packaging/systemd/blit-daemon.sysusers.conf");
const BACKUP: &str = include_str!("../../../ci/packaging/systemd/profiles/backup.conf");
const HOME: &str = include_str!("../../../ci/packaging/systemd/profiles/home.conf");
const STRICT: &str = include_str!("../../../ci/packaging/systemd/profiles/strict.conf");

/// The program in [`UNIT`].
const PROGRAM: &str = "/usr/bin/blit-daemon";

/// What stands in each file that is ours.
const MARK: &str = "# Written by `blit-daemon service ";

const UNITS: &str = "etc/systemd/system";
const DROP_INS: &str = "etc/systemd/system/blit-daemon.service.d";

/// Everything that makes it a service which runs `program`.
pub(super) fn of_service(root: &Path, program: &Path) -> Result<Vec<Change>, Failure> {
    // A command line has variables besides.
    let program = quoted(program)?.replace('$', "$$");
    let unit = UNIT.replace(
        &format!("ExecStart={PROGRAM}\n"),
        &format!("ExecStart={program}\n"),
    );
    let units = root.join(UNITS);
    let link = |folder: &str, unit: &str| Change::Link {
        path: units.join(folder).join(unit),
        to: Path::new("..").join(unit),
    };
    Ok(vec![
        file(root.join("etc/sysusers.d/blit-daemon.conf"), USER),
        file(units.join(SERVICE), &unit),
        file(units.join(SOCKET), SOCKET_UNIT),
        link("multi-user.target.wants", SERVICE),
        link("sockets.target.wants", SOCKET),
    ])
}

fn file(path: PathBuf, content: &str) -> Change {
    Change::File {
        path,
        content: content.into(),
        mode: 0o644,
    }
}

/// What was added to the unit by us.
pub(super) fn drop_ins(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(root.join(DROP_INS)) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(found),
        other => other?,
    };
    for entry in entries {
        let path = entry?.path();
        if is_ours(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Whatever we have written: links first, so that nothing names a file that is gone.
pub(super) fn ours(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut paths: Vec<PathBuf> = of_service(root, Path::new(PROGRAM))?
        .iter()
        .rev()
        .map(|change| change.path().to_owned())
        .collect();
    paths.extend(drop_ins(root)?);
    paths.retain(|path| path.is_symlink() || is_ours(path));
    Ok(paths)
}

fn is_ours(path: &Path) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text.contains(MARK))
}

/// Files that somebody else has written are theirs: a package, or the administrator.
pub(super) fn refuse_foreign(root: &Path, changes: &[Change]) -> Result<(), Failure> {
    let units = root.join(UNITS);
    let is_foreign = |path: &&Path| path.starts_with(&units) && path.is_file() && !is_ours(path);
    match changes.iter().map(Change::path).find(is_foreign) {
        None => Ok(()),
        Some(path) => {
            let text = format!("{} is none of ours; nothing was changed", path.display());
            Err(Failure::new("service.foreign", Exit::Failed, text)
                .next("move it away; changes belong into blit-daemon.service.d/*.conf"))
        }
    }
}

/// A protection more, or less.
pub(super) fn profile(root: &Path, name: Profile, off: bool) -> Change {
    let (name, content) = match name {
        Profile::Backup => ("backup", BACKUP),
        Profile::Home => ("home", HOME),
        Profile::Strict => ("strict", STRICT),
    };
    let path = root.join(DROP_INS).join(format!("{name}.conf"));
    match off {
        true => Change::Gone { path },
        false => file(path, content),
    }
}

/// What the unit hides, and how each is shown again.
const HIDDEN: [(&str, &str); 5] = [
    ("/home", "ProtectHome=no"),
    ("/root", "ProtectHome=no"),
    ("/run/user", "ProtectHome=no"),
    ("/tmp", "PrivateTmp=no"),
    ("/var/tmp", "PrivateTmp=no"),
];

/// Lets the service reach and write this directory.
pub(super) fn allowing(root: &Path, path: &Path) -> Result<Change, Failure> {
    let refuse = |why: &str| {
        let text = format!("{}: {why}; nothing was changed", path.display());
        Failure::new("service.path", Exit::Usage, text).next("name the directory of one module")
    };
    let is_plain = path
        .components()
        .skip(1)
        .all(|it| matches!(it, std::path::Component::Normal(_)));
    if !path.is_absolute() || !is_plain || path == Path::new("/") {
        return Err(refuse("it is not the absolute path of a directory"));
    }
    let mut text = format!(
        "{MARK}allow`.\n[Service]\nReadWritePaths={}\n",
        quoted(path)?
    );
    for (hidden, shown) in HIDDEN {
        if path.starts_with(hidden) {
            text += &format!("{shown}\n");
        }
    }
    let name = format!("allow-{}.conf", escaped(path));
    if name.len() > 255 {
        return Err(refuse("it is too long"));
    }
    Ok(file(root.join(DROP_INS).join(name), &text))
}

/// As one word of a unit file.
fn quoted(path: &Path) -> Result<String, Failure> {
    let odd = |text: &str| text.chars().any(|c| c.is_control());
    let Some(text) = path.to_str().filter(|text| !odd(text)) else {
        let text = format!(
            "{} cannot be written into a unit; nothing was changed",
            path.display()
        );
        return Err(Failure::new("service.path", Exit::Usage, text).next("give it a plain name"));
    };
    let text = text.replace('%', "%%");
    Ok(match text.contains([' ', '"', '\'', '\\']) {
        true => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        false => text,
    })
}

/// As systemd writes paths in names: no two paths have the same.
fn escaped(path: &Path) -> String {
    let text = path.to_string_lossy();
    let mut escaped = String::new();
    for byte in text.trim_matches('/').bytes() {
        match byte {
            b'/' => escaped.push('-'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' => escaped.push(byte.into()),
            other => escaped += &format!("\\x{other:02x}"),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_runs_the_program_that_installs_it() {
        let changes = of_service(Path::new("/"), Path::new("/opt/my blit/100%")).unwrap();
        let unit = changes.iter().find_map(|change| match change {
            Change::File { path, content, .. } if path.ends_with(SERVICE) => Some(content),
            _ => None,
        });
        let unit = String::from_utf8(unit.unwrap().clone()).unwrap();
        assert!(
            unit.contains("ExecStart=\"/opt/my blit/100%%\"\n"),
            "{unit}"
        );
    }

    #[test]
    fn every_file_of_ours_has_our_mark() {
        for text in [UNIT, SOCKET_UNIT, USER, BACKUP, HOME, STRICT] {
            assert!(text.contains(MARK), "{text}");
        }
    }

    #[test]
    fn two_paths_never_share_a_name() {
        let names: Vec<String> = ["/a/b", "/a-b", "/a\\x2db"]
            .map(|it| escaped(Path::new(it)))
            .into();
        assert_eq!(names, ["a-b", "a\\x2db", "a\\x5cx2db"]);
    }

    #[test]
    fn what_is_no_directory_of_a_module_is_not_allowed() {
        for path in ["/", "relative", "/srv/../etc", "/srv/a\nb"] {
            assert!(allowing(Path::new("/"), Path::new(path)).is_err(), "{path}");
        }
    }
}
