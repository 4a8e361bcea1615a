/* Places: where a value is kept. Each kind has the three operations of the reference's
   cells, `_load`, `_publish` and `_clear`, each of them atomic. */

typedef enum {
    OWN,       /* the cell itself */
    NAMESPACE, /* an entry of a mapping, as a rule an instance's `__dict__` */
    VALUES,    /* an entry of the dict that a class keeps its values in */
    SLOT,      /* a slot of an instance */
} Kind;

typedef struct {
    PyObject *owner; /* the mapping, the instance */
    PyObject *key;   /* of the entry */
    Py_ssize_t offset; /* of the slot */
} Place;

typedef struct {
    PyObject_HEAD
    PyObject *value;
    PyObject *discard;
    PyObject *weakrefs;
    Kind kind;
} Cell;

/* The reference's `BoundCell` stands in between, with one slot. */
typedef struct {
    Cell cell;
    PyObject *definition;
    Place place;
} BoundCell;

static inline PyObject *
cell_load(Cell *self)
{
    return field_load((PyObject *)self, offsetof(Cell, value));
}

static PyObject *
cell_publish(Cell *self, PyObject *value, int *written)
{
    /* The cell's reference exists before the value can be seen. */
    hold(value);
    for (;;) {
        if (WRITE_IF_NULL(&self->value, value)) {
            *written = 1;
            return Py_NewRef(value);
        }
        PyObject *published = cell_load(self);
        if (published != NULL) {
            *written = 0;
            Py_DECREF(value);
            return published;
        }
        /* Another thread took between the two: the cell is empty, and we may be first again. */
    }
}

static PyObject *
cell_clear(Cell *self)
{
    return field_swap((PyObject *)self, offsetof(Cell, value), NULL);
}

/* Dicts. With `str` keys these are atomic: no other code runs in them, and without a GIL
   each holds the dict's own lock or, reading, needs none. (A key of another type would have to
   have the very hash of ours for its `__eq__` to be asked.) */

static int
dict_load(PyObject *dict, PyObject *key, PyObject **value)
{
#if PY_VERSION_HEX >= 0x030D0000
    return PyDict_GetItemRef(dict, key, value);
#else
    *value = Py_XNewRef(PyDict_GetItemWithError(dict, key));
    return *value != NULL ? 1 : PyErr_Occurred() ? -1 : 0;
#endif
}

/* Returns 1 if `value` was written, 0 if there was another already. */
static int
dict_publish(PyObject *dict, PyObject *key, PyObject *value, PyObject **published)
{
#if PY_VERSION_HEX >= 0x030D0000
    int present = PyDict_SetDefaultRef(dict, key, value, published);
    return present < 0 ? -1 : !present;
#else
    Py_ssize_t before = PyDict_GET_SIZE(dict);
    *published = Py_XNewRef(PyDict_SetDefault(dict, key, value));
    return *published == NULL ? -1 : PyDict_GET_SIZE(dict) > before;
#endif
}

static int
mapping_clear(PyObject *mapping, PyObject *key, PyObject **value)
{
#if PY_VERSION_HEX >= 0x030D0000
    if (PyDict_CheckExact(mapping)) {
        return PyDict_Pop(mapping, key, value);
    }
#endif
    /* The key is the default: nobody keeps that very object under itself. */
    *value = PyObject_CallMethod(mapping, "pop", "OO", key, key);
    if (*value == key) {
        Py_CLEAR(*value);
        return 0;
    }
    return *value == NULL ? -1 : 1;
}

static int
mapping_load(PyObject *mapping, PyObject *key, PyObject **value)
{
    if (PyDict_CheckExact(mapping)) {
        return dict_load(mapping, key, value);
    }
    *value = PyObject_CallMethod(mapping, "get", "OO", key, key);
    if (*value == key) {
        Py_CLEAR(*value);
        return 0;
    }
    return *value == NULL ? -1 : 1;
}

static int
mapping_publish(PyObject *mapping, PyObject *key, PyObject *value, PyObject **published)
{
    if (PyDict_CheckExact(mapping)) {
        return dict_publish(mapping, key, value, published);
    }
    PyObject *before;
    if (mapping_load(mapping, key, &before) < 0) {
        return -1;
    }
    *published = PyObject_CallMethod(mapping, "setdefault", "OO", key, value);
    int written = *published == NULL ? -1 : *published == value && before != value;
    Py_XDECREF(before);
    return written;
}

