/* Lookups in classes, instances and dicts that run no bytecode, with one exception: a dict may have a key that is not a
   `str` and has the same hash as the name. Its `__eq__` runs then, and may do anything. So a caller owns a reference to
   every object that it uses after a lookup. */

#include "attribute.h"

/* Dicts. With `str` keys these operations are atomic: they run no other code. Without a GIL, each write holds the
   dict's own lock, and a read is safe without it. */

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

/* The dict of a class's attributes: a new reference. */
static PyObject *
dict_of_type(PyTypeObject *type)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyType_GetDict(type);
#else
    return Py_NewRef(type->tp_dict);
#endif
}

static PyObject *
mro_of(PyTypeObject *type)
{
#ifdef Py_GIL_DISABLED
    /* Another thread may replace `tp_mro`, so the interpreter's own getter reads it. This does not call a metaclass's
       `__getattribute__`. */
    PyObject *name = PyUnicode_InternFromString("__mro__");
    PyObject *mro = name == NULL ? NULL : PyObject_GenericGetAttr((PyObject *)type, name);
    Py_XDECREF(name);
    return mro;
#else
    return Py_XNewRef(type->tp_mro);
#endif
}

/* Find `name` in `type` and its bases without running bytecode. Returns 1 with a new reference in `entry`, 0 if there
   is none, or -1 with an exception. */
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

/* Return whether `instance.__dict__` is the interpreter's own dict for instances of `type`: no class redefines
   `__dict__` or `__getattribute__`. Returns -1 with an exception. */
static int
has_usual_dict(PyTypeObject *type)
{
    PyObject *entry;
    int found = 1;
    Py_INCREF(type);
    if (type->tp_getattro != PyObject_GenericGetAttr) {
        /* A class may define `__getattr__` alone, and keep the `__getattribute__` of `object`. */
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
    Py_DECREF(type);
    return found;
}

/* Call `has_usual_dict` and remember the result, in a memo that is used for no other fact. */
static int
remember_usual_dict(TypeMemo *memo, PyTypeObject *type)
{
    Py_INCREF(type);
    uint32_t tag = tag_of(type);
    int found = has_usual_dict(type);
    if (found >= 0) {
        remember(memo, type, tag, found ? USUAL_DICT : 0);
    }
    Py_DECREF(type);
    return found;
}

/* Read an attribute that no class defines, without calling `__getattr__`. */
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
static int
is_dict(PyObject *object, void *Py_UNUSED(ignored))
{
    return PyDict_Check(object);
}

/* Return whether `instance` has a dict object. Since 3.11 an instance without one keeps its attributes inline. The only
   public way to see that is to ask which objects the instance shows the collector. An attribute whose value is a dict
   gives a false positive, which costs speed only. */
static int
has_dict_object(PyObject *instance)
{
    traverseproc traverse = Py_TYPE(instance)->tp_traverse;
    return traverse == NULL || traverse(instance, is_dict, NULL);
}

/* Publish an attribute that no class defines in an instance without a dict object, and create none. So the instance
   stays small, and on 3.11 its methods are found faster. This is atomic: without a dict all keys are `str`, so no
   `__eq__` runs, and no value is replaced, so no finalizer runs. */
static int
attribute_publish(PyObject *instance, PyObject *key, PyObject *value, PyObject **published)
{
    int result = -1;
    NO_GC_BEGIN
    int found = attribute_load(instance, key, published);
    if (found > 0) {
        result = 0;
    }
    else if (found == 0 && PyObject_GenericSetAttr(instance, key, value) == 0) {
        *published = Py_NewRef(value);
        result = 0;
    }
    NO_GC_END
    return result;
}
#endif

/* Read the key and the discard of a `gilonce._storage.bound.Definition`. A discard of None gives NULL. */
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
