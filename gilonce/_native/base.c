/* What every file needs: the module's state, and calls of the Python implementation. */

#include "base.h"

static State *
state_of(PyTypeObject *type)
{
    PyObject *module = PyType_GetModuleByDef(type, &native_module);
    return module == NULL ? NULL : (State *)PyModule_GetState(module);
}

/* Raise the error for objects that outlive the module's state, which the collector has cleared. */
static PyObject *
torn_down(void)
{
    PyErr_SetString(PyExc_RuntimeError, "gilonce has been torn down");
    return NULL;
}

/* Call `callable` with `self` and then the given arguments. */
static PyObject *
call_with(PyObject *callable, PyObject *self, PyObject *const *args, Py_ssize_t positional, PyObject *kwnames)
{
    Py_ssize_t count = positional + (kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames));
    PyObject **all = PyMem_New(PyObject *, count + 1);
    if (all == NULL) {
        return PyErr_NoMemory();
    }
    all[0] = self;
    if (count > 0) {
        memcpy(all + 1, args, count * sizeof(PyObject *));
    }
    PyObject *result = PyObject_Vectorcall(callable, all, positional + 1, kwnames);
    PyMem_Free(all);
    return result;
}

/* Call the method `name` with one argument. It may be a tuple, which `PyObject_CallMethod` would unpack. */
static PyObject *
call_method(PyObject *object, const char *name, PyObject *argument)
{
    PyObject *method = PyUnicode_InternFromString(name);
    PyObject *result = method == NULL ? NULL : PyObject_CallMethodOneArg(object, method, argument);
    Py_XDECREF(method);
    return result;
}

/* Call the method `name` of a Python class, with `self` and the given arguments. */
static PyObject *
call_python_method(PyObject *cls, const char *name, PyObject *self, PyObject *const *args, Py_ssize_t positional,
                   PyObject *kwnames)
{
    PyObject *method = cls == NULL ? torn_down() : PyObject_GetAttrString(cls, name);
    if (method == NULL) {
        return NULL;
    }
    PyObject *result = call_with(method, self, args, positional, kwnames);
    Py_DECREF(method);
    return result;
}

/* Call the Python function `name`, which is in the globals of a module, with at most four arguments. NULL ends them. */
static PyObject *
call_global(PyObject *globals, const char *name, PyObject *first, PyObject *second, PyObject *third, PyObject *fourth)
{
    PyObject *callable = globals == NULL ? torn_down() : PyMapping_GetItemString(globals, name);
    PyObject *result =
        callable == NULL ? NULL : PyObject_CallFunctionObjArgs(callable, first, second, third, fourth, NULL);
    Py_XDECREF(callable);
    return result;
}

/* Return the referent of a weak reference, a new reference, or NULL without an exception. */
static PyObject *
weakref_get(PyObject *reference)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *referent = NULL;
    (void)PyWeakref_GetRef(reference, &referent);
    return referent;
#else
    PyObject *referent = PyWeakref_GetObject(reference);
    return referent == NULL || referent == Py_None ? NULL : Py_NewRef(referent);
#endif
}

#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000
/* Return whether the running code is the body of a module, or of a class in one: code that runs once. */
static int
is_made_at_top_level(State *state)
{
    int found = 0;
    PyFrameObject *frame = PyEval_GetFrame();
    Py_XINCREF(frame);
    while (frame != NULL) {
        PyObject *names = PyFrame_GetGlobals(frame);
        PyCodeObject *code = PyFrame_GetCode(frame);
        int is_ours = names == state->once_globals;
        int is_body = !(code->co_flags & CO_OPTIMIZED);
        found = is_body && equals(code->co_name, "<module>");
        PyFrameObject *back = is_ours || (is_body && !found) ? PyFrame_GetBack(frame) : NULL;
        Py_DECREF(code);
        Py_DECREF(names);
        Py_SETREF(frame, back);
    }
    PyErr_Clear(); /* no memory for a frame: the count is not deferred */
    return found;
}
#endif
