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
    PyObject *factory, *cell, *namespace;
    if (!PyArg_ParseTuple(args, "OOO:LazyProxy", &factory, &cell, &namespace)) {
        return -1;
    }
    PyTypeObject *base = Py_TYPE(self)->tp_base;
    while (base->tp_init == proxy_init) {
        base = base->tp_base;
    }
    PyObject *origin = PyTuple_Pack(2, factory, namespace);
    if (origin == NULL) {
        return -1;
    }
    int result = base->tp_init(self, state->nothing, NULL);
    if (result == 0) {
        result = PyObject_GenericSetAttr(self, state->self_cell, cell);
    }
    if (result == 0) {
        result = PyObject_GenericSetAttr(self, state->self_origin, origin);
    }
    Py_DECREF(origin);
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
    PyObject *entry;
    int found = type_lookup_string(base, "__wrapped__", &entry);
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
    }
    return found;
}
