//! What Hookport promises, tested from outside: real plugins, real sockets. Cases are files.

mod cases;
mod server;
mod szzkc_mock;
mod wire;
