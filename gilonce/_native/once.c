/* @once: once functions and methods. `bound_once.c` has bound methods. */

#include "once.h"

/* Make the definition if there is none. Threads that race here all use the first one to be written. */
static int
once_define(Once *self)
{
    PyObject *key, *discard;
    if (LOAD(&self->key) != NULL) {
        return 0;
    }
    if (LOAD(&self->definition) == NULL) {
        State *state = state_of(Py_TYPE(self));
        PyObject *own_discard = self->discard == NULL ? Py_None : self->discard;
        PyObject *factory = self->cell_factory == NULL ? Py_None : self->cell_factory;
        PyObject *cell = factory == Py_None ? Py_NewRef(Py_None) : PyObject_CallNoArgs(factory);
        PyObject *definition = NULL;
        if (state != NULL && cell != NULL) {
            definition = call_global(state->once_globals, "define", self->function, own_discard, factory, cell);
        }
        Py_XDECREF(cell);
        if (definition == NULL) {
            return -1;
        }
        if (!WRITE_IF_NULL(&self->definition, definition)) {
            Py_DECREF(definition);
        }
    }
    if (self->flags & IS_IN_SLOT) {
        return 0;
    }
    if (definition_fields(self->definition, &key, &discard) < 0) {
        return -1;
    }
    Py_XDECREF(discard);
    if (!WRITE_IF_NULL(&self->key, key)) {
        Py_DECREF(key);
    }
    return 0;
}

static PyObject *
once_value_in_python(Once *self, PyObject *owner)
{
    return call_method((PyObject *)self, "_ask_for", owner);
}

/* Return the value that belongs to a class. */
static PyObject *
once_value_of_class(Once *self, PyObject *owner)
{
    PyObject *values = call_method(self->definition, "values_of", owner);
    if (values == NULL) {
        return NULL;
    }
    Place place = {.owner = owner, .key = self->key, .values = values};
    PyObject *value;
    if (dict_load(values, self->key, &value) == 0) {
        PyObject *covered = NULL;
        if (self->flags & IS_CHOSEN) {
            value = once_value_in_python(self, owner);
        }
        /* This runs bytecode, in which another thread may publish: read again. */
        else if ((covered = call_method(values, "cover", self->definition)) == NULL) {
            value = NULL;
        }
        else if (dict_load(values, self->key, &value) == 0) {
            value = fill((PyObject *)self, IN_NAMESPACE, &place, self->discard, self->function, owner);
            PyObject *noted = value == NULL ? NULL : PyObject_CallMethod(values, "note", "OO", self->definition, value);
            if (noted == NULL) {
                Py_CLEAR(value);
            }
            Py_XDECREF(noted);
        }
        Py_XDECREF(covered);
    }
    Py_DECREF(values);
    return value;
}

/* Raise TypeError if the argument of a call is not an instance or class that has this method. */
static int
once_check_owner(Once *self, PyObject *owner)
{
    State *state = state_of(Py_TYPE(self));
    PyObject *ignored =
        state == NULL ? NULL : call_global(state->once_globals, "check_owner", (PyObject *)self, owner, NULL, NULL);
    Py_XDECREF(ignored);
    return ignored == NULL ? -1 : 0;
}

/* Return the value that is kept in a slot. */
static PyObject *
once_value_in_slot(Once *self, PyObject *owner, int is_checked)
{
    uint32_t offset;
    PyObject *value = recall(&self->memo, Py_TYPE(owner), &offset) ? field_load(owner, offset) : NULL;
    if (value != NULL) {
        return value;
    }
    if (!is_checked && once_check_owner(self, owner) < 0) {
        return NULL;
    }
    Place place = {.owner = owner, .offset = named_slot_offset((PyObject *)self, &self->memo, owner)};
    if (place.offset < 0) {
        return NULL;
    }
    if (slot_load(&place, &value) != 0) {
        return value;
    }
    if (self->flags & IS_CHOSEN) {
        return once_value_in_python(self, owner);
    }
    return fill_named_slot((PyObject *)self, &place, self->discard, self->function);
}

