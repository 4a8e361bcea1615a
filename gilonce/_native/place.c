/* Places: where a value is kept. Each storage has three atomic operations: read the value, write it if there is none,
   and remove it. Cells in Python call them `_load`, `_publish` and `_clear`. */

#include "place.h"
#include "table.h"

/* Do what `gilonce._cells.registry.register` does in Python. */
static int
register_weakly(State *state, PyObject *object)
{
    if (state->registered == NULL) {
        (void)torn_down();
        return -1;
    }
    PyObject *reference = PyWeakref_NewRef(object, NULL);
    int result = reference == NULL ? -1 : PyList_Append(state->registered, reference);
    Py_XDECREF(reference);
    if (result == 0 && PyList_GET_SIZE(state->registered) % 1000 == 0) {
        PyObject *ignored = call_global(state->registry_globals, "clear_dead_in_time", NULL, NULL, NULL, NULL);
        result = ignored == NULL ? -1 : 0;
        Py_XDECREF(ignored);
    }
    return result;
}

static int
register_cell(Cell *self)
{
    State *state = state_of(Py_TYPE(self));
    return state == NULL ? -1 : register_weakly(state, (PyObject *)self);
}

/* Publish in the cell itself. With a GIL, the cell is registered after the write, so that nothing runs before it
   (law 5). Without one, it is registered before another thread can see the value; see `registry.py`. Returns NULL with
   an exception if registering was interrupted. For two threads that publish at once, see
   tests/litmus/two_publishers.litmus. */
static PyObject *
cell_publish(Cell *self, PyObject *value, int *written)
{
#ifdef Py_GIL_DISABLED
    if (LOAD_NUMBER(&self->made) == UNREGISTERED && register_cell(self) < 0) {
        *written = -1;
        return NULL;
    }
#endif
    /* The cell has its reference before another thread can see the value. */
    incref_for_field(value);
    for (;;) {
        if (WRITE_IF_NULL(&self->value, value)) {
            *written = 1;
#ifdef Py_GIL_DISABLED
            STORE_NUMBER(&self->made, next_number());
#else
            int is_registered = self->made != UNREGISTERED;
            self->made = next_number();
            if (!is_registered && register_cell(self) < 0) {
                *written = -1;
                return NULL;
            }
#endif
            return Py_NewRef(value);
        }
        PyObject *published = cell_load(self);
        if (published != NULL) {
            *written = 0;
            Py_DECREF(value);
            return published;
        }
        /* Another thread has removed the value in between. The cell is empty: try again. */
    }
}

static PyObject *
cell_remove(Cell *self)
{
    return field_swap((PyObject *)self, offsetof(Cell, value), NULL);
}

static int
dict_publish(PyObject *dict, PyObject *key, PyObject *value, PyObject **published)
{
#if PY_VERSION_HEX >= 0x030D0000
    return PyDict_SetDefaultRef(dict, key, value, published);
#else
    *published = Py_XNewRef(PyDict_SetDefault(dict, key, value));
    return *published == NULL ? -1 : 0;
#endif
}

/* Call `get` or `pop` of any mapping. The default is a new object, which cannot be a value in the mapping. */
static int
mapping_ask(PyObject *mapping, const char *method, PyObject *key, PyObject **value)
{
    PyObject *missing = PyObject_CallNoArgs((PyObject *)&PyBaseObject_Type);
    *value = missing == NULL ? NULL : PyObject_CallMethod(mapping, method, "OO", key, missing);
    int found = *value == NULL ? -1 : *value != missing;
    if (found == 0) {
        Py_CLEAR(*value);
    }
    Py_XDECREF(missing);
    return found;
}

static int
mapping_remove(PyObject *mapping, PyObject *key, PyObject **value)
{
#if PY_VERSION_HEX >= 0x030D0000
    if (PyDict_CheckExact(mapping)) {
        return PyDict_Pop(mapping, key, value);
    }
#endif
    return mapping_ask(mapping, "pop", key, value);
}

static int
mapping_load(PyObject *mapping, PyObject *key, PyObject **value)
{
    return PyDict_CheckExact(mapping) ? dict_load(mapping, key, value) : mapping_ask(mapping, "get", key, value);
}

/* Unless `written` is NULL, set it to whether this call has added the value. */
static int
mapping_publish(PyObject *mapping, PyObject *key, PyObject *value, PyObject **published, int *written)
{
    PyObject *before = NULL;
    if (written != NULL && mapping_load(mapping, key, &before) < 0) {
        return -1;
    }
    int failed = 0;
    if (PyDict_CheckExact(mapping)) {
        failed = dict_publish(mapping, key, value, published) < 0;
    }
    else {
        *published = PyObject_CallMethod(mapping, "setdefault", "OO", key, value);
        failed = *published == NULL;
    }
    if (written != NULL) {
        *written = !failed && *published == value && before != value;
        Py_XDECREF(before);
    }
    return failed ? -1 : 0;
}

