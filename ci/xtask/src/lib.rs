//! The project's tasks: ci, bench, docs.
