"""The main job on real input: a shop breaks, Firebell tells, with the time of every hop."""