/* The mapping that has the value: a new reference. This runs no bytecode if the owner's `__dict__` is the usual one. */
static PyObject *
place_namespace(const Place *place)
{
    if (place->values != NULL) {
        return Py_NewRef(place->values);
    }
    int is_usual = recall_usual_dict(place->memo, Py_TYPE(place->owner));
    if (is_usual <= 0) {
        return is_usual < 0 ? NULL : call_method(place->definition, "namespace_of", place->owner);
    }
    return PyObject_GenericGetDict(place->owner, NULL);
}

/* Slots. They are fields of the instance, but filling one takes the lock, too: the interpreter's own assignment to a
   slot reads the old value and writes the new one in two steps under that lock. */

/* The offset of a slot in `owner`, given its descriptor. Returns -1 with TypeError if the descriptor is not that of a
   writable slot, or if the owner is not an instance of its class. */
static Py_ssize_t
offset_of(PyObject *member, PyObject *owner)
{
    PyMemberDef *slot = Py_IS_TYPE(member, &PyMemberDescr_Type) ? ((PyMemberDescrObject *)member)->d_member : NULL;
    if (slot == NULL || slot->type != T_OBJECT_EX || slot->flags & READONLY) {
        PyErr_Format(PyExc_TypeError, "%R is not a writable slot", member);
        return -1;
    }
    if (!PyObject_TypeCheck(owner, PyDescr_TYPE(member))) {
        PyObject *type = Py_NewRef(Py_TYPE(owner));
        PyErr_Format(PyExc_TypeError, "%R does not belong to a %R object", member, type);
        Py_DECREF(type);
        return -1;
    }
    return slot->offset;
}

static Py_ssize_t
place_offset(const Place *place)
{
    if (place->find_slot == NULL || PyObject_TypeCheck(place->owner, PyDescr_TYPE(place->key))) {
        return place->offset;
    }
    PyObject *member = PyObject_CallOneArg(place->find_slot, place->owner);
    Py_ssize_t offset = member == NULL ? -1 : offset_of(member, place->owner);
    Py_XDECREF(member);
    return offset;
}

/* Look up the mapping or slot once, for several operations on it. Afterwards the caller owns `place->values`. */
static int
place_resolve(Storage storage, Place *place)
{
    if (storage == IN_NAMESPACE) {
        place->values = place_namespace(place);
        return place->values == NULL ? -1 : 0;
    }
    if (storage == IN_SLOT) {
        place->offset = place_offset(place);
        place->find_slot = NULL;
        return place->offset < 0 ? -1 : 0;
    }
    return 0;
}

static int
slot_load(const Place *place, PyObject **value)
{
    Py_ssize_t offset = place_offset(place);
    *value = offset < 0 ? NULL : field_load(place->owner, offset);
    return offset < 0 ? -1 : *value != NULL;
}

static int
slot_publish(const Place *place, PyObject *value, PyObject **published, int *written)
{
    Py_ssize_t offset = place_offset(place);
    if (offset < 0) {
        return -1;
    }
    PyObject **address = field_at(place->owner, offset);
    incref_for_field(value);
    Py_BEGIN_CRITICAL_SECTION(place->owner);
    *written = WRITE_IF_NULL(address, value);
    *published = Py_NewRef(*address);
    Py_END_CRITICAL_SECTION();
    if (!*written) {
        Py_DECREF(value);
    }
    return 0;
}

/* Returns 0 with the old value or NULL in `old`, whose reference now belongs to the caller; or -1 with an exception. */
static int
slot_swap(const Place *place, PyObject *value, PyObject **old)
{
    Py_ssize_t offset = place_offset(place);
    *old = offset < 0 ? NULL : field_swap(place->owner, offset, value);
    return offset < 0 ? -1 : 0;
}

/* The three operations on any place. They return -1 with an exception. `value` and `published` are new references.
   `place_load` and `place_remove` return whether there was a value. */

static int
place_load(Storage storage, const Place *place, PyObject **value)
{
    if (storage == IN_NAMESPACE) {
        PyObject *namespace = place_namespace(place);
        *value = NULL;
        int found = namespace == NULL ? -1 : mapping_load(namespace, place->key, value);
        Py_XDECREF(namespace);
        return found;
    }
    if (storage == IN_SLOT) {
        return slot_load(place, value);
    }
    if (storage == IN_TABLE) {
        return table_load(place, value);
    }
    *value = cell_load((Cell *)place->owner);
    return *value != NULL;
}

