/* The hot parts of gilonce in C: the same laws as the Python code, which is the reference.

   What is here is what a program does over and over: reading and filling a cell, calling a
   once function, reading a once_property, reaching through a lazy_global. Everything else
   (documentation, errors, copies, disguise, coroutines) is the reference's own code: a
   type made here takes over whatever it lacks from the Python class whose place it takes
   (`take_over`), and a function here that meets anything unusual calls the Python method
   of its own name.

   Two kinds of build, one rule each:

   - With a GIL, what runs between two points at which bytecode or arbitrary code could run
     is atomic. Check, call and write follow each other with nothing of ours in between; so
     an initializer that keeps the GIL runs once (law 5). A comment at each check-and-write
     says why nothing in it runs other code.
   - Without one, a value is published by one compare-and-exchange (release) and read by
     one acquire load, so who sees the pointer sees the object behind it. What makes the
     read safe against `take()` is told at `wait_for_readers`. */

#include <Python.h>
#if defined(PYPY_VERSION) || defined(GRAALVM_PYTHON)
#  error "This is for CPython. Elsewhere the package works in Python."
#endif
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>

/* Atomics, which only builds without a GIL need: elsewhere the GIL orders everything. */

#ifdef Py_GIL_DISABLED
#  if defined(_MSC_VER)
#    include <intrin.h>
#    define LOAD(address) (*(void *volatile *)(address)) /* an acquire load by /volatile:ms */
#    define SWAP(address, new) _InterlockedExchangePointer((void *volatile *)(address), (new))
#    define WRITE_IF_NULL(address, new) \
        (_InterlockedCompareExchangePointer((void *volatile *)(address), (new), NULL) == NULL)
#    define LOAD_NUMBER(address) (*(address)) /* aligned, hence whole; order does not matter */
#    define STORE_NUMBER(address, new) (*(address) = (new))
#  else
#    define LOAD(address) __atomic_load_n((address), __ATOMIC_ACQUIRE)
#    define SWAP(address, new) __atomic_exchange_n((address), (new), __ATOMIC_ACQ_REL)
static inline int
write_if_null(PyObject **address, PyObject *new)
{
    PyObject *expected = NULL;
    return __atomic_compare_exchange_n(address, &expected, new, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}
#    define WRITE_IF_NULL(address, new) write_if_null((address), (new))
#    define LOAD_NUMBER(address) __atomic_load_n((address), __ATOMIC_RELAXED)
#    define STORE_NUMBER(address, new) __atomic_store_n((address), (new), __ATOMIC_RELAXED)
#  endif
#else
#  define LOAD(address) (*(address))
#  define LOAD_NUMBER(address) (*(address))
#  define STORE_NUMBER(address, new) (*(address) = (new))
static inline PyObject *
SWAP(PyObject **address, PyObject *new)
{
    PyObject *old = *address;
    *address = new;
    return old;
}
static inline int
WRITE_IF_NULL(PyObject **address, PyObject *new)
{
    if (*address != NULL) {
        return 0;
    }
    *address = new;
    return 1;
}
#endif

#ifndef Py_BEGIN_CRITICAL_SECTION /* 3.13 */
#  define Py_BEGIN_CRITICAL_SECTION(object) {
#  define Py_END_CRITICAL_SECTION() }
#endif

#if PY_VERSION_HEX < 0x030C0000
/* Before 3.12, any allocation of a container may start the garbage collector, and with it
   arbitrary code. Off for a few lines under the GIL, that goes unnoticed. */
#  define NO_GC_BEGIN { int gc_was_enabled = PyGC_Disable();
#  define NO_GC_END if (gc_was_enabled) { PyGC_Enable(); } }
#else
#  define NO_GC_BEGIN {
#  define NO_GC_END }
#endif

#if PY_VERSION_HEX < 0x030B0000
/* Public from 3.11 on; there is no other way to a module's state from a slot function. */
#  define PyType_GetModuleByDef _PyType_GetModuleByDef
#endif

/* The module's state: set while the package is imported, then only read. */

typedef struct {
    /* The Python classes whose places were taken: their methods serve the unusual. */
    PyObject *cell_reference;
    PyObject *once_reference;
    PyObject *property_reference;
    PyObject *slot_property_reference;
    /* The names of the modules that they stand in. */
    PyObject *cell_room;
    PyObject *once_room;
    PyTypeObject *cell_type;
    PyTypeObject *once_type;
    PyTypeObject *once_method_type;
    PyTypeObject *bound_type;
    /* What making a proxy needs. */
    PyObject *self_factory;
    PyObject *self_cell;
    PyObject *self_namespace;
    PyObject *nothing;
} State;

static struct PyModuleDef native_module;

static State *
state_of(PyTypeObject *type)
{
    PyObject *module = PyType_GetModuleByDef(type, &native_module);
    return module == NULL ? NULL : (State *)PyModule_GetState(module);
}

/* Call `callable` with `self` put before the arguments as they came. */
static PyObject *
call_with(PyObject *callable, PyObject *self, PyObject *const *args, Py_ssize_t positional, PyObject *kwnames)
{
    Py_ssize_t count = positional + (kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames));
    PyObject **all = PyMem_New(PyObject *, count + 1);
    if (all == NULL) {
        return PyErr_NoMemory();
    }
    all[0] = self;
    if (count > 0) {
        memcpy(all + 1, args, count * sizeof(PyObject *));
    }
    PyObject *result = PyObject_Vectorcall(callable, all, positional + 1, kwnames);
    PyMem_Free(all);
    return result;
}

/* Call the method `name` of a reference class, with `self` and the arguments as they came. */
static PyObject *
call_reference(PyObject *reference, const char *name, PyObject *self, PyObject *const *args, Py_ssize_t positional,
               PyObject *kwnames)
{
    PyObject *method = PyObject_GetAttrString(reference, name);
    if (method == NULL) {
        return NULL;
    }
    PyObject *result = call_with(method, self, args, positional, kwnames);
    Py_DECREF(method);
    return result;
}

/* Call what a room of the reference calls `name`, with one or two arguments. */
static PyObject *
call_in_room(PyObject *room, const char *name, PyObject *first, PyObject *second)
{
    PyObject *callable = PyMapping_GetItemString(room, name);
    PyObject *result = callable == NULL ? NULL : PyObject_CallFunctionObjArgs(callable, first, second, NULL);
    Py_XDECREF(callable);
    return result;
}

/* Fields that are written once: whoever reads one needs no lock, for what it holds lives as
   long as the object. The closure of the getset is the field's offset. */

static PyObject *
field_get(PyObject *self, void *offset)
{
    PyObject *value = LOAD((PyObject **)((char *)self + (Py_ssize_t)offset));
    return Py_NewRef(value == NULL ? Py_None : value);
}

