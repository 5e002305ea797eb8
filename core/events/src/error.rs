//! What is said to people when something goes wrong, and to programs.

use std::fmt;

use blit_config::Exit;

use crate::{Changed, Failure, Slug};

/// An error that is meant for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserError {
    /// Its stable name.
    pub slug: Slug,
    /// What failed, in the user's terms, on one line.
    pub message: String,
    /// Why, with real values.
    pub cause: Vec<String>,
    /// What was changed.
    pub state: Option<String>,
    /// One thing to do next.
    pub next: Option<String>,
    /// What was changed, for programs.
    pub changed: Changed,
    exit: Option<Exit>,
}

impl UserError {
    /// An error before anything was changed.
    #[must_use]
    pub fn new(slug: Slug, message: impl Into<String>) -> Self {
        Self {
            slug,
            message: message.into(),
            cause: Vec::new(),
            state: None,
            next: None,
            changed: Changed::Nothing,
            exit: None,
        }
    }

    /// The same with a reason.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause.push(cause.into());
        self
    }

    /// The same with what was changed, in words.
    #[must_use]
    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.state = Some(state.into());
        self
    }

    /// The same, saying that nothing was changed.
    #[must_use]
    pub fn unchanged(self) -> Self {
        self.state("nothing was changed")
    }

    /// The same with a next step.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// The same, after something was or may have been changed.
    #[must_use]
    pub fn changed(mut self, changed: Changed) -> Self {
        self.changed = changed;
        self
    }

    /// The same with another exit code than the slug's own.
    #[must_use]
    pub fn exits(mut self, exit: Exit) -> Self {
        self.exit = Some(exit);
        self
    }

    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit.unwrap_or_else(|| self.slug.exit())
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for UserError {}

impl From<&UserError> for Failure {
    fn from(error: &UserError) -> Self {
        Self {
            code: error.slug.name(),
            exit: error.exit().code(),
            message: error.message.clone(),
            cause: error.cause.clone(),
            state: error.state.clone(),
            changed: error.changed,
            next: error.next.clone(),
            help: format!("errors/{}", error.slug.name()),
        }
    }
}
