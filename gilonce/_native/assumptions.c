/* What the core relies on although no document promises it. Each assumption is checked when the module is imported, on
   small samples. If one does not hold on a newer interpreter, gilonce does without it, more slowly:

   - "version_tags": each state of each type has its own `tp_version_tag`. Else nothing is remembered about types.
   - "written_slots": a slot of a type that is written after the type was made stays so, and an entry of the type's dict
     does not change it. Else lazy globals are in Python, and subclasses of once_property call `__get__` in Python.
   - "shared_counts" (3.13 without a GIL): a reference can be counted as shared by adding to `ob_ref_shared`. Else it is
     counted as usual, and a reader in another thread takes the object's lock.
   - "tuple_hashes": the hash of a tuple is computed as `hash_of_parts` does. Else the Python implementation is used.
   - "wrapt": its getter and setter of `__wrapped__` use one pointer in the proxy; see `find_wrapped`. Else lazy globals
     are in Python.

   The flags are the same in all interpreters of a process. They are only ever changed to 0. */

#include "proxy.h"
#include "table.h"

/* Return a new class. */
static PyTypeObject *
sample_class(PyObject *base)
{
    return (PyTypeObject *)PyObject_CallFunction((PyObject *)&PyType_Type, "s(O){}", "Sample", base);
}

/* Return the tag of a type, after a lookup that makes the interpreter give it one. */
static uint32_t
tag_after_lookup(PyTypeObject *type)
{
    (void)PyObject_HasAttrString((PyObject *)type, "attribute");
    return tag_of(type);
}

static int
check_version_tags(void)
{
    PyTypeObject *base = sample_class((PyObject *)&PyBaseObject_Type);
    PyTypeObject *other = base == NULL ? NULL : sample_class((PyObject *)&PyBaseObject_Type);
    PyTypeObject *derived = other == NULL ? NULL : sample_class((PyObject *)base);
    int holds = -1;
    if (derived != NULL) {
        uint32_t first = tag_after_lookup(derived), second = tag_after_lookup(base), third = tag_after_lookup(other);
        holds = first != 0 && second != 0 && third != 0 && first != second && first != third && second != third;
        /* A change of a class changes its subclasses, too. */
        if (PyObject_SetAttrString((PyObject *)base, "attribute", Py_None) < 0) {
            holds = -1;
        }
        else if (tag_of(derived) == first || tag_of(base) == second) {
            holds = 0;
        }
        else {
            uint32_t again = tag_after_lookup(derived);
            holds = holds && again != first && again != second && again != third && tag_of(other) == third;
        }
    }
    Py_XDECREF(base);
    Py_XDECREF(other);
    Py_XDECREF(derived);
    return holds;
}

static PyObject *
sample_call(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Py_RETURN_NONE;
}

static PyObject *
sample_get(PyObject *self, PyObject *Py_UNUSED(instance), PyObject *Py_UNUSED(owner))
{
    return Py_NewRef(self);
}

static int
check_written_slots(void)
{
    PyType_Slot slots[] = {{Py_tp_call, sample_call}, {Py_tp_descr_get, sample_get}, {0, NULL}};
    PyType_Slot no_slots[] = {{0, NULL}};
    PyType_Spec spec = {"gilonce.Sample", 0, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
    PyType_Spec derived_spec = {"gilonce.Sample", 0, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, no_slots};
    PyObject *base = PyType_FromSpec(&spec);
    PyTypeObject *derived = base == NULL ? NULL : (PyTypeObject *)PyType_FromSpecWithBases(&derived_spec, base);
    PyObject *instance = derived == NULL ? NULL : PyObject_CallNoArgs((PyObject *)derived);
    int holds = -1;
    if (instance != NULL) {
        holds = derived->tp_call == sample_call && derived->tp_descr_get == sample_get;
        derived->tp_call = NULL;
        PyObject *own = dict_of_type(derived);
        if (PyDict_SetItemString(own, "__get__", Py_None) < 0 ||
            PyObject_SetAttrString((PyObject *)derived, "attribute", Py_None) < 0) {
            holds = -1;
        }
        PyType_Modified(derived);
        Py_DECREF(own);
        holds = holds < 0 ? -1
                          : holds && derived->tp_call == NULL && derived->tp_descr_get == sample_get &&
                                !PyCallable_Check(instance);
    }
    Py_XDECREF(base);
    Py_XDECREF(derived);
    Py_XDECREF(instance);
    return holds;
}

static int
check_shared_counts(void)
{
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX < 0x030E0000
    PyObject *object = PyObject_CallNoArgs((PyObject *)&PyBaseObject_Type);
    if (object == NULL) {
        return -1;
    }
    Py_ssize_t before = Py_REFCNT(object), shared = object->ob_ref_shared >> _Py_REF_SHARED_SHIFT;
    incref_for_field(object);
    int holds = Py_REFCNT(object) == before + 1 && object->ob_ref_shared >> _Py_REF_SHARED_SHIFT == shared + 1;
    Py_DECREF(object);
    if (holds) {
        Py_DECREF(object);
    }
    return holds;
#else
    return 1;
#endif
}

static const struct {
    const char *name;
    int *holds;
    int (*check)(void); /* returns 1, 0, or -1 with an exception */
} assumptions[] = {
    {"version_tags", &version_tags_hold, check_version_tags},
    {"written_slots", &written_slots_hold, check_written_slots},
    {"shared_counts", &shared_counts_hold, check_shared_counts},
    {"tuple_hashes", &tuple_hashes_hold, hashes_tuples_like_us},
    {"wrapt", &wrapt_holds, NULL},
};
#define ASSUMPTIONS (sizeof(assumptions) / sizeof(assumptions[0]))

static void
check_assumptions(void)
{
    for (size_t i = 0; i < ASSUMPTIONS; i++) {
        if (*assumptions[i].holds && assumptions[i].check != NULL && assumptions[i].check() <= 0) {
            PyErr_Clear();
            *assumptions[i].holds = 0;
        }
    }
}

static PyObject *
native_assumptions(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    PyObject *result = PyDict_New();
    for (size_t i = 0; result != NULL && i < ASSUMPTIONS; i++) {
        PyObject *holds = *assumptions[i].holds ? Py_True : Py_False;
        if (PyDict_SetItemString(result, assumptions[i].name, holds) < 0) {
            Py_CLEAR(result);
        }
    }
    return result;
}

/* For tests: do as if an assumption did not hold. This has to come before the package is imported. */
static PyObject *
native_distrust(PyObject *Py_UNUSED(module), PyObject *name)
{
    for (size_t i = 0; PyUnicode_Check(name) && i < ASSUMPTIONS; i++) {
        if (equals(name, assumptions[i].name)) {
            *assumptions[i].holds = 0;
            Py_RETURN_NONE;
        }
    }
    return PyErr_Format(PyExc_ValueError, "there is no assumption %R", name);
}
