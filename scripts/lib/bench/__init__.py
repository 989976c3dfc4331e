"""Measures Firebell beside its peers: same machine, same series, same samples."""
