/* lazy_global: a subtype of wrapt's proxy type in C, with its own access to attributes. */

#include "proxy.h"

/* Touch a proxy. Returns the value that its cell gave to this thread. The proxy may already stand for another one,
   because another thread may have emptied the cell. */
static PyObject *
touch(PyObject *self)
{
    return PyObject_CallMethod(self, "__wrapped_get__", NULL);
}

/* Return whether an attribute belongs to the proxy and not to the object; see `gilonce._surfaces.proxy_methods`. Most
   names begin with another letter, which is found without a call. */
static int
special_stays_with_proxy(const char *text)
{
    static const char *const names[] = {
        "__wrapped__", "__class__", "__reduce_ex__", "__reduce__", "__copy__", "__deepcopy__", "__mro_entries__",
        "__conform__", "__object_proxy__",
    };
    if (text[1] != '_') {
        return strncmp(text, "_self_", 6) == 0;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (text[2] == names[i][2] && strcmp(text, names[i]) == 0) {
            return 1;
        }
    }
    return strncmp(text, "__wrapped_", 10) == 0 || (strncmp(text, "__self_", 7) == 0 && strcmp(text, "__self__") != 0);
}

static inline int
stays_with_proxy(PyObject *name)
{
    if (!PyUnicode_Check(name) || !PyUnicode_IS_ASCII(name)) {
        return 0;
    }
    const char *text = PyUnicode_DATA(name);
    return text[0] == '_' && special_stays_with_proxy(text);
}

/* Read an attribute of the object. The object may be a proxy, even this one, so the recursion is counted. */
static PyObject *
proxy_getattr(PyObject *self, PyObject *name)
{
    /* Before the first touch, the interface of the proxy may have the special attribute. */
    if (!is_touched(self) && PyUnicode_Check(name) && PyUnicode_GET_LENGTH(name) > 1 &&
        PyUnicode_READ_CHAR(name, 0) == '_' && PyUnicode_READ_CHAR(name, 1) == '_') {
        PyObject *answer = call_method(self, "_self_answer", name);
        if (answer != Py_NotImplemented) {
            return answer;
        }
        Py_DECREF(answer);
    }
    PyObject *wrapped = wrapped_in(self);
    if (wrapped == NULL) {
        return NULL;
    }
    PyObject *value;
    if (Py_TYPE(wrapped)->tp_getattro != proxy_getattro) {
        value = PyObject_GetAttr(wrapped, name);
    }
    else if (Py_EnterRecursiveCall(" while getting an attribute")) {
        value = NULL;
    }
    else {
        value = PyObject_GetAttr(wrapped, name);
        Py_LeaveRecursiveCall();
    }
    Py_DECREF(wrapped);
    return value;
}

static PyObject *
proxy_getattro(PyObject *self, PyObject *name)
{
    if (!stays_with_proxy(name)) {
        return proxy_getattr(self, name);
    }
    /* `__class__` is read from the object, which may be a proxy, so the recursion is counted. */
    if (Py_EnterRecursiveCall(" while getting an attribute")) {
        return NULL;
    }
    int is_class = PyUnicode_READ_CHAR(name, 2) == 'c' && PyUnicode_READ_CHAR(name, 3) == 'l';
    PyObject *value = is_class && is_touched(self) ? proxy_getattr(self, name)
                                                  : PyObject_GenericGetAttr(self, name);
    Py_LeaveRecursiveCall();
    if (value == NULL && PyUnicode_READ_CHAR(name, 1) == 's' && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        return proxy_getattr(self, name);
    }
    return value;
}

/* Assign to an attribute of the object, or delete it if `value` is NULL. wrapt's own function is not used because it
   also reads attributes of the object, to copy them to the proxy. */
