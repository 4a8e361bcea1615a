/* The native core as 3.14 without a GIL compiles it, for 3.13 without a GIL: `test_branches_of_3_14t.py` builds and runs
   it. The three functions that only 3.14 has are here. The first does what it does in 3.14. The second keeps the
   address of each object, and leaves the object as it is. The third does what the core does before 3.14. */

#include <Python.h>
#include <structmember.h>

#if PY_VERSION_HEX >= 0x030E0000 || !defined(Py_GIL_DISABLED)
#  error "This is for 3.13 without a GIL."
#endif
#undef PY_VERSION_HEX
#define PY_VERSION_HEX 0x030E00F0

#define PROVIDED __attribute__((visibility("default")))

/* What the test reads with ctypes. */
PROVIDED Py_ssize_t enabled = 0;
PROVIDED Py_ssize_t frozen = 0;
PROVIDED Py_ssize_t deferred = 0;
PROVIDED void *deferred_objects[100];

static void
PyUnstable_EnableTryIncRef(PyObject *object)
{
    _Py_atomic_add_ssize(&enabled, 1);
    if (_Py_IsImmortal(object)) {
        return;
    }
    Py_ssize_t shared = _Py_atomic_load_ssize_relaxed(&object->ob_ref_shared);
    while ((shared & _Py_REF_SHARED_FLAG_MASK) == 0 &&
           !_Py_atomic_compare_exchange_ssize(&object->ob_ref_shared, &shared, shared | _Py_REF_MAYBE_WEAKREF)) {
    }
}

static int
PyUnstable_Object_EnableDeferredRefcount(PyObject *object)
{
    Py_ssize_t index = _Py_atomic_add_ssize(&deferred, 1);
    if (index < 100) {
        deferred_objects[index] = object;
    }
    return 1;
}

static int
PyType_Freeze(PyTypeObject *type)
{
    frozen++;
    type->tp_flags |= Py_TPFLAGS_IMMUTABLETYPE;
    PyType_Modified(type);
    return 0;
}

/* In 3.14, annotations may exist as a function that computes them. */
#define func_annotate func_annotations

#include "module.c"
