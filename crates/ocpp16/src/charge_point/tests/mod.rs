//! The charge point as a whole, against a scripted central system and virtual time.

mod authorization;
mod bench;
mod boot;
mod calls;
mod crash;
mod data_transfer;
mod deferred;
mod field;
mod field_faults;
mod hostile;
mod keys;
mod local_list;
mod mutation;
mod profiles;
mod queue;
mod records;
mod reservations;
mod restart;
mod signed;
mod status;
mod transactions;
