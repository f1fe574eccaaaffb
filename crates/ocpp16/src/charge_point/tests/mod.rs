//! The charge point as a whole, against a scripted central system and virtual time.

mod bench;
mod boot;
mod calls;
mod crash;
mod data_transfer;
mod deferred;
mod field;
mod hostile;
mod keys;
mod mutation;
mod profiles;
mod queue;
mod restart;
mod signed;
mod status;
mod transactions;
