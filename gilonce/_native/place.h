/* Cells, and the places where they keep their values. */

#ifndef GILONCE_PLACE_H
#define GILONCE_PLACE_H

#include "attribute.h"

typedef enum {
    IN_CELL,      /* the cell itself */
    IN_NAMESPACE, /* an entry of a mapping: an instance's `__dict__`, or the dict of a class's values */
    IN_SLOT,      /* a slot of an instance */
    IN_TABLE,     /* an entry of a table */
} Storage;

/* Where one value is. An initializer may replace its instance's `__dict__` or change its class, so the key is
   determined before the initializer runs, and the dict or slot is looked up at every use. */
typedef struct {
    PyObject *owner;      /* the cell, the instance, the class or the table */
    PyObject *key;        /* of the entry; for a slot, its descriptor */
    PyObject *values;     /* the dict of a class's values; NULL for an instance's `__dict__` */
    TypeMemo *memo;       /* may know whether the owner's `__dict__` is the usual one; or NULL */
    int is_private;       /* whether no class has an attribute with the name of the key */
    PyObject *definition; /* finds the mapping if the owner's `__dict__` is not the usual one */
    PyObject *find_slot;  /* finds the descriptor if the owner's class has changed */
    Py_ssize_t offset;    /* of the slot; for a table, the hash of the key */
} Place;

typedef struct {
    PyObject_HEAD
    PyObject *value;
    PyObject *discard;
    PyObject *weakrefs;
    Storage storage;
    uint32_t made; /* the number of the last published value, or UNREGISTERED */
} Cell;

/* The cell of a surface registers itself when it gets its first value. Until then, `made` is this. */
#define UNREGISTERED UINT32_MAX

/* A view. Its type derives from the Python class `BoundCell`, which adds the slot `_definition` to a cell. */
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

/* Published values are numbered, so that they can be discarded in reverse order. */
static uint32_t last_number;

static inline uint32_t
next_number(void)
{
#ifdef Py_GIL_DISABLED
    return _Py_atomic_add_uint32(&last_number, 1) + 1;
#else
    return ++last_number;
#endif
}

/* `place.c` */

static int register_weakly(State *state, PyObject *object);
static PyObject *cell_remove(Cell *self);

static PyObject *place_namespace(const Place *place);
static Py_ssize_t offset_of(PyObject *member, PyObject *owner);
static int place_resolve(Storage storage, Place *place);
static int slot_load(const Place *place, PyObject **value);
static int slot_swap(const Place *place, PyObject *value, PyObject **old);
static int place_load(Storage storage, const Place *place, PyObject **value);
static int place_publish(Storage storage, const Place *place, PyObject *value, PyObject **published, int *written);
static int place_remove(Storage storage, const Place *place, PyObject **value);
static int place_replace(Storage storage, const Place *place, PyObject *old, PyObject *new);

static PyObject *initialize(PyObject *initializer, PyObject *argument);
static PyObject *discard_loser(PyObject *self, PyObject *value, PyObject *published, PyObject *discard);
static PyObject *publish(PyObject *self, Storage storage, const Place *place, PyObject *discard, PyObject *value);
static PyObject *fill(PyObject *self, Storage storage, const Place *place, PyObject *discard, PyObject *initializer,
                      PyObject *argument);
static PyObject *load_or_fill(PyObject *self, Storage storage, const Place *place, PyObject *discard,
                              PyObject *initializer, PyObject *argument);

/* `named_slot.c` */

static Py_ssize_t named_slot_offset(PyObject *self, TypeMemo *memo, PyObject *instance);
static PyObject *fill_named_slot(PyObject *self, Place *place, PyObject *discard, PyObject *function);

/* `cell.c` */

static int cell_traverse(Cell *self, visitproc visit, void *arg);
static int cell_clear(Cell *self);
static void cell_dealloc(Cell *self);
static PyObject *cell_get_made(Cell *self, void *closure);
static int cell_set_made(Cell *self, PyObject *number, void *closure);

/* `view.c` */

static int view_init(BoundCell *self, Storage storage, PyObject *definition, Place place);
static PyObject *view_assign(BoundCell *self, PyObject *value);
static PyObject *view_is_same_place(BoundCell *self, PyObject *object);

#endif
