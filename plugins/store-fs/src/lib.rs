//! Trees on local disks.
