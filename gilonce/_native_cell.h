/* The cell. */

static inline Place
place_of(Cell *self)
{
    if (self->kind == OWN) {
        return (Place){.owner = (PyObject *)self};
    }
    return ((BoundCell *)self)->place;
}

/* The loaded value or, if there is none, NULL without an exception. */
static inline int
cell_load_any(Cell *self, PyObject **value)
{
    if (self->kind == OWN) {
        *value = cell_load(self);
        return *value != NULL;
    }
    return place_load(self->kind, &((BoundCell *)self)->place, value);
}

static PyObject *
cell_reference(PyObject *self, const char *name, PyObject *const *args, Py_ssize_t positional, PyObject *kwnames)
{
    State *state = state_of(Py_TYPE(self));
    return state == NULL ? NULL : call_reference(state->cell_reference, name, self, args, positional, kwnames);
}

static PyObject *
cell_get(Cell *self, PyObject *const *args, Py_ssize_t positional, PyObject *kwnames)
{
    PyObject *value;
    if (positional > 1 || kwnames != NULL) {
        return cell_reference((PyObject *)self, "get", args, positional, kwnames);
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
        return cell_reference((PyObject *)self, "is_set", args, positional, kwnames);
    }
    int found = cell_load_any(self, &value);
    if (found < 0) {
        return NULL;
    }
    Py_XDECREF(value);
    return PyBool_FromLong(found);
}

/* The race: what `get_or_init` does after it found the cell empty. */
static PyObject *
cell__fill(Cell *self, PyObject *initializer)
{
    Place place = place_of(self);
    PyObject *discard = field_load((PyObject *)self, offsetof(Cell, discard));
    PyObject *value = fill((PyObject *)self, self->kind, &place, discard, initializer, NULL);
    Py_XDECREF(discard);
    return value;
}

static PyObject *
cell_get_or_init(Cell *self, PyObject *const *args, Py_ssize_t positional, PyObject *kwnames)
{
    PyObject *value;
    if (positional != 1 || kwnames != NULL || !PyCallable_Check(args[0])) {
        return cell_reference((PyObject *)self, "get_or_init", args, positional, kwnames);
    }
    if (cell_load_any(self, &value) != 0) {
        return value;
    }
    State *state = state_of(Py_TYPE(self));
    if (state == NULL || Py_TYPE(self) == state->cell_type) {
        return state == NULL ? NULL : cell__fill(self, args[0]);
    }
    /* A view, or another kind of cell, which may have another way. */
    return state->fill == NULL ? torn_down() : PyObject_CallMethodOneArg((PyObject *)self, state->fill, args[0]);
}

static PyObject *
cell_set(Cell *self, PyObject *const *args, Py_ssize_t positional, PyObject *kwnames)
{
    PyObject *published;
    if (positional == 1 && kwnames == NULL) {
        Place place = place_of(self);
        int written = place_publish(self->kind, &place, args[0], &published);
        if (written < 0) {
            return NULL;
        }
        Py_DECREF(published);
        if (written) {
            Py_RETURN_NONE;
        }
    }
    /* The reference tries again, and either raises or, after a take() meanwhile, succeeds. */
    return cell_reference((PyObject *)self, "set", args, positional, kwnames);
}

static PyObject *
cell_take(Cell *self, PyObject *const *args, Py_ssize_t positional, PyObject *kwnames)
{
    PyObject *value;
    if (positional > 1 || kwnames != NULL) {
        return cell_reference((PyObject *)self, "take", args, positional, kwnames);
    }
    Place place = place_of(self);
    if (place_clear(self->kind, &place, &value) == 0) {
        value = Py_NewRef(positional == 1 ? args[0] : Py_None);
    }
    return value;
}

/* The three operations for the reference's cold methods, which know `EMPTY`. */

static PyObject *
or_empty(Cell *self, int found, PyObject *value)
{
    if (found != 0) {
        return value;
    }
    State *state = state_of(Py_TYPE(self));
    return state == NULL ? NULL : PyMapping_GetItemString(state->cell_room, "EMPTY");
}

static PyObject *
cell__load(Cell *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *value;
    int found = cell_load_any(self, &value);
    return or_empty(self, found, value);
}

static PyObject *
cell__publish(Cell *self, PyObject *value)
{
    PyObject *published;
    Place place = place_of(self);
    int written = place_publish(self->kind, &place, value, &published);
    if (written < 0) {
        return NULL;
    }
    return Py_BuildValue("(NO)", published, written ? Py_True : Py_False);
}

