/* @once_per_args. `keyed.c` has the tables.

   There are three ways from the arguments of a call to a key:

   - If every parameter takes one argument, this file binds the arguments. The parts of the key stay where the caller of
     the function has put them, and a tuple is made only for a new key.
   - For other signatures, and with `key=`, a Python function that was generated for the signature makes the key.
   - The Python implementation handles every other case, such as `async def` and errors. */

#include "once.h"

/* Handle a call in Python: by `__call__`; or, if `owner` is not NULL, by `_ask_for`, which takes the owner, the
   positional arguments and the keyword arguments. */
static PyObject *
per_args_in_python(PerArgs *self, PyObject *owner, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    State *state = state_of(Py_TYPE(self));
    if (state == NULL) {
        return NULL;
    }
    if (owner == NULL) {
        return call_python_method(state->python_per_args, "__call__", (PyObject *)self, args, count, kwnames);
    }
    PyObject *given = PyTuple_New(count + 1);
    PyObject *named = given == NULL ? NULL : PyDict_New();
    PyObject *result = NULL;
    if (named != NULL) {
        PyTuple_SET_ITEM(given, 0, Py_NewRef(owner));
        for (Py_ssize_t i = 0; i < count; i++) {
            PyTuple_SET_ITEM(given, i + 1, Py_NewRef(args[i]));
        }
        int failed = 0;
        for (Py_ssize_t i = 0; kwnames != NULL && i < PyTuple_GET_SIZE(kwnames) && !failed; i++) {
            failed = PyDict_SetItem(named, PyTuple_GET_ITEM(kwnames, i), args[count + i]) < 0;
        }
        result = failed ? NULL : PyObject_CallMethod((PyObject *)self, "_ask_for", "OOO", owner, given, named);
    }
    Py_XDECREF(given);
    Py_XDECREF(named);
    return result;
}

/* Return the index of the parameter that can be given by this name, or -1. */
static Py_ssize_t
per_args_parameter(PerArgs *self, PyObject *name)
{
    Py_ssize_t count = PyTuple_GET_SIZE(self->parameters);
    for (Py_ssize_t i = self->positional_only; i < count; i++) {
        if (PyTuple_GET_ITEM(self->parameters, i) == name) {
            return i;
        }
    }
    for (Py_ssize_t i = self->positional_only; i < count; i++) {
        if (PyUnicode_CheckExact(name) && PyUnicode_Compare(PyTuple_GET_ITEM(self->parameters, i), name) == 0) {
            return i;
        }
    }
    return -1;
}

/* Bind the arguments to the parameters, and write borrowed references to `parts`. Returns 0 if they do not fit. */
static int
per_args_bind(PerArgs *self, PyObject *owner, PyObject *const *args, Py_ssize_t given, PyObject *kwnames,
              PyObject **parts)
{
    Py_ssize_t count = PyTuple_GET_SIZE(self->parameters), filled = 0;
    if (owner != NULL) {
        parts[filled++] = owner;
    }
    if (filled + given > self->positional) {
        return 0;
    }
    for (Py_ssize_t i = 0; i < given; i++) {
        parts[filled++] = args[i];
    }
    if (filled == count) {
        return kwnames == NULL;
    }
    for (Py_ssize_t i = filled; i < count; i++) {
        parts[i] = NULL;
    }
    for (Py_ssize_t i = 0; kwnames != NULL && i < PyTuple_GET_SIZE(kwnames); i++) {
        Py_ssize_t parameter = per_args_parameter(self, PyTuple_GET_ITEM(kwnames, i));
        if (parameter < 0 || parameter < filled || parts[parameter] != NULL) {
            return 0;
        }
        parts[parameter] = args[given + i];
    }
    for (Py_ssize_t i = filled; i < count; i++) {
        if (parts[i] == NULL) {
            parts[i] = PyTuple_GET_ITEM(self->defaults, i);
            if (parts[i] == self->empty) {
                return 0;
            }
        }
    }
    return 1;
}

/* Return whether the class of `object`, or `object` itself if it is a class, may have the function: whether it has an
   attribute with the name of the function. Returns -1 with an exception. */
