/* The types of tables and of the cells of their keys. `keyed.c` has the entries. */

#include "table.h"

/* End the use of an entry, which `table_enter` began. If `value` is not NULL, publish it first unless there is a value,
   and return the published value, a new reference. Otherwise return NULL without an exception. */
static PyObject *
table_leave(Table *self, const Query *query, PyObject *key, PyObject *value)
{
    TABLE_SECTION;
    TABLE_LOCK(self);
    PyObject *unused = NULL, *published = NULL;
    Entry *entry = table_entry_at(self, query->position, query->hash, key);
    if (entry == NULL) {
        /* The collector has cleared the table. */
        published = Py_XNewRef(value);
    }
    else {
        if (value != NULL) {
            (void)table_write(entry, value);
            published = Py_NewRef(entry->value);
        }
        --*array_users(self->array, entry);
        unused = table_remove_unused(self, entry);
    }
    TABLE_UNLOCK();
    Py_XDECREF(unused);
    return published;
}

/* The operations on the place of a cell. The cell is a user of the entry, so the entry stays. */

static int
table_load(const Place *place, PyObject **value)
{
    Table *self = (Table *)place->owner;
    TABLE_SECTION;
    TABLE_LOCK(self);
    Entry *entry = table_entry(self, place->offset, place->key);
    *value = entry == NULL ? NULL : Py_XNewRef(entry->value);
    TABLE_UNLOCK();
    return *value != NULL;
}

static int
table_publish(const Place *place, PyObject *value, PyObject **published)
{
    Table *self = (Table *)place->owner;
    TABLE_SECTION;
    TABLE_LOCK(self);
    Entry *entry = table_entry(self, place->offset, place->key);
    int written = entry == NULL ? 1 : table_write(entry, value);
    *published = Py_NewRef(entry == NULL ? value : entry->value);
    TABLE_UNLOCK();
    return written;
}

static int
table_remove(const Place *place, PyObject **value)
{
    Table *self = (Table *)place->owner;
    TABLE_SECTION;
    TABLE_LOCK(self);
    Entry *entry = table_entry(self, place->offset, place->key);
    *value = entry == NULL ? NULL : SWAP(&entry->value, NULL);
    TABLE_UNLOCK();
    return *value != NULL;
}

static int
table_replace(const Place *place, PyObject *old, PyObject *new)
{
    Table *self = (Table *)place->owner;
    TABLE_SECTION;
    TABLE_LOCK(self);
    Entry *entry = table_entry(self, place->offset, place->key);
    int is_there = (entry == NULL ? NULL : entry->value) == old;
    if (entry != NULL && is_there) {
        if (old == NULL) {
            is_there = new == NULL || table_write(entry, new);
        }
        else {
            if (new != NULL) {
                incref_for_field(new);
            }
            Py_DECREF(SWAP(&entry->value, new)); /* the caller has another reference */
        }
    }
    TABLE_UNLOCK();
    return is_there;
}

/* The cells. */

/* Return the name of a cell in `views`: the address of its key, and the bits of the key's hash that the entry keeps. It
   is of a type whose objects the collector does not track, so that making one does not start the collector. */
static PyObject *
view_name(PyObject *key, Py_hash_t hash)
{
    char name[sizeof(PyObject *) + sizeof(uint32_t)];
    uint32_t kept = shorten(hash);
    memcpy(name, &key, sizeof(PyObject *));
    memcpy(name + sizeof(PyObject *), &kept, sizeof(uint32_t));
    return PyBytes_FromStringAndSize(name, sizeof(name));
}

/* Return the cell that the program has under a name, or NULL, without an exception if it has none. */
static PyObject *
table_view(Table *self, PyObject *name)
{
    PyObject *reference = NULL;
    int found = self->views == NULL ? 0 : dict_load(self->views, name, &reference);
    PyObject *view = found > 0 ? weakref_get(reference) : NULL;
    Py_XDECREF(reference);
    return view;
}

