//! How processes of random scenarios end, and begin again.

use crate::chance::Chance;

/// Ways to end, as timelines write them; the last [`OF_WRITES`] need something that writes.
pub(crate) const STOPS: &[&str] = &[
    "kill",
    "kill after deciding",
    "kill after recording",
    "kill after sending",
    "crash",
    "crash after deciding",
    "crash after recording",
    "crash after sending",
    "crash after 0 writes",
    "crash after 1 writes",
    "crash after 7 writes",
];

/// How many of [`STOPS`] are about writes.
pub(crate) const OF_WRITES: usize = 3;

/// An end, and the restart: at once, or when it was down for up to so many seconds.
pub(crate) fn stop(chance: &mut Chance, at: i64, how: &str, down_max: i64) -> String {
    if chance.one_in(2) {
        return format!("{at}s {how} then restart\n");
    }
    let back_at = at + chance.between(1, down_max);
    format!("{at}s {how}\n{back_at}s restart\n")
}
