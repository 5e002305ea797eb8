//! The words of the contract in JSON and in rows.

use blit_contract::{ItemOp, LossClass, Method, Phase, Side};

/// The word of an operation, and for `check` of a difference.
pub fn op_word(op: ItemOp) -> &'static str {
    match op {
        ItemOp::Create => "create",
        ItemOp::Delete => "delete",
        ItemOp::Metadata | ItemOp::DiffersMetadata => "metadata",
        ItemOp::MoveAway => "move",
        ItemOp::Skip => "skip",
        ItemOp::Update => "update",
        ItemOp::DiffersContent => "content",
        ItemOp::DiffersExtra => "extra",
        ItemOp::DiffersMissing => "missing",
        ItemOp::DiffersType => "type",
        _ => "other",
    }
}

/// Whether the operation is a difference that `check` found.
pub fn is_difference(op: ItemOp) -> bool {
    matches!(
        op,
        ItemOp::DiffersContent
            | ItemOp::DiffersExtra
            | ItemOp::DiffersMetadata
            | ItemOp::DiffersMissing
            | ItemOp::DiffersType
    )
}

/// The word of a phase.
pub fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Scan => "scan",
        Phase::Compare => "compare",
        Phase::Copy => "copy",
        Phase::Verify => "verify",
        Phase::Delete => "delete",
        Phase::Finish => "finish",
        _ => "other",
    }
}

/// The word of a way to move bytes.
pub fn method_word(method: Method) -> &'static str {
    match method {
        Method::CopyFileRange => "copy-file-range",
        Method::Pack => "pack",
        Method::Pump => "pump",
        Method::Reflink => "reflink",
        Method::Sendfile => "sendfile",
        Method::Splice => "splice",
        _ => "other",
    }
}

/// The word of something that a target cannot keep.
pub fn loss_word(class: LossClass) -> &'static str {
    match class {
        LossClass::Acl => "acl",
        LossClass::HardLink => "hard-link",
        LossClass::Mode => "mode",
        LossClass::Owner => "owner",
        LossClass::Time => "time",
        LossClass::Xattr => "xattr",
        _ => "other",
    }
}

/// The word of a side.
pub fn side_word(side: Side) -> &'static str {
    match side {
        Side::Source => "source",
        Side::Target => "target",
    }
}
