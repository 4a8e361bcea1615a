"""Read the tables in the C files through which the interpreter calls the native core."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MACRO = re.compile(r"(#define (\w+)\((.*?)\) \\\n((?:.*\\\n)*.*))")
_TABLE = re.compile(
    r"static (?:struct )?"
    r"(PyMethodDef|PyGetSetDef|PyMemberDef|PyType_Slot|PyModuleDef_Slot|PyModuleDef|FunctionReplacement) "
    r"(\w+)(?:\[\])? = \{(.*?)\n\s*\};?",
    re.DOTALL,
)


def tables_of_the_core(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield each table of C source: its type, its name, and its entries."""
    # What a macro writes is read as if it stood where the macro is used.
    for whole, name, parameters, body in _MACRO.findall(text):
        if "PyType_Slot" not in body:
            continue
        text = text.replace(whole, "")
        for arguments in re.findall(rf"^{name}\((.*)\);", text, re.MULTILINE):
            written = body.replace("\\\n", "\n")
            for parameter, argument in zip(parameters.split(", "), arguments.split(", "), strict=True):
                written = re.sub(rf"\b{parameter}\b", argument, written)
            text += "\n" + written.strip() + ";\n"
    yield from _TABLE.findall(text)


def entries_of_the_core(text: str) -> set[str]:
    """Return the entries of the tables by which the interpreter comes into C, as `table.entry`."""
    found = set()
    tables = {name: (kind, body) for kind, name, body in tables_of_the_core(text)}
    for table, (kind, body) in tables.items():
        if kind == "PyModuleDef":
            found |= {f"{table}.{slot}" for slot in re.findall(r"\.(m_traverse|m_clear|m_free) =", body)}
        elif kind in ("PyType_Slot", "PyModuleDef_Slot"):
            slots = re.findall(r"\{(Py_\w+), ([^}]+)\}", body)
            data = (
                "Py_tp_doc",
                "Py_tp_members",
                "Py_tp_getset",
                "Py_tp_methods",
                "Py_mod_gil",
                "Py_mod_multiple_interpreters",
            )
            found |= {f"{table}.{slot}" for slot, _ in slots if slot not in data}
        else:
            first = r"\{\{" if kind == "FunctionReplacement" else r"(?:\{|^\s*)"
            names = re.findall(rf'{first}"(\w+)"', body)
            if "[" not in body and kind == "PyMethodDef" and len(names) == 1 and not body.lstrip().startswith("{"):
                found.add(table)
            else:
                found |= {f"{table}.{name}" for name in names if not name.endswith("offset__")}
    return found
