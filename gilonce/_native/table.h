/* Tables of keys, and the queries that search them. The comment at the top of `keyed.c` explains both. */

#ifndef GILONCE_TABLE_H
#define GILONCE_TABLE_H

#include "place.h"

typedef struct {
    Py_hash_t hash;
    PyObject *key;          /* owned; or NULL if the key is the tuple of `parts`, which is not made yet */
    PyObject *const *parts;
    Py_ssize_t count;       /* of the parts */
    /* The state of the search. */
    PyObject *compared;     /* an owned list of the keys that were compared by running user code, or NULL */
    Py_ssize_t equals;      /* how many of them were equal; these come first in the list */
    Py_ssize_t position;    /* of the next entry */
    Py_ssize_t left;        /* how many entries remain; negative before the search begins */
    Py_ssize_t changes;     /* the table's `changes` when the search began */
    int restarted;          /* whether the next keys may have been compared already */
} Query;

typedef struct {
    PyObject *key; /* NULL: never used. REMOVED: was used. */
    PyObject *value;
    uint32_t hash;   /* of the key, shortened */
    uint32_t number; /* orders the values by the time of their writing */
} Entry;

typedef struct Array {
    struct Array *retired; /* the next in the table's list of retired arrays */
    Py_ssize_t size;
    Entry entries[1]; /* as many as `size` says, and then as many counts of users */
} Array;

typedef struct {
    PyObject_HEAD
    Array *array;
    Py_ssize_t used;      /* the number of entries that have, or had, a key */
    Py_ssize_t live;      /* the number of entries that have a key */
    Py_ssize_t changes;   /* grows when a key is added, removed or moved; odd while entries are moving */
    PyObject *definition;
    PyObject *cell_class; /* the class of the keys' cells */
    PyObject *discard;
    PyObject *views;      /* the cells that the program has: a dict of weak references, by `view_name` */
    PyObject *owner;      /* of the table of an instance: a weak reference to the instance */
    PyObject *weakrefs;
    Array *retired;       /* without a GIL: replaced arrays, which a thread may still be reading */
} Table;

/* The key of a removed entry. It is an object because, without a GIL, a thread may take a reference to it. */
static struct {
    PyObject_HEAD
} removed_key = {PyObject_HEAD_INIT(NULL)};
#define REMOVED ((PyObject *)&removed_key)

#ifdef Py_GIL_DISABLED
#  define TABLE_SECTION PyCriticalSection section
#  define TABLE_LOCK(table) PyCriticalSection_Begin(&section, (PyObject *)(table))
#  define TABLE_UNLOCK() PyCriticalSection_End(&section)
#  define STORE(address, new) _Py_atomic_store_ptr_release((address), (new))
#else
#  define TABLE_SECTION ((void)0)
#  define TABLE_LOCK(table) ((void)(table))
#  define TABLE_UNLOCK() ((void)0)
#  define STORE(address, new) (*(address) = (new))
#endif

/* Return the 32 bits of a hash that an entry keeps. Keys with different hashes may have the same bits. The search then
   compares the keys, and finds that they differ. */
static inline uint32_t
shorten(Py_hash_t hash)
{
    /* The multiplication spreads neighbouring hashes, such as those of integers. */
    uint64_t bits = (uint64_t)hash;
    return (uint32_t)(((bits ^ (bits >> 32)) * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

static inline uint32_t *
array_users(Array *array, const Entry *entry)
{
    return (uint32_t *)&array->entries[array->size] + (entry - array->entries);
}

/* `query.c` */

static Py_hash_t hash_of_parts(PyObject *const *parts, Py_ssize_t count);
static int hashes_tuples_like_us(void);
static int query_equals_plainly(const Query *query, PyObject *key);
static int query_remembers(const Query *query, PyObject *key);
static int query_make_key(Query *query);
static int query_compare(Query *query, PyObject *key);
static void query_end(Query *query);

/* `keyed.c` */

static Entry *table_entry(const Table *self, Py_hash_t hash, PyObject *key);
static Entry *table_entry_at(const Table *self, Py_ssize_t position, Py_hash_t hash, PyObject *key);
static PyObject *table_remove_unused(Table *self, Entry *entry);
static int table_write(Entry *entry, PyObject *value);
static PyObject *table_peek(Table *self, const Query *query);
static int table_enter(Table *self, Query *query, int even_if_full, PyObject **key, PyObject **value);

/* `table.c` */

static PyObject *table_leave(Table *self, const Query *query, PyObject *key, PyObject *value);
static int table_load(const Place *place, PyObject **value);
static int table_publish(const Place *place, PyObject *value, PyObject **published);
static int table_remove(const Place *place, PyObject **value);
static int table_replace(const Place *place, PyObject *old, PyObject *new);

#endif
