/* `GILOnceCell`, and the methods that it shares with `DictCell`, `SlotCell` and `KeyedCell`. Those are views: cells
   whose value is kept elsewhere. */

#include "place.h"

static inline Place
place_of(Cell *self)
{
    if (self->storage == IN_CELL) {
        return (Place){.owner = (PyObject *)self};
    }
    return ((BoundCell *)self)->place;
}

/* Returns 1 with the value, 0 if there is none, or -1 with an exception. `value` is NULL unless there is one. */
static inline int
cell_load_any(Cell *self, PyObject **value)
{
    if (self->storage == IN_CELL) {
        *value = cell_load(self);
        return *value != NULL;
    }
    return place_load(self->storage, &((BoundCell *)self)->place, value);
}

static PyObject *
call_python_cell(PyObject *self, const char *name, PyObject *const *args, Py_ssize_t positional, PyObject *kwnames)
{
    State *state = state_of(Py_TYPE(self));
    return state == NULL ? NULL : call_python_method(state->python_cell, name, self, args, positional, kwnames);
}

static PyObject *
cell_get(Cell *self, PyObject *const *args, Py_ssize_t positional, PyObject *kwnames)
{
    PyObject *value;
    if (positional > 1 || kwnames != NULL) {
        return call_python_cell((PyObject *)self, "get", args, positional, kwnames);
    }
    if (cell_load_any(self, &value) == 0) {
        value = Py_NewRef(positional == 1 ? args[0] : Py_None);
    }
    return value;
}

static PyObject *
cell_is_set(Cell *self, PyObject *const *args, Py_ssize_t positional, PyObject *kwnames)
{
    PyObject *value;
    if (positional > 0 || kwnames != NULL) {
        return call_python_cell((PyObject *)self, "is_set", args, positional, kwnames);
    }
    int found = cell_load_any(self, &value);
    if (found < 0) {
        return NULL;
    }
    Py_XDECREF(value);
    return PyBool_FromLong(found);
}

/* Fill the cell, after `get_or_init` has found it empty. */
static PyObject *
cell_method_fill(Cell *self, PyObject *initializer)
{
    Place place = place_of(self);
    PyObject *discard = field_load((PyObject *)self, offsetof(Cell, discard));
    PyObject *value = fill((PyObject *)self, self->storage, &place, discard, initializer, NULL);
    Py_XDECREF(discard);
    return value;
}

/* Return whether `callable` is certainly not a coroutine function. This runs no bytecode. */
static int
is_synchronous(PyObject *callable)
{
    if (PyFunction_Check(callable)) {
        /* `inspect.markcoroutinefunction` marks a function in its `__dict__`. */
        return !(((PyCodeObject *)PyFunction_GET_CODE(callable))->co_flags & CO_COROUTINE) &&
               LOAD(&((PyFunctionObject *)callable)->func_dict) == NULL;
    }
    return PyCFunction_Check(callable) || PyType_Check(callable);
}

static PyObject *
cell_get_or_init(Cell *self, PyObject *const *args, Py_ssize_t positional, PyObject *kwnames)
{
    PyObject *value;
    if (positional != 1 || kwnames != NULL || !PyCallable_Check(args[0])) {
        return call_python_cell((PyObject *)self, "get_or_init", args, positional, kwnames);
    }
    if (cell_load_any(self, &value) != 0) {
        return value;
    }
    State *state = state_of(Py_TYPE(self));
    if (state != NULL && !is_synchronous(args[0])) {
        PyObject *ignored = call_global(state->cell_globals, "check_synchronous", args[0], NULL, NULL, NULL);
        if (ignored == NULL) {
            return NULL;
        }
        Py_DECREF(ignored);
        /* The check ran bytecode, in which another thread may have published. In a cell that races, no bytecode runs
           from here to the write, except in the initializer (law 5). */
        if (cell_load_any(self, &value) != 0) {
            return value;
        }
    }
    if (state == NULL || Py_TYPE(self) == state->cell_type) {
        return state == NULL ? NULL : cell_method_fill(self, args[0]);
    }
    /* A view or an object of a subclass may have its own way to fill the cell. */
    return state->fill == NULL ? torn_down() : PyObject_CallMethodOneArg((PyObject *)self, state->fill, args[0]);
}

