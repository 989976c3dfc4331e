//! Every network format: what comes in is read into the model's words, what goes out is written.
//!
//! *Invariants*: no reader panics, whatever the bytes; every reader has a limit on what it takes.
//! Text that people see in answers is upstream's, byte for byte where clients depend on it.
//!
//! *Not here*: sockets and HTTP (`firebell-server`), messages to integrations (`firebell-notify`).

pub mod alertmanager_json;
pub mod answers;
pub mod export;
pub mod exposition;
pub mod go;
pub mod histogram;
pub mod names;
pub mod otlp;
pub mod params;
pub mod prometheus_json;
pub mod remote_read;
pub mod remote_write;
pub mod remote_write2;
pub mod row;
pub mod similar;
pub mod source;

mod protobuf;
