#![doc = include_str!("../README.md")]

pub mod app;
pub mod counts;
pub mod otel;
pub mod prometheus;
