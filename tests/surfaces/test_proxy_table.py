"""A proxy does what its object does, for every special method, and every difference has a reason."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from support import has_proxies_in_python, proxy_table


def test_every_difference_between_a_proxy_and_its_object_has_a_reason(gilonce: ModuleType) -> None:
    """The same result, or the same error, in every state of the proxy; else there is a reason, and it is needed."""
    implementation = "python" if has_proxies_in_python(gilonce) else "native"
    needed = set()
    unexplained = []
    for difference in proxy_table.differences(gilonce):
        why = [reason for reason in proxy_table.REASONS if reason.explains(difference, implementation)]
        needed.update(why[:1])
        if not why:
            unexplained.append(difference)
    assert unexplained == []
    assert [reason for reason in proxy_table.REASONS if implementation in reason.where and reason not in needed] == []


def test_the_readme_has_the_table() -> None:
    """Its limits of proxies are those for which the table above has a reason."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert proxy_table.readme_table() in readme, "copy into it what `python tests/support/proxy_table.py` prints"