static PyObject *
cell_set(Cell *self, PyObject *const *args, Py_ssize_t positional, PyObject *kwnames)
{
    PyObject *published;
    if (positional == 1 && kwnames == NULL) {
        Place place = place_of(self);
        int written;
        if (place_publish(self->storage, &place, args[0], &published, &written) < 0) {
            return NULL;
        }
        Py_DECREF(published);
        if (written) {
            Py_RETURN_NONE;
        }
    }
    /* The Python method tries again. It raises, or succeeds because another thread has emptied the cell. */
    return call_python_cell((PyObject *)self, "set", args, positional, kwnames);
}

static PyObject *
cell_take(Cell *self, PyObject *const *args, Py_ssize_t positional, PyObject *kwnames)
{
    PyObject *value;
    if (positional > 1 || kwnames != NULL) {
        return call_python_cell((PyObject *)self, "take", args, positional, kwnames);
    }
    Place place = place_of(self);
    if (place_remove(self->storage, &place, &value) == 0) {
        value = Py_NewRef(positional == 1 ? args[0] : Py_None);
    }
    return value;
}

/* The three operations of a place, as methods for the Python code. They return `EMPTY` for an empty cell. */

static PyObject *
or_empty(Cell *self, int found, PyObject *value)
{
    if (found != 0) {
        return value;
    }
    State *state = state_of(Py_TYPE(self));
    return state == NULL ? NULL : PyMapping_GetItemString(state->cell_globals, "EMPTY");
}

static PyObject *
cell_method_load(Cell *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *value;
    int found = cell_load_any(self, &value);
    return or_empty(self, found, value);
}

static PyObject *
cell_method_publish(Cell *self, PyObject *value)
{
    PyObject *published;
    Place place = place_of(self);
    int written;
    if (place_publish(self->storage, &place, value, &published, &written) < 0) {
        return NULL;
    }
    return Py_BuildValue("(NO)", published, written ? Py_True : Py_False);
}

static PyObject *
cell_method_clear(Cell *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *value;
    Place place = place_of(self);
    int found = place_remove(self->storage, &place, &value);
    return or_empty(self, found, value);
}

/* For `override`: return a tuple that identifies the place. It is (cell,) if the cell itself or a table has the value;
   otherwise it is the object that has the value, and the key or offset in it. */
static PyObject *
cell_method_place(Cell *self, PyObject *Py_UNUSED(ignored))
{
    Place place = place_of(self);
    if (self->storage == IN_CELL || self->storage == IN_TABLE) {
        return PyTuple_Pack(1, self);
    }
    if (place_resolve(self->storage, &place) < 0) {
        return NULL;
    }
    if (self->storage == IN_SLOT) {
        return Py_BuildValue("(On)", place.owner, place.offset);
    }
    /* Instances may share their `__dict__`. One that is not a dict may be a new mapping at every access. */
    int is_lasting = ((BoundCell *)self)->place.values != NULL || PyDict_CheckExact(place.values);
    PyObject *result = PyTuple_Pack(2, is_lasting ? place.values : place.owner, place.key);
    Py_DECREF(place.values);
    return result;
}

/* Replace a value as the Python method `_replace` does. From the comparison to the end no other code runs: nothing is
   allocated that could start the collector, and no reference is dropped that could be the last. */
