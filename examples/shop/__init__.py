"""A small shop that can break: two web workers, a queue worker, and somebody who buys."""
