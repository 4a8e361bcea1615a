/* Attributes of instances. A value per instance is an attribute like others, so reading and
   writing it the way the interpreter does finds it wherever the interpreter keeps
   attributes, and makes no dict where it needs none. */

static PyObject *
mro_of(PyTypeObject *type)
{
#ifdef Py_GIL_DISABLED
    /* Another thread may replace `tp_mro`, so the interpreter is asked; but no `__getattribute__` of a metaclass. */
    PyObject *name = PyUnicode_InternFromString("__mro__");
    PyObject *mro = name == NULL ? NULL : PyObject_GenericGetAttr((PyObject *)type, name);
    Py_XDECREF(name);
    return mro;
#else
    return Py_XNewRef(type->tp_mro);
#endif
}

/* Find `name` in the classes of `type`, running no bytecode. Returns 1 and a new reference in `entry`; or 0; or -1. */
static int
type_lookup(PyTypeObject *type, PyObject *name, PyObject **entry)
{
    PyObject *mro = mro_of(type);
    if (mro == NULL || !PyTuple_Check(mro)) {
        Py_XDECREF(mro);
        return PyErr_Occurred() ? -1 : 0;
    }
    int found = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro) && found == 0; i++) {
        PyObject *base = PyTuple_GET_ITEM(mro, i);
        if (PyType_Check(base)) {
            PyObject *dict = dict_of_type((PyTypeObject *)base);
            found = dict_load(dict, name, entry);
            Py_DECREF(dict);
        }
    }
    Py_DECREF(mro);
    return found;
}

static int
type_lookup_string(PyTypeObject *type, const char *name, PyObject **entry)
{
    PyObject *key = PyUnicode_InternFromString(name);
    int found = key == NULL ? -1 : type_lookup(type, key, entry);
    Py_XDECREF(key);
    return found;
}

/* Whether `instance.__dict__` is, for instances of `type`, what the interpreter itself takes for it. */
static int
is_standard(PyTypeObject *type)
{
    PyObject *entry;
    int found = 1;
    if (type->tp_getattro != PyObject_GenericGetAttr) {
        /* With a `__getattr__` alone, `__getattribute__` is still that of `object`. */
        found = type_lookup_string(type, "__getattribute__", &entry);
        if (found > 0) {
            found = Py_IS_TYPE(entry, &PyWrapperDescr_Type) && PyDescr_TYPE(entry) == &PyBaseObject_Type;
            Py_DECREF(entry);
        }
    }
    if (found > 0) {
        found = type_lookup_string(type, "__dict__", &entry);
        if (found > 0) {
            found = Py_IS_TYPE(entry, &PyGetSetDescr_Type);
            Py_DECREF(entry);
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
    int found = 1;
    NO_GC_BEGIN
    *value = PyObject_GenericGetAttr(instance, key);
    if (*value == NULL) {
        found = PyErr_ExceptionMatches(PyExc_AttributeError) ? 0 : -1;
        if (found == 0) {
            PyErr_Clear();
        }
    }
    NO_GC_END
    return found;
}

#ifndef Py_GIL_DISABLED
/* Atomic: looking up and storing a `str` key run no other code (see `dict_load`), no class having
   a data descriptor of that name; nothing is replaced, so nothing is finalized. */
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

/* Keep a value of `instance` in its namespace: `value`, which is stolen, or, if that is NULL, what
   `initializer` makes unless there is one already. Returns the published one. */
static PyObject *
keep_in_namespace(PyObject *self, PyObject *definition, PyObject *instance, int standard, PyObject *key,
                  PyObject *discard, PyObject *initializer, PyObject *value)
{
    PyObject *namespace = standard ? PyObject_GenericGetDict(instance, NULL)
                                   : call_method(definition, "namespace_of", instance);
    if (namespace == NULL) {
        Py_XDECREF(value);
        return NULL;
    }
    Place place = {.owner = namespace, .key = key};
    PyObject *published;
    if (value == NULL) {
        published = load_or_fill(self, NAMESPACE, &place, discard, initializer, instance);
    }
    else {
        published = publish(self, NAMESPACE, &place, discard, value);
    }
    Py_DECREF(namespace);
    return published;
}
