//! What the generator makes of `proto/`.

#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code")]

include!(concat!(env!("OUT_DIR"), "/blit.session.v1.rs"));
