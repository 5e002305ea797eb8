//! Layers, origins and errors.

use std::io::Write;

use tempfile::NamedTempFile;

use super::*;

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn load(text: &str) -> Result<Loaded, ConfigError> {
    Sources::default().with_file(file(text).path()).load()
}

fn shown(loaded: &Loaded, key: &str) -> Setting {
    loaded.shown.iter().find(|s| s.key == key).unwrap().clone()
}

#[test]
fn without_any_source_blits_own_settings_hold() {
    let loaded = Sources::default().load().unwrap();
    let settings = &loaded.settings;
    assert_eq!(settings.output.color, ColorWhen::Auto);
    assert_eq!(settings.transfer.durability, Durability::Batch);
    assert_eq!(settings.transfer.retry_for.duration.as_secs(), 120);
    assert_eq!(settings.transfer.max_delete, None);
    assert!(settings.history.enabled);
    assert!(loaded.shown.iter().all(|s| s.origin == Origin::BuiltIn));
}

#[test]
fn every_key_is_shown_once_and_in_order() {
    let loaded = Sources::default().load().unwrap();
    let keys: Vec<_> = loaded.shown.iter().map(|s| s.key).collect();
    assert_eq!(keys, KEYS.plain);
    assert!(KEYS.plain.is_sorted());
    let unset: Vec<_> = loaded
        .shown
        .iter()
        .filter(|s| s.value.is_none())
        .map(|s| s.key)
        .collect();
    assert_eq!(unset, ["transfer.max_delete", "transfer.one_file_system"]);
}

#[test]
fn later_layers_win_and_each_value_knows_who_said_it() {
    let file =
        file("[output]\ncolor = \"never\"\nprogress = \"plain\"\n[transfer]\nretry_for = \"5m\"\n");
    let flags = Flags {
        retry_for: Some("1h".parse().unwrap()),
        ..Flags::default()
    };
    let loaded = Sources::default()
        .with_file(file.path())
        .with_environment([
            ("BLIT_OUTPUT_PROGRESS", "never"),
            ("BLIT_TRANSFER_RETRY_FOR", "9m"),
        ])
        .with_flags(flags)
        .load()
        .unwrap();
    assert_eq!(loaded.settings.output.color, ColorWhen::Never);
    assert_eq!(loaded.settings.output.progress, ProgressWhen::Never);
    assert_eq!(loaded.settings.transfer.retry_for.duration.as_secs(), 3_600);
    let in_file = Origin::File {
        file: file.path().to_owned(),
        line: 2,
    };
    assert_eq!(shown(&loaded, "output.color").origin, in_file);
    let variable = Origin::Environment("BLIT_OUTPUT_PROGRESS".into());
    assert_eq!(shown(&loaded, "output.progress").origin, variable);
    let retry = shown(&loaded, "transfer.retry_for");
    assert_eq!(
        (retry.value.as_deref(), retry.origin),
        (Some("1h"), Origin::Flag("--retry-for"))
    );
    assert_eq!(shown(&loaded, "transfer.preserve").origin, Origin::BuiltIn);
}

