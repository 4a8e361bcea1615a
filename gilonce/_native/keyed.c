/* Tables: one entry per key. The Python implementation is `gilonce._storage.keyed`.

   A table is an array with open addressing. An entry has the key, 32 bits of its hash, and the value if there is one.
   It also has a number of users: running initializers, and cells that the program has. An entry without a value and
   users is removed. The users are counted behind the entries, where the counts need no padding.

   Each key has exactly one entry, whatever the comparison of keys does:

   - Code that reads or changes the array runs no user code and is atomic: it has the GIL or the table's own lock, and
     calls nothing that could release it.
   - Comparing two keys may run user code. Meanwhile the search has no lock, only references to the two keys.
     Afterwards it checks whether keys were added, removed or moved. If so, it starts again and skips the keys that it
     has compared. One search never compares the same keys twice, so it ends.
   - A key is added in the same atomic step in which the search finds that it has compared every other key with this
     hash, and that none was equal.

   For example, f(1) is running, and another thread calls f(Fraction(1)). Both hashes are 1. The second search stops at
   the entry of 1, compares the keys, and finds them equal. It looks for the entry again, by the identity of its key,
   and becomes its second user. If the entry was removed during the comparison, the search starts again.

   Users and cells find their entry by the identity of its key and by the hash that the key had when it was added. A key
   whose hash has changed since is another key, as it is to the Python implementation: if k has the hash 1 in a first
   call and 2 in a second, k is the key of two entries. No two entries share both the object and the bits of the hash
   that an entry keeps, because a search counts an object as equal to itself. (If the new hash of a key has the same
   bits as the old one, the key keeps its entry and its value. No law forbids that.)

   Law 5: no bytecode runs between the step that finds no value for a key and the call of the function, or between its
   return and the step that writes the value.

   Without a GIL, a call reads the value without the lock if its key is the same object as an entry's key, or is a tuple
   whose parts are plainly equal; see `table_peek`. */

#include "table.h"

#define SMALLEST 8

/* The sizes of arrays: 8, 12, 16, 24, 32 and so on. Small steps need less memory. Without a GIL, replaced arrays stay
   until the table is freed, so large steps need less memory. */
#ifdef Py_GIL_DISABLED
#  define NEXT_SIZE(size) ((size) * 2)
#else
#  define NEXT_SIZE(size) (((size) & ((size) - 1)) == 0 ? (size) / 2 * 3 : (size) / 3 * 4)
#endif

/* Return where the search for a shortened hash starts. (An array of more than 2 ** 32 entries would not fit into
   memory.) */
static inline Py_ssize_t
array_start(const Array *array, uint32_t hash)
{
    return (Py_ssize_t)(((uint64_t)hash * (uint64_t)array->size) >> 32);
}

static inline Py_ssize_t
array_next(const Array *array, Py_ssize_t i)
{
    return i + 1 < array->size ? i + 1 : 0;
}

/* Entries. The caller of these functions has the GIL or the table's lock. */

/* Return whether an entry has the object `key` as its key, added with this shortened hash. */
static inline int
entry_is_of(const Entry *entry, uint32_t hash, PyObject *key)
{
    return entry->key == key && entry->hash == hash;
}

/* Return the entry of the object `key`, or NULL. */
static Entry *
table_entry(const Table *self, Py_hash_t hash, PyObject *key)
{
    Array *array = self->array;
    for (Py_ssize_t i = array == NULL ? -1 : array_start(array, shorten(hash)); i >= 0; i = array_next(array, i)) {
        Entry *entry = &array->entries[i];
        if (entry_is_of(entry, shorten(hash), key)) {
            return entry;
        }
        if (entry->key == NULL) {
            break;
        }
    }
    return NULL;
}

/* Like `table_entry`, where `position` is the index that the entry had earlier, and may still have. */
static Entry *
table_entry_at(const Table *self, Py_ssize_t position, Py_hash_t hash, PyObject *key)
{
    Array *array = self->array;
    int is_there =
        array != NULL && position < array->size && entry_is_of(&array->entries[position], shorten(hash), key);
    return is_there ? &array->entries[position] : table_entry(self, hash, key);
}

static Entry *
array_free_entry(Array *array, uint32_t hash)
{
    Py_ssize_t i = array_start(array, hash);
    while (array->entries[i].key != NULL) {
        i = array_next(array, i);
    }
    return &array->entries[i];
}

