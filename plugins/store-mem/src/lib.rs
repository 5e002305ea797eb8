//! Trees in memory: the reference store.
