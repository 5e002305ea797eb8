//! Why the daemon does not start, or does not take a new configuration, in the administrator's terms.

use std::path::PathBuf;

use blit_config::{ConfigError, Exit};

/// A failure with what to do about it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    slug: &'static str,
    exit: Exit,
    message: String,
    causes: Vec<String>,
    next: Option<String>,
    /// In which file, and in which line. Boxed: a failure is handed around much.
    place: Option<Box<(PathBuf, usize)>>,
}

impl Failure {
    /// One of what was configured.
    pub(crate) fn config(slug: &'static str, message: impl Into<String>) -> Self {
        Self::new(slug, Exit::Usage, message)
    }

    pub(crate) fn new(slug: &'static str, exit: Exit, message: impl Into<String>) -> Self {
        Self {
            slug,
            exit,
            message: message.into(),
            causes: Vec::new(),
            next: None,
            place: None,
        }
    }

    /// The same with everything that `error` was caused by.
    #[must_use]
    pub(crate) fn because(mut self, error: &dyn std::error::Error) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            self.causes.push(error.to_string());
            cause = error.source();
        }
        self
    }

    /// The same with what a running daemon told of it.
    #[must_use]
    pub(crate) fn said(mut self, told: &str) -> Self {
        self.causes
            .push(told.trim_start_matches("error: ").to_owned());
        self
    }

    /// The same with one command or deed.
    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// In which file, and in which line.
    pub(crate) fn place(&self) -> Option<(PathBuf, usize)> {
        self.place.as_deref().cloned()
    }

    pub(crate) fn slug(&self) -> &'static str {
        self.slug
    }

    /// All of it, in lines.
    pub(crate) fn told(&self) -> String {
        let mut text = format!("error: {}", self.message);
        for cause in &self.causes {
            text += &format!("\n  cause: {cause}");
        }
        if let Some(next) = &self.next {
            text += &format!("\n  next: {next}");
        }
        text
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let next = match error.suggestion() {
            Some(key) => format!("did you mean \"{key}\"?"),
            None => "docs/daemon.md has all keys".to_owned(),
        };
        let mut failure = Self::config(error.slug(), error.to_string()).next(next);
        let place = error.place();
        failure.place = place.map(|(file, line)| Box::new((file.to_owned(), line)));
        match std::error::Error::source(&error) {
            Some(source) => failure.because(source),
            None => failure,
        }
    }
}

impl From<blit_registry::RegistryError> for Failure {
    fn from(error: blit_registry::RegistryError) -> Self {
        Self::new("run.failed", Exit::Failed, error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new("run.failed", Exit::Failed, error.to_string())
    }
}
