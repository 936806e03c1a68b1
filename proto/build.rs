//! Generates the types of the protocol, and its description for reflection. protox compiles the .proto file, so protoc is not needed.

use std::path::PathBuf;

use prost::Message as _;

/// The fields with an enum and the type of the enum. They are serialized as names.
const ENUM_FIELDS: [(&str, &str); 12] = [
    ("Phase.name", "PhaseName"),
    ("InstanceReport.health", "Health"),
    ("Rollout.state", "RolloutState"),
    ("Change.kind", "ChangeKind"),
    ("Revision.kind", "RevisionKind"),
    ("Revision.outcome", "RolloutState"),
    ("NodeStatus.state", "NodeState"),
    ("Verdict.outcome", "ChangeOutcome"),
    ("StatusReply.health", "OverallHealth"),
    ("RunResult.outcome", "RunOutcome"),
    ("Run.state", "RunState"),
    ("Setting.origin", "SettingOrigin"),
];

#[expect(clippy::disallowed_methods, reason = "cargo names the folder in a variable")]
fn main() -> anyhow::Result<()> {
    println!("cargo:rerun-if-changed=oml");
    let files = protox::compile(["oml/v1/oml.proto"], ["."])?;
    // omlctl prints messages as JSON and YAML, so all of them are serializable.
    let mut builder = tonic_prost_build::configure()
        .btree_map(".")
        .type_attribute(".", "#[derive(serde::Serialize)]");
    for (field, kind) in ENUM_FIELDS {
        let attribute =
            format!("#[serde(serialize_with = \"crate::enums::serialize::<{kind}, _>\")]");
        builder = builder.field_attribute(format!(".oml.v1.{field}"), attribute);
    }
    // An opaque text, by which omlctl knows that a reason changed.
    builder = builder.field_attribute(".oml.v1.InstanceReport.reason_key", "#[serde(skip)]");
    // They are shown among the runs of the tenant.
    builder = builder.field_attribute(".oml.v1.InstanceReport.update_runs", "#[serde(skip)]");
    // These hold values of secrets. They are never printed (see `src/secret.rs`).
    for message in ["SecretValue", "NewSecretValue"] {
        let value = format!(".oml.v1.{message}.value");
        builder = builder.field_attribute(value, "#[serde(skip)]");
        builder = builder.skip_debug([format!(".oml.v1.{message}")]);
    }
    let description = PathBuf::from(std::env::var("OUT_DIR")?).join("oml.bin");
    std::fs::write(description, files.encode_to_vec())?;
    builder.compile_fds(files)?;
    Ok(())
}
