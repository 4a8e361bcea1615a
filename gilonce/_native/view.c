/* Views: `DictCell` and `SlotCell`, whose value is kept in an instance or class. Only Python code makes them. */

#include "place.h"

/* Set the place of a new view. The references in `place` are borrowed. */
static int
view_init(BoundCell *self, Storage storage, PyObject *definition, Place place)
{
    PyObject *discard = PyObject_GetAttrString(definition, "discard");
    if (discard == NULL) {
        return -1;
    }
    if (self->cell.storage != IN_CELL) {
        PyErr_SetString(PyExc_TypeError, "this cell already has its place");
        Py_DECREF(discard);
        return -1;
    }
    self->definition = Py_NewRef(definition);
    Py_INCREF(place.owner);
    Py_INCREF(place.key);
    Py_XINCREF(place.values);
    Py_XINCREF(place.find_slot);
    place.definition = definition;
    self->place = place;
    self->cell.storage = storage;
    (void)field_set((PyObject *)self, discard, (void *)offsetof(Cell, discard));
    Py_DECREF(discard);
    return 0;
}

static int
dict_cell_init(BoundCell *self, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *definition, *owner, *key, *values = Py_None;
    if (!PyArg_ParseTuple(args, "OOU|O", &definition, &owner, &key, &values)) {
        return -1;
    }
    return view_init(self, IN_NAMESPACE, definition,
                     (Place){.owner = owner, .key = key, .values = values == Py_None ? NULL : values});
}

static int
slot_cell_init(BoundCell *self, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *definition, *owner, *find_slot;
    if (!PyArg_ParseTuple(args, "OOO", &definition, &owner, &find_slot)) {
        return -1;
    }
    PyObject *member = PyObject_CallOneArg(find_slot, owner);
    Py_ssize_t offset = member == NULL ? -1 : offset_of(member, owner);
    Place place = {.owner = owner, .key = member, .find_slot = find_slot, .offset = offset};
    int result = offset < 0 ? -1 : view_init(self, IN_SLOT, definition, place);
    Py_XDECREF(member);
    return result;
}

/* Write the value of an attribute that the user assigns, even if there is a value. */
static PyObject *
view_assign(BoundCell *self, PyObject *value)
{
    PyObject *namespace, *old;
    int result = -1;
    switch (self->cell.storage) {
    case IN_NAMESPACE:
        namespace = place_namespace(&self->place);
        result = namespace == NULL ? -1 : PyObject_SetItem(namespace, self->place.key, value);
        Py_XDECREF(namespace);
        break;
    case IN_SLOT:
        result = slot_swap(&self->place, value, &old);
        Py_XDECREF(old);
        break;
    case IN_TABLE:
    case IN_CELL:
        PyErr_SetString(PyExc_TypeError, "this cell has no place");
    }
    return result < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *
view_is_same_place(BoundCell *self, PyObject *object)
{
    BoundCell *other = (BoundCell *)object;
    if (!Py_IS_TYPE(object, Py_TYPE(self)) || self->cell.storage != other->cell.storage) {
        Py_RETURN_FALSE;
    }
    int same = self->place.owner == other->place.owner;
    if (!same && self->cell.storage == IN_NAMESPACE) {
        /* Instances may share their `__dict__`. */
        PyObject *mine = place_namespace(&self->place);
        PyObject *others = mine == NULL ? NULL : place_namespace(&other->place);
        same = others == NULL ? -1 : mine == others;
        Py_XDECREF(mine);
        Py_XDECREF(others);
    }
    if (same > 0) {
        same = PyObject_RichCompareBool(self->place.key, other->place.key, Py_EQ);
    }
    return same < 0 ? NULL : PyBool_FromLong(same);
}

static PyMethodDef view_methods[] = {
    {"is_same_place", (PyCFunction)(void (*)(void))view_is_same_place, METH_O, NULL},
    {"assign", (PyCFunction)(void (*)(void))view_assign, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef view_members[] = {
    {"_owner", T_OBJECT_EX, offsetof(BoundCell, place.owner), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

#define VIEW_SLOTS(name, init) \
    static PyType_Slot name[] = { \
        {Py_tp_init, init}, \
        {Py_tp_methods, view_methods}, \
        {Py_tp_members, view_members}, \
        {Py_tp_traverse, cell_traverse}, \
        {Py_tp_clear, cell_clear}, \
        {Py_tp_dealloc, cell_dealloc}, \
        {0, NULL}, \
    }
VIEW_SLOTS(dict_cell_slots, dict_cell_init);
VIEW_SLOTS(slot_cell_slots, slot_cell_init);
