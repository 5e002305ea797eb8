//! A machine that ssh reaches: the control connection runs through `ssh HOST blit-daemon --stdio`.

use std::{
    ffi::OsString,
    fmt, io,
    pin::Pin,
    process::Stdio,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use blit_contract::Escaped;
use blit_control::{Client, Greeting};
use blit_lanes::MakeLanes;
use blit_wire::VERSIONS;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, BufReader, ReadBuf},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    task::JoinHandle,
    time::timeout,
};

use crate::{Reach, SshHost};

/// How long ssh may take to end once it has closed its output, and to say why.
const END_WAIT: Duration = Duration::from_secs(5);

/// How many bytes of its last line are kept.
const LINE_BYTES_MAX: usize = 1_024;

/// How many bytes are read from it at a time.
const READ_BYTES: usize = 64 << 10;

/// The way over ssh does not work.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct SshError {
    /// What is wrong.
    pub problem: SshProblem,
    /// What ssh, or the other machine through it, said last: shown so that a terminal obeys none of it.
    pub said: Option<String>,
}

/// What is wrong with the way over ssh.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SshProblem {
    /// Something else than the daemon's greeting came, or nothing.
    NoGreeting,
    /// The other machine has no such program.
    NoDaemon(String),
    /// This machine has no such program, or it cannot be started.
    NoSsh(String),
    /// The daemon there speaks other versions of the session.
    OtherVersion(Greeting),
    /// The login is refused, or the machine is another one than ssh knows.
    Refused,
    /// The machine cannot be reached.
    Unreachable,
}

impl fmt::Display for SshProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGreeting => f.write_str("blit-daemon does not answer over ssh"),
            Self::NoDaemon(program) => write!(f, "there is no {program} there"),
            Self::NoSsh(program) => write!(f, "{program} cannot be started"),
            Self::OtherVersion(theirs) => {
                let (oldest, newest) = theirs.versions;
                write!(
                    f,
                    "blit-daemon {} speaks the session's versions {oldest} to {newest}, and this blit \
                     {} to {}",
                    theirs.program, VERSIONS.0, VERSIONS.1
                )
            }
            Self::Refused => f.write_str("ssh refuses"),
            Self::Unreachable => f.write_str("ssh cannot reach it"),
        }
    }
}

/// Logs in, starts the daemon there, and speaks to it.
pub(crate) async fn connect(
    reach: &Reach,
    host: &SshHost,
    lanes: Arc<dyn MakeLanes>,
) -> Result<Client, SshError> {
    let mut running = Running::start(reach, host)?;
    let greeting = match Greeting::receive(&mut running.stream.output).await {
        Ok(Some(greeting)) => greeting,
        _ => return Err(running.failed(reach).await),
    };
    if greeting.versions.0 > VERSIONS.1 || greeting.versions.1 < VERSIONS.0 {
        return Err(SshError {
            problem: SshProblem::OtherVersion(greeting),
            said: None,
        });
    }
    let Running { stream, .. } = running;
    let way = ("ssh", host.to_string());
    let client = Client::over(stream, way, lanes).await;
    client.map_err(|cause| SshError {
        problem: SshProblem::NoGreeting,
        said: Some(cause.to_string()),
    })
}

/// What ssh is started with. The other machine's shell gets two words, and none of them is anything to it.
fn words(reach: &Reach, host: &SshHost) -> Vec<OsString> {
    // No terminal, and nothing forwarded, whatever its configuration says: only these two talk.
    let mut words = vec![
        "-T",
        "-x",
        "-a",
        "-oClearAllForwardings=yes",
        "-oRemoteCommand=none",
    ];
    if !reach.may_ask {
        words.push("-oBatchMode=yes");
    }
    let port = host.port.map(|port| port.to_string());
    if let Some(port) = &port {
        words.extend(["-p", port]);
    }
    if let Some(user) = &host.user {
        words.extend(["-l", user]);
    }
    words.extend(["--", &host.host, reach.ssh.daemon.as_str(), "--stdio"]);
    words.into_iter().map(Into::into).collect()
}

/// ssh, while it is not known whether it leads anywhere.
struct Running {
    stream: SshStream,
    last_line: JoinHandle<Option<String>>,
}