static PyObject *
cell__clear(Cell *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *value;
    Place place = place_of(self);
    int found = place_clear(self->kind, &place, &value);
    return or_empty(self, found, value);
}

/* What the reference does before a state is put into a new cell. */
static PyObject *
cell__make_empty(Cell *self, PyObject *Py_UNUSED(ignored))
{
    if (self->kind == OWN) {
        PyObject *value = cell_clear(self);
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
        is_usual = is_usual && PyDict_GET_SIZE(kwargs) == 1 && PyCallable_Check(discard) && PyUnicode_Check(name) &&
                   PyUnicode_CompareWithASCIIString(name, "discard") == 0;
    }
    if (!is_usual) {
        State *state = state_of(Py_TYPE(self));
        PyObject *init = state == NULL                   ? NULL
                         : state->cell_reference == NULL ? torn_down()
                                                         : PyObject_GetAttrString(state->cell_reference, "__init__");
        PyObject *bound = init == NULL ? NULL : PyMethod_New(init, (PyObject *)self);
        PyObject *ignored = bound == NULL ? NULL : PyObject_Call(bound, args, kwargs);
        Py_XDECREF(init);
        Py_XDECREF(bound);
        Py_XDECREF(ignored);
        return ignored == NULL ? -1 : 0;
    }
    if (self->kind == OWN && LOAD(&self->value) != NULL) {
        PyObject *value = cell_clear(self); /* initialized again */
        Py_XDECREF(value);
    }
#ifdef Py_GIL_DISABLED
    else if (Py_REFCNT(self) == 1) {
        State *state = state_of(Py_TYPE(self));
        if (state == NULL) {
            return -1;
        }
        share(state, (PyObject *)self);
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
    if (self->kind != OWN) {
        Py_VISIT(((BoundCell *)self)->definition);
        Py_VISIT(((BoundCell *)self)->place.owner);
    }
    return 0;
}

static int
cell_tp_clear(Cell *self)
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
    /* Objects that hold each other in a long chain are not dropped one inside the other. */
    Py_TRASHCAN_BEGIN(self, cell_dealloc)
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    /* Who still reads has a reference to the cell; so nobody does. */
    (void)cell_tp_clear(self);
    if (self->kind != OWN) {
        Py_CLEAR(((BoundCell *)self)->definition);
        Py_CLEAR(((BoundCell *)self)->place.owner);
        Py_CLEAR(((BoundCell *)self)->place.key);
    }
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

#define FAST(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS

/* Where a docstring ends in "--\n\n" the reference's is appended. */
static PyMethodDef cell_methods[] = {
    {"get", FAST(cell_get), "get($self, default=None)\n--\n\n"},
    {"is_set", FAST(cell_is_set), "is_set($self)\n--\n\n"},
    {"get_or_init", FAST(cell_get_or_init), "get_or_init($self, initializer, /)\n--\n\n"},
    {"set", FAST(cell_set), "set($self, value, /)\n--\n\n"},
    {"take", FAST(cell_take), "take($self, default=None)\n--\n\n"},
    {"_fill", (PyCFunction)(void (*)(void))cell__fill, METH_O, NULL},
    {"_load", (PyCFunction)(void (*)(void))cell__load, METH_NOARGS, NULL},
    {"_publish", (PyCFunction)(void (*)(void))cell__publish, METH_O, NULL},
    {"_clear", (PyCFunction)(void (*)(void))cell__clear, METH_NOARGS, NULL},
    {"_make_empty", (PyCFunction)(void (*)(void))cell__make_empty, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef cell_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Cell, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef cell_getset[] = {
    {"_discard", field_get, field_set, NULL, (void *)offsetof(Cell, discard)},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot cell_slots[] = {
    {Py_tp_doc, "GILOnceCell(*, discard=None)\n--\n\n"},
    {Py_tp_init, cell_init},
    {Py_tp_methods, cell_methods},
    {Py_tp_members, cell_members},
    {Py_tp_getset, cell_getset},
    {Py_tp_traverse, cell_traverse},
    {Py_tp_clear, cell_tp_clear},
    {Py_tp_dealloc, cell_dealloc},
    {0, NULL},
};

/* For `ProcessOnceCell`: one reference too many, and nothing ever finalizes the object. */
static PyObject *
native_keep_for_ever(PyObject *Py_UNUSED(bound), PyObject *value)
{
    (void)Py_NewRef(value);
    Py_RETURN_NONE;
}

/* The cells whose place is elsewhere. Each is a view, made by the reference's code. */

static int
view_init(BoundCell *self, Kind kind, PyObject *definition, PyObject *owner, PyObject *key, Py_ssize_t offset)
{
    PyObject *discard = PyObject_GetAttrString(definition, "discard");
    if (discard == NULL) {
        return -1;
    }
    if (self->cell.kind != OWN) {
        PyErr_SetString(PyExc_TypeError, "this cell has its place already");
        Py_DECREF(discard);
        return -1;
    }
    self->definition = Py_NewRef(definition);
    self->place = (Place){.owner = Py_NewRef(owner), .key = Py_NewRef(key), .offset = offset};
    self->cell.kind = kind;
    (void)field_set((PyObject *)self, discard, (void *)offsetof(Cell, discard));
    Py_DECREF(discard);
    return 0;
}

static int
dict_cell_init(BoundCell *self, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *definition, *namespace, *key;
    if (!PyArg_ParseTuple(args, "OOU", &definition, &namespace, &key)) {
        return -1;
    }
    return view_init(self, NAMESPACE, definition, namespace, key, 0);
}

/* The offset of a slot, given its descriptor; -1 with TypeError for a member of another kind. */
static Py_ssize_t
offset_of(PyObject *member)
{
    PyMemberDef *definition = Py_IS_TYPE(member, &PyMemberDescr_Type) ? ((PyMemberDescrObject *)member)->d_member : NULL;
    if (definition == NULL || definition->type != T_OBJECT_EX || definition->flags & READONLY) {
        PyErr_Format(PyExc_TypeError, "%R is no slot that can be written", member);
        return -1;
    }
    return definition->offset;
}

static int
slot_cell_init(BoundCell *self, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *definition, *owner, *member;
    if (!PyArg_ParseTuple(args, "OOO", &definition, &owner, &member)) {
        return -1;
    }
    Py_ssize_t offset = offset_of(member);
    if (offset < 0) {
        return -1;
    }
    if (!PyObject_TypeCheck(owner, ((PyMemberDescrObject *)member)->d_common.d_type)) {
        PyErr_Format(PyExc_TypeError, "%R does not belong to a %R object", member, Py_TYPE(owner));
        return -1;
    }
    return view_init(self, SLOT, definition, owner, ((PyMemberDescrObject *)member)->d_common.d_name, offset);
}

/* An assignment by the user: whether or not there is a value already. */
static PyObject *
view_assign(BoundCell *self, PyObject *value)
{
    switch (self->cell.kind) {
    case NAMESPACE:
        if (PyObject_SetItem(self->place.owner, self->place.key, value) < 0) {
            return NULL;
        }
        break;
    case SLOT:
        Py_XDECREF(field_swap(self->place.owner, self->place.offset, value));
        break;
    case VALUES:
    case OWN:
        PyErr_SetString(PyExc_TypeError, "this cell has no place");
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
view_is_same_place(BoundCell *self, PyObject *object)
{
    BoundCell *other = (BoundCell *)object;
    int same = Py_IS_TYPE(object, Py_TYPE(self)) && self->place.owner == other->place.owner &&
               self->place.offset == other->place.offset;
    if (same) {
        same = PyObject_RichCompareBool(self->place.key, other->place.key, Py_EQ);
    }
    return same < 0 ? NULL : PyBool_FromLong(same);
}

static PyMethodDef view_methods[] = {
    {"is_same_place", (PyCFunction)(void (*)(void))view_is_same_place, METH_O, NULL},
    {"assign", (PyCFunction)(void (*)(void))view_assign, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

#define VIEW_SLOTS(name, init) \
    static PyType_Slot name[] = { \
        {Py_tp_init, init}, \
        {Py_tp_methods, view_methods}, \
        {Py_tp_traverse, cell_traverse}, \
        {Py_tp_clear, cell_tp_clear}, \
        {Py_tp_dealloc, cell_dealloc}, \
        {0, NULL}, \
    }
VIEW_SLOTS(dict_cell_slots, dict_cell_init);
VIEW_SLOTS(slot_cell_slots, slot_cell_init);
