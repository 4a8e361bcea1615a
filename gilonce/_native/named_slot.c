/* The slot that slot= names, of a property or a once method. Its Python method `_member_for` finds the descriptor. */

#include "place.h"

/* Return the offset of the slot in `instance`, or -1 with an exception. `memo`, unless it is NULL, remembers it. */
static Py_ssize_t
named_slot_offset(PyObject *self, TypeMemo *memo, PyObject *instance)
{
    PyTypeObject *type = Py_TYPE(instance);
    uint32_t known;
    if (memo != NULL && recall(memo, type, &known)) {
        return known;
    }
    Py_INCREF(type);
    uint32_t tag = tag_of(type);
    PyObject *member = call_method(self, "_member_for", instance);
    Py_ssize_t offset = member == NULL ? -1 : offset_of(member, instance);
    Py_XDECREF(member);
    if (memo != NULL && offset >= 0 && offset <= (Py_ssize_t)UINT32_MAX) {
        remember(memo, type, tag, (uint32_t)offset);
    }
    Py_DECREF(type);
    return offset;
}

/* Like `fill`, for a slot: call the function with the instance and publish its value. The caller has found the slot
   empty. */
static PyObject *
fill_named_slot(PyObject *self, Place *place, PyObject *discard, PyObject *function)
{
    PyObject *type = Py_NewRef(Py_TYPE(place->owner));
    PyObject *value = initialize(function, place->owner);
    /* The initializer may have changed the class. It may also have changed `self`, so the offset is not remembered. */
    if (value != NULL && (PyObject *)Py_TYPE(place->owner) != type) {
        place->offset = named_slot_offset(self, NULL, place->owner);
        if (place->offset < 0) {
            Py_CLEAR(value);
        }
    }
    Py_DECREF(type);
    return value == NULL ? NULL : publish(self, IN_SLOT, place, discard, value);
}