impl Running {
    fn start(reach: &Reach, host: &SshHost) -> Result<Self, SshError> {
        let program = &reach.ssh.program;
        let failed = |cause: io::Error| SshError {
            problem: SshProblem::NoSsh(program.clone()),
            said: Some(cause.to_string()),
        };
        let mut command = Command::new(program);
        command.args(words(reach, host)).kill_on_drop(true);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // Ctrl-C is for blit, which ends a session before it ends ssh.
        #[cfg(unix)]
        crate::sys::ignore_interrupts(&mut command);
        let mut child = command.spawn().map_err(failed)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(failed(io::Error::other("it has no pipes")));
        };
        Ok(Self {
            stream: SshStream {
                output: BufReader::with_capacity(READ_BYTES, output),
                input,
                child,
            },
            last_line: tokio::spawn(last_line(errors)),
        })
    }

    /// Why it leads nowhere.
    async fn failed(self, reach: &Reach) -> SshError {
        let SshStream {
            mut child,
            input,
            output,
        } = self.stream;
        // Should it wait for more, there is no more.
        drop((input, output));
        let status = timeout(END_WAIT, child.wait()).await;
        // A connection that ssh keeps for later may hold the pipe.
        let said = timeout(END_WAIT, self.last_line).await;
        let said = said.ok().and_then(Result::ok).flatten();
        let code = status.ok().and_then(Result::ok).and_then(|it| it.code());
        let problem = match code {
            Some(126 | 127) => SshProblem::NoDaemon(reach.ssh.daemon.to_string()),
            Some(255) if is_refusal(said.as_deref().unwrap_or_default()) => SshProblem::Refused,
            Some(255) => SshProblem::Unreachable,
            _ => SshProblem::NoGreeting,
        };
        SshError { problem, said }
    }
}

/// ssh ends alike when nobody answers and when it may not come in: only its words tell.
fn is_refusal(said: &str) -> bool {
    const REFUSALS: [&str; 6] = [
        "Authentication failed",
        "Host key verification failed",
        "No supported authentication methods",
        "Permission denied",
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "Too many authentication failures",
    ];
    REFUSALS.iter().any(|refusal| said.contains(refusal))
}

/// Reads what is said until all is said; answers the last line that says anything.
async fn last_line(mut errors: ChildStderr) -> Option<String> {
    let (mut line, mut last) = (Vec::new(), None);
    let mut buffer = [0; LINE_BYTES_MAX];
    while let Ok(size @ 1..) = errors.read(&mut buffer).await {
        for byte in &buffer[..size] {
            match byte {
                b'\n' => end_line(&mut line, &mut last),
                // However long it is.
                byte if line.len() < LINE_BYTES_MAX => line.push(*byte),
                _ => {}
            }
        }
    }
    end_line(&mut line, &mut last);
    last
}

fn end_line(line: &mut Vec<u8>, last: &mut Option<String>) {
    let said = line.trim_ascii();
    if !said.is_empty() {
        let said = Escaped(said).to_string();
        tracing::debug!(said, "ssh");
        *last = Some(said);
    }
    line.clear();
}

/// What ssh reads and writes. It ends when this is dropped.
#[derive(Debug)]
struct SshStream {
    output: BufReader<ChildStdout>,
    input: ChildStdin,
    child: Child,
}

impl AsyncRead for SshStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_read(cx, buffer)
    }
}

impl AsyncWrite for SshStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.input).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.input).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.input.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(may_ask: bool) -> Reach {
        let mut loaded = blit_config::Sources::default().load().unwrap();
        loaded.settings.ssh.program = "no-such-ssh".to_owned();
        Reach {
            ssh: loaded.settings.ssh,
            may_ask,
        }
    }

    fn host(user: Option<&str>, port: Option<u16>) -> SshHost {
        SshHost {
            user: user.map(str::to_owned),
            host: "nas".to_owned(),
            port,
        }
    }

    #[test]
    fn ssh_gets_fixed_words_and_asks_only_where_somebody_can_answer() {
        const FIRST: &str = "-T -x -a -oClearAllForwardings=yes -oRemoteCommand=none";
        let told = |may_ask, host: &SshHost| {
            let words = words(&reach(may_ask), host);
            words.join(" ".as_ref()).into_string().unwrap()
        };
        assert_eq!(
            told(true, &host(None, None)),
            format!("{FIRST} -- nas blit-daemon --stdio")
        );
        assert_eq!(
            told(false, &host(Some("me"), Some(22))),
            format!("{FIRST} -oBatchMode=yes -p 22 -l me -- nas blit-daemon --stdio")
        );
    }

    #[tokio::test]
    async fn without_ssh_the_problem_is_ssh() {
        let error = Running::start(&reach(false), &host(None, None))
            .err()
            .unwrap();
        assert_eq!(error.problem, SshProblem::NoSsh("no-such-ssh".to_owned()));
    }

    #[test]
    fn a_refused_login_is_told_from_a_machine_that_does_not_answer() {
        for said in [
            "me@nas: Permission denied (publickey).",
            "Host key verification failed.",
        ] {
            assert!(is_refusal(said), "{said}");
        }
        for said in [
            "ssh: connect to host nas port 22: Connection refused",
            "ssh: Could not resolve hostname nas: Name or service not known",
            "",
        ] {
            assert!(!is_refusal(said), "{said}");
        }
    }
}
