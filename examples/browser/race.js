// Loads Python and gilonce into the page, and lets the visitor race.

// The folder with Pyodide. To use the copy on its CDN, write "https://cdn.jsdelivr.net/pyodide/v314.0.7/full/".
const PYODIDE = new URL("pyodide/", import.meta.url).href;

// The folder with the wheels of gilonce and of wrapt, which it needs. `index.json` is the list of their names.
const WHEELS = new URL("wheels/", import.meta.url).href;

const button = document.getElementById("race");
const status = document.getElementById("status");
const table = document.getElementById("table");

function say(text, isError = false) {
  status.textContent = text;
  status.classList.toggle("error", isError);
}

async function get(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return response;
}

async function load() {
  const { loadPyodide } = await import(`${PYODIDE}pyodide.mjs`);
  const pyodide = await loadPyodide({ indexURL: PYODIDE });
  const names = await (await get(`${WHEELS}index.json`)).json();
  const wheels = names.map((name) => WHEELS + name);
  await pyodide.loadPackage(wheels, { messageCallback: () => {} });
  const program = await (await get(new URL("race_in_tasks.py", import.meta.url))).text();
  pyodide.FS.writeFile("race_in_tasks.py", program);
  return pyodide.pyimport("race_in_tasks");
}

function cell(name, text) {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}

function show(rows) {
  const lines = rows.map(([tool, distinctObjects, initializerRan, errors]) => {
    const line = document.createElement("tr");
    const first = cell("th", "");
    first.scope = "row";
    first.append(cell("code", tool));
    const cells = [distinctObjects, initializerRan, errors].map((number) => cell("td", number));
    cells[0].classList.toggle("wrong", distinctObjects > 1);
    cells[2].classList.toggle("wrong", errors > 0);
    line.append(first, ...cells);
    return line;
  });
  table.tBodies[0].replaceChildren(...lines);
  table.hidden = false;
}

async function race(program) {
  button.disabled = true;
  say("Racing …");
  try {
    const rows = await program.race_all();
    show(rows.toJs());
    rows.destroy();
    say(program.interpreter());
  } finally {
    button.disabled = false;
  }
}

const fail = (error) => say(`${error}`, true);

try {
  const program = await load();
  button.addEventListener("click", () => race(program).catch(fail));
  button.disabled = false;
  say(`${program.interpreter()} is ready`);
} catch (error) {
  fail(error);
}