static int
field_set(PyObject *self, PyObject *value, void *offset)
{
    PyObject **field = (PyObject **)((char *)self + (Py_ssize_t)offset);
    if (value == Py_None && LOAD(field) == NULL) {
        return 0;
    }
    if (value == NULL || !WRITE_IF_NULL(field, value)) {
        PyErr_SetString(PyExc_AttributeError, "this attribute is written once");
        return -1;
    }
    Py_INCREF(value);
    return 0;
}

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
    PyObject *key;   /* of the entry; in a slot, its name, for messages of the interpreter */
    Py_ssize_t offset;
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

/* Reading without a lock: a thread loads the pointer and then takes a reference, and in
   between, another thread's `take()` could drop the last one. So `take()` takes the value
   out and then, before its reference may be dropped, makes sure that no thread is in
   between any more. All threads have been elsewhere, once all have stopped: a thread stops
   only where it could also have been switched away from, and the two steps of a read have
   no such point between them, being a load and an addition. Who loads later finds the cell empty.

   The interpreter stops all threads to visit its objects, and this is the public way to ask it to. */

#ifdef Py_GIL_DISABLED
static int
visit_no_more(PyObject *Py_UNUSED(object), void *Py_UNUSED(argument))
{
    return 0;
}
#endif

static void
wait_for_readers(void)
{
#ifdef Py_GIL_DISABLED
    PyUnstable_GC_VisitObjects(visit_no_more, NULL);
#endif
}

static inline PyObject *
cell_load(Cell *self)
{
    return Py_XNewRef(LOAD(&self->value));
}

static PyObject *
cell_publish(Cell *self, PyObject *value, int *written)
{
    /* The cell's reference exists before the value can be seen. */
    Py_INCREF(value);
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
    PyObject *value = SWAP(&self->value, NULL);
    if (value != NULL) {
        wait_for_readers();
    }
    return value;
}

/* Dicts. With `str` keys these are atomic: no other code runs in them, and without a GIL
   each holds the dict's own lock or, reading, needs none. */

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

/* Slots. `PyMember_GetOne` reads one safely on every build; the writes here follow its
   protocol: under the instance's lock, the pointer published with release. */

static int
slot_load(const Place *place, PyObject **value)
{
#ifdef Py_GIL_DISABLED
    PyMemberDef member = {
        .name = PyUnicode_AsUTF8(place->key), .type = Py_T_OBJECT_EX, .offset = place->offset,
    };
    if (LOAD((PyObject **)((char *)place->owner + place->offset)) == NULL) {
        *value = NULL;
        return 0;
    }
    *value = PyMember_GetOne((char *)place->owner, &member);
    if (*value == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
            return -1;
        }
        PyErr_Clear();
    }
#else
    *value = Py_XNewRef(*(PyObject **)((char *)place->owner + place->offset));
#endif
    return *value != NULL;
}

static int
slot_publish(const Place *place, PyObject *value, PyObject **published)
{
    PyObject **address = (PyObject **)((char *)place->owner + place->offset);
    int written;
    Py_BEGIN_CRITICAL_SECTION(place->owner);
    written = WRITE_IF_NULL(address, value);
    *published = Py_NewRef(*address);
    if (written) {
        Py_INCREF(value);
    }
    Py_END_CRITICAL_SECTION();
    return written;
}

static PyObject *
slot_swap(const Place *place, PyObject *value)
{
    PyObject *old;
    Py_BEGIN_CRITICAL_SECTION(place->owner);
    old = SWAP((PyObject **)((char *)place->owner + place->offset), Py_XNewRef(value));
    Py_END_CRITICAL_SECTION();
    return old;
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
        *value = slot_swap(place, NULL);
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
        PyObject *ignored = state == NULL ? NULL : call_in_room(state->cell_room, "dispose", discard, value);
        if (ignored == NULL) {
            PyErr_WriteUnraisable(discard);
        }
        Py_XDECREF(ignored);
    }
    Py_DECREF(value);
    return published;
}

/* What `get_or_init` does after it found the place empty. Law 5: from that finding to the
   call, and from the call's return to the write, no bytecode runs. */
static PyObject *
fill(PyObject *self, Kind kind, const Place *place, PyObject *discard, PyObject *initializer, PyObject *argument)
{
    PyObject *value = initialize(initializer, argument);
    if (value == NULL) {
        return NULL;
    }
    PyObject *published;
    if (place_publish(kind, place, value, &published) < 0) {
        Py_DECREF(value);
        return NULL;
    }
    return settle(self, value, published, discard);
}

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
    Place place = place_of(self);
    PyObject *discard = Py_XNewRef(LOAD(&self->discard));
    value = fill((PyObject *)self, self->kind, &place, discard, args[0], NULL);
    Py_XDECREF(discard);
    return value;
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

static PyObject *
cell_get_discard(Cell *self, void *Py_UNUSED(closure))
{
    PyObject *discard = LOAD(&self->discard);
    return Py_NewRef(discard == NULL ? Py_None : discard);
}

static int
cell_set_discard(Cell *self, PyObject *discard, void *Py_UNUSED(closure))
{
    PyObject *old = SWAP(&self->discard, discard == Py_None ? NULL : Py_XNewRef(discard));
    if (old != NULL) {
        wait_for_readers();
        Py_DECREF(old);
    }
    return 0;
}

static int
cell_init(Cell *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"discard", NULL};
    PyObject *discard = Py_None;
    if (kwargs != NULL || PyTuple_GET_SIZE(args) > 0) {
        if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$O:GILOnceCell", names, &discard)) {
            return -1;
        }
    }
    if (discard != Py_None && !PyCallable_Check(discard)) {
        State *state = state_of(Py_TYPE(self));
        if (state != NULL) {
            PyObject *name = PyObject_GetAttrString((PyObject *)Py_TYPE(self), "__name__");
            PyObject *ignored =
                name == NULL ? NULL : call_in_room(state->cell_room, "check_discard", discard, name);
            Py_XDECREF(name);
            Py_XDECREF(ignored);
        }
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "discard must be callable");
        }
        return -1;
    }
    if (self->kind == OWN && LOAD(&self->value) != NULL) {
        PyObject *value = cell_clear(self); /* initialized again */
        Py_XDECREF(value);
    }
    return cell_set_discard(self, discard, NULL);
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
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    /* Who still reads has a reference to the cell; so nobody does. A chain of cells is dropped
       link by link, not with a C call inside another for each: a cell that only we refer to, not
       even weakly, gives its value up first. */
    PyObject *value = self->value;
    self->value = NULL;
    while (value != NULL && Py_TYPE(value)->tp_dealloc == (destructor)cell_dealloc && Py_REFCNT(value) == 1 &&
           ((Cell *)value)->weakrefs == NULL) {
        PyObject *next = ((Cell *)value)->value;
        ((Cell *)value)->value = NULL;
        Py_DECREF(value);
        value = next;
    }
    Py_XDECREF(value);
    (void)cell_tp_clear(self);
    if (self->kind != OWN) {
        Py_CLEAR(((BoundCell *)self)->definition);
        Py_CLEAR(((BoundCell *)self)->place.owner);
        Py_CLEAR(((BoundCell *)self)->place.key);
    }
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

