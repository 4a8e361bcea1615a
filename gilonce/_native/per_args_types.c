/* The types of @once_per_args: how its objects are made and freed, and its bound methods. */

#include "once.h"

/* Receive what `__init__`, which is in Python, has found out about the function's signature. */
static PyObject *
per_args_finish(PerArgs *self, PyObject *args)
{
    PyObject *parameters, *defaults, *empty, *makers;
    int positional, positional_only, simple, chosen;
    State *state = state_of(Py_TYPE(self));
    if (state == NULL ||
        !PyArg_ParseTuple(args, "O!O!OO!iipp", &PyTuple_Type, &parameters, &PyTuple_Type, &defaults, &empty,
                          &PyTuple_Type, &makers, &positional, &positional_only, &simple, &chosen)) {
        return NULL;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(parameters);
    if (self->table == NULL || self->key_makers != NULL || PyTuple_GET_SIZE(makers) != 2 ||
        PyTuple_GET_SIZE(defaults) != count || positional > count || positional_only > positional) {
        PyErr_SetString(PyExc_TypeError, "_finish() is called once, by __init__()");
        return NULL;
    }
    if (!Py_IS_TYPE(self->table, state->table_type)) {
        Py_RETURN_NONE; /* the table is a Python object, so Python handles every call */
    }
    self->parameters = Py_NewRef(parameters);
    self->defaults = Py_NewRef(defaults);
    self->empty = Py_NewRef(empty);
    self->positional = positional;
    self->positional_only = positional_only;
    self->flags |= (simple && count <= MOST_PARAMETERS ? ARGS_SIMPLE : 0) | (chosen ? ARGS_CHOSEN : 0);
    self->flags |= simple && count == 1 && positional == 1 ? ARGS_ONE : 0;
    self->table_key = PyObject_GetAttrString(self->definition, "key");
    self->name = PyObject_GetAttrString(self->function, "__name__");
    if (self->name == NULL || !PyUnicode_CheckExact(self->name)) {
        Py_CLEAR(self->name);
    }
    PyErr_Clear(); /* there may be no definition, or no `__name__` */
    self->key_makers = Py_NewRef(makers);
    if (PyFunction_Check(self->function) &&
        !(((PyCodeObject *)PyFunction_GET_CODE(self->function))->co_flags & CO_NESTED)) {
        defer_refcount(state, (PyObject *)self);
    }
    Py_RETURN_NONE;
}

static int
per_args_traverse(PerArgs *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->function);
    Py_VISIT(self->table);
    Py_VISIT(self->definition);
    Py_VISIT(self->defaults);
    Py_VISIT(self->key_makers);
    Py_VISIT(self->dict);
    Py_VISIT(self->key_function);
    Py_VISIT(self->keys);
    Py_VISIT(self->owned_keys);
    return 0;
}

/* Like `once_clear`, keep most fields, because the callback of a weak reference may still call the object. */
static int
per_args_clear(PerArgs *self)
{
    Py_CLEAR(self->dict);
    return 0;
}

static void
per_args_dealloc(PerArgs *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, per_args_dealloc)
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    PyObject **fields[] = {
        &self->function,   &self->table,    &self->definition, &self->table_key,  &self->name, &self->parameters,
        &self->defaults,   &self->empty,    &self->key_makers, &self->dict,       &self->keys, &self->owned_keys,
        &self->key_function,
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        Py_CLEAR(*fields[i]);
    }
    forget(&self->memo);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

/* The attributes that `__init__`, which is in Python, assigns. */

static PyObject *
per_args_get_flag(PerArgs *self, void *flag)
{
    return PyBool_FromLong(self->flags & (int)(intptr_t)flag);
}

static int
per_args_set_flag(PerArgs *self, PyObject *value, void *flag)
{
    int is_true = value == NULL ? -1 : PyObject_IsTrue(value);
    if (is_true > 0) {
        self->flags |= (int)(intptr_t)flag;
    }
    return is_true < 0 ? -1 : 0;
}

static PyObject *
per_args_get_is_renamed(PerArgs *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(LOAD_NUMBER(&self->is_renamed));
}

static int
per_args_set_is_renamed(PerArgs *self, PyObject *value, void *Py_UNUSED(closure))
{
    int is_true = value == NULL ? -1 : PyObject_IsTrue(value);
    if (is_true >= 0) {
        STORE_NUMBER(&self->is_renamed, is_true);
    }
    return is_true < 0 ? -1 : 0;
}

static PyObject *
per_args_get_takes_owner(PerArgs *self, void *Py_UNUSED(closure))
{
    return self->flags & ARGS_MAY_TAKE_OWNER ? Py_NewRef(Py_None) : PyBool_FromLong(self->flags & ARGS_TAKE_OWNER);
}

