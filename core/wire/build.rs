//! Compiles the protocol without a `protoc` binary.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const FILE: &str = "proto/blit/session/v1/session.proto";
    println!("cargo::rerun-if-changed={FILE}");
    let files = protox::compile([FILE], ["proto"])?;
    prost_build::Config::new()
        // Content is handed on without a copy.
        .bytes(["."])
        .compile_fds(files)?;
    Ok(())
}
