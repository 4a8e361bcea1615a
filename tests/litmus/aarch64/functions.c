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

/* What filling a field does: `incref_for_field`, as 3.13 counts, and the publication. */
int
litmus_count_and_publish(Py_ssize_t *count, PyObject **field, PyObject *value)
{
    _Py_atomic_add_ssize(count, 1);
    return WRITE_IF_NULL(field, value);
}

/* What `cell_take` does. It returns the field's reference, which is dropped here. */
Py_ssize_t
litmus_take_and_drop(Py_ssize_t *count, PyObject **field)
{
    return SWAP(field, NULL) == NULL ? 9 : _Py_atomic_add_ssize(count, -1);
}

/* The same, where the drop of the last reference frees the object. */
void
litmus_take_and_free(PyObject **field, Py_ssize_t *count, Py_ssize_t *freed)
{
    (void)SWAP(field, NULL);
    if (_Py_atomic_add_ssize(count, -1) == 1) {
        _Py_atomic_store_ssize_relaxed(freed, 1);
    }
}

static inline void
drop_and_reuse(Py_ssize_t *count, Py_ssize_t *inside)
{
    if (_Py_atomic_add_ssize(count, -1) == 1) {
        _Py_atomic_store_ssize_relaxed(inside, 2);
        _Py_atomic_store_ssize_relaxed(count, 0);
        _Py_atomic_add_ssize(count, 1);
    }
}

/* The same, where the memory becomes another object. */
void
litmus_take_and_reuse(PyObject **field, Py_ssize_t *count, Py_ssize_t *inside)
{
    (void)SWAP(field, NULL);
    drop_and_reuse(count, inside);
}

/* What `table_grow` does with an entry of the old array, before a value is dropped. */
void
litmus_empty_and_reuse(PyObject **old, Py_ssize_t *count, Py_ssize_t *inside)
{
    STORE(old, NULL);
    drop_and_reuse(count, inside);
}

/* What `field_load` does by `PyMember_GetOne`, whose code this follows. Afterwards it looks into the object. */
Both
litmus_read_counted(PyObject **field, Py_ssize_t *count, PyObject **inside)
{
    if (LOAD(field) != NULL) {
        Py_ssize_t seen = _Py_atomic_load_ssize_relaxed(count);
        if (seen != 0 && _Py_atomic_compare_exchange_ssize(count, &seen, seen + 1)) {
            PyObject *again = _Py_atomic_load_ptr(field);
            return (Both){again, __atomic_load_n(inside, __ATOMIC_RELAXED)};
        }
    }
    return (Both){NULL, NULL};
}
