"""The scenarios of `tests/hangs.py`, a room for each kind, the tools that they are played with, and who plays them."""