static int
per_args_set_takes_owner(PerArgs *self, PyObject *value, void *Py_UNUSED(closure))
{
    self->flags &= ~(ARGS_TAKE_OWNER | ARGS_MAY_TAKE_OWNER);
    self->flags |= value == Py_None ? ARGS_MAY_TAKE_OWNER : value == Py_True ? ARGS_TAKE_OWNER : 0;
    return 0;
}

static PyObject *
per_args_get_binds_to(PerArgs *self, void *Py_UNUSED(closure))
{
    return PyUnicode_InternFromString(self->flags & ARGS_BIND_TO_CLASS      ? "class"
                                      : self->flags & ARGS_BIND_TO_INSTANCE ? "instance"
                                                                         : "nothing");
}

static int
per_args_set_binds_to(PerArgs *self, PyObject *value, void *Py_UNUSED(closure))
{
    if (value == NULL || !PyUnicode_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "this attribute is a str");
        return -1;
    }
    self->flags |= equals(value, "class")      ? ARGS_BIND_TO_CLASS
                   : equals(value, "instance") ? ARGS_BIND_TO_INSTANCE
                                               : 0;
    return 0;
}

static PyMethodDef per_args_methods[] = {
    {"_finish", (PyCFunction)(void (*)(void))per_args_finish, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef per_args_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(PerArgs, dict), READONLY, NULL},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(PerArgs, vectorcall), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(PerArgs, weakrefs), READONLY, NULL},
    {"_function", T_OBJECT_EX, offsetof(PerArgs, function), 0, NULL},
    {"_table", T_OBJECT, offsetof(PerArgs, table), 0, NULL},
    {"_definition", T_OBJECT, offsetof(PerArgs, definition), 0, NULL},
    {"_key_function", T_OBJECT, offsetof(PerArgs, key_function), 0, NULL},
    {"_keys", T_OBJECT, offsetof(PerArgs, keys), 0, NULL},
    {"_owned_keys", T_OBJECT, offsetof(PerArgs, owned_keys), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef per_args_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {"_is_async", (getter)per_args_get_flag, (setter)per_args_set_flag, NULL, (void *)ARGS_ASYNC},
    {"_may_have_other_name", (getter)per_args_get_is_renamed, (setter)per_args_set_is_renamed, NULL, NULL},
    {"_binds_to", (getter)per_args_get_binds_to, (setter)per_args_set_binds_to, NULL, NULL},
    {"_takes_owner", (getter)per_args_get_takes_owner, (setter)per_args_set_takes_owner, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* Set the function that serves calls. A `tp_new` could do this, too, but a type that has one does not get the Python
   `__init__`; see `copy_attributes`. */
static PyObject *
per_args_alloc(PyTypeObject *type, Py_ssize_t items)
{
    PyObject *self = PyType_GenericAlloc(type, items);
    if (self != NULL) {
        ((PerArgs *)self)->vectorcall = per_args_vectorcall;
    }
    return self;
}

static PyType_Slot per_args_slots[] = {
    {Py_tp_alloc, per_args_alloc},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_descr_get, per_args_descr_get},
    {Py_tp_methods, per_args_methods},
    {Py_tp_members, per_args_members},
    {Py_tp_getset, per_args_getset},
    {Py_tp_traverse, per_args_traverse},
    {Py_tp_clear, per_args_clear},
    {Py_tp_dealloc, per_args_dealloc},
    {0, NULL},
};

static PyType_Slot per_args_method_slots[] = {
    {Py_tp_alloc, per_args_alloc},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_descr_get, per_args_descr_get},
    {Py_tp_members, per_args_members},
    {Py_tp_traverse, per_args_traverse},
    {Py_tp_clear, per_args_clear},
    {Py_tp_dealloc, per_args_dealloc},
    {0, NULL},
};

/* A method that is bound to an instance or class. */

static PyObject *
bound_args_vectorcall(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    BoundOnce *self = (BoundOnce *)op;
    return per_args_value((PerArgs *)self->function, self->owner, args, PyVectorcall_NARGS(nargsf), kwnames);
}

static PyObject *
bound_args_new(State *state, PyObject *function, PyObject *owner)
{
    return bound_alloc(state->bound_args_type, bound_args_vectorcall, function, owner);
}

static PyObject *
bound_args_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *function, *owner;
    static char *names[] = {"function", "owner", NULL};
    State *state = state_of(type);
    if (state == NULL || !PyArg_ParseTupleAndKeywords(args, kwargs, "O!O:BoundOncePerArgs", names,
                                                      state->per_args_type, &function, &owner)) {
        return NULL;
    }
    return bound_args_new(state, function, owner);
}

static PyType_Slot bound_args_slots[] = {
    {Py_tp_new, bound_args_tp_new},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, bound_members},
    {Py_tp_traverse, bound_traverse},
    {Py_tp_dealloc, bound_dealloc},
    {0, NULL},
};