#define FAST(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS

/* Where a docstring ends in "--\n\n" the reference's is appended. */
static PyMethodDef cell_methods[] = {
    {"get", FAST(cell_get), "get($self, default=None)\n--\n\n"},
    {"is_set", FAST(cell_is_set), "is_set($self)\n--\n\n"},
    {"get_or_init", FAST(cell_get_or_init), "get_or_init($self, initializer, /)\n--\n\n"},
    {"set", FAST(cell_set), "set($self, value, /)\n--\n\n"},
    {"take", FAST(cell_take), "take($self, default=None)\n--\n\n"},
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
    {"_discard", (getter)cell_get_discard, (setter)cell_set_discard, NULL, NULL},
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
    (void)cell_set_discard(&self->cell, discard, NULL);
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
        Py_XDECREF(slot_swap(&self->place, value));
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

/* Attributes of instances. A value per instance is an attribute like others, so reading and
   writing it the way the interpreter does finds it wherever the interpreter keeps
   attributes, and makes no dict where it needs none. */

/* Find `name` in the classes of `type`. Returns 1 and, in `entry` and `where`, new references; or 0; or -1. */
static int
type_lookup(PyTypeObject *type, const char *name, PyObject **entry, PyObject **where)
{
    int found = -1;
    PyObject *key = PyUnicode_InternFromString(name);
    /* Not `tp_mro`, which another thread may replace. */
    PyObject *mro = key == NULL ? NULL : PyObject_GetAttrString((PyObject *)type, "__mro__");
    if (mro != NULL && PyTuple_Check(mro)) {
        found = 0;
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro) && found == 0; i++) {
            PyObject *base = PyTuple_GET_ITEM(mro, i);
            if (!PyType_Check(base)) {
                continue;
            }
            PyObject *dict = dict_of_type((PyTypeObject *)base);
            found = dict_load(dict, key, entry);
            Py_DECREF(dict);
            if (found > 0) {
                *where = Py_NewRef(base);
            }
        }
    }
    Py_XDECREF(key);
    Py_XDECREF(mro);
    return found;
}

/* Whether `instance.__dict__` is, for instances of `type`, what the interpreter itself takes for it. */
static int
is_standard(PyTypeObject *type)
{
    PyObject *entry, *where;
    int found = type_lookup(type, "__getattribute__", &entry, &where);
    if (found > 0) {
        found = where == (PyObject *)&PyBaseObject_Type;
        Py_DECREF(entry);
        Py_DECREF(where);
    }
    if (found > 0) {
        found = type_lookup(type, "__dict__", &entry, &where);
        if (found > 0) {
            found = Py_IS_TYPE(entry, &PyGetSetDescr_Type);
            Py_DECREF(entry);
            Py_DECREF(where);
        }
    }
    return found;
}

/* Read an attribute that no class has. The instance's own `__getattr__` is not asked. */
static int
attribute_load(PyObject *instance, PyObject *key, PyObject **value)
{
#if PY_VERSION_HEX >= 0x030D0000
    if (Py_TYPE(instance)->tp_getattro == PyObject_GenericGetAttr) {
        return PyObject_GetOptionalAttr(instance, key, value);
    }
#endif
    *value = PyObject_GenericGetAttr(instance, key);
    if (*value != NULL) {
        return 1;
    }
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
        return -1;
    }
    PyErr_Clear();
    return 0;
}

#ifndef Py_GIL_DISABLED
/* Atomic: looking up and storing a `str` key run no other code, no class having a data
   descriptor of that name; nothing is replaced, so nothing is finalized. */
static int
attribute_publish(PyObject *instance, PyObject *key, PyObject *value, PyObject **published)
{
    int written = -1;
    NO_GC_BEGIN
    int found = attribute_load(instance, key, published);
    if (found > 0) {
        written = 0;
    }
    else if (found == 0 && PyObject_GenericSetAttr(instance, key, value) == 0) {
        *published = Py_NewRef(value);
        written = 1;
    }
    NO_GC_END
    return written;
}
#endif

/* What a definition has for C: its key and its discard; see the reference's `Definition`. */
static int
definition_fields(PyObject *definition, PyObject **key, PyObject **discard)
{
    *key = PyObject_GetAttrString(definition, "key");
    *discard = *key == NULL ? NULL : PyObject_GetAttrString(definition, "discard");
    if (*discard == NULL || !PyUnicode_CheckExact(*key)) {
        Py_CLEAR(*key);
        Py_CLEAR(*discard);
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "the key must be a str");
        }
        return -1;
    }
    if (*discard == Py_None) {
        Py_CLEAR(*discard);
    }
    return 0;
}

/* The mapping in which the value of `instance` is kept: a new reference. */
static PyObject *
namespace_of(PyObject *definition, PyObject *instance, int standard)
{
    if (standard) {
        return PyObject_GenericGetDict(instance, NULL);
    }
    return PyObject_CallMethod(definition, "namespace_of", "O", instance);
}

static PyObject *
load_or_fill(PyObject *self, Kind kind, const Place *place, PyObject *discard, PyObject *initializer,
             PyObject *argument)
{
    PyObject *value;
    return place_load(kind, place, &value) != 0 ? value : fill(self, kind, place, discard, initializer, argument);
}

/* @once. */

enum { NEEDS_OWNER = 1, MAY_TAKE_OWNER = 2, IS_ASYNC = 4, BINDS_TO_INSTANCE = 8, BINDS_TO_CLASS = 16 };

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *function;
    PyObject *cell;
    /* These three only where there is a value per instance or class. */
    PyObject *definition;
    PyObject *key;
    PyObject *discard;
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
        PyObject *none_or_discard = self->discard == NULL ? Py_None : self->discard;
        PyObject *definition =
            state == NULL ? NULL
                          : call_in_room(state->once_room, "define", self->function, none_or_discard);
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

