//! What was done to a log is found.

use super::*;

fn event(object: &str) -> AuditEvent {
    AuditEvent {
        actor: "laptop".to_owned(),
        action: "delete",
        object: object.to_owned(),
        decision: "allow",
        ..AuditEvent::default()
    }
}

/// A log of five lines, and its lines.
fn five() -> (tempfile::TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let mut log = AuditLog::open(folder.path()).unwrap();
    for object in ["m/a", "m/b \"quoted\"", "m/c\nd", "m/d", "m/e"] {
        log.append(&event(object)).unwrap();
    }
    log.sync().unwrap();
    let text = fs::read_to_string(folder.path().join(CURRENT)).unwrap();
    let lines = text.lines().map(str::to_owned).collect();
    (folder, lines)
}

/// The line that is named once the log consists of `lines`.
fn first_broken(folder: &Path, lines: &[String]) -> u64 {
    fs::write(folder.join(CURRENT), lines.join("\n") + "\n").unwrap();
    match verify(folder) {
        Err(AuditFlaw::Line { line, .. }) => line,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_log_as_it_was_written_is_believed() {
    let (folder, lines) = five();
    assert_eq!(lines.len(), 5);
    let expected = Verified { lines: 5, first: 1 };
    assert_eq!(verify(folder.path()).unwrap(), expected);
    assert_eq!(verify(&folder.path().join(CURRENT)).unwrap(), expected);
}

#[test]
fn a_changed_line_is_named() {
    for changed in 0..5 {
        let (folder, mut lines) = five();
        lines[changed] = lines[changed].replace("laptop", "nobody");
        assert_eq!(first_broken(folder.path(), &lines), changed as u64 + 1);
    }
}

#[test]
fn a_removed_line_is_found_at_the_one_behind_it() {
    for removed in 1..4 {
        let (folder, mut lines) = five();
        lines.remove(removed);
        assert_eq!(first_broken(folder.path(), &lines), removed as u64 + 1);
    }
}

#[test]
fn removed_last_lines_are_found() {
    let (folder, lines) = five();
    fs::write(folder.path().join(CURRENT), lines[..4].join("\n") + "\n").unwrap();
    let flaw = verify(folder.path()).unwrap_err();
    assert!(
        matches!(
            flaw,
            AuditFlaw::CutOff {
                found: 4,
                expected: 5
            }
        ),
        "{flaw}"
    );
}

#[test]
fn reordered_lines_are_found_at_the_first_that_is_out_of_place() {
    for (one, other) in [(1, 2), (0, 1), (3, 4), (1, 4)] {
        let (folder, mut lines) = five();
        lines.swap(one, other);
        let broken = first_broken(folder.path(), &lines);
        // Instead of the first line of all another may stand, if the ones before it are not kept.
        assert!(
            broken == one as u64 + 1 || (one == 0 && broken == 2),
            "{one} {other}: {broken}"
        );
    }
}

#[test]
fn a_line_with_a_new_digest_breaks_the_one_behind_it() {
    let (folder, mut lines) = five();
    let (place, _) = verify::place_of(lines[1].as_bytes()).unwrap();
    let before = verify::place_of(lines[0].as_bytes()).unwrap().1;
    lines[1] = line_of(place, &before, &event("m/other"))
        .unwrap()
        .0
        .trim_end()
        .to_owned();
    assert_eq!(first_broken(folder.path(), &lines), 3);
}

#[test]
fn the_chain_goes_on_over_files_and_restarts() {
    let (folder, _) = five();
    let mut log = AuditLog::open(folder.path()).unwrap();
    log.rotate(1).unwrap();
    log.append(&event("m/f")).unwrap();
    log.rotate(1 << 20).unwrap();
    drop(log);
    let mut log = AuditLog::open(folder.path()).unwrap();
    log.append(&event("m/g")).unwrap();
    log.sync().unwrap();
    assert_eq!(
        verify(folder.path()).unwrap(),
        Verified { lines: 7, first: 1 }
    );
    let second = verify(&folder.path().join(CURRENT)).unwrap();
    assert_eq!(second, Verified { lines: 2, first: 6 });
    // Right after a file was closed, too.
    log.rotate(1).unwrap();
    drop(log);
    AuditLog::open(folder.path())
        .unwrap()
        .append(&event("m/h"))
        .unwrap();
    assert_eq!(verify(folder.path()).unwrap().lines, 8);
}

#[test]
fn half_a_line_of_a_crash_is_cut_off_and_that_is_written_down() {
    let (folder, lines) = five();
    let torn = format!("{}\n{}", lines.join("\n"), &lines[4][..20]);
    fs::write(folder.path().join(CURRENT), torn).unwrap();
    AuditLog::open(folder.path()).unwrap();
    assert_eq!(verify(folder.path()).unwrap().lines, 6);
    let text = fs::read_to_string(folder.path().join(CURRENT)).unwrap();
    assert!(text.contains("audit.mend"), "{text}");
}

#[test]
fn what_is_no_log_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(CURRENT), "something else\n").unwrap();
    assert!(AuditLog::open(folder.path()).is_err());
}

#[test]
fn a_name_without_end_is_cut_and_the_log_can_be_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = AuditLog::open(folder.path()).unwrap();
    let mut long = event(&"\u{1}ä".repeat(1 << 20));
    long.result = Some(long.object.clone());
    log.append(&long).unwrap();
    assert!(log.end < LINE_BYTES_MAX, "{}", log.end);
    AuditLog::open(folder.path())
        .unwrap()
        .append(&long)
        .unwrap();
    assert_eq!(verify(folder.path()).unwrap().lines, 2);
}
