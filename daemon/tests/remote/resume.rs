//! Large files of which the target has a part: what crosses is only the rest, whoever was killed before.

use std::{
    ffi::OsString,
    fs,
    io::Write,
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

use blit_conform::{Blit, assert_same, is_long, is_root};

use crate::{
    bench::{HOST, Two, contents, there},
    gate::Gate,
};

const MIB: u64 = 1 << 20;

/// Several GiB take their time where several tests share few cores.
const LONG: Duration = Duration::from_secs(30 * 60);

/// What may be sent again after a cut.
const AGAIN_MAX: u64 = 16 * MIB;

/// Two machines with a gate between them.
struct Far {
    two: Two,
    gate: Gate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Pull,
    Push,
}

impl Far {
    fn new() -> Self {
        let two = Two::strangers();
        let gate = Gate::before(two.daemon.port());
        let host = format!("{HOST}:{}", gate.port());
        let invitation = two.daemon.invitation.clone();
        two.blit(&["pair", &host, &invitation]).succeeds();
        gate.crossed();
        Self { two, gate }
    }

    /// Where the source is, and where the target is.
    fn trees(&self, way: Way) -> (PathBuf, PathBuf) {
        let here = self.two.scratch.directory("here");
        match way {
            Way::Pull => (self.two.module(), here),
            Way::Push => (here, self.two.module()),
        }
    }

    fn copy(&self, way: Way, more: &[&str]) -> Blit {
        let here = self.two.scratch.directory("here");
        let there: OsString = there("m/").into();
        let (source, target) = match way {
            Way::Pull => (there, contents(&here)),
            Way::Push => (contents(&here), there),
        };
        // Everything has to pass the gate.
        let words: [OsString; 3] = ["copy".into(), source, target];
        let copy = self.two.command(&words).args(more);
        let copy = match is_long() {
            true => copy.within(LONG),
            false => copy,
        };
        copy.env("BLIT_FORCE_GRPC_DATA", "1")
    }

    /// Starts the daemon once more, where it was.
    fn restart(&mut self) {
        let listen = format!("127.0.0.1:{}", self.two.daemon.port());
        self.two.daemon = Two::start(&self.two.scratch, &listen, &[]);
    }
}

/// Bytes in which no two blocks are equal.
struct Noise(u64);

impl Noise {
    fn fill(&mut self, buffer: &mut [u8]) {
        for eight in buffer.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            eight.copy_from_slice(&self.0.to_le_bytes()[..eight.len()]);
        }
    }
}

/// Writes a file of noise.
fn write_noise(path: &Path, size: u64, seed: u64) {
    let mut file = fs::File::create(path).unwrap();
    let (mut noise, mut buffer) = (Noise(seed), vec![0; MIB as usize]);
    for _ in 0..size / MIB {
        noise.fill(&mut buffer);
        file.write_all(&buffer).unwrap();
    }
}

/// Changes so many places of that size in a file, spread over all of it, none at the edge of a block.
fn change(path: &Path, places: u64, bytes: usize) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    let step = file.metadata().unwrap().len() / places;
    let (mut noise, mut buffer) = (Noise(99), vec![0; bytes]);
    for place in 0..places {
        noise.fill(&mut buffer);
        file.write_all_at(&buffer, place * step + 12_345).unwrap();
    }
}

/// The hidden names in a directory.
fn hidden(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| {
            path.file_name()
                .unwrap()
                .as_encoded_bytes()
                .starts_with(b".blit~")
        })
        .collect()
}

/// A figure of the summary in JSON.
fn figure(output: &str, name: &str) -> u64 {
    let line = output.lines().last().unwrap();
    let (_, rest) = line.split_once(&format!("\"{name}\":")).unwrap();
    let end = rest.find(|it: char| !it.is_ascii_digit()).unwrap();
    rest[..end].parse().unwrap()
}

/// How much may cross for so many bytes: headers of TLS and of frames, the talk around, and the digests.
fn with_overhead(bytes: u64, size: u64) -> u64 {
    bytes + bytes / 50 + size / 800 + MIB / 4
}

