//! Compiles the control plane's protocol without a `protoc` binary.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const FILE: &str = "proto/blit/control/v1/control.proto";
    println!("cargo::rerun-if-changed={FILE}");
    let files = protox::compile([FILE], ["proto"])?;
    let generator = tonic_prost_build::configure();
    generator.bytes(".").compile_fds(files)?;
    Ok(())
}
