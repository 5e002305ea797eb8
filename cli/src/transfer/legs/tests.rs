use std::ffi::OsStr;

use blit_registry::Registry;

use super::*;

/// A directory with `photos/` (a directory), `a.jpg`, `b.jpg` (files), `link` (a symlink to photos)
/// and `there/` (a directory).
fn scene() -> tempfile::TempDir {
    let scene = tempfile::tempdir().unwrap();
    for directory in ["photos", "there", "other"] {
        std::fs::create_dir(scene.path().join(directory)).unwrap();
    }
    for file in ["a.jpg", "b.jpg", "other/a.jpg"] {
        std::fs::write(scene.path().join(file), "x").unwrap();
    }
    std::os::unix::fs::symlink("photos", scene.path().join("link")).unwrap();
    scene
}

/// The legs, written `source: names -> target`, relative to the scene.
fn resolve(scene: &tempfile::TempDir, sources: &[&str], target: &str) -> Result<Vec<String>, Slug> {
    let registry = Registry::new([]).unwrap();
    let root = scene.path().to_str().unwrap();
    let place = |typed: &str| {
        let typed = format!("{root}/{typed}");
        Place::parse(&registry, OsStr::new(&typed)).unwrap()
    };
    let sources: Vec<Place> = sources.iter().map(|typed| place(typed)).collect();
    let found = legs(&sources, &place(target)).map_err(|error| error.slug)?;
    let short = |path: &Path| {
        let text = path.display().to_string();
        text.strip_prefix(root)
            .unwrap()
            .trim_matches('/')
            .to_owned()
    };
    let write = |leg: &Leg| {
        let what = match &leg.top {
            Top::Contents => "*".to_owned(),
            Top::Names(names) => {
                let write = |name: &TopName| match name.source == name.target {
                    true => name.source.to_string(),
                    false => format!("{}={}", name.source, name.target),
                };
                names.iter().map(write).collect::<Vec<_>>().join(",")
            }
        };
        format!("{}:{what} -> {}", short(&leg.source), short(&leg.target))
    };
    Ok(found.iter().map(write).collect())
}

#[test]
fn the_slash_of_the_source_decides_and_nothing_else() {
    let scene = scene();
    let table: &[(&[&str], &str, &[&str])] = &[
        (&["photos"], "new", &[":photos -> new"]),
        (&["photos"], "there", &[":photos -> there"]),
        (&["photos/"], "new", &["photos:* -> new"]),
        (&["photos/"], "there", &["photos:* -> there"]),
        (&["photos/."], "there", &["photos/.:* -> there"]),
        (&["photos/.."], "there", &["photos/..:* -> there"]),
        (&["photos"], "there/", &[":photos -> there"]),
        (&["photos"], "new/", &[":photos -> new"]),
        (&["a.jpg"], "there", &[":a.jpg -> there"]),
        (&["a.jpg"], "there/", &[":a.jpg -> there"]),
        (&["a.jpg"], "new/", &[":a.jpg -> new"]),
        (&["a.jpg"], "new.jpg", &[":a.jpg=new.jpg -> "]),
        (&["a.jpg"], "b.jpg", &[":a.jpg=b.jpg -> "]),
        (&["a.jpg", "b.jpg"], "new", &[":a.jpg,b.jpg -> new"]),
        (
            &["a.jpg", "photos/"],
            "new",
            &[":a.jpg -> new", "photos:* -> new"],
        ),
        (&["link"], "there", &[":link -> there"]),
        (&["link"], "new", &[":link=new -> "]),
        (&["link/"], "new", &["link:* -> new"]),
    ];
    for (sources, target, expected) in table {
        let found = resolve(&scene, sources, target).unwrap();
        assert_eq!(found, *expected, "{sources:?} {target}");
    }
}

#[test]
fn consecutive_sources_of_one_directory_share_a_session() {
    let scene = scene();
    let found = resolve(&scene, &["a.jpg", "photos", "other/a.jpg"], "new");
    assert_eq!(found, Err(Slug::PathTwice));
    let found = resolve(&scene, &["b.jpg", "photos", "other/a.jpg"], "new").unwrap();
    assert_eq!(found, [":b.jpg,photos -> new", "other:a.jpg -> new"]);
}

#[test]
fn a_source_that_is_not_there_is_said() {
    let scene = scene();
    assert_eq!(resolve(&scene, &["gone"], "new"), Err(Slug::PathNotFound));
    assert_eq!(resolve(&scene, &["gone/"], "new"), Err(Slug::PathNotFound));
    assert_eq!(
        resolve(&scene, &["a.jpg/"], "new"),
        Err(Slug::PathNotDirectory)
    );
    assert_eq!(
        resolve(&scene, &["a.jpg/b"], "new"),
        Err(Slug::PathNotFound)
    );
}
