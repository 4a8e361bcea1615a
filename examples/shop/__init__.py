"""The package that settings.py imports: modules, not programs."""
