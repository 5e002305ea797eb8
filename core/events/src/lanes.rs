//! How data crossed to another machine.

use blit_contract::SecurityClass;
use blit_lanes::LaneUse;
use schemars::JsonSchema;
use serde::Serialize;

/// How data crossed to another machine.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Lanes {
    /// unix, tcp or grpc (inside the control connection).
    pub transport: &'static str,
    /// encrypted, clear (in a network that both sides trust) or machine (it never left it).
    pub security: &'static str,
    /// How many lanes there were.
    pub streams: u32,
    /// Ways that were tried before, and did not work.
    pub passed_over: Vec<PassedOver>,
}

/// A way that did not work.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PassedOver {
    /// The transport.
    pub transport: &'static str,
    /// Why.
    pub cause: String,
}

impl Lanes {
    /// What was used, if anything was.
    pub fn of(uses: &LaneUse) -> Option<Self> {
        let used = uses.used()?;
        let passed_over = uses.passed_over().into_iter();
        Some(Self {
            transport: used.transport,
            security: security_word(used.security),
            streams: used.lanes,
            passed_over: passed_over
                .map(|passed| PassedOver {
                    transport: passed.transport,
                    cause: passed.why,
                })
                .collect(),
        })
    }
}

fn security_word(class: SecurityClass) -> &'static str {
    match class {
        SecurityClass::SameMachine => "machine",
        SecurityClass::TrustedNetwork => "clear",
        _ => "encrypted",
    }
}
