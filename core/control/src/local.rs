//! The daemon of this machine, managed over a socket in the file system: no key but the user's own.

use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use futures_util::stream;
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tonic::{
    Request, Response, Status,
    transport::{Channel, Endpoint, Server},
};

use crate::{
    Health, JobRefusal, JobsOf, KnownPeer, ManageJobs, VerifiedPeer, desk, health,
    proto::{
        ChangePeersReply, ChangePeersRequest, InviteReply, InviteRequest, JobSpec, PeerRow,
        PeersReply, PeersRequest, ReloadReply, ReloadRequest, StartJobReply, StatusReply,
        StatusRequest,
        management_client::ManagementClient,
        management_server::{Management, ManagementServer},
    },
    stream::MESSAGE_BYTES_MAX,
};

/// The name of the socket.
const SOCKET: &str = "blit.sock";

/// Where the daemon with this state directory is managed; under systemd in its runtime directory.
#[must_use]
pub fn socket_of(state: &Path) -> PathBuf {
    match std::env::var_os("RUNTIME_DIRECTORY") {
        Some(folder) if Path::new(&folder).is_absolute() => Path::new(&folder).join(SOCKET),
        _ => state.join(SOCKET),
    }
}

/// Where the daemon of this machine may be managed, for whoever knows its state directory.
#[must_use]
pub fn sockets(state: &Path) -> Vec<PathBuf> {
    vec![state.join(SOCKET), Path::new("/run/blit").join(SOCKET)]
}

/// Who does what the administrator asks for. Errors are sentences for people.
#[async_trait]
pub trait Manage: Send + Sync + 'static {
    /// Who looks after jobs.
    fn jobs(&self) -> Arc<dyn ManageJobs>;
    /// How it goes.
    async fn status(&self) -> StatusReply;
    /// How a module does, or with an empty name the daemon.
    fn health(&self, service: &str) -> Health;
    /// Reads the configuration and the peers anew.
    async fn reload(&self) -> Result<ReloadReply, String>;
    /// Invites a machine.
    async fn invite(&self) -> Result<InviteReply, String>;
    /// Who is known, and who waits.
    async fn peers(&self) -> PeersReply;
    /// Accepts, adds, removes or renames.
    async fn change_peers(&self, request: ChangePeersRequest) -> Result<ChangePeersReply, String>;
}

/// The socket, bound.
#[derive(Debug)]
pub struct LocalServer {
    listener: UnixListener,
}

impl LocalServer {
    /// Binds `path`, in place of a socket that is left from a daemon that is gone: whoever calls holds the
    /// lock of the state directory.
    ///
    /// # Errors
    /// If it cannot be bound.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener })
    }

    /// Serves until `stop` is done, and then until what was asked is answered.
    ///
    /// # Errors
    /// If the server itself fails.
    pub async fn serve(
        self,
        manage: impl Manage,
        stop: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let own = rustix::process::geteuid().as_raw();
        let incoming = stream::unfold(self.listener, move |listener| async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) if is_trusted(&stream, own) => {
                        return Some((io::Result::Ok(stream), listener));
                    }
                    Ok(_) => tracing::warn!("another user came to the local socket"),
                    Err(cause) => {
                        tracing::warn!(%cause, "cannot accept");
                        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    }
                }
            }
        });
        let manage = Arc::new(manage);
        let (judge, keeper) = (Arc::clone(&manage), Arc::clone(&manage));
        let service = ManagementServer::new(LocalService(manage));
        Server::builder()
            .add_service(service.max_decoding_message_size(MESSAGE_BYTES_MAX))
            .add_service(desk::service(Arc::new(move |_| Ok(keeper.jobs()))))
            .add_service(health::service(Arc::new(
                move |_: Option<&VerifiedPeer>, it: &str| judge.health(it),
            )))
            .serve_with_incoming_shutdown(Box::pin(incoming), stop)
            .await
            .map_err(io::Error::other)
    }
}

/// The user of the daemon, and root.
fn is_trusted(stream: &UnixStream, own: u32) -> bool {
    let credentials = stream.peer_cred();
    credentials.is_ok_and(|it| it.uid() == own || it.uid() == 0)
}

struct LocalService<M>(Arc<M>);

#[async_trait]
impl<M: Manage> Management for LocalService<M> {
    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusReply>, Status> {
        Ok(Response::new(self.0.status().await))
    }

