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

/// Without a flaw, and nobody signed.
fn verified(lines: u64, first: u64) -> Verified {
    Verified {
        lines,
        first,
        signers: Vec::new(),
        unsigned: lines,
    }
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
    let expected = verified(5, 1);
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
fn nothing_is_due_behind_the_last_number_that_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let (first, before) = line_of(u64::MAX, NOTHING_BEFORE, &event("m/a")).unwrap();
    let (second, _) = line_of(1, &before, &event("m/b")).unwrap();
    let lines = [first, second].map(|it| it.trim_end().to_owned());
    assert_eq!(first_broken(folder.path(), &lines), 2);
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
    assert_eq!(verify(folder.path()).unwrap(), verified(7, 1));
    let second = verify(&folder.path().join(CURRENT)).unwrap();
    assert_eq!(second, verified(2, 6));
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

/// A log of two lines, a signature, and a line; and who signed.
fn signed() -> (tempfile::TempDir, Identity, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::load_or_create(&folder.path().join("state")).unwrap();
    let mut log = AuditLog::open(folder.path()).unwrap();
    log.append(&event("m/a")).unwrap();
    log.append(&event("m/b")).unwrap();
    assert_eq!(log.unsigned(), 2);
    log.checkpoint(&identity).unwrap();
    assert_eq!(log.unsigned(), 0);
    log.append(&event("m/c")).unwrap();
    let text = fs::read_to_string(folder.path().join(CURRENT)).unwrap();
    (folder, identity, text.lines().map(str::to_owned).collect())
}

#[test]
fn a_checkpoint_says_who_signed_what_is_before_it() {
    let (folder, identity, lines) = signed();
    let verified = verify(folder.path()).unwrap();
    assert_eq!(verified.signers, [identity.id()]);
    assert_eq!((verified.lines, verified.unsigned), (4, 1));
    assert!(lines[2].contains(&identity.id().to_string()));
}

/// Whoever can write the file and has this program can make another chain. Not its signatures.
#[test]
fn a_chain_that_was_made_anew_has_no_signature() {
    let (folder, _, lines) = signed();
    let remade = |key: &str| {
        let (first, sum) = line_of(1, "", &event("m/other")).unwrap();
        let (second, sum) = line_of(2, &sum, &event("m/b")).unwrap();
        let fields: Value = serde_json::from_str(&lines[2]).unwrap();
        let (third, _) = line_of(
            3,
            &sum,
            &AuditEvent {
                actor: "local".to_owned(),
                key: Some(key.to_owned()),
                action: CHECKPOINT,
                decision: "allow",
                proof: Some(fields["proof"].as_str().unwrap().to_owned()),
                ..AuditEvent::default()
            },
        )
        .unwrap();
        [first, second, third].map(|line| line.trim_end().to_owned())
    };
    let fields: Value = serde_json::from_str(&lines[2]).unwrap();
    let key = fields["key"].as_str().unwrap();
    assert_eq!(first_broken(folder.path(), &remade(key)), 3);
}

#[test]
fn a_signature_under_another_name_is_none() {
    let (folder, identity, mut lines) = signed();
    let other = Identity::load_or_create(&folder.path().join("other")).unwrap();
    // The line is otherwise as it should be.
    let (_, before) = verify::place_of(lines[1].as_bytes()).unwrap();
    let proof = identity
        .sign(verify::signed_message(3, &before).as_bytes())
        .unwrap();
    let (line, _) = line_of(
        3,
        &before,
        &AuditEvent {
            key: Some(other.id().to_string()),
            action: CHECKPOINT,
            proof: Some(verify::proof_text(&proof)),
            ..AuditEvent::default()
        },
    )
    .unwrap();
    lines.truncate(2);
    lines.push(line.trim_end().to_owned());
    assert_eq!(first_broken(folder.path(), &lines), 3);
}

#[test]
fn old_files_go_and_that_is_written_down() {
    let (folder, _) = five();
    let mut log = AuditLog::open(folder.path()).unwrap();
    log.rotate(1).unwrap();
    log.append(&event("m/f")).unwrap();
    log.remove_before(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(verify(folder.path()).unwrap(), verified(6, 1));
    let later = SystemTime::now() + std::time::Duration::from_secs(60);
    log.remove_before(later).unwrap();
    log.sync().unwrap();
    assert_eq!(verify(folder.path()).unwrap(), verified(2, 6));
    let text = fs::read_to_string(folder.path().join(CURRENT)).unwrap();
    assert!(
        text.contains("audit.remove") && text.contains("audit-000000000005"),
        "{text}"
    );
}
