//! Generates the wire types; protox compiles the .proto, so no protoc is needed.

fn main() -> anyhow::Result<()> {
    println!("cargo:rerun-if-changed=oml");
    let files = protox::compile(["oml/v1/oml.proto"], ["."])?;
    // Operators read these messages as JSON and YAML, so every one is serializable.
    tonic_prost_build::configure()
        .btree_map(".")
        .type_attribute(".", "#[derive(serde::Serialize)]")
        .compile_fds(files)?;
    Ok(())
}
