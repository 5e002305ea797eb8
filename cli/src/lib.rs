//! The blit command line.
