use super::*;

fn parsed(line: &str) -> Result<Cli, UserError> {
    let words = line.split(' ').map(OsString::from).collect();
    match parse(words)? {
        Parsed::Run(cli) => Ok(*cli),
        Parsed::Show(_) => panic!("{line} shows something"),
    }
}

#[test]
fn the_parser_is_consistent() {
    command().debug_assert();
}

#[test]
fn verbs_have_their_aliases_and_no_abbreviations() {
    assert!(matches!(
        parsed("blit cp a b").unwrap().verb,
        Some(Verb::Copy(_))
    ));
    assert!(matches!(
        parsed("blit mv a b").unwrap().verb,
        Some(Verb::Move(_))
    ));
    assert_eq!(parsed("blit cop a b").unwrap_err().slug, Slug::UsageVerb);
    assert_eq!(parsed("blit m a b").unwrap_err().slug, Slug::UsageVerb);
}

#[test]
fn a_typing_error_is_answered_with_what_is_near() {
    let error = parsed("blit mirrro a b").unwrap_err();
    assert!(error.next.unwrap().contains("mirror"));
    let error = parsed("blit copy --exclde x a b").unwrap_err();
    assert_eq!(error.slug, Slug::UsageFlag);
    assert!(error.next.unwrap().contains("--exclude"));
}

#[test]
fn flags_work_before_and_behind_the_paths() {
    for line in [
        "blit --json copy -n a b",
        "blit copy a b -n --json",
        "blit copy a --json -n b",
    ] {
        let cli = parsed(line).unwrap();
        let Some(Verb::Copy(copy)) = cli.verb else {
            panic!("{line} is no copy");
        };
        assert!(cli.global.json && copy.writing.dry_run, "{line}");
        assert_eq!(copy.paths, ["a", "b"]);
    }
}

#[test]
fn flags_that_make_no_sense_with_a_verb_are_refused() {
    for line in [
        "blit mirror -u a b",
        "blit mirror --ignore-existing a b",
        "blit mirror --files-from x a b",
        "blit copy --max-delete 5 a b",
        "blit check --verify a b",
        "blit ls --exclude x",
        "blit -q -v ls",
    ] {
        assert_eq!(parsed(line).unwrap_err().slug, Slug::UsageFlag, "{line}");
    }
}

#[test]
fn ages_have_hidden_aliases() {
    let Some(Verb::Copy(copy)) = parsed("blit copy --max-age 7d --min-age 1h a b")
        .unwrap()
        .verb
    else {
        panic!("no copy");
    };
    assert!(copy.limits.newer_than.is_some() && copy.limits.older_than.is_some());
}

#[test]
fn json_is_seen_even_if_the_rest_is_wrong() {
    let typed = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
    assert!(wants_json(&typed("blit copy --json --frobnicate")));
    assert!(!wants_json(&typed("blit copy -- --json b")));
}

#[test]
fn a_bad_value_is_named_with_its_flag() {
    let error = parsed("blit copy --max-size many a b").unwrap_err();
    assert!(
        error.message.contains("--max-size") && error.message.contains("many"),
        "{error}"
    );
}