    async fn reload(&self, _: Request<ReloadRequest>) -> Result<Response<ReloadReply>, Status> {
        answer(self.0.reload().await)
    }

    async fn invite(&self, _: Request<InviteRequest>) -> Result<Response<InviteReply>, Status> {
        answer(self.0.invite().await)
    }

    async fn peers(&self, _: Request<PeersRequest>) -> Result<Response<PeersReply>, Status> {
        Ok(Response::new(self.0.peers().await))
    }

    async fn change_peers(
        &self,
        request: Request<ChangePeersRequest>,
    ) -> Result<Response<ChangePeersReply>, Status> {
        answer(self.0.change_peers(request.into_inner()).await)
    }

    async fn start_job(
        &self,
        request: Request<JobSpec>,
    ) -> Result<Response<StartJobReply>, Status> {
        let started = self.0.jobs().start(request.into_inner()).await?;
        Ok(Response::new(started))
    }
}

fn answer<T>(outcome: Result<T, String>) -> Result<Response<T>, Status> {
    outcome
        .map(Response::new)
        .map_err(Status::failed_precondition)
}

impl From<&KnownPeer> for PeerRow {
    fn from(peer: &KnownPeer) -> Self {
        Self {
            name: peer.name.clone(),
            id: peer.id.to_string(),
            addresses: peer.addresses.clone(),
            how: peer.how.clone(),
            added: peer.added.clone(),
        }
    }
}

/// The administrator's end.
#[derive(Debug)]
pub struct LocalClient {
    management: ManagementClient<Channel>,
    channel: Channel,
}

impl LocalClient {
    /// Reaches the daemon behind the first of these sockets that answers; `None` if none does.
    pub async fn reach(sockets: &[PathBuf]) -> Option<Self> {
        for socket in sockets {
            let Ok(stream) = UnixStream::connect(socket).await else {
                continue;
            };
            let stream = parking_lot::Mutex::new(Some(TokioIo::new(stream)));
            let connector = tower::service_fn(move |_| {
                let stream = stream.lock().take();
                async move { stream.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)) }
            });
            let endpoint = Endpoint::from_static("http://daemon");
            if let Ok(channel) = endpoint.connect_with_connector(connector).await {
                let management = ManagementClient::new(channel.clone());
                return Some(Self {
                    management,
                    channel,
                });
            }
        }
        None
    }

    /// How it goes.
    ///
    /// # Errors
    /// A sentence for people; so of all.
    pub async fn status(&mut self) -> Result<StatusReply, String> {
        said(self.management.status(StatusRequest {}).await)
    }

    /// Has the configuration and the peers read anew.
    ///
    /// # Errors
    /// What is wrong with the configuration; then the old one holds.
    pub async fn reload(&mut self) -> Result<ReloadReply, String> {
        said(self.management.reload(ReloadRequest {}).await)
    }

    /// Invites a machine.
    ///
    /// # Errors
    /// Why not.
    pub async fn invite(&mut self) -> Result<InviteReply, String> {
        said(self.management.invite(InviteRequest {}).await)
    }

    /// Who is known, and who waits.
    ///
    /// # Errors
    /// Why not.
    pub async fn peers(&mut self) -> Result<PeersReply, String> {
        said(self.management.peers(PeersRequest {}).await)
    }

    /// Accepts, adds, removes or renames; answers what the machine is called now.
    ///
    /// # Errors
    /// Why not.
    pub async fn change_peers(
        &mut self,
        change: crate::proto::change_peers_request::Change,
    ) -> Result<String, String> {
        let change = Some(change);
        said(
            self.management
                .change_peers(ChangePeersRequest { change })
                .await,
        )
        .map(|it| it.name)
    }

    /// Hands a job over.
    ///
    /// # Errors
    /// [`JobRefusal`]
    pub async fn start_job(&mut self, spec: JobSpec) -> Result<StartJobReply, JobRefusal> {
        Ok(self.management.start_job(spec).await?.into_inner())
    }

    /// Its jobs.
    #[must_use]
    pub fn jobs(&self) -> JobsOf {
        JobsOf::behind(self.channel.clone())
    }
}

fn said<T>(answer: Result<Response<T>, Status>) -> Result<T, String> {
    answer
        .map(Response::into_inner)
        .map_err(|status| status.message().to_owned())
}
