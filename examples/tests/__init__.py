"""Tests of the examples: what the demo has to notice, and what the shop has to keep."""