#[test]
fn every_key_can_be_set_in_a_file_in_the_environment_and_most_by_a_flag() {
    let values = [
        ("completion.remote", "false"),
        ("history.enabled", "false"),
        ("output.color", "always"),
        ("output.progress", "plain"),
        ("ssh.daemon", "/opt/blit/blit-daemon"),
        ("ssh.program", "/usr/local/bin/ssh"),
        ("transfer.durability", "file"),
        ("transfer.max_delete", "75%"),
        ("transfer.one_file_system", "true"),
        ("transfer.preserve", "times"),
        ("transfer.retry_for", "7s"),
    ];
    let quoted = |value: &str| match value {
        "true" | "false" => value.to_owned(),
        text => format!("\"{text}\""),
    };
    let text: String = values
        .iter()
        .map(|(key, value)| format!("{key} = {}\n", quoted(value)))
        .collect();
    let variable = |key: &str| format!("BLIT_{}", key.replace('.', "_").to_ascii_uppercase());
    let from_file = load(&text).unwrap();
    let from_environment = Sources::default()
        .with_environment(values.map(|(key, value)| (variable(key), value)))
        .load()
        .unwrap();
    for loaded in [&from_file, &from_environment] {
        let pairs: Vec<_> = loaded
            .shown
            .iter()
            .map(|s| (s.key, s.value.as_deref().unwrap()))
            .collect();
        assert_eq!(pairs, values);
    }
    let flags = Flags {
        color: Some(ColorWhen::Always),
        durability: Some(Durability::File),
        max_delete: Some(DeleteLimit::Percent(75)),
        one_file_system: Some(true),
        preserve: Some(PreserveChoice::Times),
        progress: Some(ProgressWhen::Plain),
        retry_for: Some("7s".parse().unwrap()),
    };
    let from_flags = Sources::default().with_flags(flags).load().unwrap();
    assert_eq!(from_flags.settings.output, from_file.settings.output);
    assert_eq!(from_flags.settings.transfer, from_file.settings.transfer);
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_key_that_was_meant() {
    let file = file("# mine\n[output]\ncolour = \"never\"\n");
    let error = Sources::default()
        .with_file(file.path())
        .load()
        .unwrap_err();
    assert_eq!(error.slug(), "config.key");
    assert_eq!(
        error.to_string(),
        format!(
            "unknown key \"output.colour\" in {}, line 3",
            file.path().display()
        )
    );
    assert_eq!(error.next(), "did you mean \"output.color\"?");
}

#[test]
fn what_a_file_says_is_quoted_without_what_steers_a_terminal() {
    let error = load("\"\\u001b[2J\" = 1\n").unwrap_err();
    let text = error.to_string();
    assert!(text.contains("\"\\u{1b}[2J\""), "{text:?}");
}

#[test]
fn an_unknown_section_is_refused_with_its_line() {
    let error = load("\n[limits]\nbwlimit = \"20M\"\n").unwrap_err();
    assert!(
        error.to_string().contains("unknown key \"limits\""),
        "{error}"
    );
    assert!(error.to_string().ends_with("line 2"), "{error}");
}

#[test]
fn what_is_no_toml_is_refused_with_its_line() {
    let error = load("[output]\ncolor = \n").unwrap_err();
    assert_eq!(error.slug(), "config.syntax");
    assert!(error.to_string().contains("line 2"), "{error}");
}

#[test]
fn a_bad_value_is_refused_with_its_key_and_place() {
    for (text, key) in [
        ("[output]\ncolor = \"purple\"", "output.color"),
        ("[output]\ncolor = 3", "output.color"),
        ("[history]\nenabled = \"perhaps\"", "history.enabled"),
        ("[transfer]\nretry_for = \"soon\"", "transfer.retry_for"),
        ("[transfer]\nmax_delete = \"120%\"", "transfer.max_delete"),
        ("[transfer]\nmax_delete = [1]", "transfer.max_delete"),
    ] {
        let error = load(text).unwrap_err();
        assert_eq!(error.slug(), "config.value", "{text}: {error}");
        assert!(error.to_string().contains(&format!("\"{key}\"")), "{error}");
        assert!(error.to_string().contains("line 2: "), "{error}");
    }
    let error = load("output = 3").unwrap_err();
    assert_eq!(error.slug(), "config.value");
}

#[test]
fn a_bad_variable_is_refused_by_its_name() {
    let load = |name, value| Sources::default().with_environment([(name, value)]).load();
    let bad = load("BLIT_OUTPUT_COLOR", "purple").unwrap_err();
    assert!(
        bad.to_string()
            .contains("environment variable BLIT_OUTPUT_COLOR"),
        "{bad}"
    );
    let unknown = load("BLIT_TRANSFER_MAX_DELET", "1").unwrap_err();
    assert_eq!(unknown.next(), "did you mean \"transfer.max_delete\"?");
    load("BLIT_SEED", "4711").unwrap();
    load("BLIT_OUTPUT_COLOR", "").unwrap();
}

#[test]
fn a_limit_may_be_a_bare_number() {
    let loaded = load("transfer.max_delete = 500").unwrap();
    assert_eq!(
        loaded.settings.transfer.max_delete,
        Some(DeleteLimit::Entries(500))
    );
}

#[test]
fn a_file_that_was_named_must_exist_and_the_usual_one_need_not() {
    let missing = PathBuf::from("/nonexistent/config.toml");
    let error = Sources::default().with_file(&missing).load().unwrap_err();
    assert_eq!(error.slug(), "config.file");
    let usual = Sources {
        file: Some((missing, Required::No)),
        ..Sources::default()
    };
    usual.load().unwrap();
}
