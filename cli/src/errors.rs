//! What is said to people when something goes wrong: a slug, what failed, why, what was changed,
//! and what to do next.

mod contract;
mod slug;

use std::fmt;

use blit_events::Failure;

use crate::exit::Exit;

pub(crate) use blit_events::Changed;

pub(crate) use contract::{cause_of, from_contract, from_registry, internal, slug_of};
pub use slug::Slug;

/// What commands return.
pub(crate) type Result<T, E = eyre::Report> = std::result::Result<T, E>;

/// An error that is meant for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserError {
    /// Its stable name.
    pub(crate) slug: Slug,
    /// What failed, in the user's terms, on one line.
    pub(crate) message: String,
    /// Why, with real values.
    pub(crate) cause: Vec<String>,
    /// What was changed.
    pub(crate) state: Option<String>,
    /// One thing to do next.
    pub(crate) next: Option<String>,
    /// What was changed, for programs.
    pub(crate) changed: Changed,
    exit: Option<Exit>,
}

impl UserError {
    /// An error before anything was changed.
    #[must_use]
    pub(crate) fn new(slug: Slug, message: impl Into<String>) -> Self {
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
    pub(crate) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause.push(cause.into());
        self
    }

    /// The same with what was changed, in words.
    #[must_use]
    pub(crate) fn state(mut self, state: impl Into<String>) -> Self {
        self.state = Some(state.into());
        self
    }

    /// The same, saying that nothing was changed.
    #[must_use]
    pub(crate) fn unchanged(self) -> Self {
        self.state("nothing was changed")
    }

    /// The same with a next step.
    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// The same, after something was or may have been changed.
    #[must_use]
    pub(crate) fn changed(mut self, changed: Changed) -> Self {
        self.changed = changed;
        self
    }

    /// The same with another exit code than the slug's own.
    #[must_use]
    pub(crate) fn exits(mut self, exit: Exit) -> Self {
        self.exit = Some(exit);
        self
    }

    /// The exit code.
    #[must_use]
    pub(crate) fn exit(&self) -> Exit {
        self.exit.unwrap_or_else(|| self.slug.exit())
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for UserError {}

/// Ends a command without a word: whoever read the output has gone (`blit find … | head`).
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("standard output was closed")]
pub(crate) struct OutputClosed;

/// The user error in a chain, or one made of the whole chain.
pub(crate) fn to_user_error(report: &eyre::Report) -> UserError {
    if let Some(known) = report
        .chain()
        .find_map(|error| error.downcast_ref::<UserError>())
    {
        return known.clone();
    }
    let mut chain = report.chain();
    let first = chain.next().map(ToString::to_string).unwrap_or_default();
    let error = UserError::new(Slug::RunFailed, first).changed(Changed::Unknown);
    chain.fold(error, |error, cause| error.cause(cause.to_string()))
}

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

#[cfg(test)]
mod tests {
    use eyre::WrapErr;

    use super::*;

    #[test]
    fn a_user_error_is_found_under_added_context() {
        let known = UserError::new(Slug::PathNotFound, "source not found: x");
        let report = Err::<(), _>(known.clone()).wrap_err("while copying");
        assert_eq!(to_user_error(&report.unwrap_err()), known);
    }

    #[test]
    fn an_unknown_error_becomes_its_chain() {
        let inner = std::io::Error::other("the disk is gone");
        let report = Err::<(), _>(inner).wrap_err("cannot write");
        let error = to_user_error(&report.unwrap_err());
        assert_eq!(error.exit(), Exit::Failed);
        assert_eq!(error.message, "cannot write");
        assert_eq!(error.cause, ["the disk is gone"]);
    }
}
