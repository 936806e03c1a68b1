//! The pinned hash of every fixture: the SHA-256 of its line, without the line break.

pub(super) const HASHES: &[(&str, &str)] = &[
    ("instance.json", "b4ef5d2d3a9a10f7a242a2a0a51a294574fe55d09630811275368bb59400561e"),
    ("instance_minimal.json", "e1ffa6c40b48c9d03637ebb8dea47fbbb6cc6f0a300bb7f5e4c9941cdbf364bf"),
    ("assignment.json", "bd3873dad312f7df57dc68c21de6b22c59d1a18ca0c24ecec8dc5bf0c2fc05e4"),
    ("assignment_minimal.json", "f7480028e4bc7d9458a8304a2bf038c6e75ed47b0fd9f0e18f170755081106ef"),
    ("report.json", "1c7b2cfc19eba401bd2540c53b7f7a1b2cdeb4cc73d4388738769304e70cb883"),
    ("report_minimal.json", "6100846ffa555d9f1b76cfab39c1bf84124a8e0ee04e68e1549f42266783430b"),
    ("saved_updates.json", "4365aca196ecf21837012956c38bcfcf90284d67c345baf783aef3a91d18ed4e"),
    (
        "saved_updates_minimal.json",
        "2430f1a2ad2982d0067885488a4c89e21ad1d7c83b115ba8f1b20acc88dfaea8",
    ),
    ("status.json", "5fa44bfe6fe2be123432c4bfede9a86c90896388739654e27c658a02bc0335ad"),
    ("status_minimal.json", "ed2a82d6175c811d79bced34773cd7f359db49190e262d713573c77a6345b4d0"),
    ("plan.json", "e6c9673c4b84c455f184e684896125794ed42d127f5ccb136517ff67bd340012"),
    ("plan_minimal.json", "ef2b7947ec850a2cbb6ab4602a49920efe8242f4d470365e7245329012076c80"),
    ("revision.json", "5ed4ad0e18aaf86aa20f47ca0564bf58a61570dbb08c8d2880483b77f6999ebe"),
    ("revision_minimal.json", "e028a103caa9e1084409366febdf8f215c366495f46cb909768f17d13d14ae69"),
    ("head.json", "8e71f5829c149f1bc95e0bd923ff0300ef9c986ddb5a7aac6ae1c50e2c29e737"),
    ("head_minimal.json", "489a257337f90e329031b7e891efda1dd062b38281cf300bb8612cb774fb02bf"),
    ("target.json", "fd6719e2c4caf0db9a2ab55ab64473f107380b7d1d64eaced46af4c06cc9e4a7"),
    ("target_minimal.json", "fd6719e2c4caf0db9a2ab55ab64473f107380b7d1d64eaced46af4c06cc9e4a7"),
    ("idempotency_record.json", "3ccdf9a7e33b7009cc9742738235e73488d9b5df662814121c65f52c80c32beb"),
    (
        "idempotency_record_minimal.json",
        "bae0ff3701c94e3d6f21c75fcf7deb02b63655e09bafea9a6718f82ccd0a4eb7",
    ),
    ("rollout.json", "c577a19b5145ff927df310e8c031332ceb6c36b68c10ac790e76bac054beaaf2"),
    ("rollout_minimal.json", "494319c810b4a338ede2f4ff9e6f22e1a94cb00acc5ab09863d0f6ae15d9be13"),
    ("rollout_outcome.json", "f5eefc40df56af070e22d17da610df9b64e85eb98e75bf9d12750c854fd163ba"),
    (
        "rollout_outcome_minimal.json",
        "e7a9e8a466ef8db4c5e609c6f5bd751761487bef8538854420549f2af3249530",
    ),
    ("node_record.json", "b4df3410a0c49e06c90726c640ff335c66e2b0de2c571194d2f202856448409d"),
    (
        "node_record_minimal.json",
        "126a255a4970f84ee8ec6986d73d846f6ba356a75961caacb348e29e74e7c648",
    ),
    ("last_report.json", "9810989fa65249cb87c6e0d531fd1869ef20284f601eef48e087f2cd2888fdef"),
    (
        "last_report_minimal.json",
        "119517ab4d3f1f48d3eb3de24d0879165eba6c75cb732347a0a20384e7569176",
    ),
    ("token_record.json", "30f5dab6b9299ad34df5fbbf3d1272dee4a356de970a28a18db163c05d6d411c"),
    (
        "token_record_minimal.json",
        "58c1471e1963ebb65618682bd18e0f37025b1ee18da06cce5b2b86a3d253648e",
    ),
    ("public_endpoint.json", "1c7c16af3ff17199f5694c7ae153ef8956b852d7cacdf38644acb108c74e50f7"),
    (
        "public_endpoint_minimal.json",
        "a9db587edf0577fc4f05e1678c4aa047bd4a7374008d0680ccd5f010785e741f",
    ),
    ("epoch.json", "1fc419da5e6fd424d453d012c32bf89e287d0b31883912f5d13c2b5d2e950ec5"),
    ("epoch_minimal.json", "1fc419da5e6fd424d453d012c32bf89e287d0b31883912f5d13c2b5d2e950ec5"),
    ("operator_record.json", "0ec2469290f0b9a0c647086c2c9bd5d945b174da75a38ab8c5ff052ea4004674"),
    (
        "operator_record_minimal.json",
        "dcbb3d5194a4db23245f60da6b6dd65f90164bb1f0eaed15594b5c508899f688",
    ),
    ("audit_record.json", "f92ee72edb1045db61f8bd3531912d0b95642e7381ad0ff86dee9f8b844747d3"),
    (
        "audit_record_minimal.json",
        "9ee55a6249049e600297fcf98cf4fca87d3cea3c92386bfac530bec72e32c889",
    ),
];
