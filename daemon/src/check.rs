//! `blit-daemon check-config`: everything that is wrong, not only the first of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use toml_edit::{Document, Item, Table};

use crate::{
    config::{Config, ModuleConfig, Sources},
    disk::Disks,
    failure::Failure,
    modules,
    plugins::Plugins,
};

/// How many modules could be served, or all that is wrong.
pub(crate) fn check(sources: &Sources) -> Result<usize, Vec<Failure>> {
    let (config, mut failures) = read(sources)?;
    match unopened(&config.modules, &config.state) {
        Ok(more) => failures.extend(more),
        Err(failure) => failures.push(failure),
    }
    match failures.is_empty() {
        true => Ok(config.modules.len()),
        false => Err(failures),
    }
}

/// What holds without the lines that are wrong, and what is wrong with those.
fn read(sources: &Sources) -> Result<(Config, Vec<Failure>), Vec<Failure>> {
    let mut without = Without::default();
    loop {
        let failure = match sources.load_with(&without.texts) {
            Ok(config) => return Ok((config, without.failures)),
            Err(failure) => failure,
        };
        // What is not in a file stays wrong, and hides what comes behind it.
        if let Err(failure) = without.take_out(failure) {
            without.failures.push(failure);
            return Err(without.failures);
        }
    }
}

/// The modules that cannot be opened.
pub(crate) fn unopened(of: &[ModuleConfig], state: &Path) -> Result<Vec<Failure>, Failure> {
    let disks = Arc::new(Disks::load(state)?);
    let plugins = Plugins::load()?;
    let each = of.iter().map(std::slice::from_ref);
    let opened = each.map(|module| modules::open(module, &disks, &plugins));
    Ok(opened.filter_map(Result::err).collect())
}

/// Files without what was found wrong in them.
#[derive(Default)]
struct Without {
    texts: BTreeMap<PathBuf, String>,
    failures: Vec<Failure>,
    /// Where rows begin of which something was taken out: what they lack now is no mistake of the file.
    torn: BTreeSet<(PathBuf, usize)>,
}

impl Without {
    /// Notes the failure, and takes what it is about out of its file. Lines keep their numbers.
    fn take_out(&mut self, failure: Failure) -> Result<(), Failure> {
        let Some((file, line)) = failure.place() else {
            return Err(failure);
        };
        let text = match self.texts.get(&file) {
            Some(text) => text.clone(),
            None => match std::fs::read_to_string(&file) {
                Ok(text) => text,
                Err(_) => return Err(failure),
            },
        };
        // What is no TOML at all is passed over as a whole.
        let parts = Parts::of(&text).unwrap_or(Parts::whole(&text));
        let (from, to) = parts.at(line);
        let lines = text.lines().enumerate();
        let kept = lines.map(|(at, it)| {
            if (from..to).contains(&(at + 1)) {
                ""
            } else {
                it
            }
        });
        let left = kept.collect::<Vec<_>>().join("\n") + "\n";
        if left == text {
            return Err(failure);
        }
        let header = (file.clone(), parts.header_of(line));
        if !(header.1 == line && self.torn.contains(&header)) {
            self.failures.push(failure);
        }
        self.torn.insert(header);
        self.texts.insert(file, left);
        Ok(())
    }
}

/// Where the parts of a file begin, in lines from 1.
struct Parts {
    headers: Vec<usize>,
    /// From the key to the line behind its value.
    values: Vec<(usize, usize)>,
    end: usize,
}

impl Parts {
    fn whole(text: &str) -> Self {
        Self {
            headers: vec![1],
            values: Vec::new(),
            end: text.lines().count() + 1,
        }
    }

    fn of(text: &str) -> Option<Self> {
        let document = Document::parse(text).ok()?;
        let mut parts = Self::whole(text);
        parts.headers.clear();
        parts.table(text, document.as_table());
        parts.headers.sort_unstable();
        Some(parts)
    }

    fn table(&mut self, text: &str, table: &Table) {
        for (key, item) in table.iter() {
            let begins = table.key(key).and_then(|key| key.span());
            let begins = begins.map(|span| line_at(text, span.start));
            match item {
                Item::Table(inner) => self.header(text, inner),
                Item::ArrayOfTables(tables) => tables.iter().for_each(|it| self.header(text, it)),
                Item::Value(value) => {
                    let ends = value.span().map(|span| line_at(text, span.end.max(1) - 1));
                    if let (Some(begins), Some(ends)) = (begins, ends) {
                        self.values.push((begins, ends + 1));
                    }
                }
                Item::None => {}
            }
        }
    }

    fn header(&mut self, text: &str, table: &Table) {
        let span = table.span();
        self.headers
            .extend(span.map(|span| line_at(text, span.start)));
        self.table(text, table);
    }

    /// The last header not behind this line.
    fn header_of(&self, line: usize) -> usize {
        let before = self.headers.iter().rev().find(|it| **it <= line);
        before.copied().unwrap_or(1)
    }

    /// The lines of the value that stands there, or of all below the header.
    fn at(&self, line: usize) -> (usize, usize) {
        let value = self
            .values
            .iter()
            .find(|(from, to)| (*from..*to).contains(&line));
        value.copied().unwrap_or_else(|| {
            let next = self.headers.iter().find(|it| **it > line);
            (self.header_of(line), next.copied().unwrap_or(self.end))
        })
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.bytes().take(offset);
    1 + before.filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Args;

    fn found(text: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("daemon.toml");
        std::fs::write(&file, text).unwrap();
        let words = ["blit-daemon", "--state-dir=/state", "--config"].map(PathBuf::from);
        let args = Args::parse_from(words.iter().chain([&file]));
        match read(&Sources::of_this_process(args)) {
            Ok((_, failures)) | Err(failures) => failures.iter().map(Failure::told).collect(),
        }
    }

    fn lines(text: &str) -> Vec<usize> {
        let line = |told: &String| {
            let rest = told.split_once(", line ").unwrap().1;
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
            digits.unwrap().parse().unwrap()
        };
        let mut lines: Vec<usize> = found(text).iter().map(line).collect();
        lines.sort_unstable();
        lines
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let text = "[daemon]\nlisen = \"x\"\nname = 5\n\n[log]\nlevel = \"loud\"\n\n\
                    [[module]]\nname = \"a\"\npath = \"/srv\"\npeers = [\n  \"x\",\n  5,\n]\nacess = \"read-write\"\n\n\
                    [[module]]\npath = \"relative\"\nname = \"b\"\n\n[nonsense]\nx = 1\n";
        assert_eq!(lines(text), [2, 3, 6, 11, 15, 18, 21], "{:#?}", found(text));
    }

    #[test]
    fn a_row_without_what_it_needs_is_told_once() {
        assert_eq!(lines("[[module]]\nname = \"a\"\n"), [1]);
        // The path is wrong; that it is missing once it is taken out is no second mistake.
        assert_eq!(lines("[[module]]\nname = \"a\"\npath = 5\n"), [3]);
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line() {
        assert_eq!(lines("[daemon]\nname = \n"), [2]);
    }

    #[test]
    fn a_file_without_mistakes_has_none() {
        assert!(found("[[module]]\nname = \"a\"\npath = \"/srv\"\n").is_empty());
    }
}
