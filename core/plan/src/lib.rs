//! The default planner: pure, streaming, deterministic by seed.