/* Return the cell of a key: the one that the program has, or a new one. */
static PyObject *
table_cell_of(Table *self, PyObject *sought)
{
    Query query = {.hash = PyObject_Hash(sought), .key = Py_NewRef(sought), .left = -1};
    PyObject *key = NULL, *ignored, *reference = NULL, *view = NULL, *known = NULL;
    TABLE_SECTION;
    if (query.hash == -1 || table_enter(self, &query, 1, &key, &ignored) < 0) {
        query_end(&query);
        return NULL;
    }
    PyObject *name = view_name(key, query.hash);
    PyObject *hash = name == NULL ? NULL : PyLong_FromSsize_t(query.hash);
    if (hash != NULL) {
        TABLE_LOCK(self);
        view = table_view(self, name);
        TABLE_UNLOCK();
        if (view == NULL && !PyErr_Occurred()) {
            view = PyObject_CallFunctionObjArgs(self->cell_class, self->definition, (PyObject *)self, key, hash, NULL);
            reference = view == NULL ? NULL : PyWeakref_NewRef(view, NULL);
            if (reference == NULL) {
                Py_CLEAR(view);
            }
        }
    }
    int failed = 0;
    if (reference != NULL) {
        /* Several threads may have made a cell. They all return the first one to be entered. */
        NO_GC_BEGIN
        TABLE_LOCK(self);
        known = table_view(self, name);
        failed = known == NULL && ((self->views == NULL && (self->views = PyDict_New()) == NULL) ||
                                       PyDict_SetItem(self->views, name, reference) < 0);
        TABLE_UNLOCK();
        NO_GC_END
        if (known != NULL || failed) {
            Py_SETREF(view, known);
        }
    }
    Py_XDECREF(reference);
    Py_XDECREF(name);
    Py_XDECREF(hash);
    Py_XDECREF(table_leave(self, &query, key, NULL));
    Py_DECREF(key);
    query_end(&query);
    return view;
}

static int
keyed_cell_init(BoundCell *self, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *definition, *table, *key;
    Py_ssize_t hash;
    State *state = state_of(Py_TYPE(self));
    if (state == NULL || !PyArg_ParseTuple(args, "OO!On", &definition, state->table_type, &table, &key, &hash)) {
        return -1;
    }
    TABLE_SECTION;
    TABLE_LOCK(table);
    Entry *entry = table_entry((Table *)table, hash, key);
    if (entry != NULL && self->cell.storage == IN_CELL) {
        ++*array_users(((Table *)table)->array, entry);
    }
    TABLE_UNLOCK();
    if (entry == NULL) {
        PyErr_SetString(PyExc_LookupError, "the table has no such key");
        return -1;
    }
    return view_init(self, IN_TABLE, definition, (Place){.owner = table, .key = key, .offset = hash});
}

/* Return the cell that `f.cell()` returns for this key. Usually it is this one. It is another one if the collector has
   cleared the weak reference to this cell, a finalizer has brought the cell back, and a call has made a new one
   meanwhile. If there is none, this cell is entered again. */
static PyObject *
keyed_cell_current(BoundCell *self, PyObject *Py_UNUSED(ignored))
{
    if (self->cell.storage != IN_TABLE) {
        return Py_NewRef(self);
    }
    Table *table = (Table *)self->place.owner;
    PyObject *name = view_name(self->place.key, self->place.offset), *view = NULL;
    PyObject *reference = name == NULL ? NULL : PyWeakref_NewRef((PyObject *)self, NULL);
    if (reference != NULL) {
        TABLE_SECTION;
        NO_GC_BEGIN
        TABLE_LOCK(table);
        view = table_view(table, name);
        if (view == NULL && (table->views != NULL || (table->views = PyDict_New()) != NULL) &&
            PyDict_SetItem(table->views, name, reference) == 0) {
            view = Py_NewRef(self);
        }
        TABLE_UNLOCK();
        NO_GC_END
    }
    Py_XDECREF(reference);
    Py_XDECREF(name);
    return view;
}

