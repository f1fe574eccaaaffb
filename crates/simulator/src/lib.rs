//! Under construction.

pub mod central_system;
