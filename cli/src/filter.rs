//! What the user typed of patterns, lists, sizes and ages, as rules.

use std::{
    ffi::OsStr,
    io::Read,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use blit_contract::{Name, RelPath, Select, Time};
use blit_filter::{Filter, check_pattern};
use blit_wire::{Bounds, PathList, Rules};

use crate::{
    args::{Limits, Patterns},
    errors::{Slug, UserError},
    ui::shown,
};

/// The rules that those flags say.
///
/// # Errors
/// A pattern that is none, a file of patterns that cannot be read, an age before all time.
pub(crate) fn rules(patterns: &Patterns, limits: &Limits) -> Result<Rules, UserError> {
    let mut exclude = Vec::new();
    for file in &patterns.exclude_from {
        add_file(&mut exclude, file)?;
    }
    for pattern in &patterns.exclude {
        exclude.push(typed("--exclude", pattern)?);
    }
    let include = patterns.include.iter();
    Ok(Rules {
        exclude,
        include: include
            .map(|pattern| typed("--include", pattern))
            .collect::<Result<_, _>>()?,
        bounds: bounds(limits)?,
        ..Rules::default()
    })
}

/// What a session or listing is to ask: nothing if everything takes part.
pub(crate) fn compile(rules: &Rules) -> Result<Option<Arc<dyn Select>>, UserError> {
    Filter::compile(rules).map_err(|error| bad("the patterns together", &error))
}

/// Refuses rules that are too much for another machine.
pub(crate) fn check_crossing(rules: &Rules) -> Result<(), UserError> {
    rules.check().map_err(|error| {
        let message = "these filters are too much to send to another machine";
        UserError::new(Slug::UsageUnavailable, message)
            .cause(error.to_string())
            .unchanged()
            .next("split them over several runs")
    })
}

/// Reads the list in `file`; `-` is standard input.
pub(crate) fn read_list(file: &Path) -> Result<PathList, UserError> {
    let mut bytes = Vec::new();
    let read = match file.as_os_str() == "-" {
        true => std::io::stdin().lock().read_to_end(&mut bytes),
        false => std::fs::File::open(file).and_then(|mut open| open.read_to_end(&mut bytes)),
    };
    read.map_err(|error| unreadable("--files-from", file, &error))?;
    parse_list(&bytes)
}

/// Paths that end in NUL if there is any NUL, otherwise in a line feed.
fn parse_list(bytes: &[u8]) -> Result<PathList, UserError> {
    let end = if bytes.contains(&0) { 0 } else { b'\n' };
    bytes.split(|byte| *byte == end).map(listed).collect()
}

/// A listed path; `.` and doubled slashes say nothing.
fn listed(line: &[u8]) -> Result<RelPath, UserError> {
    let bad = |why: &str| {
        let shown = shown(OsStr::from_bytes(line));
        UserError::new(
            Slug::FilterSyntax,
            format!("--files-from: \"{shown}\" {why}"),
        )
        .unchanged()
    };
    if line.starts_with(b"/") {
        return Err(bad("is not relative to the source"));
    }
    let names = line.split(|byte| *byte == b'/');
    let names = names.filter(|part| !matches!(*part, b"" | b"."));
    names
        .map(|name| Name::new(name).map_err(|_| bad("is not a path below the source")))
        .collect()
}

fn typed(flag: &str, pattern: &OsStr) -> Result<String, UserError> {
    let text = pattern.to_str().ok_or_else(|| not_text(flag))?;
    // In a file this would be a comment; nobody types one.
    let line = match text.strip_prefix('#') {
        Some(rest) => format!("\\#{rest}"),
        None => text.to_owned(),
    };
    check_pattern(&line).map_err(|error| bad(&format!("{flag} \"{text}\""), &error))?;
    Ok(line)
}

fn add_file(lines: &mut Vec<String>, file: &PathBuf) -> Result<(), UserError> {
    const FLAG: &str = "--exclude-from";
    let text = std::fs::read(file).map_err(|error| unreadable(FLAG, file, &error))?;
    for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let place = || format!("{FLAG} {}, line {}", shown(file.as_os_str()), at + 1);
        let line = std::str::from_utf8(line).map_err(|_| not_text(&place()))?;
        let line = line.trim_end_matches('\r');
        check_pattern(line).map_err(|error| bad(&place(), &error))?;
        let is_said = !line.starts_with('#') && !line.trim().is_empty();
        lines.extend(is_said.then(|| line.to_owned()));
    }
    Ok(())
}

fn bounds(limits: &Limits) -> Result<Bounds, UserError> {
    let now = jiff::Zoned::now();
    let moment = |flag: &str, age: &Option<blit_config::Age>| {
        let Some(age) = age else { return Ok(None) };
        let at = age.moment(&now).ok_or_else(|| {
            UserError::new(Slug::UsageFlag, format!("{flag} is before all time")).unchanged()
        })?;
        Ok(Some(time_of(at)))
    };
    Ok(Bounds {
        size_min: limits.min_size.map(|size| size.bytes),
        size_max: limits.max_size.map(|size| size.bytes),
        modified_min: moment("--newer-than", &limits.newer_than)?,
        modified_max: moment("--older-than", &limits.older_than)?,
    })
}

