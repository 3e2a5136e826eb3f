//! An application's users, guards, messages and data, over its router.

mod data;
mod flash;
mod guards;
mod pages;
mod site;
mod transactions;
mod users;
