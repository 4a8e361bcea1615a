/* @once. */

enum {
    NEEDS_OWNER = 1,
    MAY_TAKE_OWNER = 2,
    IS_ASYNC = 4,
    BINDS_TO_INSTANCE = 8,
    BINDS_TO_CLASS = 16,
    IS_CHOSEN = 32, /* its cells are others than a cell that races, and are asked where there is no value */
    IS_FOREIGN = 64, /* the value of its cell is not where ours have it */
};

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *function;
    PyObject *cell;
    /* These three only where there is a value per instance or class. */
    PyObject *definition;
    PyObject *key;
    PyObject *discard;
    PyObject *makes; /* what makes the chosen cells */
    PyObject *dict;
    PyObject *weakrefs;
    int flags;
} Once;

/* See that there is a definition. Threads that race here agree on one. */
static int
once_define(Once *self)
{
    PyObject *key, *discard;
    if (LOAD(&self->key) != NULL) {
        return 0;
    }
    if (LOAD(&self->definition) == NULL) {
        State *state = state_of(Py_TYPE(self));
        PyObject *discard = self->discard == NULL ? Py_None : self->discard;
        PyObject *makes = self->makes == NULL ? Py_None : self->makes;
        PyObject *made = self->makes == NULL ? Py_NewRef(Py_None) : PyObject_CallNoArgs(self->makes);
        PyObject *definition = state == NULL || made == NULL
                                   ? NULL
                                   : call_in_room(state->once_room, "define", self->function, discard, makes, made);
        Py_XDECREF(made);
        if (definition == NULL) {
            return -1;
        }
        if (!WRITE_IF_NULL(&self->definition, definition)) {
            Py_DECREF(definition);
        }
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
once_ask_for(Once *self, PyObject *owner)
{
    return call_method((PyObject *)self, "_ask_for", owner);
}

/* The value of a class. */
static PyObject *
once_of_class(Once *self, PyObject *owner)
{
    PyObject *values = call_method(self->definition, "values_of", owner);
    if (values == NULL) {
        return NULL;
    }
    Place place = {.owner = values, .key = self->key};
    PyObject *value;
    if (place_load(VALUES, &place, &value) == 0) {
        value = self->flags & IS_CHOSEN
                    ? once_ask_for(self, owner)
                    : fill((PyObject *)self, VALUES, &place, self->discard, self->function, owner);
    }
    Py_DECREF(values);
    return value;
}

static PyObject *
once_fill_instance(Once *self, PyObject *owner)
{
    PyTypeObject *type = Py_TYPE(owner);
    int standard = is_standard(type);
    if (standard < 0) {
        return NULL;
    }
    PyObject *value = NULL;
#ifndef Py_GIL_DISABLED
    if (standard) {
        value = initialize(self->function, owner);
        if (value == NULL) {
            return NULL;
        }
        /* The initializer may have changed anything. */
        standard = Py_TYPE(owner) == type ? is_standard(type) : 0;
        if (standard < 0) {
            Py_DECREF(value);
            return NULL;
        }
        if (standard) {
            PyObject *published;
            if (attribute_publish(owner, self->key, value, &published) < 0) {
                Py_DECREF(value);
                return NULL;
            }
            return settle((PyObject *)self, value, published, self->discard);
        }
    }
#endif
    return keep_in_namespace((PyObject *)self, self->definition, owner, standard, self->key, self->discard,
                             self->function, value);
}

static PyObject *
once_of(Once *self, PyObject *owner)
{
    if (LOAD(&self->key) == NULL && once_define(self) < 0) {
        return NULL;
    }
    if (PyType_Check(owner)) {
        return once_of_class(self, owner);
    }
    PyObject *value;
    if (attribute_load(owner, self->key, &value) != 0) {
        return value;
    }
    return self->flags & IS_CHOSEN ? once_ask_for(self, owner) : once_fill_instance(self, owner);
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
            return fill(op, OWN, &place, self->discard, self->function, NULL);
        }
        if (count == 1 && flags & MAY_TAKE_OWNER) {
            return once_of(self, args[0]);
        }
    }
    State *state = state_of(Py_TYPE(self));
    return state == NULL ? NULL : call_reference(state->once_reference, "__call__", op, args, count, kwnames);
}

static PyObject *bound_new(State *state, PyObject *function, PyObject *owner);

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

