//! A stock gRPC client that knows nothing of us, with an operator's bundle.

use anyhow::Result;
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] =
    &[(Kind::Tiny, "stock_grpc_programs_reach_the_controller_with_a_bundle", stock_client)];

/// Asks by raw messages, so that nothing has to be generated: a request without fields, a health
/// check, and a list of services.
const CLIENT: &str = r#"
import sys, tomllib, grpc
with open(sys.argv[1], "rb") as file:
    bundle = tomllib.load(file)
pem = lambda name: bundle[name].encode()
credentials = grpc.ssl_channel_credentials(pem("ca_pem"), pem("key_pem"), pem("certificate_pem"))
for target in [bundle["endpoint"], *sys.argv[2:]]:
    with grpc.secure_channel(target, credentials) as channel:
        unary = lambda path: channel.unary_unary(path)(b"", timeout=10)
        serving = unary("/grpc.health.v1.Health/Check") == b"\x08\x01"
        status = b"tiny-one" in unary("/oml.v1.Fleet/GetStatus")
        for version in ["v1", "v1alpha"]:
            path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
            answers = channel.stream_stream(path)(iter([b"\x3a\x00"]), timeout=10)
            assert b"oml.v1.Fleet" in next(answers), version
    print(target, serving, status)
"#;

fn stock_client(fleet: &Fleet) -> Result<()> {
    let controller = fleet.host(CONTROLLER)?;
    controller.push("/run/client.py", CLIENT.as_bytes(), 0o644)?;
    // By its address, which the bundle says, and by its name.
    let command = ["python3", "/run/client.py", "/root/operator.toml", "controller:7443"];
    let printed = controller.exec_ok(&command)?;
    let expected = format!("{}:7443 True True\ncontroller:7443 True True\n", controller.address());
    check(printed == expected, printed)
}
