/* The objects that @once and @once_per_args make: once functions, and once methods bound to their owners. */

#ifndef GILONCE_ONCE_H
#define GILONCE_ONCE_H

#include "table.h"

/* @once */

enum {
    NEEDS_OWNER = 1,    /* a call without an instance or class is an error */
    MAY_TAKE_OWNER = 2, /* a call may have an instance or class as its argument */
    IS_ASYNC = 4,
    BINDS_TO_INSTANCE = 8,
    BINDS_TO_CLASS = 16,
    IS_CHOSEN = 32,           /* cell= was given: if there is no value, call the cell */
    IS_FOREIGN = 64,          /* cell= was given, and `cell_load` cannot read the cell's value */
    IS_OUTSIDE_CLASSES = 128, /* it may take an instance, but is not defined in a class; see `once_check_owner` */
    IS_IN_SLOT = 256,         /* slot= was given */
};

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *function;
    PyObject *cell;
    PyObject *definition; /* with the key, only if there is a value per instance or class */
    PyObject *key;        /* NULL with slot= */
    PyObject *discard;
    PyObject *cell_factory; /* the argument cell= */
    PyObject *slot;         /* the argument slot= */
    TypeMemo memo;          /* whether the `__dict__` is the usual one; with slot=, the offset of the slot */
    PyObject *dict;
    PyObject *weakrefs;
    int flags;
} Once;

/* A once method, of either decorator, that is bound to an instance or class. */
typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *function;
    PyObject *owner;
    PyObject *weakrefs;
} BoundOnce;

/* @once_per_args */

enum {
    ARGS_TAKE_OWNER = 1,     /* the first argument is the instance or class that the values belong to */
    ARGS_MAY_TAKE_OWNER = 2, /* the first argument may be that, and only a call can decide it */
    ARGS_ASYNC = 4,
    ARGS_BIND_TO_INSTANCE = 8,
    ARGS_BIND_TO_CLASS = 16,
    ARGS_SIMPLE = 32,   /* every parameter takes one argument, and `per_args_bind` binds the arguments */
    ARGS_ONE = 64,      /* there is one parameter, and it takes one positional argument */
    ARGS_CHOSEN = 128,  /* the cells that cell= makes do not race: Python fills empty ones */
};

/* The parts of a key are on the C stack. With more parameters than this, the generated function makes the key. */
#define MOST_PARAMETERS 12

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *function;
    PyObject *table;      /* for calls without an owner */
    PyObject *definition; /* finds the tables of instances and classes */
    PyObject *table_key;  /* the name under which an instance has its table in its `__dict__` */
    PyObject *name;       /* of the function */
    PyObject *parameters; /* a tuple of their names */
    PyObject *defaults;   /* a tuple of their defaults */
    PyObject *empty;      /* stands in `defaults` for a parameter without a default */
    PyObject *key_makers; /* two generated functions, which make the key of a call without and with an owner */
    PyObject *dict;
    PyObject *weakrefs;
    /* For the Python code. */
    PyObject *key_function;
    PyObject *keys;
    PyObject *owned_keys;
    TypeMemo memo;
    int flags;           /* written before the function is shared */
    int is_renamed;      /* a class statement has given it a name, which may be another; at any time */
    int positional;      /* how many parameters can be given by position */
    int positional_only; /* how many of them can be given only by position */
} PerArgs;

/* `once.c` and `bound_once.c` */

static PyObject *once_value_of(Once *self, PyObject *owner, int is_checked);
static PyObject *bound_new(State *state, PyObject *function, PyObject *owner);
static PyObject *bound_alloc(PyTypeObject *type, vectorcallfunc vectorcall, PyObject *function, PyObject *owner);
static int bound_traverse(BoundOnce *self, visitproc visit, void *arg);
static void bound_dealloc(BoundOnce *self);

/* `once_per_args.c` and `per_args_types.c` */

static PyObject *per_args_value(PerArgs *self, PyObject *owner, PyObject *const *args, Py_ssize_t count,
                                PyObject *kwnames);
static PyObject *per_args_vectorcall(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *kwnames);
static PyObject *per_args_descr_get(PerArgs *self, PyObject *instance, PyObject *owner);
static PyObject *bound_args_new(State *state, PyObject *function, PyObject *owner);

#endif