/// Changes one per cent of a file, and sends it once more.
fn one_per_cent(way: Way, size: u64, places: u64, bytes: usize) {
    let far = Far::new();
    let (source, target) = far.trees(way);
    write_noise(&target.join("large"), size, 1);
    fs::copy(target.join("large"), source.join("large")).unwrap();
    change(&source.join("large"), places, bytes);
    let ran = far.copy(way, &["--json"]).run().exits(0);
    let crossed = far.gate.crossed();
    assert_same(&source, &target);
    assert!(crossed * 50 <= size, "{way:?}: {crossed} of {size} crossed");
    let changed = places * bytes as u64;
    assert!(crossed >= changed);
    let told = figure(&ran.stdout, "on_wire");
    assert!(told <= crossed && told >= changed, "{told} of {crossed}");
    assert_eq!(figure(&ran.stdout, "copied"), 1, "{}", ran.stdout);
    assert!(figure(&ran.stdout, "matched") >= size - 2 * changed - MIB);
    assert_eq!(hidden(&target), Vec::<PathBuf>::new());
}

#[test]
fn one_per_cent_of_a_large_file_in_large_places_crosses_alone() {
    one_per_cent(Way::Push, 256 * MIB, 3, 850 << 10);
}

#[test]
fn one_per_cent_of_a_large_file_in_small_places_crosses_alone() {
    one_per_cent(Way::Pull, 256 * MIB, 40, 64 << 10);
}

#[test]
fn one_per_cent_of_four_gib_crosses_alone() {
    if is_long() {
        one_per_cent(Way::Push, 4 << 30, 40, MIB as usize);
        one_per_cent(Way::Pull, 4 << 30, 640, 64 << 10);
    }
}

/// How large the files are of which a transfer is cut.
fn cut_size() -> u64 {
    if is_long() { 4 << 30 } else { 64 * MIB }
}

/// Begins to copy, and kills the client when half has crossed.
fn kill_client_half_way(far: &Far, way: Way, size: u64) {
    far.gate.shut_after(size / 2);
    let mut child = far.copy(way, &[]).command().spawn().unwrap();
    far.gate.wait_until_shut();
    child.kill().unwrap();
    child.wait().unwrap();
    far.gate.open();
}

/// The same command again brings the rest, and not much of what has come.
fn goes_on(far: &Far, way: Way) {
    let (source, target) = far.trees(way);
    far.copy(way, &[]).run().succeeds();
    assert_same(&source, &target);
    let crossed = far.gate.crossed();
    let allowed = with_overhead(cut_size() + AGAIN_MAX, cut_size());
    assert!(crossed <= allowed, "{way:?}: {crossed} of {allowed}");
    assert_eq!(hidden(&target), Vec::<PathBuf>::new());
}

fn killed_client(way: Way) {
    let far = Far::new();
    let (source, target) = far.trees(way);
    write_noise(&source.join("large"), cut_size(), 2);
    kill_client_half_way(&far, way, cut_size());
    assert!(!target.join("large").exists());
    goes_on(&far, way);
}

#[test]
fn a_push_whose_client_was_killed_goes_on_by_the_same_command() {
    killed_client(Way::Push);
}

#[test]
fn a_pull_whose_client_was_killed_goes_on_by_the_same_command() {
    killed_client(Way::Pull);
}

fn killed_daemon(way: Way) {
    let mut far = Far::new();
    let (source, target) = far.trees(way);
    write_noise(&source.join("large"), cut_size(), 3);
    far.gate.shut_after(cut_size() / 2);
    let child = far
        .copy(way, &["--retry-for=0s"])
        .command()
        .spawn()
        .unwrap();
    far.gate.wait_until_shut();
    far.two.daemon.kill();
    far.gate.open();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(8));
    assert!(!target.join("large").exists());
    far.restart();
    goes_on(&far, way);
}

#[test]
fn a_push_whose_daemon_was_killed_goes_on_by_the_same_command() {
    killed_daemon(Way::Push);
}