static int
per_args_may_own(PerArgs *self, PyObject *object)
{
    PyObject *entry;
    if (LOAD_NUMBER(&self->is_renamed)) {
        return 1;
    }
    int found = self->name == NULL ? 0 : type_lookup(Py_TYPE(object), self->name, &entry);
    if (found == 0 && self->name != NULL && PyType_Check(object)) {
        found = type_lookup((PyTypeObject *)object, self->name, &entry);
    }
    if (found > 0) {
        Py_DECREF(entry);
    }
    return found;
}

/* Return the table of an instance or class: a new reference. */
static PyObject *
per_args_table_of(PerArgs *self, PyObject *owner)
{
    PyTypeObject *type = Py_TYPE(self->table);
    PyObject *table;
    if (!PyType_Check(owner) && self->table_key != NULL) {
        int found = learn_usual_dict(&self->memo, Py_TYPE(owner));
        if (found > 0) {
            found = attribute_load(owner, self->table_key, &table);
        }
        if (found < 0) {
            return NULL;
        }
        if (found > 0) {
            /* A copy of an instance has the original's table in its `__dict__`, and must not use it. */
            PyObject *table_owner = Py_IS_TYPE(table, type) ? field_load(table, offsetof(Table, owner)) : NULL;
            int is_own = 0;
            if (table_owner != NULL && PyWeakref_CheckRefExact(table_owner)) {
                PyObject *referent = weakref_get(table_owner);
                is_own = referent == owner;
                Py_XDECREF(referent);
            }
            Py_XDECREF(table_owner);
            if (is_own) {
                return table;
            }
            Py_DECREF(table);
        }
    }
    table = call_method(self->definition, "table_of", owner);
    if (table != NULL && !Py_IS_TYPE(table, type)) {
        Py_CLEAR(table);
        PyErr_SetString(PyExc_TypeError, "this table is not in C");
    }
    return table;
}

/* Call the function and publish the value. Law 5: no bytecode runs before the call, or between its return and the
   write. */
static PyObject *
per_args_fill(PerArgs *self, Table *table, const Query *query, PyObject *key, PyObject *owner, PyObject *const *args,
              Py_ssize_t count, PyObject *kwnames)
{
    PyObject *value = NULL;
    /* A function in C that calls this one again adds no Python frame, so the recursion has to be counted here. */
    if (!Py_EnterRecursiveCall(" while calling a Python object")) {
        value = owner != NULL ? call_with(self->function, owner, args, count, kwnames)
                              : PyObject_Vectorcall(self->function, args, count, kwnames);
        Py_LeaveRecursiveCall();
    }
    if (value == NULL) {
        PyObject *type, *error, *traceback;
        PyErr_Fetch(&type, &error, &traceback);
        Py_XDECREF(table_leave(table, query, key, NULL));
        PyErr_Restore(type, error, traceback);
        return NULL;
    }
    PyObject *discard = table->discard;
    Py_XINCREF(discard);
    PyObject *published = table_leave(table, query, key, value);
    published = discard_loser((PyObject *)self, value, published, discard);
    Py_XDECREF(discard);
    return published;
}

/* Return the value for the key of a query that `table_peek` has not found, and end the query. */
static PyObject *
per_args_enter(PerArgs *self, Table *table, Query *query, PyObject *owner, PyObject *const *args, Py_ssize_t count,
               PyObject *kwnames)
{
    PyObject *key = NULL, *value = NULL;
    if (table_enter(table, query, 0, &key, &value) == 0) {
        int in_python = self->flags & ARGS_CHOSEN;
        if (!in_python && owner == NULL && count > 0 && self->flags & ARGS_BIND_TO_INSTANCE) {
            /* The function was defined outside a class, but may have been assigned to one since. */
            in_python = per_args_may_own(self, args[0]);
        }
        if (in_python) {
            Py_XDECREF(table_leave(table, query, key, NULL));
            value = in_python < 0 ? NULL : per_args_in_python(self, owner, args, count, kwnames);
        }
        else {
            value = per_args_fill(self, table, query, key, owner, args, count, kwnames);
        }
        Py_DECREF(key);
    }
    query_end(query);
    return value;
}

