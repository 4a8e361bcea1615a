"""Open `examples/browser/` in headless Chromium, press "Race", and compare the table: `in_browser.py`.

The page needs a folder with Pyodide and the wheels, which any static server can serve. `--site FOLDER` makes the folder
and does nothing else:

    python tests/programs/in_browser.py --site site
    python -m http.server --directory site

Without the option, the program makes the folder, serves it itself, and looks at the page in Chromium (Debian's package
`chromium`). It fails if the table differs from what `race_in_tasks.py` prints here, and if the console has a message.
`--screenshot FILE` keeps a picture of the page with the table.

Pyodide and the wheels are those of `in_pyodide.py`, so this takes Node with npm, too. CI does not run it.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import functools
import http.server
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from in_pyodide import CHECKOUT, VERSIONS, Wheels, install_pyodide

PAGE = CHECKOUT / "examples" / "browser"

#: How long the page may load or race, in seconds. To load takes some ten.
PATIENCE = 300.0

FLAGS = ["--headless", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run", "--window-size=900,800"]


def make_site(site: Path, version: str, work: Path) -> None:
    """Make a folder with the page, Pyodide and the wheels."""
    shutil.copytree(PAGE, site, ignore=shutil.ignore_patterns("__pycache__"))
    pyodide = install_pyodide(version, work / version)
    ignored = shutil.ignore_patterns("*.map", "*.d.ts", "console*.html")
    shutil.copytree(pyodide.folder, site / "pyodide", ignore=ignored)
    wheels = Wheels(work)
    (site / "wheels").mkdir()
    names = [
        Path(shutil.copy(wheel, site / "wheels")).name
        for wheel in (*wheels.download("wrapt>=2.0"), wheels.gilonce(pyodide.platform_tag))
    ]
    (site / "wheels" / "index.json").write_text(json.dumps(names))


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files, and prints only what is missing."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@contextlib.contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve a folder; give its address."""
    handler = functools.partial(QuietHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Chromium:
    """A browser with one page, controlled through two pipes."""

    def __init__(self, command: str, profile: Path) -> None:
        # The browser reads from its descriptor 3 and writes to 4.
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        flags = [*FLAGS, f"--user-data-dir={profile}"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # it refuses to run as root otherwise
        script = f"exec {shlex.join([command, *flags])} 3<&{theirs_in} 4>&{theirs_out}"
        self._process = subprocess.Popen(
            ["bash", "-c", script],
            pass_fds=[theirs_in, theirs_out],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._reader = os.fdopen(self._in, "rb")
        self._number = 0
        self._session: dict[str, str] = {}
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Runtime", "Page", "Log"):
            self.call(f"{domain}.enable")

    def _read(self) -> dict[str, Any]:
        """Return the next message, which ends with a zero byte."""
        message = bytearray()
        while (byte := self._reader.read(1)) != b"\0":
            if not byte:
                raise RuntimeError(f"Chromium ended, with status {self._process.wait()}")
            message += byte
        found: dict[str, Any] = json.loads(message)
        return found

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of Chromium's DevTools protocol; return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters, **self._session}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            if answer.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(json.dumps(answer["params"]))
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait_until(self, expression: str) -> None:
        """Wait for a condition, or for an error that the page shows."""
        end = time.monotonic() + PATIENCE
        while not self.evaluate(expression):
            if self.evaluate("document.querySelector('#status.error') !== null") or time.monotonic() > end:
                status = self.evaluate("document.getElementById('status')?.textContent")
                raise RuntimeError(f"not {expression}; the page says {status!r}; the console: {self.complaints}")
            time.sleep(0.1)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._reader.close()
        os.close(self._out)


def look(address: str, command: str, profile: Path, screenshot: Path | None) -> tuple[list[list[str]], str]:
    """Open the page, race, and return the table and the line beside the button."""
    chromium = Chromium(command, profile)
    try:
        chromium.call("Page.navigate", url=address)
        chromium.wait_until("document.getElementById('race')?.disabled === false")
        chromium.evaluate("document.getElementById('race').click()")
        chromium.wait_until("!document.getElementById('table').hidden && !document.getElementById('race').disabled")
        cells = "Array.from(row.children, (cell) => cell.textContent)"
        table = chromium.evaluate(f"Array.from(document.querySelectorAll('tbody tr'), (row) => {cells})")
        status = chromium.evaluate("document.getElementById('status').textContent")
        if screenshot:
            picture = chromium.call("Page.captureScreenshot", format="png")["data"]
            screenshot.write_bytes(base64.b64decode(picture))
        if chromium.complaints:
            raise RuntimeError(f"the page says to the console: {chromium.complaints}")
        return table, status
    finally:
        chromium.close()


def expected(wheels: Path) -> list[list[str]]:
    """Return the table that the same program prints here, with the same wheel."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(wheel) for wheel in wheels.glob("*.whl"))}
    program = [sys.executable, str(PAGE / "race_in_tasks.py")]
    printed = subprocess.run(program, env=environment, capture_output=True, text=True, check=True).stdout
    return [re.split(r"  +", line) for line in printed.splitlines()[3:]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--site", type=Path, metavar="FOLDER", help="only make the folder, which must not exist")
    parser.add_argument("--pyodide", default=VERSIONS[-1], metavar="VERSION", help="of the package from npm")
    parser.add_argument("--chromium", default="chromium", metavar="COMMAND")
    parser.add_argument("--screenshot", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gilonce-") as folder:
        work = Path(folder)
        if options.site:
            make_site(options.site, options.pyodide, work)
            return 0
        site = work / "site"
        make_site(site, options.pyodide, work)
        with served(site) as address:
            table, status = look(address, options.chromium, work / "profile", options.screenshot)
        print(status)
        for row in table:
            print(*row, sep="  ")
        if table != (wanted := expected(site / "wheels")):
            print(f"the table differs from {wanted}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
