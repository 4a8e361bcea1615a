/* Context managers that Ctrl-C cannot leave half entered or half left. KeyboardInterrupt is raised only in Python code,
   so here it can arrive only inside the methods that are called. */

#include "base.h"

/* How often `_leave()` is called before giving up, if every call is interrupted. */
enum { PATIENCE = 100 };

/* Call `_leave()` until it returns. If a call raised, returns -1 with the first exception. */
static int
context_leave(PyObject *self)
{
    PyObject *type = NULL, *error = NULL, *traceback = NULL;
    for (int i = 0; i < PATIENCE; i++) {
        PyObject *ignored = PyObject_CallMethod(self, "_leave", NULL);
        if (ignored != NULL) {
            Py_DECREF(ignored);
            break;
        }
        if (type == NULL) {
            PyErr_Fetch(&type, &error, &traceback);
        }
        PyErr_Clear();
    }
    if (type == NULL) {
        return 0;
    }
    PyErr_Restore(type, error, traceback);
    return -1;
}

static PyObject *
context_enter(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *begun = PyObject_CallMethod(self, "_begin", NULL);
    if (begun == NULL) {
        return NULL;
    }
    Py_DECREF(begun);
    PyObject *value = PyObject_CallMethod(self, "_enter", NULL);
    if (value == NULL) {
        PyObject *type, *error, *traceback;
        PyErr_Fetch(&type, &error, &traceback);
        (void)context_leave(self);
        PyErr_Restore(type, error, traceback);
    }
    return value;
}

static PyObject *
context_exit(PyObject *self, PyObject *Py_UNUSED(error))
{
    if (context_leave(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef context_methods[] = {
    {"__enter__", (PyCFunction)(void (*)(void))context_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))context_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot context_slots[] = {
    {Py_tp_methods, context_methods},
    {0, NULL},
};