static void
keyed_cell_dealloc(BoundCell *self)
{
    PyObject *weakrefs = self->cell.weakrefs;
    if (self->cell.storage == IN_TABLE) {
        PyObject_GC_UnTrack(self);
        if (weakrefs != NULL) {
            PyObject_ClearWeakRefs((PyObject *)self);
        }
        /* A `tp_finalize` would be too early: a thread could still find the cell. */
        Table *table = (Table *)self->place.owner;
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        PyObject *name = view_name(self->place.key, self->place.offset);
        TABLE_SECTION;
        TABLE_LOCK(table);
        PyObject *other = name == NULL ? NULL : table_view(table, name);
        if (name != NULL && other == NULL && table->views != NULL && PyDict_DelItem(table->views, name) < 0) {
            PyErr_Clear(); /* this cell was never entered */
        }
        TABLE_UNLOCK();
        PyErr_Restore(type, value, traceback);
        Py_XDECREF(other);
        Py_XDECREF(name);
        Query query = {.hash = self->place.offset};
        Py_XDECREF(table_leave(table, &query, self->place.key, NULL));
        PyObject_GC_Track(self);
    }
    cell_dealloc(&self->cell);
}

/* The number of a key's value is in the entry, because the cell comes and goes. */

static PyObject *
keyed_cell_get_made(BoundCell *self, void *closure)
{
    if (self->cell.storage != IN_TABLE) {
        return cell_get_made(&self->cell, closure);
    }
    Table *table = (Table *)self->place.owner;
    TABLE_SECTION;
    TABLE_LOCK(table);
    Entry *entry = table_entry(table, self->place.offset, self->place.key);
    uint32_t number = entry == NULL ? 0 : entry->number;
    TABLE_UNLOCK();
    return PyLong_FromUnsignedLong(number);
}

static int
keyed_cell_set_made(BoundCell *self, PyObject *number, void *closure)
{
    if (cell_set_made(&self->cell, number, closure) < 0) {
        return -1;
    }
    if (self->cell.storage == IN_TABLE) {
        Table *table = (Table *)self->place.owner;
        TABLE_SECTION;
        TABLE_LOCK(table);
        Entry *entry = table_entry(table, self->place.offset, self->place.key);
        if (entry != NULL) {
            entry->number = LOAD_NUMBER(&self->cell.made);
        }
        TABLE_UNLOCK();
    }
    return 0;
}

