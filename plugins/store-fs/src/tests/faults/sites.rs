//! The sites at which a fault can be planned, read from the source: nobody has to keep a list.

use std::{collections::BTreeSet, fs, path::PathBuf};

/// What calls the kernel. Each of them needs a site in its function.
const KERNEL: &[&str] = &[
    "rustix::fs::",
    "rustix::io::",
    "std::fs::",
    "RawDir::new(",
    "IoUring::new(",
    ".submit_and_wait(",
    ".try_clone()",
];

/// What looks like such a call and computes only.
const PURE: &[&str] = &["rustix::fs::makedev("];

/// Asked once for the whole process, and whatever the answer, the work goes on: who we are, how many
/// files we may open, what the umask is.
const WITHOUT_SITES: &[&str] = &["process.rs", "planned.rs"];

/// The files of the door to Linux, with their content.
fn sources() -> Vec<(String, String)> {
    let sys = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/sys");
    let mut open = vec![sys.join("linux.rs"), sys.join("linux")];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|it| it.unwrap().path()));
        } else if !WITHOUT_SITES.contains(&name.as_str()) {
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

/// The name of every site.
pub(super) fn all() -> BTreeSet<String> {
    let sources = sources();
    let names = sources.iter().flat_map(|(_, text)| named(text, "Site(\""));
    names.map(str::to_owned).collect()
}

/// The sites whose calls may move less than they were asked for.
pub(super) fn that_move() -> BTreeSet<String> {
    let sources = sources();
    let names = sources
        .iter()
        .flat_map(|(_, text)| named(text, "length(Site(\""));
    names.map(str::to_owned).collect()
}

fn named<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
}

/// The functions of a source, by their names; comments left out.
fn functions(text: &str) -> Vec<(String, String)> {
    let mut functions = vec![(String::new(), String::new())];
    for line in text.lines().filter(|it| !it.trim_start().starts_with("//")) {
        let head = line.split_once("fn ").filter(|(before, _)| {
            let mut words = before.split_whitespace();
            words.all(|word| word.starts_with("pub") || word == "const")
        });
        if let Some((_, rest)) = head {
            let name = rest.split(['(', '<']).next().unwrap_or_default();
            functions.push((name.to_owned(), String::new()));
        }
        if let Some((_, body)) = functions.last_mut() {
            body.push_str(line);
            body.push('\n');
        }
    }
    functions
}

/// How many calls of the kernel a function makes, and how many sites it has or is given.
fn calls_and_sites(body: &str) -> (usize, usize) {
    let is_call = |after: &str| {
        let name = after.split('(').next().unwrap_or_default();
        !name.is_empty()
            && name
                .bytes()
                .all(|it| it.is_ascii_lowercase() || it == b'_' || it.is_ascii_digit())
    };
    let mut calls = 0;
    for kernel in KERNEL {
        let module = kernel.ends_with("::");
        let found = body.split(kernel).skip(1);
        calls += found.filter(|after| !module || is_call(after)).count();
    }
    let pure: usize = PURE.iter().map(|it| body.matches(it).count()).sum();
    let given = body.matches("site: Site").count();
    (calls - pure, body.matches("Site(\"").count() + given)
}

fn without_a_site(sources: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in sources {
        for (name, body) in functions(text) {
            let (calls, sites) = calls_and_sites(&body);
            if calls > sites {
                found.push(format!("{file}: {name}: {calls} calls, {sites} sites"));
            }
        }
    }
    found
}

#[test]
fn every_call_of_the_kernel_has_a_site_where_it_can_fail() {
    let sources = sources();
    assert!(sources.len() >= 3, "the door has moved");
    let found = without_a_site(&sources);
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(all().len() >= 45, "{:?}", all());
}

#[test]
fn a_new_call_without_a_site_is_found() {
    let new = "    /// Asks for more.\n    pub(crate) fn allocate(&self) -> io::Result<()> {\n        \
               Ok(rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, 1)?)\n    }\n";
    let sources = [("file.rs".to_owned(), new.to_owned())];
    assert_eq!(
        without_a_site(&sources),
        ["file.rs: allocate: 1 calls, 0 sites"]
    );
}

#[test]
fn no_two_calls_share_the_name_of_a_site() {
    let sources = sources();
    let mut names: Vec<_> = sources
        .iter()
        .flat_map(|(_, text)| named(text, "Site(\""))
        .collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
}