/* The value of a class. */
static PyObject *
once_of_class(Once *self, PyObject *owner)
{
    PyObject *values = PyObject_CallMethod(self->definition, "values_of", "O", owner);
    if (values == NULL) {
        return NULL;
    }
    Place place = {.owner = values, .key = self->key};
    PyObject *value = load_or_fill((PyObject *)self, VALUES, &place, self->discard, self->function, owner);
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
    PyObject *namespace = namespace_of(self->definition, owner, standard);
    if (namespace == NULL) {
        Py_XDECREF(value);
        return NULL;
    }
    Place place = {.owner = namespace, .key = self->key};
    PyObject *published;
    if (value == NULL) {
        published = load_or_fill((PyObject *)self, NAMESPACE, &place, self->discard, self->function, owner);
    }
    else if (mapping_publish(namespace, self->key, value, &published) < 0) {
        Py_DECREF(value);
        published = NULL;
    }
    else {
        published = settle((PyObject *)self, value, published, self->discard);
    }
    Py_DECREF(namespace);
    return published;
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
    return attribute_load(owner, self->key, &value) != 0 ? value : once_fill_instance(self, owner);
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
            PyObject *value = cell_load(cell);
            if (value != NULL) {
                return value;
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

#ifdef Py_GIL_DISABLED
/* Every call takes a reference to what is called, and threads that call one object contend
   for its count. The interpreter spares its own top-level functions that, and by the same
   rule we spare theirs: a nested function is the one whose end is awaited. */
static void
share(Once *self)
{
    if (!PyFunction_Check(self->function) ||
        ((PyCodeObject *)PyFunction_GET_CODE(self->function))->co_flags & CO_NESTED) {
        return;
    }
#  if PY_VERSION_HEX >= 0x030E0000
    (void)PyUnstable_Object_EnableDeferredRefcount((PyObject *)self);
#  else
    /* 3.13 has no function for it: it makes its own top-level functions immortal when the
       first thread starts, and immortal objects are told by these fields. Nobody else has
       seen the object yet. */
    ((PyObject *)self)->ob_ref_local = _Py_IMMORTAL_REFCNT_LOCAL;
    ((PyObject *)self)->ob_ref_shared = 0;
#  endif
}
#endif

static PyObject *
once_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *function, *discard;
    PyObject *wrapped = NULL;
    const char *binds_to;
    int needs_owner, may_take_owner;
    State *state = state_of(type);
    if (state == NULL || !PyArg_ParseTuple(args, "OO:Once", &function, &discard)) {
        return NULL;
    }
    PyObject *examined = call_in_room(state->once_room, "examine", function, NULL);
    if (examined == NULL) {
        return NULL;
    }
    Once *self = NULL;
    PyObject *is_async = NULL;
    if (!PyArg_ParseTuple(examined, "Ospp", &wrapped, &binds_to, &needs_owner, &may_take_owner)) {
        goto error;
    }
    is_async = call_in_room(state->once_room, "is_coroutine_function", wrapped, NULL);
    if (is_async == NULL) {
        goto error;
    }
    int flags = (needs_owner ? NEEDS_OWNER : 0) | (may_take_owner ? MAY_TAKE_OWNER : 0) |
                (is_async == Py_True ? IS_ASYNC : 0);
    if (strcmp(binds_to, "instance") == 0) {
        flags |= BINDS_TO_INSTANCE;
        /* Only where a call may take the instance may `obj.m()` be a call with it. */
        if (may_take_owner && type == state->once_type) {
            type = state->once_method_type;
        }
    }
    else if (strcmp(binds_to, "class") == 0) {
        flags |= BINDS_TO_CLASS;
    }
    self = (Once *)type->tp_alloc(type, 0);
    if (self == NULL) {
        goto error;
    }
    self->vectorcall = once_vectorcall;
    self->flags = flags;
    self->function = Py_NewRef(wrapped);
    self->discard = discard == Py_None ? NULL : Py_NewRef(discard);
    if (needs_owner) {
        if (once_define(self) < 0) {
            goto error;
        }
    }
    else {
        Cell *cell = (Cell *)state->cell_type->tp_alloc(state->cell_type, 0);
        if (cell == NULL) {
            goto error;
        }
        cell->discard = Py_XNewRef(self->discard);
        self->cell = (PyObject *)cell;
    }
    Py_DECREF(is_async);
    Py_DECREF(examined);
#ifdef Py_GIL_DISABLED
    share(self);
#endif
    return (PyObject *)self;
error:
    Py_XDECREF(self);
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
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    Py_CLEAR(self->function);
    Py_CLEAR(self->cell);
    Py_CLEAR(self->definition);
    Py_CLEAR(self->key);
    Py_CLEAR(self->discard);
    Py_CLEAR(self->dict);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
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
        return PyObject_CallMethod(self->function, "_ask_for", "O", self->owner);
    }
    return once_of(once, self->owner);
}

