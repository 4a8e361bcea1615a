"""A program wants its settings as a global, but reading the file at import time is too early.

At import time the file may not exist yet, tests have had no chance to replace it, and a program that only prints its
`--help` pays for the reading. Here every module can import `SETTINGS`, and the first use reads the file.

`SETTINGS` is made in shop/settings.py and imported by shop/links.py. In the output, look for "reading settings.toml":
it comes once, after both modules are imported. Until then both names hold a proxy. The first use replaced the proxy by
the settings themselves, in the module that called `lazy_global()` and in the module that imported the name. From then
on, both names are plain globals, and as fast.
"""

from __future__ import annotations

from shop import links, settings


def is_proxy(value: object) -> bool:
    # Not isinstance(): a proxy is an instance of its object's class for that.
    return type(value) is not settings.Settings


def main() -> None:
    print("both modules imported:", repr(settings.SETTINGS))
    print("shop.links has a proxy:", is_proxy(links.SETTINGS))
    print("first use:", links.address())
    print("shop.settings has a proxy:", is_proxy(settings.SETTINGS))
    print("shop.links has a proxy:", is_proxy(links.SETTINGS))
    print("both are the same object:", links.SETTINGS is settings.SETTINGS)


if __name__ == "__main__":
    main()