fn time_of(at: jiff::Timestamp) -> Time {
    let nanos = at.as_nanosecond();
    let secs = nanos.div_euclid(1_000_000_000);
    Time::new(
        i64::try_from(secs).unwrap_or(i64::MIN),
        nanos.rem_euclid(1_000_000_000) as u32,
    )
}

fn unreadable(flag: &str, file: &Path, error: &std::io::Error) -> UserError {
    let name = shown(file.as_os_str());
    UserError::new(Slug::FilterSyntax, format!("cannot read {flag} {name}"))
        .cause(error.to_string())
        .unchanged()
}

fn bad(place: &str, error: &blit_filter::BadPattern) -> UserError {
    UserError::new(Slug::FilterSyntax, format!("{place} is not a pattern"))
        .cause(error.to_string())
        .unchanged()
        .next("blit help filters")
}

fn not_text(place: &str) -> UserError {
    UserError::new(Slug::FilterSyntax, format!("{place} is not UTF-8"))
        .unchanged()
        .next("match such names with * and ?")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn excluding(patterns: &[&str]) -> Patterns {
        Patterns {
            exclude: patterns.iter().map(OsString::from).collect(),
            ..Patterns::default()
        }
    }

    #[test]
    fn a_typed_hash_is_no_comment() {
        let rules = rules(&excluding(&["#x#"]), &Limits::default()).unwrap();
        assert_eq!(rules.exclude, ["\\#x#"]);
    }

    #[test]
    fn a_broken_pattern_is_a_usage_error_that_names_it() {
        let error = rules(&excluding(&["a[b"]), &Limits::default()).unwrap_err();
        assert_eq!(error.slug, Slug::FilterSyntax);
        assert_eq!(error.message, "--exclude \"a[b\" is not a pattern");
    }

    #[test]
    fn a_broken_line_is_named_by_its_file_and_number() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("skip");
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let exclude_from = vec![file.clone()];
            let patterns = Patterns {
                exclude_from,
                ..excluding(&["last"])
            };
            rules(&patterns, &Limits::default())
        };
        let good = read("# comment\r\n\n*.o\r\n  \n!keep.o\n").unwrap();
        assert_eq!(good.exclude, ["*.o", "!keep.o", "last"]);
        let place = format!("--exclude-from {}, line 2", file.display());
        let error = read("*.o\na[b\n").unwrap_err();
        assert_eq!(error.message, format!("{place} is not a pattern"));
        std::fs::write(&file, b"*.o\n\xff\n").unwrap();
        let error = add_file(&mut Vec::new(), &file).unwrap_err();
        assert_eq!(error.message, format!("{place} is not UTF-8"));
        let error = add_file(&mut Vec::new(), &folder.path().join("none")).unwrap_err();
        assert_eq!(error.slug, Slug::FilterSyntax);
    }

    #[test]
    fn sizes_and_ages_become_bounds() {
        let limits = Limits {
            min_size: Some("1".parse().unwrap()),
            max_size: Some("1KiB".parse().unwrap()),
            newer_than: Some("2020-01-01".parse().unwrap()),
            older_than: None,
        };
        let bounds = rules(&Patterns::default(), &limits).unwrap().bounds;
        assert_eq!((bounds.size_min, bounds.size_max), (Some(1), Some(1_024)));
        let year_2020 = 1_577_836_800;
        let day = 24 * 60 * 60;
        let secs = bounds.modified_min.unwrap().secs;
        assert!(
            (year_2020 - day..=year_2020 + day).contains(&secs),
            "{secs}"
        );
        assert_eq!(bounds.modified_max, None);
    }

    #[test]
    fn a_list_has_lines_or_what_ends_in_nul() {
        for text in [&b"./a/b\nc\n\nd\xff/\n"[..], b"a/b\0c\0d\xff\0"] {
            let list = parse_list(text).unwrap();
            let paths: Vec<Vec<u8>> = list.iter().map(|path| path.to_bytes()).collect();
            assert_eq!(paths, [&b"a/b"[..], b"c", b"d\xff"]);
        }
    }

    #[test]
    fn a_list_never_leads_out_of_the_source() {
        for bad in ["/etc/passwd", "../x", "a/../../x"] {
            let error = parse_list(bad.as_bytes()).unwrap_err();
            assert_eq!(error.slug, Slug::FilterSyntax, "{bad}");
        }
    }

    #[test]
    fn rules_that_are_too_much_for_another_machine_are_refused_here() {
        let rules = Rules {
            exclude: vec!["x".repeat(5_000)],
            ..Rules::default()
        };
        let error = check_crossing(&rules).unwrap_err();
        assert_eq!(error.slug, Slug::UsageUnavailable);
    }
}
