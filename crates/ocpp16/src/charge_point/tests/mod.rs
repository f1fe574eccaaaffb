//! The charge point as a whole, against a scripted central system and virtual time.

mod access;
mod authorization;
mod bench;
mod boot;
mod calls;
mod crash;
mod data_transfer;
mod deferred;
mod field;
mod field_faults;
mod firmware;
mod hostile;
mod keys;
mod local_list;
mod mutation;
mod profiles;
mod queue;
mod records;
mod reservations;
mod restart;
mod security;
mod signed;
mod signed_firmware;
mod status;
mod transactions;
mod uploads;
