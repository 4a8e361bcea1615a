/* The hot parts of gilonce in C: the same laws as the Python code, which is the reference.

   What is here is what a program does over and over: reading and filling a cell, calling a
   once function, reading a once_property, reaching through a lazy_global. Everything else
   (documentation, errors, copies, disguise, coroutines) is the reference's own code: a
   type made here takes over whatever it lacks from the Python class whose place it takes
   (`take_over`), and a function here that meets anything unusual calls the Python method
   of its own name.

   Two kinds of build, one rule each:

   - With a GIL, what runs between two points at which bytecode or arbitrary code could run
     is atomic. Check, call and write follow each other with nothing of ours in between; so
     an initializer that keeps the GIL runs once (law 5). A comment at each check-and-write
     says why nothing in it runs other code.
   - Without one, a value is published by one compare-and-exchange (release) and read by
     one acquire load, so who sees the pointer sees the object behind it. What makes the
     read safe against `take()` is told in `_native_base.h`. */

#include "_native_base.h"

#include "_native_place.h"

#include "_native_cell.h"

#include "_native_attribute.h"

#include "_native_once.h"

#include "_native_property.h"

#include "_native_global.h"

/* Taking over. */

/* Append the reference's docstrings to the signatures in `methods`. This is done once in the
   process, and never undone: the types of other interpreters, and of later ones, point to the
   same strings. */
static int
document(PyMethodDef *methods, PyObject *reference)
{
    for (PyMethodDef *method = methods; method->ml_name != NULL; method++) {
        const char *signature = method->ml_doc;
        if (signature == NULL || strcmp(signature + strlen(signature) - 2, "\n\n") != 0) {
            continue; /* has none, or has been documented */
        }
        PyObject *function = PyObject_GetAttrString(reference, method->ml_name);
        PyObject *doc = function == NULL ? NULL : PyObject_GetAttrString(function, "__doc__");
        Py_XDECREF(function);
        if (doc == NULL) {
            return -1;
        }
        const char *text = doc == Py_None ? NULL : PyUnicode_AsUTF8(doc);
        if (text != NULL) {
            size_t length = strlen(signature) + strlen(text) + 1;
            char *whole = PyMem_RawMalloc(length);
            if (whole == NULL) {
                Py_DECREF(doc);
                (void)PyErr_NoMemory();
                return -1;
            }
            snprintf(whole, length, "%s%s", signature, text);
            method->ml_doc = whole;
        }
        Py_DECREF(doc);
    }
    return 0;
}

static int
is_storage(PyObject *entry)
{
    return Py_IS_TYPE(entry, &PyMemberDescr_Type) || Py_IS_TYPE(entry, &PyGetSetDescr_Type);
}

/* Make `super()` in a function of `reference` mean `type`: what it asks for the class is a cell of its closure. */
static int
reclass(PyObject *entry, PyObject *reference, PyTypeObject *type)
{
    PyObject *function = Py_IS_TYPE(entry, &PyStaticMethod_Type) || Py_IS_TYPE(entry, &PyClassMethod_Type)
                             ? PyObject_GetAttrString(entry, "__func__")
                             : Py_NewRef(entry);
    int result = function == NULL ? -1 : 0;
    PyObject *closure = result == 0 && PyFunction_Check(function) ? PyFunction_GET_CLOSURE(function) : NULL;
    for (Py_ssize_t i = 0; closure != NULL && result == 0 && i < PyTuple_GET_SIZE(closure); i++) {
        PyObject *cell = PyTuple_GET_ITEM(closure, i);
        PyObject *content = PyCell_Get(cell);
        if (content == reference) {
            result = PyCell_Set(cell, (PyObject *)type);
        }
        Py_XDECREF(content);
    }
    Py_XDECREF(function);
    return result;
}