static PyObject *
bound_new(State *state, PyObject *function, PyObject *owner)
{
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
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    Py_CLEAR(self->function);
    Py_CLEAR(self->owner);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
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

/* once_property. */

typedef struct {
    PyObject_HEAD
    PyObject *function;
    PyObject *attrname;
    PyObject *slot;
    PyObject *is_async;
    PyObject *definition;
    PyObject *key;
    PyObject *discard;
    PyObject *dict;
    PyObject *weakrefs;
    /* What was found out about the type met last: its version tag, then 32 bits of `how`. A
       tag is given to one state of one type, so the type needs no mention, and nothing is
       kept alive. There is no public way to read it, nor another name for such a state. */
    uint64_t met;
    char probing;
} Property;

enum { NOT_PROBING = 0, PROBING, MISSED };

enum { STANDARD = 1, UNDER_ITS_NAME = 2 };

static inline uint32_t
tag_of(PyTypeObject *type)
{
    return (uint32_t)LOAD_NUMBER(&type->tp_version_tag);
}

/* Returns whether `how` is known. A type without a tag is never remembered. */
static inline int
recall(Property *self, uint32_t tag, uint32_t *how)
{
    uint64_t met = LOAD_NUMBER(&self->met);
    *how = (uint32_t)met;
    return tag != 0 && (uint32_t)(met >> 32) == tag;
}

static inline void
remember(Property *self, uint32_t tag, uint32_t how)
{
    if (tag != 0) {
        STORE_NUMBER(&self->met, (uint64_t)tag << 32 | how);
    }
}

static PyObject *
property_reference(Property *self, PyObject *instance, PyObject *owner)
{
    State *state = state_of(Py_TYPE(self));
    PyObject *args[] = {instance, owner};
    return state == NULL ? NULL
                         : call_reference(state->property_reference, "__get__", (PyObject *)self, args,
                                          owner == NULL ? 1 : 2, NULL);
}

/* How the value of an instance of `type` is kept; -1 with an exception set. */
static int
property_classify(Property *self, PyTypeObject *type)
{
    PyObject *entry, *where;
    const char *name = PyUnicode_AsUTF8(self->attrname);
    int how = is_standard(type);
    int found = how < 0 || name == NULL ? -1 : type_lookup(type, name, &entry, &where);
    if (found < 0) {
        return -1;
    }
    if (found) {
        how = (how ? STANDARD : 0) | (entry == (PyObject *)self ? UNDER_ITS_NAME : 0);
        Py_DECREF(entry);
        Py_DECREF(where);
    }
    return how;
}

static PyObject *property_get(Property *self, PyObject *instance, PyObject *owner);

#ifndef Py_GIL_DISABLED

/* Look for the value under the attribute's own name, where the class has this property.
   The interpreter's lookup finds the instance's attribute or else asks the property, that
   is us: and so we learn that there is none. Nothing in between runs other code. */
static int
property_probe(Property *self, PyObject *instance, PyObject **value)
{
    self->probing = PROBING;
    *value = PyObject_GenericGetAttr(instance, self->attrname);
    int missed = self->probing == MISSED;
    self->probing = NOT_PROBING;
    if (missed) {
        Py_CLEAR(*value);
        return 0;
    }
    return *value == NULL ? -1 : 1;
}

static int
property_publish(Property *self, PyObject *instance, PyObject *value, PyObject **published)
{
    int written = -1;
    NO_GC_BEGIN
    int found = property_probe(self, instance, published);
    if (found > 0) {
        written = 0;
    }
    else if (found == 0 && PyObject_GenericSetAttr(instance, self->attrname, value) == 0) {
        *published = Py_NewRef(value);
        written = 1;
    }
    NO_GC_END
    return written;
}

#endif

static PyObject *
property_get(Property *self, PyObject *instance, PyObject *owner)
{
    if (instance == NULL || instance == Py_None) {
        return Py_NewRef(self);
    }
#ifndef Py_GIL_DISABLED
    if (self->probing) {
        self->probing = MISSED;
        return Py_NewRef(Py_None);
    }
#endif
    if (LOAD(&self->attrname) == NULL || LOAD(&self->key) == NULL || LOAD(&self->is_async) == Py_True) {
        return property_reference(self, instance, owner);
    }
    PyTypeObject *type = Py_TYPE(instance);
    uint32_t tag = tag_of(type);
    uint32_t how;
    if (!recall(self, tag, &how)) {
        int found = property_classify(self, type);
        if (found < 0) {
            return NULL;
        }
        how = (uint32_t)found;
        remember(self, tag, how);
    }
    PyObject *key = how & UNDER_ITS_NAME ? self->attrname : self->key;
    PyObject *value = NULL;
    PyObject *published;
#ifndef Py_GIL_DISABLED
    /* A subclass with a `__get__` or `__set__` in Python would be called by what follows. */
    PyTypeObject *own_type = Py_TYPE(self);
    if (how & STANDARD && tag != 0 && own_type->tp_descr_get == (descrgetfunc)property_get &&
        own_type->tp_descr_set == NULL) {
        int under_its_name = how & UNDER_ITS_NAME;
        int found = under_its_name ? property_probe(self, instance, &value) : attribute_load(instance, key, &value);
        if (found != 0) {
            return value;
        }
        value = initialize(self->function, instance);
        if (value == NULL) {
            return NULL;
        }
        /* The initializer may have changed anything. */
        if (Py_TYPE(instance) == type && tag_of(type) == tag) {
            int written = under_its_name ? property_publish(self, instance, value, &published)
                                         : attribute_publish(instance, key, value, &published);
            if (written < 0) {
                Py_DECREF(value);
                return NULL;
            }
            return settle((PyObject *)self, value, published, self->discard);
        }
        how &= ~(uint32_t)STANDARD;
    }
#endif
    PyObject *namespace = namespace_of(self->definition, instance, how & STANDARD);
    if (namespace == NULL) {
        Py_XDECREF(value);
        return NULL;
    }
    Place place = {.owner = namespace, .key = key};
    if (value == NULL) {
        published = load_or_fill((PyObject *)self, NAMESPACE, &place, self->discard, self->function, instance);
    }
    else if (mapping_publish(namespace, key, value, &published) < 0) {
        Py_DECREF(value);
        published = NULL;
    }
    else {
        published = settle((PyObject *)self, value, published, self->discard);
    }
    Py_DECREF(namespace);
    return published;
}

/* The offset in `instance` of the slot that the property names; -1 with an exception set. */
static inline Py_ssize_t
property_offset(Property *self, PyObject *instance)
{
    PyTypeObject *type = Py_TYPE(instance);
    uint32_t tag = tag_of(type);
    uint32_t how;
    if (recall(self, tag, &how)) {
        return how;
    }
    PyObject *member = PyObject_CallMethod((PyObject *)self, "_member_for", "O", instance);
    if (member == NULL) {
        return -1;
    }
    Py_ssize_t offset = offset_of(member);
    Py_DECREF(member);
    /* Who recalls an offset takes for granted that the value is what is asked for. */
    if (offset >= 0 && offset <= (Py_ssize_t)UINT32_MAX && LOAD(&self->is_async) != Py_True) {
        remember(self, tag, (uint32_t)offset);
    }
    return offset;
}

static PyObject *
slot_property_get(Property *self, PyObject *instance, PyObject *owner)
{
    if (instance == NULL || instance == Py_None) {
        return Py_NewRef(self);
    }
#ifndef Py_GIL_DISABLED
    /* The usual read. */
    uint32_t how;
    if (recall(self, tag_of(Py_TYPE(instance)), &how)) {
        PyObject *value = *(PyObject **)((char *)instance + how);
        if (value != NULL) {
            return Py_NewRef(value);
        }
    }
#endif
    if (LOAD(&self->slot) == NULL || LOAD(&self->attrname) == NULL || LOAD(&self->key) == NULL || LOAD(&self->is_async) == Py_True) {
        return property_reference(self, instance, owner);
    }
    Py_ssize_t offset = property_offset(self, instance);
    if (offset < 0) {
        return NULL;
    }
    Place place = {.owner = instance, .key = self->slot, .offset = offset};
    return load_or_fill((PyObject *)self, SLOT, &place, self->discard, self->function, instance);
}

static int
slot_property_set(Property *self, PyObject *instance, PyObject *value)
{
    if (LOAD(&self->slot) != NULL && LOAD(&self->attrname) != NULL && LOAD(&self->is_async) != Py_True) {
        Py_ssize_t offset = property_offset(self, instance);
        if (offset < 0) {
            return -1;
        }
        Place place = {.owner = instance, .offset = offset};
        PyObject *old = slot_swap(&place, value);
        if (value != NULL || old != NULL) {
            Py_XDECREF(old);
            return 0;
        }
    }
    State *state = state_of(Py_TYPE(self));
    PyObject *args[] = {instance, value};
    PyObject *ignored = state == NULL ? NULL
                                      : call_reference(state->slot_property_reference,
                                                       value == NULL ? "__delete__" : "__set__", (PyObject *)self,
                                                       args, value == NULL ? 1 : 2, NULL);
    Py_XDECREF(ignored);
    return ignored == NULL ? -1 : 0;
}

static int
property_set_definition(Property *self, PyObject *definition, void *offset)
{
    PyObject *key, *discard;
    if (definition == NULL || definition_fields(definition, &key, &discard) < 0) {
        return -1;
    }
    if (field_set((PyObject *)self, definition, offset) < 0) {
        Py_DECREF(key);
        Py_XDECREF(discard);
        return -1;
    }
    self->discard = discard;
    (void)WRITE_IF_NULL(&self->key, key); /* last, for who sees the key takes the others for granted */
    return 0;
}

static int
property_traverse(Property *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->function);
    Py_VISIT(self->definition);
    Py_VISIT(self->discard);
    Py_VISIT(self->dict);
    return 0;
}