/* Return the value after `once_value_of` found none. `is_missing` says that it has looked in the owner, an instance
   with a usual `__dict__`. */
static PyObject *
once_value_of_cold(Once *self, PyObject *owner, int is_checked, int is_missing)
{
    if (self->flags & IS_IN_SLOT) {
        return once_value_in_slot(self, owner, is_checked);
    }
    if (LOAD(&self->key) == NULL && once_define(self) < 0) {
        return NULL;
    }
    if (PyType_Check(owner)) {
        return !is_checked && once_check_owner(self, owner) < 0 ? NULL : once_value_of_class(self, owner);
    }
    int is_usual = is_missing ? 1 : remember_usual_dict(&self->memo, Py_TYPE(owner));
    if (is_usual < 0) {
        return NULL;
    }
    PyObject *value;
    if (is_usual && !is_missing && attribute_load(owner, self->key, &value) != 0) {
        return value;
    }
    if (!is_checked) {
        /* The check runs bytecode, in which another thread may publish: read again. */
        return once_check_owner(self, owner) < 0 ? NULL : once_value_of(self, owner, 1);
    }
    if (!is_usual || self->flags & IS_CHOSEN) {
        return once_value_in_python(self, owner);
    }
    Place place = {
        .owner = owner, .key = self->key, .memo = &self->memo, .is_private = 1, .definition = self->definition,
    };
    return fill((PyObject *)self, IN_NAMESPACE, &place, self->discard, self->function, owner);
}

/* Return the value that belongs to an instance or class. Unless `is_checked`, the caller does not know whether the
   owner has this method. This function is short because a warm call runs nothing else. */
static PyObject *
once_value_of(Once *self, PyObject *owner, int is_checked)
{
    PyObject *key = LOAD(&self->key);
    uint32_t facts;
    int is_missing = 0;
    if (key != NULL && recall(&self->memo, Py_TYPE(owner), &facts) && facts & USUAL_DICT && !PyType_Check(owner)) {
        PyObject *value;
        if (attribute_load(owner, key, &value) != 0) {
            return value;
        }
        is_missing = 1;
    }
    return once_value_of_cold(self, owner, is_checked, is_missing);
}

static PyObject *
once_vectorcall(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    Once *self = (Once *)op;
    Py_ssize_t count = PyVectorcall_NARGS(nargsf);
    int flags = self->flags;
    if (kwnames == NULL && !(flags & IS_ASYNC)) {
        if (count == 0 && !(flags & NEEDS_OWNER)) {
            Cell *cell = (Cell *)self->cell;
            PyObject *value = flags & IS_FOREIGN ? NULL : cell_load(cell);
            if (value != NULL) {
                return value;
            }
            if (flags & IS_CHOSEN) {
                return call_method(self->cell, "get_or_init", self->function);
            }
            Place place = {.owner = (PyObject *)cell};
            return fill(op, IN_CELL, &place, self->discard, self->function, NULL);
        }
        if (count == 1 && flags & MAY_TAKE_OWNER) {
            return once_value_of(self, args[0], !(flags & IS_OUTSIDE_CLASSES));
        }
    }
    State *state = state_of(Py_TYPE(self));
    return state == NULL ? NULL : call_python_method(state->python_once, "__call__", op, args, count, kwnames);
}

static PyObject *
once_descr_get(Once *self, PyObject *instance, PyObject *owner)
{
    int flags = self->flags;
    if (flags & BINDS_TO_CLASS) {
        instance = owner != NULL && owner != Py_None ? owner : (PyObject *)Py_TYPE(instance);
    }
    else if (!(flags & BINDS_TO_INSTANCE) || instance == NULL) {
        return Py_NewRef(self);
    }
    State *state = state_of(Py_TYPE(self));
    return state == NULL ? NULL : bound_new(state, (PyObject *)self, instance);
}

/* Return whether `cell_load` may read the value of a cell of `type`: it is a `Cell`, and no subclass has replaced
   `get_or_init`. */