/* Give `type` the texts of the class whose place it takes, and whatever else it lacks of it. */
static int
take_from(PyObject *reference, PyTypeObject *type, int texts_only)
{
    PyObject *own = dict_of_type(type);
    PyObject *dict = dict_of_type((PyTypeObject *)reference);
    PyObject *name, *entry;
    Py_ssize_t position = 0;
    int result = 0;
    /* Where C has a `__new__`, that one does it all. */
    int makes = PyDict_GetItemString(own, "__new__") != NULL;
    while (result == 0 && PyDict_Next(dict, &position, &name, &entry)) {
        int is_text = PyUnicode_CompareWithASCIIString(name, "__doc__") == 0 ||
                      PyUnicode_CompareWithASCIIString(name, "__module__") == 0;
        int made = makes && PyUnicode_CompareWithASCIIString(name, "__init__") == 0;
        int has = PyDict_Contains(own, name);
        if (has < 0 || reclass(entry, reference, type) < 0) {
            result = -1;
        }
        else if (is_text || !(texts_only || has || made || is_storage(entry) ||
                              PyUnicode_CompareWithASCIIString(name, "__slots__") == 0)) {
            /* The class of the type itself is what an assignment of `__class__` would be about. */
            result = PyUnicode_CompareWithASCIIString(name, "__class__") == 0
                         ? PyDict_SetItem(own, name, entry)
                         : PyObject_SetAttr((PyObject *)type, name, entry);
        }
    }
    PyType_Modified(type);
    Py_DECREF(dict);
    Py_DECREF(own);
    return result;
}

#define PLAIN (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC)
#define CALLED (PLAIN | Py_TPFLAGS_HAVE_VECTORCALL)

static PyType_Spec cell_spec = {"gilonce._cell.GILOnceCell", sizeof(Cell), 0, PLAIN, cell_slots};
static PyType_Spec dict_cell_spec = {"gilonce._bound.DictCell", sizeof(BoundCell), 0, PLAIN, dict_cell_slots};
static PyType_Spec slot_cell_spec = {"gilonce._bound.SlotCell", sizeof(BoundCell), 0, PLAIN, slot_cell_slots};
static PyType_Spec once_spec = {"gilonce._once.Once", sizeof(Once), 0, CALLED, once_slots};
static PyType_Spec once_method_spec = {
    "gilonce._once.Once", sizeof(Once), 0, CALLED | Py_TPFLAGS_METHOD_DESCRIPTOR, once_method_slots,
};
static PyType_Spec bound_spec = {"gilonce._once.BoundOnce", sizeof(BoundOnce), 0, CALLED, bound_slots};
static PyType_Spec property_spec = {"gilonce._property.once_property", sizeof(Property), 0, PLAIN, property_slots};
static PyType_Spec slot_property_spec = {
    "gilonce._property._Assignable", sizeof(Property), 0, PLAIN, slot_property_slots,
};
static PyType_Spec proxy_spec = {"gilonce._proxy.LazyProxy", 0, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, proxy_slots};

/* From now on no attribute of `type` can be assigned. The interpreter takes its short cuts
   to a descriptor, that of `obj.m()` above all, only if the descriptor's type cannot change.
   The flag stands in the documentation as one for types written in C, to be set when they
   are made; these are, and are finished only now. */
static void
seal(PyTypeObject *type)
{
    type->tp_flags |= Py_TPFLAGS_IMMUTABLETYPE;
    PyType_Modified(type);
}

/* Make the type of `spec`. The caller owns it. */
static PyTypeObject *
make(PyObject *module, PyType_Spec *spec, PyTypeObject *base)
{
    PyObject *bases = PyTuple_Pack(1, base == NULL ? &PyBaseObject_Type : base);
    PyObject *type = bases == NULL ? NULL : PyType_FromModuleAndSpec(module, spec, bases);
    Py_XDECREF(bases);
    return (PyTypeObject *)type;
}

/* The names of the module that `cls` stands in: a new reference. */
static PyObject *
room_of(PyObject *cls)
{
    PyObject *method = PyObject_GetAttrString(cls, "__init__");
    PyObject *room = method == NULL ? NULL : PyObject_GetAttrString(method, "__globals__");
    Py_XDECREF(method);
    return room;
}

static PyTypeObject *
take_cell(PyObject *module, State *state, PyObject *cls)
{
    Py_XSETREF(state->cell_room, room_of(cls));
    if (state->cell_room == NULL || document(cell_methods, cls) < 0) {
        return NULL;
    }
    PyTypeObject *type = make(module, &cell_spec, NULL);
    if (type != NULL && take_from(cls, type, 0) < 0) {
        Py_CLEAR(type);
    }
    Py_XSETREF(state->cell_reference, Py_NewRef(cls));
    Py_XSETREF(state->cell_type, (PyTypeObject *)Py_XNewRef(type));
    return type;
}

