//! Compiles `uplink.proto` with protox, so that no protoc has to be installed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=mailsonde/v1/uplink.proto");
    let descriptors = protox::compile(["mailsonde/v1/uplink.proto"], ["."])?;
    tonic_prost_build::configure()
        .bytes(".mailsonde.v1.Batch.observations")
        .btree_map(".")
        .compile_fds(descriptors)?;
    Ok(())
}