static PyObject *
cell_method_replace(Cell *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 5) {
        PyErr_SetString(PyExc_TypeError, "_replace() takes old, new, stack, before and after");
        return NULL;
    }
    PyObject *stack = args[2], *before = args[3], *after = args[4];
    Place place = place_of(self);
    PyObject *value = NULL;
    PyObject *empty = or_empty(self, 0, NULL);
    if (empty == NULL || place_resolve(self->storage, &place) < 0) {
        Py_XDECREF(empty);
        return NULL;
    }
    PyObject *layers = PyObject_GetAttrString(stack, "layers");
    int done = layers == NULL ? -1 : 0;
    NO_GC_BEGIN
    if (done == 0 && layers == before) {
        int found = place_load(self->storage, &place, &value);
        done = found < 0 ? -1 : (found ? value : empty) == args[0];
        if (done > 0) {
            done = PyObject_SetAttrString(stack, "layers", after) < 0
                       ? -1
                       : place_replace(self->storage, &place, value, args[1] == empty ? NULL : args[1]);
            if (done == 0 && PyObject_SetAttrString(stack, "layers", before) < 0) {
                done = -1;
            }
        }
    }
    NO_GC_END
    if (self->storage == IN_NAMESPACE) {
        Py_DECREF(place.values);
    }
    Py_XDECREF(value);
    Py_XDECREF(layers);
    Py_DECREF(empty);
    return done < 0 ? NULL : PyBool_FromLong(done);
}

static PyObject *
cell_get_made(Cell *self, void *Py_UNUSED(closure))
{
    uint32_t made = LOAD_NUMBER(&self->made);
    return PyLong_FromLongLong(made == UNREGISTERED ? -1 : (long long)made);
}

static int
cell_set_made(Cell *self, PyObject *number, void *Py_UNUSED(closure))
{
    long long made = number == NULL ? 0 : PyLong_AsLongLong(number);
    if (PyErr_Occurred()) {
        return -1;
    }
    STORE_NUMBER(&self->made, (uint32_t)made);
    return 0;
}

static PyObject *
native_register(PyObject *bound, PyObject *object)
{
    State *state = PyModule_GetState(bound);
    return state == NULL || register_weakly(state, object) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *
native_next_number(PyObject *Py_UNUSED(bound), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromUnsignedLong(next_number());
}

/* Empty the cell, for `__setstate__`. */
static PyObject *
cell_method_make_empty(Cell *self, PyObject *Py_UNUSED(ignored))
{
    if (self->storage == IN_CELL) {
        PyObject *value = cell_remove(self);
        Py_XDECREF(value);
    }
    Py_RETURN_NONE;
}

static int
cell_init(Cell *self, PyObject *args, PyObject *kwargs)
{
    PyObject *name, *discard = NULL;
    Py_ssize_t position = 0;
    int is_usual = PyTuple_GET_SIZE(args) == 0;
    if (kwargs != NULL && PyDict_Next(kwargs, &position, &name, &discard)) {
        is_usual = is_usual && PyDict_GET_SIZE(kwargs) == 1 && PyUnicode_Check(name) &&
                   (discard == Py_None || PyCallable_Check(discard)) && equals(name, "discard");
    }
    if (!is_usual) {
        State *state = state_of(Py_TYPE(self));
        PyObject *init = state == NULL                ? NULL
                         : state->python_cell == NULL ? torn_down()
                                                      : PyObject_GetAttrString(state->python_cell, "__init__");
        PyObject *bound = init == NULL ? NULL : PyMethod_New(init, (PyObject *)self);
        PyObject *ignored = bound == NULL ? NULL : PyObject_Call(bound, args, kwargs);
        Py_XDECREF(init);
        Py_XDECREF(bound);
        Py_XDECREF(ignored);
        return ignored == NULL ? -1 : 0;
    }
    if (self->storage == IN_CELL && LOAD(&self->value) != NULL) {
        PyObject *value = cell_remove(self); /* this is not the first call of `__init__` */
        Py_XDECREF(value);
    }
#ifdef Py_GIL_DISABLED
    else if (Py_REFCNT(self) == 1) {
        State *state = state_of(Py_TYPE(self));
        if (state == NULL) {
            return -1;
        }
        defer_refcount(state, (PyObject *)self);
    }
#endif
    return field_set((PyObject *)self, discard == NULL ? Py_None : discard, (void *)offsetof(Cell, discard));
}

static int
cell_traverse(Cell *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->value);
    Py_VISIT(self->discard);
    if (self->storage != IN_CELL) {
        Py_VISIT(((BoundCell *)self)->definition);
        Py_VISIT(((BoundCell *)self)->place.owner);
        Py_VISIT(((BoundCell *)self)->place.key); /* the descriptor of a slot leads to the class */
        Py_VISIT(((BoundCell *)self)->place.values);
        Py_VISIT(((BoundCell *)self)->place.find_slot);
    }
    return 0;
}