static PyTypeObject *
take_view(PyObject *module, PyType_Spec *spec, PyTypeObject *base)
{
    if (base->tp_basicsize != (Py_ssize_t)offsetof(BoundCell, place)) {
        PyErr_SetString(PyExc_TypeError, "BoundCell has one slot more than GILOnceCell");
        return NULL;
    }
    return make(module, spec, base);
}

static PyTypeObject *
take_once(PyObject *module, State *state, PyObject *cls)
{
    Py_XSETREF(state->once_room, room_of(cls));
    PyTypeObject *type = state->once_room == NULL ? NULL : make(module, &once_spec, NULL);
    if (type == NULL || take_from(cls, type, 0) < 0) {
        Py_XDECREF(type);
        return NULL;
    }
    PyTypeObject *method_type = make(module, &once_method_spec, type);
    if (method_type == NULL || take_from(cls, method_type, 1) < 0) {
        Py_XDECREF(method_type);
        Py_DECREF(type);
        return NULL;
    }
    seal(type);
    seal(method_type);
    Py_XSETREF(state->once_reference, Py_NewRef(cls));
    Py_XSETREF(state->once_type, (PyTypeObject *)Py_NewRef(type));
    Py_XSETREF(state->once_method_type, method_type);
    return type;
}

static PyTypeObject *
take_bound(PyObject *module, State *state, PyObject *cls)
{
    PyTypeObject *type = make(module, &bound_spec, NULL);
    if (type != NULL && take_from(cls, type, 0) < 0) {
        Py_CLEAR(type);
    }
    Py_XSETREF(state->bound_type, (PyTypeObject *)Py_XNewRef(type));
    return type;
}

static PyTypeObject *
take_property(PyObject *module, PyType_Spec *spec, PyObject **reference, PyTypeObject *base, PyObject *cls)
{
    PyTypeObject *type = make(module, spec, base);
    if (type == NULL || take_from(cls, type, 0) < 0) {
        Py_XDECREF(type);
        return NULL;
    }
    Py_XSETREF(*reference, Py_NewRef(cls));
    return type;
}

static PyTypeObject *
take_proxy(PyObject *module, PyObject *cls)
{
    PyTypeObject *base = ((PyTypeObject *)cls)->tp_base;
    int found = find_wrapped(base);
    if (found <= 0) {
        return found < 0 ? NULL : (PyTypeObject *)Py_NewRef(cls);
    }
    PyTypeObject *type = make(module, &proxy_spec, base);
    if (type != NULL && take_from(cls, type, 0) < 0) {
        Py_CLEAR(type);
    }
    return type;
}

static PyMethodDef coroutine_function = {
    "is_coroutine_function", native_is_coroutine_function, METH_O, NULL,
};
static PyMethodDef keep_get = {
    "keep_get", native_keep_get, METH_O, NULL,
};
static PyMethodDef keep_for_ever = {
    "keep_for_ever", native_keep_for_ever, METH_O, NULL,
};
static PyMethodDef make_proxy = {
    "make_proxy", (PyCFunction)(void (*)(void))native_make_proxy, METH_FASTCALL, NULL,
};

static PyObject *
take_function(PyObject *reference)
{
    PyObject *name = ((PyFunctionObject *)reference)->func_name;
    PyObject *room = PyFunction_GET_GLOBALS(reference);
    PyMethodDef *function;
    PyObject *bound;
    if (PyUnicode_CompareWithASCIIString(name, coroutine_function.ml_name) == 0) {
        function = &coroutine_function;
        PyObject *mark = PyUnicode_InternFromString("_is_coroutine_marker");
        bound = mark == NULL ? NULL : PyTuple_Pack(2, reference, mark);
        Py_XDECREF(mark);
    }
    else if (PyUnicode_CompareWithASCIIString(name, make_proxy.ml_name) == 0) {
        function = &make_proxy;
        PyObject *known = PyMapping_GetItemString(room, "_by_interface");
        PyObject *all = known == NULL ? NULL : PyMapping_GetItemString(room, "_with_all");
        PyObject *annotation = all == NULL ? NULL : PyUnicode_InternFromString("return");
        bound = annotation == NULL ? NULL : PyTuple_Pack(4, reference, known, all, annotation);
        Py_XDECREF(annotation);
        Py_XDECREF(known);
        Py_XDECREF(all);
    }
    else if (PyUnicode_CompareWithASCIIString(name, keep_for_ever.ml_name) == 0) {
        function = &keep_for_ever;
        bound = PyTuple_Pack(1, reference);
    }
    else if (PyUnicode_CompareWithASCIIString(name, keep_get.ml_name) == 0) {
        function = &keep_get;
        bound = PyTuple_Pack(1, reference);
    }
    else {
        return PyErr_Format(PyExc_LookupError, "nothing in C takes the place of %U()", name);
    }
    PyObject *taken = bound == NULL ? NULL : PyCFunction_New(function, bound);
    Py_XDECREF(bound);
    return taken;
}

