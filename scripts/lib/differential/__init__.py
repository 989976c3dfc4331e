"""Asks a real Prometheus and Firebell the same random questions about the same random samples."""
