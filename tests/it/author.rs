//! An author's way: a new folder, the conformance kit, and the guide of `plugins/README.md`, whose commands are run as written.

mod diff;
mod exchanges;
mod guide;
mod kit;
mod new;
mod record;
