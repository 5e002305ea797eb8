//! A program on another machine.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::QuantityError;

/// The name or path of a program on another machine, where a shell reads it: so nothing that a shell
/// could take for anything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RemoteProgram(String);

const PROGRAM: &str = "the name or path of a program: letters, digits and . _ - + / ~ only";

impl RemoteProgram {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RemoteProgram {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let is_inside = |c: char| c.is_ascii_alphanumeric() || "._-+/~".contains(c);
        let is_program = text.chars().all(is_inside) && !text.is_empty() && !text.starts_with('-');
        match is_program {
            true => Ok(Self(text.to_owned())),
            false => Err(QuantityError::new(text, PROGRAM)),
        }
    }
}

impl fmt::Display for RemoteProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RemoteProgram {
    type Error = QuantityError;
    fn try_from(text: String) -> Result<Self, QuantityError> {
        text.parse()
    }
}

impl From<RemoteProgram> for String {
    fn from(program: RemoteProgram) -> Self {
        program.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_program_has_nothing_that_a_shell_could_obey() {
        for good in ["blit-daemon", "/opt/blit-1.2/bin/blit-daemon", "~/bin/b+d"] {
            assert_eq!(good.parse::<RemoteProgram>().unwrap().as_str(), good);
        }
        for bad in [
            "", "-x", "a b", "a;b", "$(id)", "`id`", "a\nb", "a|b", "a&b", "a>b", "a'b", "a*",
        ] {
            assert!(bad.parse::<RemoteProgram>().is_err(), "{bad:?}");
        }
    }
}
