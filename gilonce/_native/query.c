/* Queries: the key that a search in a table looks for, and how keys are compared. `keyed.c` has the search. */

#include "table.h"

/* The hash of a tuple of these parts, computed as the interpreter computes it; see `hashes_tuples_like_us`. */
static Py_hash_t
hash_of_parts(PyObject *const *parts, Py_ssize_t count)
{
#if SIZEOF_SIZE_T > 4
    const size_t prime_1 = (size_t)11400714785074694791ULL, prime_2 = (size_t)14029467366897019727ULL;
    const size_t prime_5 = (size_t)2870177450012600261ULL;
    const int rotation = 31;
#else
    const size_t prime_1 = 2654435761UL, prime_2 = 2246822519UL, prime_5 = 374761393UL;
    const int rotation = 13;
#endif
    size_t sum = prime_5;
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_hash_t hash = PyObject_Hash(parts[i]);
        if (hash == -1) {
            return -1;
        }
        sum += (size_t)hash * prime_2;
        sum = (sum << rotation) | (sum >> (8 * sizeof(size_t) - rotation));
        sum *= prime_1;
    }
    sum += (size_t)count ^ (prime_5 ^ (size_t)3527539UL);
    return sum == (size_t)-1 ? 1546275796 : (Py_hash_t)sum;
}

/* Compare without running user code. Returns 1 if equal, 0 if not, -1 if the comparison could run user code. Nested
   tuples are compared down to `depth`. */
static int
are_plainly_equal(PyObject *one, PyObject *other, int depth)
{
    PyTypeObject *type = Py_TYPE(one);
    if (one == other) {
        return 1;
    }
    if (type != Py_TYPE(other)) {
        return -1;
    }
    if (type == &PyUnicode_Type) {
        return PyUnicode_Compare(one, other) == 0;
    }
    if (type == &PyLong_Type || type == &PyBytes_Type || type == &PyFloat_Type) {
        return PyObject_RichCompareBool(one, other, Py_EQ);
    }
    if (type != &PyTuple_Type || depth == 0) {
        return -1;
    }
    int equal = PyTuple_GET_SIZE(one) == PyTuple_GET_SIZE(other);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(one) && equal == 1; i++) {
        equal = are_plainly_equal(PyTuple_GET_ITEM(one, i), PyTuple_GET_ITEM(other, i), depth - 1);
    }
    return equal;
}

/* Like `are_plainly_equal`, for the key of the query and the key of an entry. */
static int
query_equals_plainly(const Query *query, PyObject *key)
{
    if (query->parts == NULL) {
        return are_plainly_equal(key, query->key, 3);
    }
    if (!PyTuple_CheckExact(key)) {
        return -1;
    }
    int equal = PyTuple_GET_SIZE(key) == query->count;
    for (Py_ssize_t i = 0; i < query->count && equal == 1; i++) {
        equal = are_plainly_equal(PyTuple_GET_ITEM(key, i), query->parts[i], 2);
    }
    return equal;
}

/* Return whether the interpreter computes the hash of a tuple as `hash_of_parts` does, or -1 with an exception. */
static int
hashes_tuples_like_us(void)
{
    PyObject *sample = Py_BuildValue("(sid)", "one", 2, 3.0);
    Py_hash_t theirs = sample == NULL ? -1 : PyObject_Hash(sample);
    Py_hash_t ours = theirs == -1 ? -1 : hash_of_parts(&PyTuple_GET_ITEM(sample, 0), 3);
    Py_XDECREF(sample);
    return theirs == -1 || ours == -1 ? -1 : theirs == ours;
}

/* What a comparison with this key has said: 1 if equal, 0 if not, -1 if there was none. */
static int
query_remembers(const Query *query, PyObject *key)
{
    Py_ssize_t count = query->compared == NULL ? 0 : PyList_GET_SIZE(query->compared);
    for (Py_ssize_t i = 0; i < count; i++) {
        if (PyList_GET_ITEM(query->compared, i) == key) {
            return i < query->equals;
        }
    }
    return -1;
}

static int
query_make_key(Query *query)
{
    if (query->key == NULL) {
        query->key = PyTuple_New(query->count);
        for (Py_ssize_t i = 0; query->key != NULL && i < query->count; i++) {
            PyTuple_SET_ITEM(query->key, i, Py_NewRef(query->parts[i]));
        }
    }
    return query->key == NULL ? -1 : 0;
}

/* Compare with a key of the table, which may run user code. Returns 1 if equal, 0 if not, -1 with an exception. */
static int
query_compare(Query *query, PyObject *key)
{
    if (query_make_key(query) < 0) {
        return -1;
    }
    if (query->compared == NULL && (query->compared = PyList_New(0)) == NULL) {
        return -1;
    }
    int equal = PyObject_RichCompareBool(key, query->key, Py_EQ);
    if (equal > 0) {
        /* Every key that was equal is remembered, because each may be removed and added again. */
        query->restarted = 1;
        return PyList_Insert(query->compared, query->equals++, key) < 0 ? -1 : 1;
    }
    return equal < 0 || PyList_Append(query->compared, key) < 0 ? -1 : 0;
}

static void
query_end(Query *query)
{
    Py_CLEAR(query->key);
    Py_CLEAR(query->compared);
}
