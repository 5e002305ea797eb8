//! Who may say what to a daemon: identity, pairing, TLS, and the control plane.
//!
//! A machine is its Ed25519 key ([`Identity`], [`NodeId`]). Peers are the keys that it knows
//! ([`Peers`]); they come to know each other by an [`Invitation`], which is pasted once. [`Client`]
//! reaches a peer, [`Server`] waits for them: both over TLS 1.3 with both keys proved, and nothing of a
//! certificate but its key is believed. What is said inside is gRPC; who may say it is decided by whoever
//! implements [`Arrivals`].

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod arrival;
mod audit;
mod client;
mod desk;
mod door;
mod health;
mod identity;
mod invitation;
mod job;
mod limits;
mod local;
mod peers;
mod pipe;
pub mod private_file;
mod probe;
mod proto;
mod sealed_key;
mod server;
mod snapshot;
mod stream;
mod tls;
mod token;

pub use arrival::{LaneSocket, VerifiedPeer};
pub use audit::{AuditEvent, AuditFlaw, AuditLog, Verified, verify as verify_audit};
pub use client::{Client, ConnectError, join, knock};
pub use desk::JobsOf;
pub use door::{Admission, Door};
pub use health::Health;
pub use identity::{BadNodeId, Identity, IdentityError, NodeId};
pub use invitation::{Invitation, InvitationError, Invitations};
pub use job::{JobLines, JobRefusal, ManageJobs, Told};
pub use local::{LocalClient, LocalServer, Manage, socket_of, sockets};
pub use peers::{KnownPeer, Peers, PeersError};
pub use pipe::{Greeting, PipeCalls, serve_pipe};
pub use private_file::read as read_private;
pub use probe::{Connected, Probe, probe};
pub use server::{Arrivals, LaneOpening, Server};
pub use snapshot::{OpenedKey, Snapshot, SnapshotError};
pub use token::{
    Errand, Granted, Issued, TOKEN_BYTES_MAX, TOKEN_LIFETIME, Token, TokenError, Tokens,
};

/// The port of a daemon that says nothing else.
pub const PORT: u16 = 9_031;

/// What machines say to each other before and around their streams.
pub mod calls {
    pub use crate::proto::{JoinReply, JoinRequest, KnockRequest, Opening, Piece};
}

/// What is said of jobs, and how they are kept.
pub mod jobs {
    pub use crate::proto::{
        JobFigures, JobLeg, JobLine, JobRecord, JobRow, JobSpec, JobState, StartJobReply,
    };
}

/// What the administrator and the daemon of this machine say to each other.
pub mod management {
    pub use crate::proto::{
        ChangePeersReply, ChangePeersRequest, InviteReply, ModuleState, PeerRow, PeersReply,
        ReloadReply, Rename, StatusReply, change_peers_request::Change,
    };
}
