//! What is said to people when something goes wrong: a slug, what failed, why, what was changed,
//! and what to do next.

pub use blit_events::Slug;
pub(crate) use blit_events::{Changed, UserError, cause_of, from_contract, internal, slug_of};

/// What commands return.
pub(crate) type Result<T, E = eyre::Report> = std::result::Result<T, E>;

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

#[cfg(test)]
mod tests {
    use blit_contract::Side;
    use blit_jobs::from_registry;
    use eyre::WrapErr;

    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_plugin_that_is_missing_is_told_as_such() {
        let registry = blit_registry::Registry::builtin().unwrap();
        let missing = registry.planner(Some("absent"), &blit_registry::PluginConfig::new());
        let error = from_registry(Side::Target, "/backup", missing.err().unwrap());
        assert_eq!((error.slug, error.exit().code()), (Slug::PluginFailed, 12));
        assert!(error.message.contains("absent"), "{error}");
    }

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
