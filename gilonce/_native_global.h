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
        PyObject *value;
        if (Py_TYPE(wrapped)->tp_getattro != proxy_getattro) {
            value = PyObject_GetAttr(wrapped, name);
        }
        /* A proxy of a proxy, which may be one of itself. */
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
    /* Up to our types, past which a subclass's own hook calls this, and on to wrapt's. */
    PyTypeObject *base = Py_TYPE(self);
    while (base->tp_getattro != proxy_getattro) {
        base = base->tp_base;
    }
    while (base->tp_getattro == proxy_getattro) {
        base = base->tp_base;
    }
    /* What it asks of the real object it asks of a proxy, if that is one. */
    if (Py_EnterRecursiveCall(" while getting an attribute")) {
        return NULL;
    }
    PyObject *value = base->tp_getattro(self, name);
    Py_LeaveRecursiveCall();
    return value;
}

/* What the reference's `__init__` does. wrapt keeps a `_self_` attribute in the proxy like any other. */
static int
proxy_init(PyObject *self, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    State *state = state_of(Py_TYPE(self));
    if (state == NULL) {
        return -1;
    }
    if (PyTuple_GET_SIZE(args) != 3) {
        PyErr_SetString(PyExc_TypeError, "LazyProxy() takes a factory, a cell and a namespace");
        return -1;
    }
    PyTypeObject *base = Py_TYPE(self);
    while (base->tp_init != proxy_init) {
        base = base->tp_base;
    }
    while (base->tp_init == proxy_init) {
        base = base->tp_base;
    }
    /* The arguments as they came are what the reference makes its tuple of. */
    if (base->tp_init(self, state->nothing, NULL) < 0) {
        return -1;
    }
    return PyObject_GenericSetAttr(self, state->self_origin, args);
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

/* Two functions of the reference that making a lazy_global calls. Where the answer is near it is
   given here; else the reference gives it. It is the first of what a function here is bound to;
   then come the names that it asks for. */

static PyObject *
native_is_coroutine_function(PyObject *bound, PyObject *function)
{
    if (Py_IS_TYPE(function, &PyFunction_Type)) {
        if (((PyCodeObject *)PyFunction_GET_CODE(function))->co_flags & CO_COROUTINE) {
            Py_RETURN_TRUE;
        }
        /* The mark that others leave would be in its `__dict__`. */
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

/* What the factory says that it makes: a new reference to a class or to None; NULL without an
   exception where the reference must say. */
static PyObject *
implied_interface(PyObject *factory, PyObject *return_name)
{
    if (PyType_Check(factory)) {
        return Py_NewRef(factory);
    }
    if (!Py_IS_TYPE(factory, &PyFunction_Type)
#if PY_VERSION_HEX >= 0x030E0000
        /* Annotations that are yet to be evaluated. */
        || ((PyFunctionObject *)factory)->func_annotate != NULL
#endif
    ) {
        return NULL;
    }
    if (LOAD(&((PyFunctionObject *)factory)->func_annotations) == NULL) {
        return Py_NewRef(Py_None);
    }
#ifdef Py_GIL_DISABLED
    /* What the function lends may be replaced, and dropped, while it is looked at: by a first
       look of another thread's above all. The reference takes a reference. */
    (void)return_name;
    return NULL;
#else
    PyObject *annotations = PyFunction_GetAnnotations(factory);
    PyObject *annotation = annotations == NULL ? NULL : PyDict_GetItemWithError(annotations, return_name);
    PyErr_Clear();
    /* `Any` is a class from Python 3.11 on, and says nothing, no more than `object` does. */
    if (annotation == NULL || !PyType_Check(annotation) || annotation == (PyObject *)&PyBaseObject_Type ||
        strcmp(((PyTypeObject *)annotation)->tp_name, "Any") == 0) {
        return NULL;
    }
    return Py_NewRef(annotation);
#endif
}

/* The proxy class for `interface`, borrowed from `known`, the reference's `_by_interface`; else NULL. */
static PyObject *
class_for(PyObject *known, PyObject *interface)
{
    PyObject *key = PyLong_FromVoidPtr(interface);
    PyObject *entry = NULL;
    PyObject *found = NULL;
    if (key != NULL && dict_load(known, key, &entry) > 0) {
#if PY_VERSION_HEX >= 0x030D0000
        PyObject *of = NULL;
        (void)PyWeakref_GetRef(PyTuple_GET_ITEM(entry, 0), &of);
        Py_XDECREF(of);
#else
        PyObject *of = PyWeakref_GetObject(PyTuple_GET_ITEM(entry, 0));
#endif
        /* The reference keeps every class that it has made. */
        found = of == interface ? PyTuple_GET_ITEM(entry, 1) : NULL;
        Py_DECREF(entry);
    }
    Py_XDECREF(key);
    PyErr_Clear();
    return found;
}

static PyObject *
native_make_proxy(PyObject *bound, PyObject *const *args, Py_ssize_t count)
{
    if (count == 4) {
        PyObject *interface = args[1] == Py_None ? implied_interface(args[0], PyTuple_GET_ITEM(bound, 3)) : Py_NewRef(args[1]);
        PyObject *cls = interface == NULL      ? NULL
                        : interface == Py_None ? PyTuple_GET_ITEM(bound, 2)
                                               : class_for(PyTuple_GET_ITEM(bound, 1), interface);
        Py_XDECREF(interface);
        if (cls != NULL) {
            PyObject *made_of[] = {args[0], args[2], args[3]};
            return PyObject_Vectorcall(cls, made_of, 3, NULL);
        }
    }
    return PyObject_Vectorcall(PyTuple_GET_ITEM(bound, 0), args, count, NULL);
}
