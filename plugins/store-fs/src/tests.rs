//! What the store promises, on a real file system.
