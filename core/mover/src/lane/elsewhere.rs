//! Nothing moves inside the kernel here: neither type can be made.

use std::ops::Range;

use blit_contract::{ContentHasher, Cx, FdLease, History, Reader, Result, Witness, Writer};

use super::{Left, Placed};

/// A file on its way into a lane.
#[derive(Debug)]
pub enum Outlet {}

/// A file that is filled from a lane.
#[derive(Debug, Clone)]
pub enum Inlet {}

impl Outlet {
    /// No file can be sent.
    ///
    /// # Errors
    /// None.
    pub async fn of(_: &dyn Reader, _: &dyn History) -> Result<Option<Self>> {
        Ok(None)
    }

    /// See the other twin.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        match *self {}
    }

    /// See the other twin.
    ///
    /// # Errors
    /// None.
    pub async fn send(&self, _: &Cx, _: FdLease, _: Range<u64>, _: ContentHasher) -> Result<Left> {
        match *self {}
    }
}

impl Inlet {
    /// No file can be filled.
    ///
    /// # Errors
    /// None.
    pub async fn of(_: &dyn Writer, _: &dyn History, _: u64) -> Result<Option<Self>> {
        Ok(None)
    }

    /// See the other twin.
    ///
    /// # Errors
    /// None.
    pub async fn take(&self, _: &Cx, _: FdLease, _: Range<u64>) -> Result<Placed> {
        match *self {}
    }

    /// See the other twin.
    ///
    /// # Errors
    /// None.
    pub async fn look(&self, _: Range<u64>, _: ContentHasher) -> Result<ContentHasher> {
        match *self {}
    }
}
