//! Layers, and what is refused with its place.

use clap::Parser;

use super::*;

/// Sources in a folder of their own: a file, and files that add to it.
struct Written {
    folder: tempfile::TempDir,
    environment: Vec<(OsString, OsString)>,
}

impl Written {
    fn new(file: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("daemon.d")).unwrap();
        fs::write(folder.path().join("daemon.toml"), file).unwrap();
        let environment = Vec::new();
        Self {
            folder,
            environment,
        }
    }

    fn adding(self, name: &str, text: &str) -> Self {
        fs::write(self.folder.path().join("daemon.d").join(name), text).unwrap();
        self
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn load(&self, words: &[&str]) -> Result<Config, Failure> {
        let words = ["blit-daemon", "--state-dir=/state"].iter().chain(words);
        let sources = Sources {
            args: Args::parse_from(words),
            environment: self.environment.clone(),
            file: self.folder.path().join("daemon.toml"),
            folder: Some(self.folder.path().join("daemon.d")),
        };
        sources.load()
    }
}

fn told(file: &str) -> String {
    Written::new(file).load(&[]).unwrap_err().told()
}

#[test]
fn modules_are_read_only_unless_they_say_otherwise() {
    let words = [
        "--module=a=/srv/a",
        "--module=b=/srv/b:rw",
        "--module=c=/srv/c:add",
    ];
    let config = Written::new("").load(&words).unwrap();
    let access: Vec<_> = config.modules.iter().map(|it| it.access).collect();
    assert_eq!(
        access,
        [Access::ReadOnly, Access::ReadWrite, Access::AddOnly]
    );
    assert!(config.modules.iter().all(|it| it.needs_audit));
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_files() {
    let written =
        Written::new("[daemon]\nname = \"file\"\nstop_timeout = \"5s\"\n[log]\nlevel = \"info\"\n")
            .adding(
                "10-a.toml",
                "[daemon]\nname = \"drop-in\"\n[log]\nlevel = \"debug\"\n",
            )
            .adding("20-b.toml", "[log]\nlevel = \"trace\"\n")
            .adding("ignored.txt", "no toml");
    let config = written.load(&[]).unwrap();
    assert_eq!(
        (config.name.as_str(), config.log),
        ("drop-in", LogLevel::Trace)
    );
    assert_eq!(config.stop_timeout.as_secs(), 5);
    let written = written
        .with("BLIT_DAEMON__NAME", "environment")
        .with("BLIT_DAEMON__LISTEN", "127.0.0.1:1, [::1]:1")
        .with("BLIT_CONFIG", "not one of ours");
    let config = written.load(&[]).unwrap();
    assert_eq!(config.name, "environment");
    assert_eq!(config.listen, ["127.0.0.1:1", "[::1]:1"]);
    let config = written.load(&["--name=flag", "--listen=[::]:7"]).unwrap();
    assert_eq!(
        (config.name.as_str(), config.listen),
        ("flag", vec!["[::]:7".to_owned()])
    );
}

#[test]
fn modules_of_all_layers_add_up() {
    let config = Written::new("[[module]]\nname = \"a\"\npath = \"/a\"\n")
        .adding(
            "1.toml",
            "[[module]]\nname = \"b\"\npath = \"/b\"\nmin_free = \"20G\"\n",
        )
        .load(&["--module=c=/c"])
        .unwrap();
    let names: Vec<_> = config.modules.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(config.modules[0].min_free, Reserve::Percent(1));
    assert_eq!(config.modules[1].min_free, Reserve::Bytes(20 << 30));
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_one() {
    let text = told("[daemon]\nname = \"nas\"\nlisen = [\"x\"]\n");
    assert!(text.contains("unknown key \"daemon.lisen\""), "{text}");
    assert!(text.contains("daemon.toml, line 3"), "{text}");
    assert!(text.contains("did you mean \"daemon.listen\"?"), "{text}");
    let text = told("\n[[module]]\nname = \"a\"\npath = \"/a\"\nacess = \"read-write\"\n");
    assert!(
        text.contains("line 5") && text.contains("did you mean \"module.access\"?"),
        "{text}"
    );
    assert!(told("[web]\nport = 80\n").contains("unknown key \"web\""));
    assert!(told("[module]\nname = \"a\"\n").contains("[[module]]"));
    let variable = Written::new("").with("BLIT_DAEMON__NAEM", "x");
    let text = variable.load(&[]).unwrap_err().told();
    assert!(
        text.contains("environment variable BLIT_DAEMON__NAEM"),
        "{text}"
    );
}

#[test]
fn a_value_that_cannot_be_is_refused_with_its_line() {
    let module = "[[module]]\nname = \"a\"\npath = \"/a\"\n";
    for (text, key, line) in [
        (
            "[daemon]\nstop_timeout = \"soon\"\n".to_owned(),
            "daemon.stop_timeout",
            2,
        ),
        (
            "[access]\nallow_from = [\"lna\"]\n".to_owned(),
            "access.allow_from",
            2,
        ),
        ("[access]\nmode = \"closed\"\n".to_owned(), "access.mode", 2),
        (format!("{module}access = \"write\"\n"), "module.access", 4),
        (
            format!("{module}security = \"trusted-network\"\n"),
            "module.security",
            4,
        ),
        (
            format!("{module}min_free = \"most\"\n"),
            "module.min_free",
            4,
        ),
        (format!("{module}{module}"), "module.name", 5),
        ("[[module]]\nname = \"a\"\n".to_owned(), "module", 1),
        (
            "[[module]]\nname = \"a\"\npath = \"a\"\n".to_owned(),
            "module.path",
            3,
        ),
    ] {
        let told = told(&text);
        assert!(told.contains(&format!("\"{key}\"")), "{told}");
        assert!(
            told.contains(&format!("daemon.toml, line {line}:")),
            "{told}"
        );
    }
}

#[test]
fn a_file_that_was_named_must_be_there_and_stands_alone() {
    let sources = |words: &[&str]| {
        let words = ["blit-daemon", "--state-dir=/state"].iter().chain(words);
        Sources::of_this_process(Args::parse_from(words))
    };
    let error = sources(&["--config=/nonexistent/daemon.toml"]).load();
    assert!(
        error
            .unwrap_err()
            .told()
            .contains("/nonexistent/daemon.toml")
    );
    assert_eq!(sources(&["--config=/dev/null"]).folder, None);
    assert!(
        sources(&["--config=/dev/null"])
            .load()
            .unwrap()
            .modules
            .is_empty()
    );
}

#[test]
fn names_that_could_be_paths_or_twice_are_refused() {
    let written = Written::new("");
    for module in ["../x=/srv", "=/srv", "1=/srv", "a b=/srv"] {
        assert!(written.load(&["--module", module]).is_err());
    }
    assert!(written.load(&["--module=a=/x", "--module=a=/y"]).is_err());
}
