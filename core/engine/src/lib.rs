//! The transfer session: source, plan, connection, target.
