//! What the two sides of a session say, and when they may say it.