static int
property_clear(Property *self)
{
    Py_CLEAR(self->dict);
    return 0;
}

static void
property_dealloc(Property *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    Py_CLEAR(self->function);
    Py_CLEAR(self->attrname);
    Py_CLEAR(self->slot);
    Py_CLEAR(self->is_async);
    Py_CLEAR(self->definition);
    Py_CLEAR(self->key);
    Py_CLEAR(self->discard);
    Py_CLEAR(self->dict);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMemberDef property_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(Property, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Property, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef property_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {"func", field_get, field_set, NULL, (void *)offsetof(Property, function)},
    {"attrname", field_get, field_set, NULL, (void *)offsetof(Property, attrname)},
    {"_slot", field_get, field_set, NULL, (void *)offsetof(Property, slot)},
    {"_is_async", field_get, field_set, NULL, (void *)offsetof(Property, is_async)},
    {"_definition", field_get, (setter)property_set_definition, NULL, (void *)offsetof(Property, definition)},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot property_slots[] = {
    {Py_tp_descr_get, property_get},
    {Py_tp_members, property_members},
    {Py_tp_getset, property_getset},
    {Py_tp_traverse, property_traverse},
    {Py_tp_clear, property_clear},
    {Py_tp_dealloc, property_dealloc},
    {0, NULL},
};

static PyType_Slot slot_property_slots[] = {
    {Py_tp_descr_get, slot_property_get},
    {Py_tp_descr_set, slot_property_set},
    {Py_tp_traverse, property_traverse},
    {Py_tp_clear, property_clear},
    {Py_tp_dealloc, property_dealloc},
    {0, NULL},
};

/* lazy_global: wrapt's C type with another way to attributes. The two functions are wrapt's
   own, the same in every interpreter of the process, like ours. */

static getter wrapped_of;

/* wrapt's names, and those that we add, all begin with two underscores or with "_self_" (tested). */
static inline int
is_of_proxy(PyObject *name)
{
    static const char prefix[] = "_self_";
    Py_ssize_t length = PyUnicode_GET_LENGTH(name);
    if (length < 2 || PyUnicode_READ_CHAR(name, 0) != '_') {
        return 0;
    }
    Py_ssize_t i = 1;
    while (i < length && prefix[i] != 0 && PyUnicode_READ_CHAR(name, i) == (Py_UCS4)prefix[i]) {
        i++;
    }
    return prefix[i] == 0 || PyUnicode_READ_CHAR(name, 1) == '_';
}

static PyObject *
proxy_getattro(PyObject *self, PyObject *name)
{
    if (PyUnicode_Check(name) && !is_of_proxy(name)) {
        PyObject *wrapped = wrapped_of(self, NULL);
        if (wrapped == NULL) {
            return NULL;
        }
        PyObject *value = PyObject_GetAttr(wrapped, name);
        Py_DECREF(wrapped);
        return value;
    }
    PyTypeObject *base = Py_TYPE(self)->tp_base;
    while (base->tp_getattro == proxy_getattro) {
        base = base->tp_base;
    }
    return base->tp_getattro(self, name);
}

/* What the reference's `__init__` does. wrapt keeps a `_self_` attribute in the proxy like any other. */
static int
proxy_init(PyObject *self, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    State *state = state_of(Py_TYPE(self));
    if (state == NULL) {
        return -1;
    }
    PyObject *names[] = {state->self_factory, state->self_cell, state->self_namespace};
    if (PyTuple_GET_SIZE(args) != 3) {
        PyErr_SetString(PyExc_TypeError, "LazyProxy() takes a factory, a cell and a namespace");
        return -1;
    }
    PyTypeObject *base = Py_TYPE(self)->tp_base;
    while (base->tp_init == proxy_init) {
        base = base->tp_base;
    }
    int result = base->tp_init(self, state->nothing, NULL);
    for (int i = 0; i < 3 && result == 0; i++) {
        result = PyObject_GenericSetAttr(self, names[i], PyTuple_GET_ITEM(args, i));
    }
    return result;
}

static PyType_Slot proxy_slots[] = {
    {Py_tp_init, proxy_init},
    {Py_tp_getattro, proxy_getattro},
    {0, NULL},
};

/* Returns whether the C type may take the place of a class derived from `base`: whether wrapt runs in C. */
static int
find_wrapped(PyTypeObject *base)
{
    PyObject *entry, *where;
    int found = type_lookup(base, "__wrapped__", &entry, &where);
    if (found > 0) {
        found = 0;
        if (Py_IS_TYPE(entry, &PyGetSetDescr_Type)) {
            getter get = ((PyGetSetDescrObject *)entry)->d_getset->get;
            if (wrapped_of == NULL) {
                wrapped_of = get;
            }
            found = wrapped_of == get;
        }
        Py_DECREF(entry);
        Py_DECREF(where);
    }
    return found;
}

/* Taking over. */

/* Append the reference's docstrings to the signatures in `methods`. This is done once in the
   process, for types of other interpreters point to the same strings. */
static int
document(PyMethodDef *methods, PyObject *reference)
{
    for (PyMethodDef *method = methods; method->ml_name != NULL; method++) {
        const char *signature = method->ml_doc;
        if (signature == NULL || strcmp(signature + strlen(signature) - 2, "\n\n") != 0) {
            continue;
        }
        PyObject *function = PyObject_GetAttrString(reference, method->ml_name);
        PyObject *doc = function == NULL ? NULL : PyObject_GetAttrString(function, "__doc__");
        Py_XDECREF(function);
        if (doc == NULL) {
            return -1;
        }
        const char *text = doc == Py_None ? NULL : PyUnicode_AsUTF8(doc);
        if (text != NULL) {
            size_t length = strlen(signature) + strlen(text) + 2;
            char *whole = PyMem_RawMalloc(length);
            if (whole != NULL) {
                /* The space keeps a docstring that ends in an empty line from being appended to again. */
                snprintf(whole, length, "%s%s", signature, text);
                method->ml_doc = whole;
            }
        }
        Py_DECREF(doc);
    }
    return 0;
}

static int
is_storage(PyObject *entry)
{
    return Py_IS_TYPE(entry, &PyMemberDescr_Type) || Py_IS_TYPE(entry, &PyGetSetDescr_Type);
}

/* Make `super()` in a function of `reference` mean `type`: what it asks for the class is a cell of its closure. */
static int
reclass(PyObject *entry, PyObject *reference, PyTypeObject *type)
{
    PyObject *function = Py_IS_TYPE(entry, &PyStaticMethod_Type) || Py_IS_TYPE(entry, &PyClassMethod_Type)
                             ? PyObject_GetAttrString(entry, "__func__")
                             : Py_NewRef(entry);
    int result = function == NULL ? -1 : 0;
    PyObject *closure = result == 0 && PyFunction_Check(function) ? PyFunction_GET_CLOSURE(function) : NULL;
    for (Py_ssize_t i = 0; closure != NULL && result == 0 && i < PyTuple_GET_SIZE(closure); i++) {
        PyObject *cell = PyTuple_GET_ITEM(closure, i);
        PyObject *content = PyCell_Get(cell);
        if (content == reference) {
            result = PyCell_Set(cell, (PyObject *)type);
        }
        Py_XDECREF(content);
    }
    Py_XDECREF(function);
    return result;
}

/* Give `type` the texts of the class whose place it takes, and whatever else it lacks of it. */
static int
take_from(PyObject *reference, PyTypeObject *type, int texts_only)
{
    PyObject *own = dict_of_type(type);
    PyObject *dict = dict_of_type((PyTypeObject *)reference);
    PyObject *name, *entry;
    Py_ssize_t position = 0;
    int result = 0;
    /* Where C has a `__new__`, that one does it all. */
    int makes = PyDict_GetItemString(own, "__new__") != NULL;
    while (result == 0 && PyDict_Next(dict, &position, &name, &entry)) {
        int is_text = PyUnicode_CompareWithASCIIString(name, "__doc__") == 0 ||
                      PyUnicode_CompareWithASCIIString(name, "__module__") == 0;
        int made = makes && PyUnicode_CompareWithASCIIString(name, "__init__") == 0;
        int has = PyDict_Contains(own, name);
        if (has < 0 || reclass(entry, reference, type) < 0) {
            result = -1;
        }
        else if (is_text || !(texts_only || has || made || is_storage(entry) ||
                              PyUnicode_CompareWithASCIIString(name, "__slots__") == 0)) {
            /* The class of the type itself is what an assignment of `__class__` would be about. */
            result = PyUnicode_CompareWithASCIIString(name, "__class__") == 0
                         ? PyDict_SetItem(own, name, entry)
                         : PyObject_SetAttr((PyObject *)type, name, entry);
        }
    }
    PyType_Modified(type);
    Py_DECREF(dict);
    Py_DECREF(own);
    return result;
}

#define PLAIN (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC)
#define CALLED (PLAIN | Py_TPFLAGS_HAVE_VECTORCALL)

static PyType_Spec cell_spec = {"gilonce._cell.GILOnceCell", sizeof(Cell), 0, PLAIN, cell_slots};
static PyType_Spec dict_cell_spec = {"gilonce._bound.DictCell", sizeof(BoundCell), 0, PLAIN, dict_cell_slots};
static PyType_Spec slot_cell_spec = {"gilonce._bound.SlotCell", sizeof(BoundCell), 0, PLAIN, slot_cell_slots};
static PyType_Spec once_spec = {"gilonce._once.Once", sizeof(Once), 0, CALLED, once_slots};
static PyType_Spec once_method_spec = {
    "gilonce._once.Once", sizeof(Once), 0, CALLED | Py_TPFLAGS_METHOD_DESCRIPTOR, once_method_slots,
};
static PyType_Spec bound_spec = {"gilonce._once.BoundOnce", sizeof(BoundOnce), 0, CALLED, bound_slots};
static PyType_Spec property_spec = {"gilonce._property.once_property", sizeof(Property), 0, PLAIN, property_slots};
static PyType_Spec slot_property_spec = {
    "gilonce._property._Assignable", sizeof(Property), 0, PLAIN, slot_property_slots,
};
static PyType_Spec proxy_spec = {"gilonce._proxy.LazyProxy", 0, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, proxy_slots};

/* From now on no attribute of `type` can be assigned. The interpreter takes its short cuts
   to a descriptor, that of `obj.m()` above all, only if the descriptor's type cannot change.
   The flag stands in the documentation as one for types written in C, to be set when they
   are made; these are, and are finished only now. */
static void
seal(PyTypeObject *type)
{
    type->tp_flags |= Py_TPFLAGS_IMMUTABLETYPE;
    PyType_Modified(type);
}

/* Make the type of `spec`. The caller owns it. */
static PyTypeObject *
make(PyObject *module, PyType_Spec *spec, PyTypeObject *base)
{
    PyObject *bases = PyTuple_Pack(1, base == NULL ? &PyBaseObject_Type : base);
    PyObject *type = bases == NULL ? NULL : PyType_FromModuleAndSpec(module, spec, bases);
    Py_XDECREF(bases);
    return (PyTypeObject *)type;
}

/* The names of the module that `cls` stands in: a new reference. */
static PyObject *
room_of(PyObject *cls)
{
    PyObject *method = PyObject_GetAttrString(cls, "__init__");
    PyObject *room = method == NULL ? NULL : PyObject_GetAttrString(method, "__globals__");
    Py_XDECREF(method);
    return room;
}

static PyTypeObject *
take_cell(PyObject *module, State *state, PyObject *cls)
{
    Py_XSETREF(state->cell_room, room_of(cls));
    if (state->cell_room == NULL || document(cell_methods, cls) < 0) {
        return NULL;
    }
    PyTypeObject *type = make(module, &cell_spec, NULL);
    if (type != NULL && take_from(cls, type, 0) < 0) {
        Py_CLEAR(type);
    }
    Py_XSETREF(state->cell_reference, Py_NewRef(cls));
    Py_XSETREF(state->cell_type, (PyTypeObject *)Py_XNewRef(type));
    return type;
}

static PyTypeObject *
take_view(PyObject *module, PyType_Spec *spec, PyTypeObject *base)
{
    if (base->tp_basicsize != (Py_ssize_t)offsetof(BoundCell, place)) {
        PyErr_SetString(PyExc_TypeError, "BoundCell has one slot more than GILOnceCell");
        return NULL;
    }
    return make(module, spec, base);
}

static PyTypeObject *
take_once(PyObject *module, State *state, PyObject *cls)
{
    Py_XSETREF(state->once_room, room_of(cls));
    PyTypeObject *type = state->once_room == NULL ? NULL : make(module, &once_spec, NULL);
    if (type == NULL || take_from(cls, type, 0) < 0) {
        Py_XDECREF(type);
        return NULL;
    }
    PyTypeObject *method_type = make(module, &once_method_spec, type);
    if (method_type == NULL || take_from(cls, method_type, 1) < 0) {
        Py_XDECREF(method_type);
        Py_DECREF(type);
        return NULL;
    }
    seal(type);
    seal(method_type);
    Py_XSETREF(state->once_reference, Py_NewRef(cls));
    Py_XSETREF(state->once_type, (PyTypeObject *)Py_NewRef(type));
    Py_XSETREF(state->once_method_type, method_type);
    return type;
}

static PyTypeObject *
take_bound(PyObject *module, State *state, PyObject *cls)
{
    PyTypeObject *type = make(module, &bound_spec, NULL);
    if (type != NULL && take_from(cls, type, 0) < 0) {
        Py_CLEAR(type);
    }
    Py_XSETREF(state->bound_type, (PyTypeObject *)Py_XNewRef(type));
    return type;
}

static PyTypeObject *
take_property(PyObject *module, PyType_Spec *spec, PyObject **reference, PyTypeObject *base, PyObject *cls)
{
    PyTypeObject *type = make(module, spec, base);
    if (type == NULL || take_from(cls, type, 0) < 0) {
        Py_XDECREF(type);
        return NULL;
    }
    Py_XSETREF(*reference, Py_NewRef(cls));
    return type;
}

static PyTypeObject *
take_proxy(PyObject *module, PyObject *cls)
{
    PyTypeObject *base = ((PyTypeObject *)cls)->tp_base;
    int found = find_wrapped(base);
    if (found <= 0) {
        return found < 0 ? NULL : (PyTypeObject *)Py_NewRef(cls);
    }
    PyTypeObject *type = make(module, &proxy_spec, base);
    if (type != NULL && take_from(cls, type, 0) < 0) {
        Py_CLEAR(type);
    }
    return type;
}

/* Two functions of the reference that making a lazy_global asks. Where the answer is near it
   is given here; else the reference gives it, which comes as `reference`. */

static PyObject *
native_is_coroutine_function(PyObject *reference, PyObject *function)
{
    if (Py_IS_TYPE(function, &PyFunction_Type)) {
        if (((PyCodeObject *)PyFunction_GET_CODE(function))->co_flags & CO_COROUTINE) {
            Py_RETURN_TRUE;
        }
        /* The mark that others leave would be in its `__dict__`. */
        if (((PyFunctionObject *)function)->func_dict == NULL) {
            Py_RETURN_FALSE;
        }
    }
    return PyObject_CallOneArg(reference, function);
}

static PyObject *
native_implied_interface(PyObject *reference, PyObject *factory)
{
    if (PyType_Check(factory)) {
        return Py_NewRef(factory);
    }
    if (Py_IS_TYPE(factory, &PyFunction_Type) && ((PyFunctionObject *)factory)->func_annotations == NULL
#if PY_VERSION_HEX >= 0x030E0000
        && ((PyFunctionObject *)factory)->func_annotate == NULL
#endif
    ) {
        Py_RETURN_NONE;
    }
    return PyObject_CallOneArg(reference, factory);
}

static PyMethodDef functions[] = {
    {"is_coroutine_function", native_is_coroutine_function, METH_O, NULL},
    {"implied_interface", native_implied_interface, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyObject *
take_function(PyObject *reference)
{
    PyObject *name = ((PyFunctionObject *)reference)->func_name;
    for (PyMethodDef *function = functions; function->ml_name != NULL; function++) {
        if (PyUnicode_CompareWithASCIIString(name, function->ml_name) == 0) {
            return PyCFunction_New(function, reference);
        }
    }
    return PyErr_Format(PyExc_LookupError, "nothing in C takes the place of %U()", name);
}

static PyObject *
native_take_over(PyObject *module, PyObject *cls)
{
    State *state = PyModule_GetState(module);
    if (PyFunction_Check(cls)) {
        return take_function(cls);
    }
    if (!PyType_Check(cls)) {
        PyErr_SetString(PyExc_TypeError, "take_over() takes a class");
        return NULL;
    }
    const char *name = ((PyTypeObject *)cls)->tp_name;
    PyTypeObject *base = ((PyTypeObject *)cls)->tp_base;
    if (strcmp(name, "GILOnceCell") == 0) {
        return (PyObject *)take_cell(module, state, cls);
    }
    if (strcmp(name, "DictCell") == 0) {
        return (PyObject *)take_view(module, &dict_cell_spec, base);
    }
    if (strcmp(name, "SlotCell") == 0) {
        return (PyObject *)take_view(module, &slot_cell_spec, base);
    }
    if (strcmp(name, "Once") == 0) {
        return (PyObject *)take_once(module, state, cls);
    }
    if (strcmp(name, "BoundOnce") == 0) {
        return (PyObject *)take_bound(module, state, cls);
    }
    if (strcmp(name, "once_property") == 0) {
        return (PyObject *)take_property(module, &property_spec, &state->property_reference, NULL, cls);
    }
    if (strcmp(name, "_Assignable") == 0) {
        return (PyObject *)take_property(module, &slot_property_spec, &state->slot_property_reference, base, cls);
    }
    if (strcmp(name, "LazyProxy") == 0) {
        return (PyObject *)take_proxy(module, cls);
    }
    PyErr_Format(PyExc_LookupError, "nothing in C takes the place of %s", name);
    return NULL;
}

static PyMethodDef native_methods[] = {
    {"take_over", native_take_over, METH_O, "take_over($module, cls, /)\n--\n\nReturn the C type that takes the place of a class."},
    {NULL, NULL, 0, NULL},
};

static int
native_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->cell_reference);
    Py_VISIT(state->once_reference);
    Py_VISIT(state->property_reference);
    Py_VISIT(state->slot_property_reference);
    Py_VISIT(state->cell_room);
    Py_VISIT(state->once_room);
    Py_VISIT(state->cell_type);
    Py_VISIT(state->once_type);
    Py_VISIT(state->once_method_type);
    Py_VISIT(state->bound_type);
    return 0;
}

static int
native_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->cell_reference);
    Py_CLEAR(state->once_reference);
    Py_CLEAR(state->property_reference);
    Py_CLEAR(state->slot_property_reference);
    Py_CLEAR(state->cell_room);
    Py_CLEAR(state->once_room);
    Py_CLEAR(state->cell_type);
    Py_CLEAR(state->once_type);
    Py_CLEAR(state->once_method_type);
    Py_CLEAR(state->bound_type);
    Py_CLEAR(state->self_factory);
    Py_CLEAR(state->self_cell);
    Py_CLEAR(state->self_namespace);
    Py_CLEAR(state->nothing);
    return 0;
}

static void
native_free(void *module)
{
    (void)native_clear((PyObject *)module);
}

static int
native_exec(PyObject *module)
{
    State *state = PyModule_GetState(module);
    state->self_factory = PyUnicode_InternFromString("_self_factory");
    state->self_cell = PyUnicode_InternFromString("_self_cell");
    state->self_namespace = PyUnicode_InternFromString("_self_namespace");
    state->nothing = PyTuple_Pack(1, Py_None);
    return state->self_factory == NULL || state->self_cell == NULL || state->self_namespace == NULL ||
                   state->nothing == NULL
               ? -1
               : 0;
}

static PyModuleDef_Slot native_slots[] = {
    {Py_mod_exec, native_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef native_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "gilonce._native",
    .m_doc = "The hot parts of gilonce in C.",
    .m_size = sizeof(State),
    .m_methods = native_methods,
    .m_slots = native_slots,
    .m_traverse = native_traverse,
    .m_clear = native_clear,
    .m_free = native_free,
};

PyMODINIT_FUNC
PyInit__native(void)
{
    return PyModuleDef_Init(&native_module);
}
