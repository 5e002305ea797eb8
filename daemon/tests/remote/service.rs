//! The daemon as a service: what is written, and what systemd says of it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use blit_conform::Scratch;

const UNITS: &str = "root/etc/systemd/system";

struct Machine(Scratch);

impl Machine {
    fn new() -> Self {
        let machine = Self(Scratch::new());
        let _ = machine.0.directory("root");
        machine
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path(path)
    }

    fn service(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_blit-daemon"));
        command.arg("service").args(words).arg("--root");
        command.arg(self.at("root")).output().unwrap()
    }

    /// What it says.
    fn does(&self, words: &[&str]) -> String {
        let ran = self.service(words);
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{words:?}: {told}");
        String::from_utf8(ran.stdout).unwrap()
    }

    fn refuses(&self, words: &[&str]) -> String {
        let ran = self.service(words);
        assert!(!ran.status.success(), "{words:?}");
        String::from_utf8(ran.stderr).unwrap()
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    /// Every file and link below the root.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.at("root")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() && !path.is_symlink() {
                    true => folders.push(path),
                    false => files.push(path),
                }
            }
        }
        files.sort();
        files
    }

    /// What systemd says of the units.
    fn analyzed(&self, words: &[&str]) -> Output {
        let mut command = Command::new("systemd-analyze");
        command.args(words).current_dir(self.at(UNITS));
        command.output().unwrap()
    }
}

#[test]
fn systemd_has_nothing_to_say_against_the_units() {
    let machine = Machine::new();
    machine.does(&["install"]);
    let units = [
        "verify",
        "--man=no",
        "./blit-daemon.service",
        "./blit-daemon.socket",
    ];
    let ran = machine.analyzed(&units);
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && told.is_empty(), "{told}");
}

#[test]
fn the_service_is_well_protected_with_every_profile() {
    let machine = Machine::new();
    machine.does(&["install"]);
    for profile in ["strict", "home", "backup"] {
        machine.does(&["profile", profile]);
        let words = ["security", "--offline=true", "--threshold=25"];
        let ran = machine.analyzed(&[&words[..], &["./blit-daemon.service"]].concat());
        let told = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success(), "{profile}: {told}");
        machine.does(&["profile", profile, "--off"]);
    }
    assert!(
        !machine
            .at(UNITS)
            .join("blit-daemon.service.d/home.conf")
            .exists()
    );
}

#[test]
fn what_is_installed_twice_is_installed_once_and_nothing_of_it_is_left() {
    let machine = Machine::new();
    let first = machine.does(&["install", "--module=photos=/srv/photos:rw"]);
    assert!(first.contains("wrote"), "{first}");
    let files = machine.files();
    assert!(
        machine
            .does(&["install"])
            .contains("all files are as they should be")
    );
    assert_eq!(machine.files(), files);
    let config = machine.text("root/etc/blit/daemon.toml");
    assert!(
        config.contains("path = \"/srv/photos\"\naccess = \"read-write\""),
        "{config}"
    );
    let program = env!("CARGO_BIN_EXE_blit-daemon");
    let unit = machine.text("root/etc/systemd/system/blit-daemon.service");
    assert!(unit.contains(&format!("ExecStart={program}\n")), "{unit}");
    let wanted = machine
        .at(UNITS)
        .join("multi-user.target.wants/blit-daemon.service");
    assert_eq!(fs::read_to_string(wanted).unwrap(), unit);
    let status = machine.does(&["status"]);
    assert_eq!(status.matches("as installed").count(), 5, "{status}");

    machine.does(&["allow", "/home/ann/photos"]);
    machine.does(&["uninstall"]);
    assert_eq!(machine.files(), [machine.at("root/etc/blit/daemon.toml")]);
    assert!(
        machine
            .does(&["uninstall"])
            .contains("all files are as they should be")
    );
}

#[test]
fn what_is_hidden_is_allowed_by_its_path() {
    let machine = Machine::new();
    machine.does(&["install"]);
    machine.does(&["allow", "/home/ann/my photos 100%"]);
    let folder = machine.at(UNITS).join("blit-daemon.service.d");
    let written = fs::read_dir(&folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let text = fs::read_to_string(written).unwrap();
    assert!(
        text.contains("\nReadWritePaths=\"/home/ann/my photos 100%%\"\nProtectHome=no\n"),
        "{text}"
    );
    let ran = machine.analyzed(&["verify", "--man=no", "./blit-daemon.service"]);
    assert!(ran.status.success() && ran.stderr.is_empty(), "{ran:?}");
    assert!(machine.refuses(&["allow", "photos"]).contains("absolute"));
}

#[test]
fn nothing_is_installed_if_anything_of_it_cannot_be() {
    let machine = Machine::new();
    // A unit that somebody else wrote.
    let foreign = machine.at(UNITS).join("blit-daemon.socket");
    fs::create_dir_all(machine.at(UNITS)).unwrap();
    fs::write(&foreign, "[Socket]\n").unwrap();
    let told = machine.refuses(&["install"]);
    assert!(
        told.contains("none of ours") && told.contains("next: "),
        "{told}"
    );
    assert_eq!(machine.files(), std::slice::from_ref(&foreign));
    machine.does(&["uninstall"]);
    assert_eq!(machine.files(), std::slice::from_ref(&foreign));
    fs::remove_file(foreign).unwrap();

    // A configuration that cannot be.
    let told = machine.refuses(&["install", "--module=2=/srv"]);
    assert!(told.contains("a letter first"), "{told}");
    // A directory where a file belongs.
    let wall = machine.at("root/etc/sysusers.d");
    fs::create_dir_all(wall.parent().unwrap()).unwrap();
    fs::write(&wall, "").unwrap();
    let told = machine.refuses(&["install"]);
    assert!(told.contains("nothing was changed"), "{told}");
    assert_eq!(machine.files(), [wall]);
}

#[test]
fn the_file_for_macos_names_a_user_and_a_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/packaging/launchd");
    let text = fs::read_to_string(path.join("org.blit.blit-daemon.plist")).unwrap();
    for words in [
        "<key>UserName</key>",
        "/blit-daemon</string>",
        "<key>KeepAlive</key>",
    ] {
        assert!(text.contains(words), "{words}");
    }
    assert_eq!(
        text.matches("<dict>").count(),
        text.matches("</dict>").count()
    );
}
