"""Tools of `laws/test_model.py`: usages of gilonce, a plain model, and runs that record what a user can see."""
