//! What the generator makes of `proto/`.

#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    reason = "generated code"
)]

tonic::include_proto!("blit.control.v1");
