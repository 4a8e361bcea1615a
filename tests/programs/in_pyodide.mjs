// Runs the suite in one Pyodide under Node, for in_pyodide.py: `node in_pyodide.mjs OPTIONS`. The options are JSON:
// `pyodide`, the folder of the package from npm; `wheels`, the paths of wheels to unpack; `gilonce`, the path of the
// wheel that Pyodide's own installer gets; `archive`, a tar file of the tests; `program`, the Python code that runs
// then; `results`, the file to which its value is written; `on_its_loop`, asynchronous Python code that runs at last.
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";

const options = JSON.parse(process.argv[2]);
const read = (path) => new Uint8Array(readFileSync(path));

async function main() {
  const { loadPyodide } = await import(`${options.pyodide}/pyodide.mjs`);
  const pyodide = await loadPyodide();
  pyodide.setStdout({ batched: (text) => process.stdout.write(`${text}\n`) });
  pyodide.setStderr({ batched: (text) => process.stderr.write(`${text}\n`) });
  const site = pyodide.runPython("import sysconfig; sysconfig.get_path('purelib')");
  for (const wheel of options.wheels) pyodide.unpackArchive(read(wheel), "wheel", { extractDir: site });
  pyodide.unpackArchive(read(options.archive), "tar", { extractDir: "/project" });
  const gilonce = `/tmp/${basename(options.gilonce)}`;
  pyodide.FS.writeFile(gilonce, read(options.gilonce));
  await pyodide.runPythonAsync(`import micropip; await micropip.install("emfs:${gilonce}", deps=False)`);
  // Not runPythonAsync: the tests run event loops of their own, outside of JavaScript's.
  writeFileSync(options.results, pyodide.runPython(options.program));
  await pyodide.runPythonAsync(options.on_its_loop);
}

// Without this, Node would print the megabyte of code in which the error was raised.
main().catch((error) => {
  console.error(error.stack ?? error);
  process.exitCode = 1;
});