static int
cell_clear(Cell *self)
{
    Py_CLEAR(self->value);
    Py_CLEAR(self->discard);
    return 0;
}

static void
cell_dealloc(Cell *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    /* A long chain of objects, each of which owns the next, must not be freed recursively. */
    Py_TRASHCAN_BEGIN(self, cell_dealloc)
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    /* A reader would hold a reference to the cell, so no reader can be running. */
    (void)cell_clear(self);
    if (self->storage != IN_CELL) {
        Py_CLEAR(((BoundCell *)self)->definition);
        Py_CLEAR(((BoundCell *)self)->place.owner);
        Py_CLEAR(((BoundCell *)self)->place.key);
        Py_CLEAR(((BoundCell *)self)->place.values);
        Py_CLEAR(((BoundCell *)self)->place.find_slot);
    }
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

#define FAST(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS

/* These texts are signatures. `append_docstrings` appends the docstrings of the Python methods to them. */
static PyMethodDef cell_methods[] = {
    {"get", FAST(cell_get), "get($self, default=None)\n--\n\n"},
    {"is_set", FAST(cell_is_set), "is_set($self)\n--\n\n"},
    {"get_or_init", FAST(cell_get_or_init), "get_or_init($self, initializer, /)\n--\n\n"},
    {"set", FAST(cell_set), "set($self, value, /)\n--\n\n"},
    {"take", FAST(cell_take), "take($self, default=None)\n--\n\n"},
    {"_fill", (PyCFunction)(void (*)(void))cell_method_fill, METH_O, NULL},
    {"_load", (PyCFunction)(void (*)(void))cell_method_load, METH_NOARGS, NULL},
    {"_publish", (PyCFunction)(void (*)(void))cell_method_publish, METH_O, NULL},
    {"_clear", (PyCFunction)(void (*)(void))cell_method_clear, METH_NOARGS, NULL},
    {"_place", (PyCFunction)(void (*)(void))cell_method_place, METH_NOARGS, NULL},
    {"_replace", (PyCFunction)(void (*)(void))cell_method_replace, METH_FASTCALL, NULL},
    {"_make_empty", (PyCFunction)(void (*)(void))cell_method_make_empty, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef cell_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Cell, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef cell_getset[] = {
    {"_discard", field_get, field_set, NULL, (void *)offsetof(Cell, discard)},
    {"_made", (getter)cell_get_made, (setter)cell_set_made, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot cell_slots[] = {
    {Py_tp_doc, "GILOnceCell(*, discard=None)\n--\n\n"},
    {Py_tp_init, cell_init},
    {Py_tp_methods, cell_methods},
    {Py_tp_members, cell_members},
    {Py_tp_getset, cell_getset},
    {Py_tp_traverse, cell_traverse},
    {Py_tp_clear, cell_clear},
    {Py_tp_dealloc, cell_dealloc},
    {0, NULL},
};

/* For `ProcessOnceCell`: add a reference that is never dropped, so the object is never finalized. */
static PyObject *
native_keep_for_ever(PyObject *Py_UNUSED(bound), PyObject *value)
{
    (void)Py_NewRef(value);
    Py_RETURN_NONE;
}