static PyMethodDef keyed_cell_methods[] = {
    {"is_same_place", (PyCFunction)(void (*)(void))view_is_same_place, METH_O, NULL},
    {"assign", (PyCFunction)(void (*)(void))view_assign, METH_O, NULL},
    {"_current", (PyCFunction)(void (*)(void))keyed_cell_current, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef keyed_cell_getset[] = {
    {"_made", (getter)keyed_cell_get_made, (setter)keyed_cell_set_made, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot keyed_cell_slots[] = {
    {Py_tp_init, keyed_cell_init},
    {Py_tp_methods, keyed_cell_methods},
    {Py_tp_getset, keyed_cell_getset},
    {Py_tp_traverse, cell_traverse},
    {Py_tp_clear, cell_clear},
    {Py_tp_dealloc, keyed_cell_dealloc},
    {0, NULL},
};

/* The type of tables. */

static int
table_init(Table *self, PyObject *args, PyObject *kwargs)
{
    PyObject *definition, *cell_class, *owner = Py_None, *items = NULL;
    static char *names[] = {"definition", "cell_class", "owner", "items", NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|OO", names, &definition, &cell_class, &owner, &items)) {
        return -1;
    }
    PyObject *discard = PyObject_GetAttrString(definition, "discard");
    if (discard == NULL) {
        return -1;
    }
    Py_XSETREF(self->definition, Py_NewRef(definition));
    Py_XSETREF(self->cell_class, Py_NewRef(cell_class));
    Py_XSETREF(self->discard, discard == Py_None ? NULL : Py_NewRef(discard));
    Py_DECREF(discard);
    PyObject *ignored = call_method((PyObject *)self, "_set_owner", owner);
    if (ignored != NULL && items != NULL) {
        Py_SETREF(ignored, call_method((PyObject *)self, "_begin_with", items));
    }
    Py_XDECREF(ignored);
    return ignored == NULL ? -1 : 0;
}

typedef struct {
    uint32_t number;
    PyObject *key, *value;
} Pair;

static int
compare_pairs(const void *one, const void *other)
{
    uint32_t first = ((const Pair *)one)->number, second = ((const Pair *)other)->number;
    return (first > second) - (first < second);
}

/* Return a list of the keys and values, as pairs, in the order in which the values were written. With `take`, remove
   the values, and return a list of them. */
static PyObject *
table_list(Table *self, int take)
{
    TABLE_SECTION;
    TABLE_LOCK(self);
    Array *array = self->array;
    Py_ssize_t count = 0;
    Pair *pairs = PyMem_New(Pair, self->live + 1);
    for (Py_ssize_t i = 0; pairs != NULL && array != NULL && i < array->size; i++) {
        Entry *entry = &array->entries[i];
        if (entry->key == NULL || entry->key == REMOVED || entry->value == NULL) {
            continue;
        }
        Pair *pair = &pairs[count++];
        pair->number = entry->number;
        if (take) {
            pair->value = SWAP(&entry->value, NULL);
            pair->key = table_remove_unused(self, entry);
        }
        else {
            pair->value = Py_NewRef(entry->value);
            pair->key = Py_NewRef(entry->key);
        }
    }
#ifndef Py_GIL_DISABLED
    if (self->live == 0) {
        self->array = NULL;
        self->used = 0;
        self->changes += 2;
        PyMem_Free(array);
    }
#endif
    TABLE_UNLOCK();
    if (pairs == NULL) {
        return PyErr_NoMemory();
    }
    qsort(pairs, count, sizeof(Pair), compare_pairs);
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = list == NULL ? NULL
                         : take       ? Py_NewRef(pairs[i].value)
                                      : PyTuple_Pack(2, pairs[i].key, pairs[i].value);
        if (item != NULL) {
            PyList_SET_ITEM(list, i, item);
        }
        else {
            Py_CLEAR(list);
        }
        Py_XDECREF(pairs[i].key);
        Py_XDECREF(pairs[i].value);
    }
    PyMem_Free(pairs);
    return list;
}

static PyObject *
table_items(Table *self, PyObject *Py_UNUSED(ignored))
{
    return table_list(self, 0);
}

static PyObject *
table_take_all(Table *self, PyObject *Py_UNUSED(ignored))
{
    return table_list(self, 1);
}

static int
table_traverse(Table *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->definition);
    Py_VISIT(self->cell_class);
    Py_VISIT(self->discard);
    Py_VISIT(self->views);
    Py_VISIT(self->owner);
    for (Py_ssize_t i = 0; self->array != NULL && i < self->array->size; i++) {
        Entry *entry = &self->array->entries[i];
        if (entry->key != NULL && entry->key != REMOVED) {
            Py_VISIT(entry->key);
            Py_VISIT(entry->value);
        }
    }
    return 0;
}

static int
table_clear(Table *self)
{
    Array *array = self->array;
    self->array = NULL;
    self->used = self->live = 0;
    self->changes += 2;
    for (Py_ssize_t i = 0; array != NULL && i < array->size; i++) {
        Entry *entry = &array->entries[i];
        if (entry->key != NULL && entry->key != REMOVED) {
            Py_DECREF(entry->key);
            Py_XDECREF(entry->value);
        }
    }
    PyMem_Free(array);
    Py_CLEAR(self->owner);
    return 0;
}

static void
table_dealloc(Table *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, table_dealloc)
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    (void)table_clear(self);
    while (self->retired != NULL) {
        Array *array = self->retired;
        self->retired = array->retired;
        PyMem_Free(array);
    }
    Py_CLEAR(self->definition);
    Py_CLEAR(self->cell_class);
    Py_CLEAR(self->discard);
    Py_CLEAR(self->views);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

static PyMethodDef table_methods[] = {
    {"cell_of", (PyCFunction)(void (*)(void))table_cell_of, METH_O, NULL},
    {"items", (PyCFunction)(void (*)(void))table_items, METH_NOARGS, NULL},
    {"take_all", (PyCFunction)(void (*)(void))table_take_all, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef table_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Table, weakrefs), READONLY, NULL},
    {"owner", T_OBJECT, offsetof(Table, owner), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot table_slots[] = {
    {Py_tp_init, table_init},
    {Py_tp_methods, table_methods},
    {Py_tp_members, table_members},
    {Py_tp_traverse, table_traverse},
    {Py_tp_clear, table_clear},
    {Py_tp_dealloc, table_dealloc},
    {0, NULL},
};
