//! The plugins of a default build.