/* Slots. They are fields too; but who fills one takes the lock, as the interpreter does when it
   assigns to a slot, for its read of the old value and its write are two. */

static int
slot_load(const Place *place, PyObject **value)
{
    *value = field_load(place->owner, place->offset);
    return *value != NULL;
}

static int
slot_publish(const Place *place, PyObject *value, PyObject **published)
{
    PyObject **address = field_at(place->owner, place->offset);
    int written;
    hold(value);
    Py_BEGIN_CRITICAL_SECTION(place->owner);
    written = WRITE_IF_NULL(address, value);
    *published = Py_NewRef(*address);
    Py_END_CRITICAL_SECTION();
    if (!written) {
        Py_DECREF(value);
    }
    return written;
}

/* The dict of a class's attributes. */
static PyObject *
dict_of_type(PyTypeObject *type)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyType_GetDict(type);
#else
    return Py_NewRef(type->tp_dict);
#endif
}

/* The three operations on any place. They return -1 with an exception set; else whether a
   value was found, or written. `value` and `published` are new references. */

static int
place_load(Kind kind, const Place *place, PyObject **value)
{
    switch (kind) {
    case NAMESPACE:
        return mapping_load(place->owner, place->key, value);
    case SLOT:
        return slot_load(place, value);
    case VALUES:
        return dict_load(place->owner, place->key, value);
    case OWN:
        break;
    }
    *value = cell_load((Cell *)place->owner);
    return *value != NULL;
}

static int
place_publish(Kind kind, const Place *place, PyObject *value, PyObject **published)
{
    int written = 0;
    switch (kind) {
    case NAMESPACE:
        return mapping_publish(place->owner, place->key, value, published);
    case SLOT:
        return slot_publish(place, value, published);
    case VALUES:
        return dict_publish(place->owner, place->key, value, published);
    case OWN:
        break;
    }
    *published = cell_publish((Cell *)place->owner, value, &written);
    return written;
}

static int
place_clear(Kind kind, const Place *place, PyObject **value)
{
    switch (kind) {
    case NAMESPACE:
    case VALUES:
        return mapping_clear(place->owner, place->key, value);
    case SLOT:
        *value = field_swap(place->owner, place->offset, NULL);
        return *value != NULL;
    case OWN:
        break;
    }
    *value = cell_clear((Cell *)place->owner);
    return *value != NULL;
}

/* Run an initializer, which `argument` makes one with it where it is a method. */
static PyObject *
initialize(PyObject *initializer, PyObject *argument)
{
    /* An initializer in C that reaches its own cell recurses without a frame that counts. */
    if (Py_EnterRecursiveCall(" while calling a Python object")) {
        return NULL;
    }
    PyObject *value = argument == NULL ? PyObject_CallNoArgs(initializer) : PyObject_CallOneArg(initializer, argument);
    Py_LeaveRecursiveCall();
    return value;
}

/* Steals `value`, which may have lost to `published`; returns `published`. `self` is who asks. */
static PyObject *
settle(PyObject *self, PyObject *value, PyObject *published, PyObject *discard)
{
    if (published != value && discard != NULL) {
        State *state = state_of(Py_TYPE(self));
        PyObject *ignored = state == NULL ? NULL : call_in_room(state->cell_room, "dispose", discard, value, NULL, NULL);
        if (ignored == NULL) {
            PyErr_WriteUnraisable(discard);
        }
        Py_XDECREF(ignored);
    }
    Py_DECREF(value);
    return published;
}

/* Steals `value`; returns what is published after it was offered. */
static PyObject *
publish(PyObject *self, Kind kind, const Place *place, PyObject *discard, PyObject *value)
{
    PyObject *published;
    if (place_publish(kind, place, value, &published) < 0) {
        Py_DECREF(value);
        return NULL;
    }
    return settle(self, value, published, discard);
}

/* What `get_or_init` does after it found the place empty. Law 5: from that finding to the
   call, and from the call's return to the write, no bytecode runs. */
static PyObject *
fill(PyObject *self, Kind kind, const Place *place, PyObject *discard, PyObject *initializer, PyObject *argument)
{
    PyObject *value = initialize(initializer, argument);
    return value == NULL ? NULL : publish(self, kind, place, discard, value);
}

static PyObject *
load_or_fill(PyObject *self, Kind kind, const Place *place, PyObject *discard, PyObject *initializer,
             PyObject *argument)
{
    PyObject *value;
    return place_load(kind, place, &value) != 0 ? value : fill(self, kind, place, discard, initializer, argument);
}
