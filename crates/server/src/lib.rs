//! The driver and everything at the edge: sockets, files, the clock, the HTTP API, the page.

mod clock;
mod disk;
