/* A once method that is bound to an instance or class. */

#include "once.h"

static PyObject *
bound_vectorcall(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    BoundOnce *self = (BoundOnce *)op;
    Once *once = (Once *)self->function;
    Py_ssize_t count = PyVectorcall_NARGS(nargsf);
    if (count > 0 || kwnames != NULL) {
        return call_with(self->function, self->owner, args, count, kwnames);
    }
    if (once->flags & IS_ASYNC) {
        return call_method(self->function, "_ask_for", self->owner);
    }
    return once_value_of(once, self->owner, 1);
}

static PyObject *
bound_alloc(PyTypeObject *type, vectorcallfunc vectorcall, PyObject *function, PyObject *owner)
{
    if (type == NULL) {
        return torn_down();
    }
    BoundOnce *self = (BoundOnce *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->vectorcall = vectorcall;
        self->function = Py_NewRef(function);
        self->owner = Py_NewRef(owner);
    }
    return (PyObject *)self;
}

static PyObject *
bound_new(State *state, PyObject *function, PyObject *owner)
{
    return bound_alloc(state->bound_type, bound_vectorcall, function, owner);
}

static PyObject *
bound_tp_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *function, *owner;
    State *state = state_of(type);
    if (state == NULL || !PyArg_ParseTuple(args, "O!O:BoundOnce", state->once_type, &function, &owner)) {
        return NULL;
    }
    return bound_new(state, function, owner);
}

static int
bound_traverse(BoundOnce *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->function);
    Py_VISIT(self->owner);
    return 0;
}

static void
bound_dealloc(BoundOnce *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, bound_dealloc)
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    Py_CLEAR(self->function);
    Py_CLEAR(self->owner);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

static PyMemberDef bound_members[] = {
    {"__func__", T_OBJECT_EX, offsetof(BoundOnce, function), READONLY, NULL},
    {"__self__", T_OBJECT_EX, offsetof(BoundOnce, owner), READONLY, NULL},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(BoundOnce, vectorcall), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(BoundOnce, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot bound_slots[] = {
    {Py_tp_new, bound_tp_new},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, bound_members},
    {Py_tp_traverse, bound_traverse},
    {Py_tp_dealloc, bound_dealloc},
    {0, NULL},
};
