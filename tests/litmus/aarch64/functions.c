/* Parts of the core as functions of their own, so that the compiler's output for each can be compared with the `.litmus`
   files here. They use the core's macros and functions. `test_litmus.py` compiles this for aarch64. */

#include "module.c"

/* Returned in registers, so that nothing but what the core does accesses memory. */
typedef struct {
    PyObject *value, *seen;
} Both;

int
litmus_publish(PyObject **inside, PyObject **field, PyObject *value)
{
    __atomic_store_n(inside, value, __ATOMIC_RELAXED);
    return WRITE_IF_NULL(field, value);
}

PyObject *
litmus_read(PyObject **inside, PyObject **field)
{
    return LOAD(field) == NULL ? NULL : __atomic_load_n(inside, __ATOMIC_RELAXED);
}

Both
litmus_publish_or_read(PyObject *value, PyObject **field, PyObject **mine, PyObject **other)
{
    __atomic_store_n(mine, value, __ATOMIC_RELAXED);
    if (WRITE_IF_NULL(field, value)) {
        return (Both){value, NULL};
    }
    value = LOAD(field);
    return (Both){value, __atomic_load_n(other, __ATOMIC_RELAXED)};
}

/* What `table_grow` does when it fills an array again. */
void
litmus_refill(Py_ssize_t *changes, PyObject **key, PyObject **value, PyObject *new_key, PyObject *new_value)
{
    STORE_NUMBER(changes, 1);
    STORE(key, new_key);
    STORE(value, new_value);
    _Py_atomic_store_ssize_release(changes, 2);
}

/* What `table_peek` does. */
Both
litmus_peek(Py_ssize_t *changes, PyObject **key, PyObject **value)
{
    Py_ssize_t before = _Py_atomic_load_ssize_acquire(changes);
    PyObject *found = LOAD(key);
    PyObject *read = LOAD(value);
    return (Both){_Py_atomic_load_ssize_acquire(changes) == before ? read : NULL, found};
}
