"""End-to-end proofs: the real binary against real and fake neighbours, on loopback only."""
