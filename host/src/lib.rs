//! Hookport: a self-hosted gateway between third-party providers and your own systems.
//!
//! A request's whole way is [`inbound`]'s `receive`; an event's whole way out is [`outbound`]'s. Between them lies the
//! [`journal`], and neither knows the other. What a provider is, is data: [`provider`] compiles and executes descriptions.

pub mod admin;
pub mod allowance;
pub mod case;
pub mod cli;
pub mod clock;
pub mod config;
pub mod event;
pub mod gateway;
pub mod inbound;
pub mod journal;
pub mod keys;
pub mod metrics;
pub mod net;
pub mod notices;
pub mod operations;
pub mod outbound;
pub mod plugin;
pub mod provider;
pub mod reason;
pub mod request;
mod throttle;
pub mod traces;
