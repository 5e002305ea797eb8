//! One lookup for the plugins of every kind.
