//! The verbs that move nothing: room, deletion, and what a machine says of itself.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use blit_conform::{Options, Snapshot, assert_same, seed, tree::random_tree};

use crate::bench::{HOST, Two, contents, there};

#[test]
fn df_shows_the_room_of_a_module_and_of_all_of_them() {
    let two = Two::new();
    std::fs::write(two.module().join("f"), "").unwrap();
    let total = |text: &str| text.split('\t').next().unwrap().to_owned();
    let here = two.blit(&["df", "m"]).exits(0).stdout;
    for place in ["m", "m/f"] {
        let far = two.blit(&["df", &there(place)]).exits(0).stdout;
        assert_eq!(total(&far), total(&here));
        assert!(far.ends_with(&format!("\t{}\n", there(place))), "{far}");
    }
    let all = two.blit(&["df", &format!("{HOST}:")]).exits(0).stdout;
    let places: Vec<&str> = all
        .lines()
        .filter_map(|row| row.rsplit('\t').next())
        .collect();
    assert_eq!(places, [there("m"), there("ro")]);
    let json = two.blit(&["--json", "df", &there("m")]).exits(0).stdout;
    assert!(
        json.contains("\"kind\":\"space\"") && json.contains(&total(&here)),
        "{json}"
    );
    let _ = two
        .blit(&["df", &there("none")])
        .exits(5)
        .says("there are: m, ro");
    let _ = two.blit(&["df", &there("m/none")]).exits(5);
}

#[test]
fn rm_deletes_what_was_named_and_nothing_else() {
    let two = Two::new();
    let module = two.module();
    random_tree(&module.join("doomed"), seed(), 600);
    random_tree(&module.join("kept"), seed(), 60);
    let odd = OsStr::from_bytes(b"odd\xffname");
    std::fs::write(module.join(odd), "x").unwrap();
    let kept = Snapshot::of(&module.join("kept"));
    let _ = two
        .blit(&["rm", &there("m/doomed")])
        .exits(2)
        .says("is a directory");
    let _ = two
        .blit(&["rm", "-r", &there("m/doomed")])
        .exits(7)
        .says("nobody is here to confirm");
    let dry = two.blit(&["rm", "-r", "-n", &there("m/doomed")]).exits(0);
    assert!(
        dry.stdout
            .contains(&format!("delete   {}", there("m/doomed"))),
        "{dry}"
    );
    assert!(module.join("doomed").exists() && module.join(odd).exists());
    two.blit(&["rm", "-r", "-y", &there("m/doomed/")])
        .succeeds();
    assert!(!module.join("doomed").exists());
    // A single file needs no question.
    let mut path = OsString::from(there("m/"));
    path.push(odd);
    let _ = two
        .blit(&[OsStr::new("rm"), &path])
        .exits(0)
        .says("Deleted 1 entry");
    assert!(!module.join(odd).exists());
    let changed = kept.differences(&Snapshot::of(&module.join("kept")), Options::untouched());
    assert!(changed.is_empty(), "{changed:#?}");
}

#[test]
fn rm_refuses_the_root_of_a_module_what_is_not_there_and_what_is_read_only() {
    let two = Two::new();
    std::fs::write(two.module().join("f"), "").unwrap();
    let readable = two.scratch.directory("ro");
    std::fs::write(readable.join("f"), "").unwrap();
    let untouched = |root: &Path| root.join("f").is_file();
    for root in ["m", "m/", "ro/"] {
        let _ = two
            .blit(&["rm", "-r", "-y", &there(root)])
            .exits(7)
            .says("the root of a tree is never deleted");
    }
    let _ = two
        .blit(&["rm", &there("ro/f")])
        .exits(6)
        .says("the module ro is read-only")
        .says("nothing was changed");
    let _ = two
        .blit(&["rm", &there("m/none")])
        .exits(5)
        .says("path not found");
    let _ = two
        .blit(&["rm", &there("none/f")])
        .exits(5)
        .says("there are: m, ro");
    assert!(untouched(&two.module()) && untouched(&readable));
}

