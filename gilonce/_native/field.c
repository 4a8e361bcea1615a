/* The operations on fields that are not inlined. */

#include "field.h"

/* Write `value`, or empty the field if it is NULL. Returns the old value, whose reference now belongs to the caller. */
static PyObject *
field_swap(PyObject *self, Py_ssize_t offset, PyObject *value)
{
    PyObject *old;
    if (value != NULL) {
        incref_for_field(value);
    }
    Py_BEGIN_CRITICAL_SECTION(self);
    old = SWAP(field_at(self, offset), value);
    Py_END_CRITICAL_SECTION();
    return old;
}

/* Write `value` if the field has `expected`, and return whether it had. NULL means empty for both. The caller has a
   reference to `expected`. */
static int
field_replace(PyObject *self, Py_ssize_t offset, PyObject *expected, PyObject *value)
{
    int is_there;
    if (value != NULL) {
        incref_for_field(value);
    }
    Py_BEGIN_CRITICAL_SECTION(self);
    PyObject **address = field_at(self, offset);
    /* Other threads fill an empty field without the lock, so only filling it needs a compare-and-exchange. */
    is_there = expected == NULL && value != NULL ? WRITE_IF_NULL(address, value) : LOAD(address) == expected;
    if (is_there && expected != NULL) {
        (void)SWAP(address, value);
    }
    Py_END_CRITICAL_SECTION();
    Py_XDECREF(is_there ? expected : value);
    return is_there;
}

/* Getters and setters of fields. Their closure is the field's offset. */

static PyObject *
field_get(PyObject *self, void *offset)
{
    PyObject *value = field_load(self, (Py_ssize_t)offset);
    return value == NULL ? Py_NewRef(Py_None) : value;
}

static int
field_set(PyObject *self, PyObject *value, void *offset)
{
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "this attribute cannot be deleted");
        return -1;
    }
    PyObject *old = field_swap(self, (Py_ssize_t)offset, value == Py_None ? NULL : value);
    Py_XDECREF(old);
    return 0;
}
