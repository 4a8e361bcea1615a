/* Fields: pointers in an object that some threads read while others write. The value of a cell is one.

   A reader without a lock takes two steps: it loads the pointer, and then takes a reference. Between the two, another
   thread could remove the value and drop its last reference. With a GIL, nothing can happen between them.

   For example, without a GIL, thread A reads a cell and thread B calls its `take()`. A loads the pointer. B empties the
   field and drops the value, which is freed. Now A must not take a reference: the memory may already be another object.

   So without a GIL, `PyMember_GetOne` reads the field as it reads the slots of any instance: it takes a reference only
   if the count is not zero, checks that the field still has the object, and otherwise reads again under the object's
   lock. In the example, A finds a count of zero or an empty field, reads again, and finds the cell empty. (The count
   can be read even if the object was freed. The interpreter arranges that for its own slots and dicts.) See
   tests/litmus/reference.litmus, and tests/litmus/reuse.litmus for the check. A writer has to follow two rules:

   - It removes or replaces a value under the object's lock. The lock is held for two instructions, between which the
     thread cannot stop. So no thread waits for user code, and a fork never copies a held lock. See
     tests/litmus/locked.litmus and tests/litmus/replace.litmus.
   - It counts the field's own reference as shared. A thread that did not make the object can add to the shared count
     without the lock only while that count is not zero.

   Filling an empty field needs no lock: one compare-and-exchange writes the pointer, after its count was increased. See
   tests/litmus/count_first.litmus. */

#ifndef GILONCE_FIELD_H
#define GILONCE_FIELD_H

#include "base.h"

/* Increase the count of a value for the field that will have it. */
#ifdef Py_GIL_DISABLED
static inline void
incref_for_field(PyObject *value)
{
#  if PY_VERSION_HEX >= 0x030E0000
    PyUnstable_EnableTryIncRef(value);
    Py_INCREF(value);
#  else
    /* 3.13 has no function for this. These lines do what Py_INCREF does in a thread that did not make the object. */
    if (!shared_counts_hold) {
        Py_INCREF(value);
    }
    else if (!_Py_IsImmortal(value)) {
        _Py_atomic_add_ssize(&value->ob_ref_shared, 1 << _Py_REF_SHARED_SHIFT);
    }
#  endif
}
#else
#  define incref_for_field(value) Py_INCREF(value)
#endif

static inline PyObject **
field_at(PyObject *self, Py_ssize_t offset)
{
    return (PyObject **)((char *)self + offset);
}

/* Returns a new reference, or NULL without an exception. */
static inline PyObject *
field_load(PyObject *self, Py_ssize_t offset)
{
#ifdef Py_GIL_DISABLED
    if (LOAD(field_at(self, offset)) == NULL) {
        return NULL;
    }
    PyMemberDef member = {.name = "", .type = Py_T_OBJECT_EX, .offset = offset};
    PyObject *value = PyMember_GetOne((char *)self, &member);
    if (value == NULL) {
        PyErr_Clear(); /* AttributeError: another thread has just emptied the field */
    }
    return value;
#else
    return Py_XNewRef(*field_at(self, offset));
#endif
}

static PyObject *field_swap(PyObject *self, Py_ssize_t offset, PyObject *value);
static int field_replace(PyObject *self, Py_ssize_t offset, PyObject *expected, PyObject *value);
static PyObject *field_get(PyObject *self, void *offset);
static int field_set(PyObject *self, PyObject *value, void *offset);

#endif