#[test]
fn status_is_one_screen_about_a_machine() {
    let two = Two::new();
    let text = two.blit(&["status", HOST]).exits(0).stdout;
    let first = format!("{HOST} is nas, blit {}, up ", env!("CARGO_PKG_VERSION"));
    assert!(text.starts_with(&first), "{text}");
    assert!(text.contains(", 0 sessions\n"), "{text}");
    assert!(
        text.contains(&format!("{}/\tread-write\t", there("m"))),
        "{text}"
    );
    assert!(
        text.contains(&format!("{}/\tread-only\t", there("ro"))),
        "{text}"
    );
    let json = two
        .blit(&["--json", "status", &format!("{HOST}:")])
        .exits(0)
        .stdout;
    for part in [
        r#""kind":"status","name":"name","value":"nas""#,
        r#""kind":"status","name":"sessions","value":"0""#,
        r#""kind":"module","name":"ro","value":"read-only""#,
    ] {
        assert!(json.contains(part), "{part} in {json}");
    }
    let _ = two.blit(&["status", "stranger"]).exits(6);
}

#[test]
fn doctor_follows_the_way_to_a_machine_as_far_as_it_leads() {
    let mut two = Two::new();
    for typed in [HOST.to_owned(), format!("{HOST}:"), there("m")] {
        let ran = two.blit(&["doctor", &typed]).exits(0);
        for check in [
            "name",
            "connection",
            "key",
            "protocol",
            "round trip",
            "clock",
            "modules",
            "path MTU",
        ] {
            let row = format!("ok       {check} ");
            assert!(ran.stdout.contains(&row), "{row} in {ran}");
        }
    }
    // Only a directory that was named is written into, and nothing stays.
    assert!(!two.blit(&["doctor", HOST]).stdout.contains(" rate "));
    let ran = two.blit(&["doctor", &there("m")]).exits(0);
    for row in ["ok       rate ", "ok       content "] {
        assert!(ran.stdout.contains(row), "{row} in {ran}");
    }
    assert_eq!(std::fs::read_dir(two.module()).unwrap().count(), 0);
    let ran = two.blit(&["doctor", &there("ro")]).exits(0);
    assert!(ran.stdout.contains("lacking  rate "), "{ran}");
    let json = two.blit(&["--json", "doctor", HOST]).exits(0).stdout;
    assert!(
        json.contains(r#""kind":"check","name":"protocol","value":"ok""#),
        "{json}"
    );
    two.daemon.kill();
    let ran = two.blit(&["doctor", HOST]).exits(3);
    assert!(ran.stdout.contains("bad      connection "), "{ran}");
    assert!(!ran.stdout.contains(" key "), "{ran}");
    std::fs::remove_dir_all(two.scratch.path("daemon-state")).unwrap();
    let listen = format!("127.0.0.1:{}", two.daemon.port());
    two.daemon = Two::start(&two.scratch, &listen, &[]);
    let ran = two.blit(&["doctor", HOST]).exits(3);
    assert!(ran.stdout.contains("bad      key "), "{ran}");
    assert!(
        ran.stdout.contains("expected ") && ran.stdout.contains("got "),
        "{ran}"
    );
    let _ = two.blit(&["doctor", "stranger:"]).exits(6);
    let _ = two.blit(&["doctor", "no-such-path"]).exits(5);
}

#[test]
fn what_a_pull_replaces_or_deletes_goes_to_the_backup_directory() {
    let two = Two::new();
    let source = two.module();
    std::fs::write(source.join("f"), "new").unwrap();
    let (target, backup) = (two.scratch.directory("target"), two.scratch.path("backup"));
    std::fs::write(target.join("f"), "older").unwrap();
    std::fs::write(target.join("extra"), "goes").unwrap();
    let words = ["mirror", "-y", "--max-delete=100%", "--backup-dir"];
    let pull = two.command(&words).arg(&backup);
    pull.args([there("m/").into(), contents(&target)])
        .run()
        .succeeds();
    assert_same(&source, &target);
    for (name, old) in [("f", "older"), ("extra", "goes")] {
        assert_eq!(std::fs::read_to_string(backup.join(name)).unwrap(), old);
    }
    let inside = two.command(&words).arg(target.join("old"));
    let refused = inside.args([there("m/").into(), contents(&target)]).run();
    let _ = refused
        .exits(2)
        .says("the backup directory is inside the destination");
    assert_same(&source, &target);
}