/* Make sure that the array has a free entry for one more key. */
static int
table_grow(Table *self)
{
    Array *old = self->array;
    if (old != NULL && (self->used + 1) * 6 <= old->size * 5) {
        return 0;
    }
    /* At most two thirds full, so that several keys can be added and removed before this happens again. */
    Py_ssize_t size = SMALLEST;
    while (size * 2 < (self->live + 1) * 3) {
        size = NEXT_SIZE(size);
    }
    Array *array = PyMem_Calloc(1, offsetof(Array, entries) + size * (sizeof(Entry) + sizeof(uint32_t)));
    if (array == NULL) {
        (void)PyErr_NoMemory();
        return -1;
    }
    array->size = size;
    for (Py_ssize_t i = 0; old != NULL && i < old->size; i++) {
        Entry *entry = &old->entries[i];
        if (entry->key != NULL && entry->key != REMOVED) {
            Entry *moved = array_free_entry(array, entry->hash);
            *moved = *entry;
            *array_users(array, moved) = *array_users(old, entry);
        }
    }
    self->used = self->live;
#ifdef Py_GIL_DISABLED
    /* Threads may be reading the array without the lock, so it is not freed. If its size is still right, it is filled
       again, so that the number of retired arrays stays small. See tests/litmus/refill.litmus. */
    STORE_NUMBER(&self->changes, self->changes + 1);
    if (old != NULL && old->size == size) {
        for (Py_ssize_t i = 0; i < size; i++) {
            STORE(&old->entries[i].key, array->entries[i].key);
            STORE(&old->entries[i].value, array->entries[i].value);
            STORE_NUMBER(&old->entries[i].hash, array->entries[i].hash);
            old->entries[i].number = array->entries[i].number;
            *array_users(old, &old->entries[i]) = *array_users(array, &array->entries[i]);
        }
        PyMem_Free(array);
    }
    else {
        _Py_atomic_store_ptr_release(&self->array, array);
        if (old != NULL) {
            old->retired = self->retired;
            self->retired = old;
            /* A thread that reads the old array must not take a reference to what the new one lets go of. See
               tests/litmus/grow.litmus. */
            for (Py_ssize_t i = 0; i < old->size; i++) {
                STORE(&old->entries[i].key, NULL);
                STORE(&old->entries[i].value, NULL);
            }
        }
    }
    _Py_atomic_store_ssize_release(&self->changes, self->changes + 1);
#else
    PyMem_Free(old);
    self->array = array;
    self->changes += 2;
#endif
    return 0;
}

/* Say that a key was added or removed. A reader that sees this must also see what another thread has moved before, under
   the lock, so this is a release, too. See tests/litmus/refill.litmus. */
static inline void
table_note_change(Table *self)
{
#ifdef Py_GIL_DISABLED
    _Py_atomic_store_ssize_release(&self->changes, self->changes + 2);
#else
    self->changes += 2;
#endif
}

/* Add the key of a query. Its search has just ended. */
static Entry *
table_add(Table *self, Query *query)
{
    if (table_grow(self) < 0) {
        return NULL;
    }
    uint32_t hash = shorten(query->hash);
    Entry *entry = &self->array->entries[query->position];
    if (self->changes != query->changes) {
        /* The array is new. Otherwise the search has ended at the free entry. */
        entry = array_free_entry(self->array, hash);
        query->position = entry - self->array->entries;
    }
    STORE_NUMBER(&entry->hash, hash);
    incref_for_field(query->key);
    STORE(&entry->key, query->key);
    self->used++;
    self->live++;
    table_note_change(self);
    return entry;
}

/* Remove an entry without a value and users. Returns its key, or NULL if the entry stays. The reference to the key now
   belongs to the caller, who drops it after releasing the lock, because its finalizer may run user code. */
static PyObject *
table_remove_unused(Table *self, Entry *entry)
{
    PyObject *key = entry->key;
    if (*array_users(self->array, entry) > 0 || entry->value != NULL) {
        return NULL;
    }
    STORE(&entry->key, REMOVED);
    self->live--;
    table_note_change(self);
    return key;
}

/* Write a value if there is none. Returns whether it was written. */
static int
table_write(Entry *entry, PyObject *value)
{
    if (entry->value != NULL) {
        return 0;
    }
    incref_for_field(value);
    entry->number = next_number();
    STORE(&entry->value, value);
    return 1;
}

/* Continue a search. Returns the entry, or NULL. Then `to_compare` is a key that user code has to compare before the
   search can continue, or NULL if the table does not have the query's key. */
static Entry *
table_search(Table *self, Query *query, PyObject **to_compare)
{
    Array *array = self->array;
    uint32_t hash = shorten(query->hash);
    *to_compare = NULL;
    if (array == NULL) {
        return NULL;
    }
    if (query->left < 0 || self->changes != query->changes) {
        query->restarted = query->compared != NULL;
        query->position = array_start(array, hash);
        query->left = array->size;
        query->changes = self->changes;
    }
    for (; query->left > 0; query->left--, query->position = array_next(array, query->position)) {
        Entry *entry = &array->entries[query->position];
        if (entry->key == NULL) {
            break;
        }
        if (entry->key == REMOVED || entry->hash != hash) {
            continue;
        }
        int equal = query->restarted ? query_remembers(query, entry->key) : -1;
        if (equal < 0) {
            equal = query_equals_plainly(query, entry->key);
        }
        if (equal > 0) {
            return entry;
        }
        if (equal < 0) {
            *to_compare = entry->key;
            return NULL;
        }
    }
    return NULL;
}