static PyObject *
native_take_over(PyObject *module, PyObject *cls)
{
    State *state = PyModule_GetState(module);
    if (PyFunction_Check(cls)) {
        return take_function(cls);
    }
    if (!PyType_Check(cls)) {
        PyErr_SetString(PyExc_TypeError, "take_over() takes a class");
        return NULL;
    }
    const char *name = ((PyTypeObject *)cls)->tp_name;
    PyTypeObject *base = ((PyTypeObject *)cls)->tp_base;
    if (strcmp(name, "GILOnceCell") == 0) {
        return (PyObject *)take_cell(module, state, cls);
    }
    if (strcmp(name, "DictCell") == 0) {
        return (PyObject *)take_view(module, &dict_cell_spec, base);
    }
    if (strcmp(name, "SlotCell") == 0) {
        return (PyObject *)take_view(module, &slot_cell_spec, base);
    }
    if (strcmp(name, "Once") == 0) {
        return (PyObject *)take_once(module, state, cls);
    }
    if (strcmp(name, "BoundOnce") == 0) {
        return (PyObject *)take_bound(module, state, cls);
    }
    if (strcmp(name, "once_property") == 0) {
        return (PyObject *)take_property(module, &property_spec, &state->property_reference, NULL, cls);
    }
    if (strcmp(name, "_Assignable") == 0) {
        return (PyObject *)take_property(module, &slot_property_spec, &state->slot_property_reference, base, cls);
    }
    if (strcmp(name, "LazyProxy") == 0) {
        return (PyObject *)take_proxy(module, cls);
    }
    PyErr_Format(PyExc_LookupError, "nothing in C takes the place of %s", name);
    return NULL;
}

static PyMethodDef native_methods[] = {
    {"take_over", native_take_over, METH_O, "take_over($module, cls, /)\n--\n\nReturn the C type that takes the place of a class."},
    {NULL, NULL, 0, NULL},
};

static int
native_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->cell_reference);
    Py_VISIT(state->once_reference);
    Py_VISIT(state->property_reference);
    Py_VISIT(state->slot_property_reference);
    Py_VISIT(state->cell_room);
    Py_VISIT(state->once_room);
    Py_VISIT(state->cell_type);
    Py_VISIT(state->once_type);
    Py_VISIT(state->once_method_type);
    Py_VISIT(state->bound_type);
    return 0;
}

static int
native_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->cell_reference);
    Py_CLEAR(state->once_reference);
    Py_CLEAR(state->property_reference);
    Py_CLEAR(state->slot_property_reference);
    Py_CLEAR(state->cell_room);
    Py_CLEAR(state->once_room);
    Py_CLEAR(state->cell_type);
    Py_CLEAR(state->once_type);
    Py_CLEAR(state->once_method_type);
    Py_CLEAR(state->bound_type);
    Py_CLEAR(state->fill);
    Py_CLEAR(state->self_origin);
    Py_CLEAR(state->nothing);
    return 0;
}

static void
native_free(void *module)
{
    (void)native_clear((PyObject *)module);
}

static int
native_exec(PyObject *module)
{
    State *state = PyModule_GetState(module);
    state->fill = PyUnicode_InternFromString("_fill");
    state->self_origin = PyUnicode_InternFromString("_self_origin");
    state->nothing = PyTuple_Pack(1, Py_None);
    return state->fill == NULL || state->self_origin == NULL || state->nothing == NULL ? -1 : 0;
}

static PyModuleDef_Slot native_slots[] = {
    {Py_mod_exec, native_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef native_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "gilonce._native",
    .m_doc = "The hot parts of gilonce in C.",
    .m_size = sizeof(State),
    .m_methods = native_methods,
    .m_slots = native_slots,
    .m_traverse = native_traverse,
    .m_clear = native_clear,
    .m_free = native_free,
};

PyMODINIT_FUNC
PyInit__native(void)
{
    return PyModuleDef_Init(&native_module);
}
