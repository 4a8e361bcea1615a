/* The frequent operations of gilonce in C. The Python implementation obeys the same laws, and is the specification.

   C has only the operations that a program repeats: to read and fill a cell, call a once function, read a
   once_property, and use the object behind a lazy_global. Everything else is Python code: documentation, errors,
   copies, coroutines, and the attributes by which a once function looks like the function it wraps. A type in C gets
   the other attributes of the Python class that it replaces (see `replace.c`). A function in C calls the Python method
   of the same name for the cases that it does not handle.

   Thread safety rests on one rule for each of the two builds of the interpreter:

   - With a GIL, another thread can run only where bytecode or other arbitrary code can run. No such code runs between
     the check and the call of the initializer, or between its return and the write. So an initializer that keeps the
     GIL runs once (law 5). The comments at `fill`, `cell_publish` and `attribute_publish` say why no such code runs
     there.
   - Without a GIL, one compare-and-exchange (release) publishes a value and one acquire load reads it, so a thread that
     sees the pointer also sees the contents of the object. `field.h` explains why a read is safe while another thread
     calls `take()`.

   All files are one translation unit. So the compiler can inline across files, and every function is static: the
   module exports only its initialization function. A header has the types that several files use, and declares the
   functions that files call in each other. */

#include "base.c"
#include "field.c"
#include "attribute.c"
#include "place.c"
#include "named_slot.c"
#include "cell.c"
#include "view.c"
#include "query.c"
#include "keyed.c"
#include "table.c"
#include "once.c"
#include "bound_once.c"
#include "once_per_args.c"
#include "per_args_types.c"
#include "property.c"
#include "proxy.c"
#include "proxy_slots.c"
#include "proxy_types.c"
#include "context.c"
#include "replace.c"
#include "assumptions.c"

static PyMethodDef native_methods[] = {
    {"replace", native_replace, METH_O,
     "replace($module, original, /)\n--\n\nReturn the C type or function that replaces a Python one."},
    {"assumptions", native_assumptions, METH_NOARGS,
     "assumptions($module, /)\n--\n\nReturn what the core relies on, and whether it holds here."},
    {"distrust", native_distrust, METH_O,
     "distrust($module, assumption, /)\n--\n\nDo as if an assumption did not hold; for tests."},
    {NULL, NULL, 0, NULL},
};

/* Every field of the state is a pointer to an object that the module owns, or NULL. */
#define FOR_FIELDS_OF(state) \
    for (PyObject **field = (PyObject **)(state); field < (PyObject **)((state) + 1); field++)

static int
native_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    FOR_FIELDS_OF(state) {
        Py_VISIT(*field);
    }
    return 0;
}

static int
native_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    FOR_FIELDS_OF(state) {
        Py_CLEAR(*field);
    }
    return 0;
}

static void
native_free(void *module)
{
    (void)native_clear((PyObject *)module);
}

static int
native_exec(PyObject *module)
{
    State *state = PyModule_GetState(module);
    check_assumptions();
    state->fill = PyUnicode_InternFromString("_fill");
    state->self_origin = PyUnicode_InternFromString("_self_origin");
    state->nothing = PyTuple_Pack(1, Py_None);
    if (!tuple_hashes_hold) {
        PyErr_SetString(PyExc_SystemError, "this interpreter hashes tuples in a way that gilonce does not know");
    }
    return PyErr_Occurred() ? -1 : 0;
}

static PyModuleDef_Slot native_slots[] = {
    {Py_mod_exec, native_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef native_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "gilonce._native.core",
    .m_doc = "The frequent operations of gilonce in C.",
    .m_size = sizeof(State),
    .m_methods = native_methods,
    .m_slots = native_slots,
    .m_traverse = native_traverse,
    .m_clear = native_clear,
    .m_free = native_free,
};

PyMODINIT_FUNC
PyInit_core(void)
{
    return PyModuleDef_Init(&native_module);
}
