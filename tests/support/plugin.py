"""How a run of pytest that a test starts gets the plugin of gilonce."""

from __future__ import annotations

import os
from importlib.metadata import entry_points

#: Whether pytest would load the plugin by itself, because gilonce is installed.
IS_INSTALLED = any(found.name == "gilonce" for found in entry_points(group="pytest11"))

#: The options that load it where pytest does not.
LOAD = [] if IS_INSTALLED and not os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") else ["-p", "gilonce.pytest_plugin"]
