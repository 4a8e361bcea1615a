"""The scenarios of `tests/programs/hangs.py`, the tools that they are played with, and what plays them."""
