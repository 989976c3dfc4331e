//! History from elsewhere: blocks of Prometheus and OpenMetrics text, read into a store.

pub mod block;
