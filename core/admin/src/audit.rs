//! `blit audit verify`.

use std::path::{Path, PathBuf};

use blit_control::{AuditFlaw, verify_audit};
use clap::{Args, Subcommand, ValueHint};

use crate::{Lines, Places, Trouble, TroubleKind};

/// What `blit audit` takes.
#[derive(Debug, Clone, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    verb: AuditVerb,
}

#[derive(Debug, Clone, Subcommand)]
enum AuditVerb {
    /// Check that no line was changed, removed or moved; exit 3 names the first that was
    Verify {
        /// A file of the log, or its directory [default: that of this user's daemon]
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
}

/// Checks the audit log.
///
/// # Errors
/// [`Trouble`] names the first line that is not as it was written.
pub fn audit(places: &Places, args: &AuditArgs) -> Lines {
    let AuditVerb::Verify { file } = &args.verb;
    let usual = places.daemon_state.join("audit");
    verify(file.as_deref().unwrap_or(&usual))
}

fn verify(path: &Path) -> Lines {
    match verify_audit(path) {
        Ok(verified) => {
            let first = match verified.first {
                1 => String::new(),
                first => format!(", from number {first} on"),
            };
            let lines = verified.lines;
            let mut told = vec![format!("{lines} lines are as they were written{first}")];
            told.extend(verified.signers.iter().map(|id| format!("signed by {id}")));
            told.push(match verified.unsigned {
                0 => "all of them are signed".to_owned(),
                count if count == lines => "nobody signed them".to_owned(),
                count => format!("the last {count} are not signed yet"),
            });
            Ok(told)
        }
        Err(flaw @ AuditFlaw::File { .. }) => {
            Err(Trouble::new(TroubleKind::State, flaw.to_string()))
        }
        Err(flaw) => Err(Trouble::new(TroubleKind::AuditBroken, flaw.to_string())
            .next("compare with a backup of the log; what follows that line proves nothing")),
    }
}

#[cfg(test)]
mod tests {
    use blit_control::{AuditEvent, AuditLog};

    use super::*;

    #[test]
    fn a_changed_line_is_named_and_a_missing_file_is_another_trouble() {
        let folder = tempfile::tempdir().unwrap();
        let missing = verify(&folder.path().join("none.jsonl")).unwrap_err();
        assert_eq!(missing.kind, TroubleKind::State);
        let mut log = AuditLog::open(folder.path()).unwrap();
        for _ in 0..3 {
            log.append(&AuditEvent::default()).unwrap();
        }
        assert_eq!(
            verify(folder.path()).unwrap(),
            ["3 lines are as they were written", "nobody signed them"]
        );
        let file = folder.path().join("audit.jsonl");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replacen("\"seq\":2", "\"seq\":5", 1)).unwrap();
        let broken = verify(folder.path()).unwrap_err();
        assert_eq!(broken.kind, TroubleKind::AuditBroken);
        assert!(broken.message.contains("line 2"), "{broken}");
    }
}