/* Return the value for the arguments: that of `owner`, an instance or class, if it is not NULL. */
static PyObject *
per_args_value(PerArgs *self, PyObject *owner, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    PyObject *bound[MOST_PARAMETERS];
    Query query = {.left = -1};
    int first = owner != NULL, flags = self->flags;
    /* `key=` gets the arguments without the instance, so whether there is one is asked first. */
    int asks_first = owner == NULL && self->key_function != Py_None && LOAD_NUMBER(&self->is_renamed);
    if (flags & ARGS_ASYNC || self->key_makers == NULL || asks_first) {
        return per_args_in_python(self, owner, args, count, kwnames);
    }
    if (flags & ARGS_SIMPLE) {
        if (!per_args_bind(self, owner, args, count, kwnames, bound)) {
            return per_args_in_python(self, owner, args, count, kwnames); /* this raises the TypeError */
        }
        Py_ssize_t parts = PyTuple_GET_SIZE(self->parameters) - first;
        if (parts == 1) {
            query.key = Py_NewRef(bound[first]);
            query.hash = PyObject_Hash(query.key);
        }
        else {
            query.parts = bound + first;
            query.count = parts;
            query.hash = hash_of_parts(query.parts, parts);
        }
    }
    else {
        PyObject *maker = PyTuple_GET_ITEM(self->key_makers, first);
        int with_owner = first && self->key_function == Py_None;
        query.key = with_owner ? call_with(maker, owner, args, count, kwnames)
                               : PyObject_Vectorcall(maker, args, count, kwnames);
        if (query.key == NULL) {
            return NULL;
        }
        query.hash = PyObject_Hash(query.key);
    }
    if (query.hash == -1) {
        query_end(&query);
        if (!PyErr_ExceptionMatches(PyExc_TypeError)) {
            return NULL;
        }
        PyErr_Clear();
        return per_args_in_python(self, owner, args, count, kwnames); /* this raises an error that names the argument */
    }
    PyObject *table = owner == NULL ? Py_NewRef(self->table) : per_args_table_of(self, owner);
    if (table == NULL) {
        query_end(&query);
        return NULL;
    }
    PyObject *value = table_peek((Table *)table, &query);
    if (value == NULL) {
        value = per_args_enter(self, (Table *)table, &query, owner, args, count, kwnames);
    }
    else {
        query_end(&query);
    }
    Py_DECREF(table);
    return value;
}

static PyObject *
per_args_vectorcall(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    PerArgs *self = (PerArgs *)op;
    Py_ssize_t count = PyVectorcall_NARGS(nargsf);
    int flags = self->flags;
    int others = ARGS_TAKE_OWNER | ARGS_MAY_TAKE_OWNER | ARGS_ASYNC;
    if ((flags & (ARGS_ONE | others)) == ARGS_ONE && count == 1 && kwnames == NULL) {
        /* The most frequent call, on a path of its own: one positional argument. */
        Query query = {.hash = PyObject_Hash(args[0]), .key = args[0], .left = -1};
        PyObject *value = query.hash == -1 ? NULL : table_peek((Table *)self->table, &query);
        if (value != NULL) {
            return value;
        }
        if (query.hash != -1) {
            PyObject *table = Py_NewRef(self->table);
            Py_INCREF(query.key);
            value = per_args_enter(self, (Table *)table, &query, NULL, args, count, NULL);
            Py_DECREF(table);
            return value;
        }
        if (!PyErr_ExceptionMatches(PyExc_TypeError)) {
            return NULL; /* for example KeyboardInterrupt in a `__hash__` */
        }
        PyErr_Clear(); /* `per_args_value` hashes the argument again, and reports the error */
    }
    if (flags & ARGS_TAKE_OWNER) {
        return count == 0 ? per_args_in_python(self, NULL, args, count, kwnames)
                          : per_args_value(self, args[0], args + 1, count - 1, kwnames);
    }
    if (flags & ARGS_MAY_TAKE_OWNER && count > 0) {
        int may = per_args_may_own(self, args[0]);
        if (may != 0) {
            return may < 0 ? NULL : per_args_in_python(self, NULL, args, count, kwnames);
        }
    }
    return per_args_value(self, NULL, args, count, kwnames);
}

static PyObject *
per_args_descr_get(PerArgs *self, PyObject *instance, PyObject *owner)
{
    int flags = self->flags;
    if (flags & ARGS_BIND_TO_CLASS) {
        instance = owner != NULL && owner != Py_None ? owner : (PyObject *)Py_TYPE(instance);
    }
    else if (!(flags & ARGS_BIND_TO_INSTANCE) || instance == NULL) {
        return Py_NewRef(self);
    }
    State *state = state_of(Py_TYPE(self));
    return state == NULL ? NULL : bound_args_new(state, (PyObject *)self, instance);
}