/* Unless `written` is NULL, set it to whether this call has written the value. */
static int
place_publish(Storage storage, const Place *place, PyObject *value, PyObject **published, int *written)
{
    int ignored;
#ifndef Py_GIL_DISABLED
    if (place->is_private && written == NULL && !has_dict_object(place->owner)) {
        int is_usual = recall_usual_dict(place->memo, Py_TYPE(place->owner));
        if (is_usual != 0) {
            return is_usual < 0 ? -1 : attribute_publish(place->owner, place->key, value, published);
        }
    }
#endif
    if (storage == IN_NAMESPACE) {
        if (written == NULL && place->values != NULL) {
            /* A `ClassValues`, which keeps the methods of dict. To call its `setdefault`, a bound method would be made.
               Before 3.12, that may start the collector, which runs bytecode (law 5). */
            return dict_publish(place->values, place->key, value, published);
        }
        PyObject *namespace = place_namespace(place);
        int result = namespace == NULL ? -1 : mapping_publish(namespace, place->key, value, published, written);
        Py_XDECREF(namespace);
        return result;
    }
    if (storage == IN_SLOT) {
        return slot_publish(place, value, published, written == NULL ? &ignored : written);
    }
    if (storage == IN_TABLE) {
        int result = table_publish(place, value, published);
        if (written != NULL) {
            *written = result;
        }
        return 0;
    }
    *published = cell_publish((Cell *)place->owner, value, written == NULL ? &ignored : written);
    /* NULL if registering was interrupted. With a GIL, the value is published even then. */
    return *published == NULL ? -1 : 0;
}

static int
place_remove(Storage storage, const Place *place, PyObject **value)
{
    if (storage == IN_NAMESPACE) {
        PyObject *namespace = place_namespace(place);
        *value = NULL;
        int found = namespace == NULL ? -1 : mapping_remove(namespace, place->key, value);
        Py_XDECREF(namespace);
        return found;
    }
    if (storage == IN_SLOT) {
        return slot_swap(place, NULL, value) < 0 ? -1 : *value != NULL;
    }
    if (storage == IN_TABLE) {
        return table_remove(place, value);
    }
    *value = cell_remove((Cell *)place->owner);
    return *value != NULL;
}

/* Replace `old`, which the caller has just found in the place, by `new`. NULL means empty for both. The caller has a
   reference to `old` and has resolved the place. Returns 1 if the value was replaced, 0 if another thread has changed
   it in between, which can happen without a GIL, or -1 with an exception. */
static int
place_replace(Storage storage, const Place *place, PyObject *old, PyObject *new)
{
    PyObject *found = NULL;
    int written;
    switch (storage) {
    case IN_NAMESPACE:
        if (new == NULL) {
            written = old == NULL ? 1 : mapping_remove(place->values, place->key, &found);
        }
        else if (old != NULL) {
            written = PyObject_SetItem(place->values, place->key, new) < 0 ? -1 : 1;
        }
        else if (mapping_publish(place->values, place->key, new, &found, &written) < 0) {
            written = -1;
        }
        Py_XDECREF(found);
        return written;
    case IN_SLOT:
        return field_replace(place->owner, place->offset, old, new);
    case IN_TABLE:
        return table_replace(place, old, new);
    case IN_CELL:
        break;
    }
    return field_replace(place->owner, offsetof(Cell, value), old, new);
}

/* Call an initializer: with `argument`, the instance or class, if that is not NULL. */
static PyObject *
initialize(PyObject *initializer, PyObject *argument)
{
    /* An initializer in C that calls its own cell adds no Python frame, so the recursion has to be counted here. */
    if (Py_EnterRecursiveCall(" while calling a Python object")) {
        return NULL;
    }
    PyObject *value = argument == NULL ? PyObject_CallNoArgs(initializer) : PyObject_CallOneArg(initializer, argument);
    Py_LeaveRecursiveCall();
    return value;
}

/* Discard `value` if it is a loser: if the place has `published` instead. Steals a reference to `value`; returns
   `published`. `self` is the object that was called, whose type leads to the module's state. */
static PyObject *
discard_loser(PyObject *self, PyObject *value, PyObject *published, PyObject *discard)
{
    if (published != value && discard != NULL) {
        State *state = state_of(Py_TYPE(self));
        PyObject *ignored =
            state == NULL ? NULL : call_global(state->cell_globals, "dispose", discard, value, NULL, NULL);
        if (ignored == NULL) {
            PyErr_WriteUnraisable(discard);
        }
        Py_XDECREF(ignored);
    }
    Py_DECREF(value);
    return published;
}

/* Publish `value` unless there is a value, and return the published one. Steals a reference to `value`. */
static PyObject *
publish(PyObject *self, Storage storage, const Place *place, PyObject *discard, PyObject *value)
{
    PyObject *published;
    if (place_publish(storage, place, value, &published, NULL) < 0) {
        Py_DECREF(value);
        return NULL;
    }
    return discard_loser(self, value, published, discard);
}

/* Call the initializer and publish its value, after the caller found the place empty. Law 5: no bytecode runs between
   that check and the call, or between the return and the write. */
static PyObject *
fill(PyObject *self, Storage storage, const Place *place, PyObject *discard, PyObject *initializer, PyObject *argument)
{
    PyObject *value = initialize(initializer, argument);
    return value == NULL ? NULL : publish(self, storage, place, discard, value);
}

static PyObject *
load_or_fill(PyObject *self, Storage storage, const Place *place, PyObject *discard, PyObject *initializer,
             PyObject *argument)
{
    PyObject *value;
    return place_load(storage, place, &value) != 0 ? value : fill(self, storage, place, discard, initializer, argument);
}