static int
proxy_setattro(PyObject *self, PyObject *name, PyObject *value)
{
    if (stays_with_proxy(name)) {
        if (value != NULL && equals(name, "__wrapped__")) {
            PyObject *none = PyObject_CallMethod(self, "_self_assign", "(O)", value);
            Py_XDECREF(none);
            return none == NULL ? -1 : 0;
        }
        if (PyUnicode_READ_CHAR(name, 1) == 's' || equals(name, "__wrapped__")) {
            return PyObject_GenericSetAttr(self, name, value);
        }
    }
    PyObject *wrapped = wrapped_in(self);
    if (wrapped == NULL) {
        return -1;
    }
    setattrofunc its_own = Py_TYPE(wrapped)->tp_setattro;
    int result = its_own == NULL ? PyObject_SetAttr(wrapped, name, value) : its_own(wrapped, name, value);
    Py_DECREF(wrapped);
    return result;
}

/* Do what `__init__` does in Python. wrapt keeps attributes that begin with `_self_` in the proxy. */
static int
proxy_init(PyObject *self, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    State *state = state_of(Py_TYPE(self));
    if (state == NULL) {
        return -1;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(args);
    if (count != 3 && count != 4) {
        PyErr_SetString(PyExc_TypeError, "LazyProxy() takes a factory, a cell, a namespace and an interface");
        return -1;
    }
    PyTypeObject *base = Py_TYPE(self);
    while (base->tp_init != proxy_init) {
        base = base->tp_base;
    }
    while (base->tp_init == proxy_init) {
        base = base->tp_base;
    }
    if (base->tp_init(self, state->nothing, NULL) < 0) {
        return -1;
    }
    *(vectorcallfunc *)((char *)self + vectorcall_offset) = proxy_vectorcall;
    /* The same tuple as in Python: the factory, the cell, the namespace and the interface. */
    PyObject *origin = count == 4 ? Py_NewRef(args)
                                  : PyTuple_Pack(4, PyTuple_GET_ITEM(args, 0), PyTuple_GET_ITEM(args, 1),
                                                 PyTuple_GET_ITEM(args, 2), Py_None);
    int result = origin == NULL ? -1 : PyObject_GenericSetAttr(self, state->self_origin, origin);
    Py_XDECREF(origin);
    return result;
}

/* Find the offset at which wrapt's proxies keep the object, because no header declares it: make a proxy for a new
   object, and search the proxy's memory for the object's address. Returns 1, 0 if it is not found, or if the getter and
   the setter do not use it, or -1. */
static int
find_offset(PyTypeObject *base, getter get, setter set)
{
    PyObject *unique = PyTuple_Pack(1, Py_None);
    PyObject *proxy = unique == NULL ? NULL : PyObject_CallOneArg((PyObject *)base, unique);
    int result = proxy == NULL ? -1 : 0;
    Py_ssize_t end = proxy == NULL ? 0 : base->tp_basicsize - (Py_ssize_t)sizeof(PyObject *);
    for (Py_ssize_t offset = sizeof(PyObject); result == 0 && offset <= end; offset += sizeof(PyObject *)) {
        if (*field_at(proxy, offset) == unique) {
            wrapped_offset = offset;
            result = 1;
        }
    }
    if (result > 0) {
        PyObject *read = get(proxy, NULL);
        int is_there = read == unique && set(proxy, Py_None, NULL) == 0 && *field_at(proxy, wrapped_offset) == Py_None;
        Py_XDECREF(read);
        result = PyErr_Occurred() ? -1 : is_there;
    }
    Py_XDECREF(proxy);
    Py_XDECREF(unique);
    return result;
}

/* Find out the facts about `base`, wrapt's proxy type. Returns whether that type is written in C, so that a type in C
   can derive from it, or -1 with an exception. */
static int
find_wrapped(PyTypeObject *base)
{
    PyObject *entry;
    int found = type_lookup_string(base, "__wrapped__", &entry);
    if (found <= 0) {
        return found;
    }
    int is_in_c = Py_IS_TYPE(entry, &PyGetSetDescr_Type);
    getter get = is_in_c ? ((PyGetSetDescrObject *)entry)->d_getset->get : NULL;
    setter set = is_in_c ? ((PyGetSetDescrObject *)entry)->d_getset->set : NULL;
    Py_DECREF(entry);
    if (get == NULL || set == NULL || !wrapt_holds || (wrapped_of != NULL && wrapped_of != get)) {
        return 0;
    }
    if (wrapped_of == NULL) {
        found = find_offset(base, get, set);
        wrapt_holds = found != 0;
        if (found > 0) {
            new_of_wrapt = base->tp_new;
            dealloc_of_wrapt = base->tp_dealloc;
            wrapped_of = get;
            set_wrapped = set;
        }
    }
    return found;
}

/* Two functions that `lazy_global()` calls. Each handles the frequent cases, and calls the Python function that it
   replaces for the others. `bound` is a tuple of that Python function and the objects that `replace.c` lists. */

static PyObject *
native_is_coroutine_function(PyObject *bound, PyObject *function)
{
    if (Py_IS_TYPE(function, &PyFunction_Type)) {
        if (((PyCodeObject *)PyFunction_GET_CODE(function))->co_flags & CO_COROUTINE) {
            Py_RETURN_TRUE;
        }
        /* `inspect.markcoroutinefunction` and others mark a function in its `__dict__`. */
        if (LOAD(&((PyFunctionObject *)function)->func_dict) == NULL) {
            Py_RETURN_FALSE;
        }
    }
    else if (Py_IS_TYPE(function, &PyType_Type)) {
        PyObject *mark;
        int found = type_lookup((PyTypeObject *)function, PyTuple_GET_ITEM(bound, 1), &mark);
        if (found <= 0) {
            return found < 0 ? NULL : Py_NewRef(Py_False);
        }
        Py_DECREF(mark);
    }
    return PyObject_CallOneArg(PyTuple_GET_ITEM(bound, 0), function);
}

/* Return the interface that a factory implies, a new reference: the class that it is or that its return annotation
   names, or None. Returns NULL without an exception if the Python function has to determine it. */
static PyObject *
implied_interface(PyObject *factory, PyObject *return_name)
{
    if (PyType_Check(factory)) {
        return Py_NewRef(factory);
    }
    if (!Py_IS_TYPE(factory, &PyFunction_Type)
#if PY_VERSION_HEX >= 0x030E0000
        /* Its annotations may not be evaluated yet. */
        || ((PyFunctionObject *)factory)->func_annotate != NULL
#endif
    ) {
        return NULL;
    }
    if (LOAD(&((PyFunctionObject *)factory)->func_annotations) == NULL) {
        return Py_NewRef(Py_None);
    }
#ifdef Py_GIL_DISABLED
    /* `PyFunction_GetAnnotations` returns a borrowed reference, and another thread's first access replaces the dict. */
    (void)return_name;
    return NULL;
#else
    /* Own the dict during the lookup: a key that is not a `str` may run user code, which may replace the dict. */
    PyObject *annotations = Py_XNewRef(PyFunction_GetAnnotations(factory));
    PyObject *annotation = NULL;
    if (annotations != NULL) {
        (void)dict_load(annotations, return_name, &annotation);
        Py_DECREF(annotations);
    }
    PyErr_Clear();
    if (annotation != NULL && !PyType_Check(annotation)) {
        Py_CLEAR(annotation);
    }
    return annotation;
#endif
}

/* Return whether `changeable_names_of(type)` in Python would return a list that is equal to `names`. Returns 0 if that
   function has to determine it. */
static int
names_are_unchanged(PyTypeObject *type, PyObject *names)
{
    if (type->tp_flags & Py_TPFLAGS_IMMUTABLETYPE) {
        return 1;
    }
#ifdef Py_GIL_DISABLED
    /* Another thread may change a class meanwhile. */
    (void)names;
    return 0;
#else
    /* Nothing is owned, because the loop runs no user code. Only types that can change have a `tp_dict` in 3.12. */
    Py_ssize_t count = 0;
    int is_same = 1;
    for (Py_ssize_t i = 0; is_same && i < PyTuple_GET_SIZE(type->tp_mro); i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(type->tp_mro, i);
        PyObject *name, *entry;
        Py_ssize_t position = 0;
        if (base->tp_flags & Py_TPFLAGS_IMMUTABLETYPE) {
            continue;
        }
        while (is_same && PyDict_Next(base->tp_dict, &position, &name, &entry)) {
            if (!PyUnicode_CheckExact(name)) {
                is_same = 0;
            }
            else if (PyUnicode_GET_LENGTH(name) > 1 && PyUnicode_READ_CHAR(name, 0) == '_' &&
                     PyUnicode_READ_CHAR(name, 1) == '_') {
                PyObject *known = count < PyList_GET_SIZE(names) ? PyList_GET_ITEM(names, count++) : NULL;
                is_same = known != NULL && PyTuple_GET_ITEM(known, 0) == name &&
                          (PyTuple_GET_ITEM(known, 1) == Py_True) == (entry == Py_None);
            }
        }
    }
    return is_same && count == PyList_GET_SIZE(names);
#endif
}

/* Return the proxy class for `interface`, a new reference, if `known` has it; else NULL without an exception. `known`
   is the dict `_by_interface` in Python. For the address of an interface, it has a tuple: a weak reference to the
   interface, the proxy class, whether the interface counts even if it is only an annotation, and the special names
   that the proxy class was made for. */
static PyObject *
class_for(PyObject *known, PyObject *interface, int is_annotation)
{
    PyObject *key = PyLong_FromVoidPtr(interface);
    PyObject *entry = NULL;
    PyObject *found = NULL;
    if (key != NULL && dict_load(known, key, &entry) > 0) {
        PyObject *referent = weakref_get(PyTuple_GET_ITEM(entry, 0));
        if (referent == interface && (!is_annotation || PyTuple_GET_ITEM(entry, 2) == Py_True) &&
            names_are_unchanged((PyTypeObject *)interface, PyTuple_GET_ITEM(entry, 3))) {
            found = Py_NewRef(PyTuple_GET_ITEM(entry, 1));
        }
        Py_XDECREF(referent);
        Py_DECREF(entry);
    }
    Py_XDECREF(key);
    PyErr_Clear();
    return found;
}

static PyObject *
native_make_proxy(PyObject *bound, PyObject *const *args, Py_ssize_t count)
{
    PyObject *in_python = PyTuple_GET_ITEM(bound, 0), *known = PyTuple_GET_ITEM(bound, 1);
    PyObject *class_for_anything = PyTuple_GET_ITEM(bound, 2), *return_name = PyTuple_GET_ITEM(bound, 3);
    if (count == 4) {
        PyObject *factory = args[0], *given = args[1];
        PyObject *interface = given == Py_None ? implied_interface(factory, return_name) : Py_NewRef(given);
        PyObject *cls = NULL;
        if (interface == Py_None) {
            cls = Py_NewRef(class_for_anything);
        }
        else if (interface != NULL) {
            cls = class_for(known, interface, given == Py_None && interface != factory);
        }
        Py_XDECREF(interface);
        /* If wrapt is in Python, the class has no C type as its base. */
        if (cls != NULL && ((PyTypeObject *)cls)->tp_init == proxy_init) {
            /* The class is not called, because `type(P)(...)` makes an instance of the interface. */
            PyObject *arguments = PyTuple_Pack(4, factory, args[2], args[3], given);
            PyObject *proxy = arguments == NULL ? NULL : new_of_wrapt((PyTypeObject *)cls, arguments, NULL);
            if (proxy != NULL && proxy_init(proxy, arguments, NULL) < 0) {
                Py_CLEAR(proxy);
            }
            Py_XDECREF(arguments);
            Py_DECREF(cls);
            return proxy;
        }
        Py_XDECREF(cls);
    }
    return PyObject_Vectorcall(in_python, args, count, NULL);
}
