"""Tests with the real libraries and servers."""