/* Searches. The caller of these functions does not have the lock. */

#ifdef Py_GIL_DISABLED
/* Find the value of a key without the lock. Returns NULL if that is not possible: the caller then uses `table_enter`.

   No array is freed before the table. The key and the value belong together if `changes` is the same afterwards: then
   no key was added, removed or moved meanwhile. Keys are compared by their address, and by their parts only after
   taking a reference. `field.h` explains how to read a key or a value that another thread may remove. */
static PyObject *
table_peek(Table *self, const Query *query)
{
    Py_ssize_t changes = _Py_atomic_load_ssize_acquire(&self->changes);
    Array *array = _Py_atomic_load_ptr_acquire(&self->array);
    if (array == NULL || changes & 1) {
        return NULL; /* there are no entries, or they are moving */
    }
    uint32_t hash = shorten(query->hash);
    Py_ssize_t i = array_start(array, hash);
    PyObject *value = NULL;
    for (Py_ssize_t tries = 0; tries < array->size; tries++, i = array_next(array, i)) {
        Entry *entry = &array->entries[i];
        PyObject *key = LOAD(&entry->key);
        if (key == NULL) {
            break;
        }
        if (key == REMOVED || LOAD_NUMBER(&entry->hash) != hash) {
            continue;
        }
        int found = key == query->key;
        if (!found && query->parts != NULL) {
            key = field_load((PyObject *)self, (char *)&entry->key - (char *)self);
            found = key != NULL && key != REMOVED && query_equals_plainly(query, key) == 1;
            Py_XDECREF(key);
        }
        if (found) {
            value = field_load((PyObject *)self, (char *)&entry->value - (char *)self);
            break;
        }
    }
    if (value != NULL && _Py_atomic_load_ssize_acquire(&self->changes) != changes) {
        Py_CLEAR(value);
    }
    return value;
}
#else
/* Find the value of a key without running user code. Returns NULL if that is not possible, or if there is no value. */
static inline PyObject *
table_peek(Table *self, const Query *query)
{
    Array *array = self->array;
    if (array == NULL) {
        return NULL;
    }
    uint32_t hash = shorten(query->hash);
    Py_ssize_t i = array_start(array, hash);
    for (Entry *entry = &array->entries[i]; entry->key != NULL; entry = &array->entries[i]) {
        if (entry_is_of(entry, hash, query->key)) {
            return Py_XNewRef(entry->value);
        }
        if (entry->hash == hash && entry->key != REMOVED) {
            int equal = query_equals_plainly(query, entry->key);
            if (equal != 0) {
                return equal > 0 ? Py_XNewRef(entry->value) : NULL;
            }
        }
        i = array_next(array, i);
    }
    return NULL;
}
#endif

/* Find the entry of a key, or add one. Returns 1 with its value; or 0 with its key, after making the caller a user of
   the entry; or -1 with an exception. With `even_if_full`, the caller becomes a user even if there is a value. */
static int
table_enter(Table *self, Query *query, int even_if_full, PyObject **key, PyObject **value)
{
    TABLE_SECTION;
    TABLE_LOCK(self);
    for (;;) {
        PyObject *to_compare;
        Entry *entry = table_search(self, query, &to_compare);
        if (to_compare != NULL) {
            Py_INCREF(to_compare);
            TABLE_UNLOCK();
            int equal = query_compare(query, to_compare);
            Py_DECREF(to_compare);
            if (equal < 0) {
                return -1;
            }
            TABLE_LOCK(self);
            if (equal == 0 && self->changes == query->changes) {
                query->left--;
                query->position = array_next(self->array, query->position);
            }
            continue;
        }
        if (entry == NULL && query->key == NULL) {
            /* Making the key allocates, which may start the collector, which runs arbitrary code. */
            TABLE_UNLOCK();
            if (query_make_key(query) < 0) {
                return -1;
            }
            TABLE_LOCK(self);
            continue;
        }
        if (entry == NULL && (entry = table_add(self, query)) == NULL) {
            TABLE_UNLOCK();
            return -1;
        }
        int found = entry->value != NULL && !even_if_full;
        if (found) {
            *value = Py_NewRef(entry->value);
        }
        else {
            ++*array_users(self->array, entry);
            *key = Py_NewRef(entry->key);
        }
        TABLE_UNLOCK();
        return found;
    }
}