#[test]
fn a_pull_whose_daemon_was_killed_goes_on_by_the_same_command() {
    killed_daemon(Way::Pull);
}

#[test]
fn a_daemon_that_comes_back_goes_on_without_a_second_command() {
    let mut far = Far::new();
    let (source, target) = far.trees(Way::Push);
    write_noise(&source.join("large"), cut_size(), 4);
    far.gate.shut_after(cut_size() / 2);
    let child = far.copy(Way::Push, &[]).command().spawn().unwrap();
    far.gate.wait_until_shut();
    far.two.daemon.kill();
    far.restart();
    far.gate.open();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert_same(&source, &target);
    let crossed = far.gate.crossed();
    let allowed = with_overhead(cut_size() + AGAIN_MAX, cut_size());
    assert!(crossed <= allowed, "{crossed} of {allowed}");
}

/// What somebody does to the partial that a killed session left at `partial`; `victim` is a file of ours
/// that must stay what it is.
type Tamper = fn(partial: &Path, victim: &Path);

/// How large the file is of which a partial is tampered with.
const TAMPERED_BYTES: u64 = 20 * MIB;

const TAMPERS: &[(&str, Tamper)] = &[
    ("wrong bytes", |partial, _| change(partial, 20, 1_000)),
    ("too short", |partial, _| {
        let file = fs::OpenOptions::new().write(true).open(partial);
        file.unwrap().set_len(5 * MIB + 1).unwrap();
    }),
    ("too long", |partial, _| {
        let file = fs::OpenOptions::new().append(true).open(partial);
        file.unwrap().write_all(&vec![7; MIB as usize]).unwrap();
        let file = fs::OpenOptions::new().write(true).open(partial);
        file.unwrap().set_len(2 * TAMPERED_BYTES).unwrap();
    }),
    ("a symlink", |partial, victim| {
        fs::remove_file(partial).unwrap();
        symlink(victim, partial).unwrap();
    }),
    ("a second name of another file", |partial, victim| {
        fs::remove_file(partial).unwrap();
        fs::hard_link(victim, partial).unwrap();
    }),
    ("a directory", |partial, _| {
        fs::remove_file(partial).unwrap();
        fs::create_dir(partial).unwrap();
    }),
    ("somebody else's file", |partial, _| {
        if is_root() {
            chown(partial, Some(12_345), Some(12_345)).unwrap();
        }
    }),
    ("a file that others may write", |partial, _| {
        let open = fs::Permissions::from_mode(0o666);
        fs::set_permissions(partial, open).unwrap();
    }),
];

#[test]
fn a_partial_that_was_tampered_with_never_makes_a_wrong_file() {
    let far = Far::new();
    let (source, target) = far.trees(Way::Push);
    let victim = far.two.scratch.path("victim");
    for (seed, (name, tamper)) in (10..).zip(TAMPERS) {
        write_noise(&source.join("large"), TAMPERED_BYTES, seed);
        fs::write(&victim, "stays").unwrap();
        // As a partial is: only this one is what it seems.
        fs::set_permissions(&victim, fs::Permissions::from_mode(0o600)).unwrap();
        kill_client_half_way(&far, Way::Push, TAMPERED_BYTES);
        let left = hidden(&target);
        let [partial] = &left[..] else {
            panic!("{name}: {left:?}");
        };
        let mode = partial.metadata().unwrap().mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
        tamper(partial, &victim);
        far.copy(Way::Push, &[]).run().succeeds();
        assert_eq!(fs::read(&victim).unwrap(), b"stays", "{name}");
        // What is not ours is left where it is.
        for planted in hidden(&target) {
            let gone = fs::remove_file(&planted).or_else(|_| fs::remove_dir(&planted));
            gone.unwrap();
        }
        // The time of the directory, which was just changed.
        far.copy(Way::Push, &[]).run().succeeds();
        assert_same(&source, &target);
        fs::remove_file(target.join("large")).unwrap();
    }
}