static int
keeps_value_like_ours(State *state, PyTypeObject *type)
{
    PyObject *method, *ours = NULL;
    if (!PyType_IsSubtype(type, state->cell_type)) {
        return 0;
    }
    int found = type_lookup_string(type, "get_or_init", &method);
    if (found > 0) {
        found = type_lookup_string(state->cell_type, "get_or_init", &ours);
        found = found > 0 ? method == ours : found;
        Py_DECREF(method);
        Py_XDECREF(ours);
    }
    return found;
}

static PyObject *
once_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *function, *discard, *cell_factory, *slot = Py_None;
    PyObject *wrapped = NULL;
    PyObject *attributes = NULL;
    const char *binds_to;
    int needs_owner, may_take_owner, outside_classes;
    static char *names[] = {"function", "discard", "cell", "slot", NULL};
    State *state = state_of(type);
    if (state == NULL ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "OOO|O:Once", names, &function, &discard, &cell_factory, &slot)) {
        return NULL;
    }
    PyObject *classified = call_global(state->once_globals, "classify_callable", function, slot, NULL, NULL);
    if (classified == NULL) {
        return NULL;
    }
    Once *self = NULL;
    PyObject *cell = NULL;
    PyObject *is_async = NULL;
    if (!PyArg_ParseTuple(classified, "Osppp", &wrapped, &binds_to, &needs_owner, &may_take_owner, &outside_classes)) {
        goto error;
    }
    is_async = call_global(state->once_globals, "is_coroutine_function", wrapped, NULL, NULL, NULL);
    if (is_async == NULL) {
        goto error;
    }
    /* A function without attributes has no `__dict__`, and reading it would create one. */
    attributes = PyFunction_Check(function) && LOAD(&((PyFunctionObject *)function)->func_dict) == NULL
                     ? Py_NewRef(Py_None)
                     : call_global(state->once_globals, "attributes_of", function, NULL, NULL, NULL);
    if (attributes == NULL) {
        goto error;
    }
    int flags = (needs_owner ? NEEDS_OWNER : 0) | (may_take_owner ? MAY_TAKE_OWNER : 0) |
                (is_async == Py_True ? IS_ASYNC : 0) | (cell_factory == Py_None ? 0 : IS_CHOSEN) |
                (outside_classes ? IS_OUTSIDE_CLASSES : 0) | (slot == Py_None ? 0 : IS_IN_SLOT);
    if (strcmp(binds_to, "instance") == 0) {
        flags |= BINDS_TO_INSTANCE;
    }
    else if (strcmp(binds_to, "class") == 0) {
        flags |= BINDS_TO_CLASS;
    }
    /* The interpreter calls `obj.m()` as `m(obj)` if the type of `m` is the method type. So that type is only for
       functions whose call may take an instance. */
    if (type == state->once_type || type == state->once_method_type) {
        type = flags & BINDS_TO_INSTANCE && may_take_owner ? state->once_method_type : state->once_type;
    }
    /* Make all members before `tp_alloc` exposes the object to the collector, which may run other code. */
    if (!needs_owner) {
        cell = call_global(state->once_globals, "make_cell", wrapped, discard, cell_factory, NULL);
        if (cell == NULL) {
            goto error;
        }
        if (cell_factory == Py_None) {
            ((Cell *)cell)->made = UNREGISTERED;
        }
        else {
            int is_ours = keeps_value_like_ours(state, Py_TYPE(cell));
            if (is_ours < 0) {
                goto error;
            }
            flags |= is_ours ? 0 : IS_FOREIGN;
            PyObject *ignored = call_global(state->once_globals, "register_later", cell, NULL, NULL, NULL);
            if (ignored == NULL) {
                goto error;
            }
            Py_DECREF(ignored);
        }
    }
    self = (Once *)type->tp_alloc(type, 0);
    if (self == NULL) {
        goto error;
    }
    self->vectorcall = once_vectorcall;
    self->flags = flags;
    self->function = Py_NewRef(wrapped);
    self->discard = discard == Py_None ? NULL : Py_NewRef(discard);
    self->cell_factory = cell_factory == Py_None ? NULL : Py_NewRef(cell_factory);
    self->slot = slot == Py_None ? NULL : Py_NewRef(slot);
    self->cell = cell;
    cell = NULL;
    if (attributes != Py_None) {
        self->dict = Py_NewRef(attributes);
    }
    /* The keys of the definitions depend on the order in which they are made, so do not wait for the first call. */
    if (may_take_owner && once_define(self) < 0) {
        goto error;
    }
    Py_DECREF(is_async);
    Py_DECREF(attributes);
    Py_DECREF(classified);
    if (PyFunction_Check(wrapped) && !(((PyCodeObject *)PyFunction_GET_CODE(wrapped))->co_flags & CO_NESTED)) {
        defer_refcount(state, (PyObject *)self);
    }
    return (PyObject *)self;
