//! Compiles the `.proto` files with protox, so that no protoc has to be installed.

const FILES: [&str; 2] = ["mailsonde/v1/uplink.proto", "mailsonde/v1/enrolment.proto"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(FILES, ["."])?;
    tonic_prost_build::configure()
        .bytes(".mailsonde.v1.Batch.observations")
        .btree_map(".")
        .compile_fds(descriptors)?;
    Ok(())
}