/* Whether the cells of `type` have their value in the cell, and read it as ours do. */
static int
reads_like_ours(State *state, PyTypeObject *type)
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
    PyObject *function, *discard, *makes;
    PyObject *wrapped = NULL;
    const char *binds_to;
    int needs_owner, may_take_owner;
    static char *names[] = {"function", "discard", "cell", NULL};
    State *state = state_of(type);
    if (state == NULL || !PyArg_ParseTupleAndKeywords(args, kwargs, "OOO:Once", names, &function, &discard, &makes)) {
        return NULL;
    }
    PyObject *examined = call_in_room(state->once_room, "examine", function, NULL, NULL, NULL);
    if (examined == NULL) {
        return NULL;
    }
    Once *self = NULL;
    PyObject *cell = NULL;
    PyObject *is_async = NULL;
    if (!PyArg_ParseTuple(examined, "Ospp", &wrapped, &binds_to, &needs_owner, &may_take_owner)) {
        goto error;
    }
    is_async = call_in_room(state->once_room, "is_coroutine_function", wrapped, NULL, NULL, NULL);
    if (is_async == NULL) {
        goto error;
    }
    int flags = (needs_owner ? NEEDS_OWNER : 0) | (may_take_owner ? MAY_TAKE_OWNER : 0) |
                (is_async == Py_True ? IS_ASYNC : 0) | (makes == Py_None ? 0 : IS_CHOSEN);
    if (strcmp(binds_to, "instance") == 0) {
        flags |= BINDS_TO_INSTANCE;
    }
    else if (strcmp(binds_to, "class") == 0) {
        flags |= BINDS_TO_CLASS;
    }
    /* Only where a call may take the instance may `obj.m()` be a call with it. */
    if (type == state->once_type || type == state->once_method_type) {
        type = flags & BINDS_TO_INSTANCE && may_take_owner ? state->once_method_type : state->once_type;
    }
    /* Whole from the moment that the collector can see it. */
    if (!needs_owner) {
        cell = makes == Py_None ? state->cell_type->tp_alloc(state->cell_type, 0) : PyObject_CallNoArgs(makes);
        if (cell == NULL) {
            goto error;
        }
        if (makes == Py_None) {
            ((Cell *)cell)->discard = discard == Py_None ? NULL : Py_NewRef(discard);
        }
        else {
            int where = reads_like_ours(state, Py_TYPE(cell));
            if (where < 0) {
                goto error;
            }
            flags |= where ? 0 : IS_FOREIGN;
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
    self->makes = makes == Py_None ? NULL : Py_NewRef(makes);
    self->cell = cell;
    cell = NULL;
    /* At once, for which definition has which key depends on the order in which they are made. */
    if (may_take_owner && once_define(self) < 0) {
        goto error;
    }
    Py_DECREF(is_async);
    Py_DECREF(examined);
    if (PyFunction_Check(wrapped) && !(((PyCodeObject *)PyFunction_GET_CODE(wrapped))->co_flags & CO_NESTED)) {
        share(state, (PyObject *)self);
    }
    return (PyObject *)self;
error:
    Py_XDECREF(self);
    Py_XDECREF(cell);
    Py_XDECREF(is_async);
    Py_DECREF(examined);
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
    Py_VISIT(self->makes);
    Py_VISIT(self->dict);
    return 0;
}

/* The collector clears only what no thread can reach. A weak reference's callback may still
   call: the function and the cell stay until the end, and the cycles break at their fields. */
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
    Py_CLEAR(self->makes);
    Py_CLEAR(self->dict);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

static PyObject *
once_get_cell(Once *self, void *Py_UNUSED(closure))
{
    if (self->flags & NEEDS_OWNER) {
        /* Goes on in the reference's `__getattr__`. */
        PyErr_SetString(PyExc_AttributeError, "cell");
        return NULL;
    }
    return Py_NewRef(self->cell);
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
    {"_needs_owner", (getter)once_get_flag, NULL, NULL, (void *)NEEDS_OWNER},
    {"_may_take_owner", (getter)once_get_flag, NULL, NULL, (void *)MAY_TAKE_OWNER},
    {"_cell", field_get, NULL, NULL, (void *)offsetof(Once, cell)},
    {"cell", (getter)once_get_cell, NULL, NULL, NULL},
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

/* A once method and what it was looked up on. */

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *function;
    PyObject *owner;
    PyObject *weakrefs;
} BoundOnce;

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
    return once_of(once, self->owner);
}

static PyObject *
bound_new(State *state, PyObject *function, PyObject *owner)
{
    if (state->bound_type == NULL) {
        return torn_down();
    }
    BoundOnce *self = (BoundOnce *)state->bound_type->tp_alloc(state->bound_type, 0);
    if (self != NULL) {
        self->vectorcall = bound_vectorcall;
        self->function = Py_NewRef(function);
        self->owner = Py_NewRef(owner);
    }
    return (PyObject *)self;
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