error:
    Py_XDECREF(self);
    Py_XDECREF(cell);
    Py_XDECREF(is_async);
    Py_XDECREF(attributes);
    Py_DECREF(classified);
    return NULL;
}

static int
once_traverse(Once *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->function);
    Py_VISIT(self->cell);
    Py_VISIT(self->definition);
    Py_VISIT(self->discard);
    Py_VISIT(self->cell_factory);
    Py_VISIT(self->slot);
    Py_VISIT(self->dict);
    return 0;
}

/* The callback of a weak reference may still call the object, so the function and the cell stay. Cycles through them
   are broken when the collector clears the function and the cell themselves. */
static int
once_clear(Once *self)
{
    Py_CLEAR(self->dict);
    return 0;
}

static void
once_dealloc(Once *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, once_dealloc)
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    Py_CLEAR(self->function);
    Py_CLEAR(self->cell);
    Py_CLEAR(self->definition);
    Py_CLEAR(self->key);
    Py_CLEAR(self->discard);
    Py_CLEAR(self->cell_factory);
    Py_CLEAR(self->slot);
    Py_CLEAR(self->dict);
    forget(&self->memo);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

static PyObject *
once_get_definition(Once *self, void *Py_UNUSED(closure))
{
    return once_define(self) < 0 ? NULL : Py_NewRef(self->definition);
}

static PyObject *
once_get_flag(Once *self, void *flag)
{
    return PyBool_FromLong(self->flags & (int)(intptr_t)flag);
}

static PyObject *
once_get_binds_to(Once *self, void *Py_UNUSED(closure))
{
    return PyUnicode_InternFromString(self->flags & BINDS_TO_CLASS      ? "class"
                                      : self->flags & BINDS_TO_INSTANCE ? "instance"
                                                                        : "nothing");
}

static PyMemberDef once_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(Once, dict), READONLY, NULL},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Once, vectorcall), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Once, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef once_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {"_function", field_get, NULL, NULL, (void *)offsetof(Once, function)},
    {"_binds_to", (getter)once_get_binds_to, NULL, NULL, NULL},
    {"_definition", (getter)once_get_definition, NULL, NULL, NULL},
    {"_is_async", (getter)once_get_flag, NULL, NULL, (void *)IS_ASYNC},
    {"_is_outside_classes", (getter)once_get_flag, NULL, NULL, (void *)IS_OUTSIDE_CLASSES},
    {"_needs_owner", (getter)once_get_flag, NULL, NULL, (void *)NEEDS_OWNER},
    {"_may_take_owner", (getter)once_get_flag, NULL, NULL, (void *)MAY_TAKE_OWNER},
    {"_cell", field_get, NULL, NULL, (void *)offsetof(Once, cell)},
    {"_slot", field_get, NULL, NULL, (void *)offsetof(Once, slot)},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot once_slots[] = {
    {Py_tp_new, once_new},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_descr_get, once_descr_get},
    {Py_tp_members, once_members},
    {Py_tp_getset, once_getset},
    {Py_tp_traverse, once_traverse},
    {Py_tp_clear, once_clear},
    {Py_tp_dealloc, once_dealloc},
    {0, NULL},
};

static PyType_Slot once_method_slots[] = {
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_descr_get, once_descr_get},
    {Py_tp_members, once_members},
    {Py_tp_traverse, once_traverse},
    {Py_tp_clear, once_clear},
    {Py_tp_dealloc, once_dealloc},
    {0, NULL},
};
