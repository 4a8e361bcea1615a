/* The decorator `@replace_with_native`, which replaces Python classes and functions by types and functions in C.

   For example, Python executes the class statement of `GILOnceCell`, and the decorator passes the class to
   `native_replace`. That function makes the type of `cell_spec` and copies to it each attribute that only the Python
   class defines, such as `import_attr` and `__repr__`. It returns the type, which from then on is `GILOnceCell`. The
   module's state keeps the Python class, because a function in C calls the Python method of the same name for arguments
   that it does not handle. */

#include "once.h"
#include "proxy.h"

/* Append the docstrings of the Python methods to the signatures in `methods`, where the interpreter reads both. So a
   docstring is written only once, in Python. This happens once in a process and is never undone, because the types of
   all interpreters point to these strings. */
static int
append_docstrings(PyMethodDef *methods, PyObject *cls)
{
    for (PyMethodDef *method = methods; method->ml_name != NULL; method++) {
        const char *signature = method->ml_doc;
        if (signature == NULL || strcmp(signature + strlen(signature) - 2, "\n\n") != 0) {
            continue; /* there is no signature, or the docstring was appended before */
        }
        PyObject *function = PyObject_GetAttrString(cls, method->ml_name);
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

/* Return whether an attribute of the Python class reads a field of its instances. The instances of the type do not have
   it. */
static int
is_field_descriptor(PyObject *entry)
{
    return Py_IS_TYPE(entry, &PyMemberDescr_Type) || Py_IS_TYPE(entry, &PyGetSetDescr_Type);
}

/* Make `super()` in a method of `cls` use `type`. The class that it uses is in a cell of the method's closure. */
static int
redirect_super(PyObject *entry, PyObject *cls, PyTypeObject *type)
{
    PyObject *function = Py_IS_TYPE(entry, &PyStaticMethod_Type) || Py_IS_TYPE(entry, &PyClassMethod_Type)
                             ? PyObject_GetAttrString(entry, "__func__")
                             : Py_NewRef(entry);
    int result = function == NULL ? -1 : 0;
    PyObject *closure = result == 0 && PyFunction_Check(function) ? PyFunction_GET_CLOSURE(function) : NULL;
    for (Py_ssize_t i = 0; closure != NULL && result == 0 && i < PyTuple_GET_SIZE(closure); i++) {
        PyObject *cell = PyTuple_GET_ITEM(closure, i);
        PyObject *content = PyCell_Get(cell);
        if (content == cls) {
            result = PyCell_Set(cell, (PyObject *)type);
        }
        Py_XDECREF(content);
    }
    Py_XDECREF(function);
    return result;
}

/* Copy to `type` the docstring and the module's name of `cls` and, unless `texts_only`, each attribute that `type` does
   not define. */
static int
copy_attributes(PyObject *cls, PyTypeObject *type, int texts_only)
{
    PyObject *own = dict_of_type(type);
    PyObject *dict = dict_of_type((PyTypeObject *)cls);
    PyObject *name, *entry;
    Py_ssize_t position = 0;
    int result = 0;
    /* If there is a `__new__` in C, it does what `__init__` does in Python. */
    int has_new = PyDict_GetItemString(own, "__new__") != NULL;
    while (result == 0 && PyDict_Next(dict, &position, &name, &entry)) {
        int is_text = equals(name, "__doc__") || equals(name, "__module__");
        int is_needless =
            equals(name, "__slots__") || is_field_descriptor(entry) || (has_new && equals(name, "__init__"));
        /* `__get__` is always copied: the wrapper that the interpreter makes for a `__get__` in C does not accept
           `descriptor.__get__(None)`. */
        int is_get = equals(name, "__get__");
        int has = is_get ? 0 : PyDict_Contains(own, name);
        if (has < 0 || redirect_super(entry, cls, type) < 0) {
            result = -1;
        }
        else if (is_text || !(texts_only || has || is_needless)) {
            /* Assigning `__get__` would replace the function in C, and assigning `__class__` or `__dict__` would
               change the type itself. So these are written to the dict. */
            int in_dict = is_get || equals(name, "__class__") || equals(name, "__dict__");
            result = in_dict ? PyDict_SetItem(own, name, entry) : PyObject_SetAttr((PyObject *)type, name, entry);
        }
    }
    PyType_Modified(type);
    Py_DECREF(dict);
    Py_DECREF(own);
    return result;
}

/* Make `type` immutable. Only for immutable types does the interpreter rely on `Py_TPFLAGS_METHOD_DESCRIPTOR`, and call
   `obj.m()` without making a bound method. */
static int
freeze(PyTypeObject *type)
{
#if PY_VERSION_HEX >= 0x030E0000
    return PyType_Freeze(type);
#else
    /* Before 3.14 there is no function for this. A type that is made immutable could not be completed. */
    type->tp_flags |= Py_TPFLAGS_IMMUTABLETYPE;
    PyType_Modified(type);
    return 0;
#endif
}

static PyTypeObject *
make_type(PyObject *module, PyType_Spec *spec, PyTypeObject *base)
{
    PyObject *bases = PyTuple_Pack(1, base);
    PyObject *type = bases == NULL ? NULL : PyType_FromModuleAndSpec(module, spec, bases);
    Py_XDECREF(bases);
    /* Error messages show `tp_name`. It is "module.name" for a type that is made from a specification, and "name" for a
       Python class. Assigning the name makes it "name" here, too, so that both implementations have the same errors. */
    PyObject *name = type == NULL ? NULL : PyObject_GetAttrString(type, "__name__");
    if (name == NULL || PyObject_SetAttrString(type, "__name__", name) < 0) {
        Py_CLEAR(type);
    }
    Py_XDECREF(name);
    return (PyTypeObject *)type;
}

#define PLAIN (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC)
#define CALLED (PLAIN | Py_TPFLAGS_HAVE_VECTORCALL)
#define METHOD (CALLED | Py_TPFLAGS_METHOD_DESCRIPTOR)
#define SPEC(variable, name, struct_, flags, slots) \
    static PyType_Spec variable = {"gilonce." name, sizeof(struct_), 0, flags, slots}
SPEC(cell_spec, "_cells.racing.GILOnceCell", Cell, PLAIN, cell_slots);
SPEC(dict_cell_spec, "_storage.bound.DictCell", BoundCell, PLAIN, dict_cell_slots);
SPEC(slot_cell_spec, "_storage.bound.SlotCell", BoundCell, PLAIN, slot_cell_slots);
SPEC(keyed_cell_spec, "_storage.keyed.KeyedCell", BoundCell, PLAIN, keyed_cell_slots);
SPEC(table_spec, "_storage.keyed.Table", Table, PLAIN, table_slots);
SPEC(once_spec, "_surfaces.once.Once", Once, CALLED, once_slots);
SPEC(once_method_spec, "_surfaces.once.Once", Once, METHOD, once_method_slots);
SPEC(bound_spec, "_surfaces.once.BoundOnce", BoundOnce, CALLED, bound_slots);
SPEC(per_args_spec, "_surfaces.once_per_args.OncePerArgs", PerArgs, CALLED, per_args_slots);
SPEC(per_args_method_spec, "_surfaces.once_per_args.OncePerArgs", PerArgs, METHOD, per_args_method_slots);
SPEC(bound_args_spec, "_surfaces.once_per_args.BoundOncePerArgs", BoundOnce, CALLED, bound_args_slots);
SPEC(context_spec, "_cells.override.AtomicContext", PyObject, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, context_slots);
SPEC(property_spec, "_surfaces.property_cases.DictProperty", Property, PLAIN, property_slots);
SPEC(slot_property_spec, "_surfaces.property_cases.SlotOrAsyncProperty", Property, PLAIN, slot_property_slots);

enum {
    COMPLETED = 1,  /* the type gets each attribute of the Python class that it does not define */
    TEXTS_ONLY = 2, /* the type gets only the docstring and the module's name */
    IS_VIEW = 4,    /* the memory layout of the Python base class must be that of `BoundCell` */
    FROZEN = 8,     /* the type is immutable */
};

/* A Python class and the type that replaces it. The last three fields are the offsets at which the state keeps the
   type, the Python class, and the globals of the class's module; or NOWHERE. */
typedef struct {
    const char *name;
    PyType_Spec *spec;
    int flags;
    Py_ssize_t type, python, globals;
} Replacement;

#define NOWHERE (-1)
#define STATE(field) ((Py_ssize_t)offsetof(State, field))
static const Replacement replacements[] = {
    {"GILOnceCell", &cell_spec, COMPLETED, STATE(cell_type), STATE(python_cell), STATE(cell_globals)},
    {"DictCell", &dict_cell_spec, IS_VIEW, NOWHERE, NOWHERE, NOWHERE},
    {"SlotCell", &slot_cell_spec, IS_VIEW, NOWHERE, NOWHERE, NOWHERE},
    {"KeyedCell", &keyed_cell_spec, IS_VIEW, NOWHERE, NOWHERE, NOWHERE},
    {"Table", &table_spec, COMPLETED, STATE(table_type), NOWHERE, NOWHERE},
    {"Once", &once_spec, COMPLETED | FROZEN, STATE(once_type), STATE(python_once), STATE(once_globals)},
    {"BoundOnce", &bound_spec, COMPLETED, STATE(bound_type), NOWHERE, NOWHERE},
    {"OncePerArgs", &per_args_spec, COMPLETED | FROZEN, STATE(per_args_type), STATE(python_per_args), NOWHERE},
    {"OncePerArgsMethod", &per_args_method_spec, TEXTS_ONLY | FROZEN, NOWHERE, NOWHERE, NOWHERE},
    {"BoundOncePerArgs", &bound_args_spec, COMPLETED, STATE(bound_args_type), NOWHERE, NOWHERE},
    {"AtomicContext", &context_spec, COMPLETED, NOWHERE, NOWHERE, NOWHERE},
    {"DictProperty", &property_spec, COMPLETED, NOWHERE, STATE(python_property), NOWHERE},
    {"SlotOrAsyncProperty", &slot_property_spec, COMPLETED, NOWHERE, STATE(python_slot_property), NOWHERE},
    {NULL, NULL, 0, NOWHERE, NOWHERE, NOWHERE},
};

/* The type of once methods, which derives from the type of the other once functions. */
static const Replacement once_method = {
    "Once", &once_method_spec, TEXTS_ONLY | FROZEN, STATE(once_method_type), NOWHERE, NOWHERE,
};

/* Store `object` in the state at `offset`, if that is not NOWHERE. Steals a reference; `object` may be NULL. */
static void
keep_in_state(State *state, Py_ssize_t offset, PyObject *object)
{
    if (offset == NOWHERE) {
        Py_XDECREF(object);
        return;
    }
    Py_XSETREF(*field_at((PyObject *)state, offset), object);
}

/* Return the type that replaces `cls`: a new reference. */
static PyTypeObject *
replace_class(PyObject *module, State *state, const Replacement *with, PyTypeObject *base, PyObject *cls)
{
    if (with->flags & IS_VIEW && base->tp_basicsize != (Py_ssize_t)offsetof(BoundCell, place)) {
        PyErr_SetString(PyExc_TypeError, "BoundCell must have one slot more than GILOnceCell");
        return NULL;
    }
    if (with->globals != NOWHERE) {
        /* Not of `__init__`, which `explain_misuse` wraps in a function of another module. */
        PyObject *method = PyObject_GetAttrString(cls, "__repr__");
        keep_in_state(state, with->globals, method == NULL ? NULL : PyObject_GetAttrString(method, "__globals__"));
        Py_XDECREF(method);
        if (PyErr_Occurred()) {
            return NULL;
        }
    }
    PyTypeObject *type = make_type(module, with->spec, base);
    int texts_only = !(with->flags & COMPLETED);
    if (type == NULL || (with->flags & (COMPLETED | TEXTS_ONLY) && copy_attributes(cls, type, texts_only) < 0) ||
        (with->flags & FROZEN && freeze(type) < 0)) {
        Py_XDECREF(type);
        return NULL;
    }
    keep_in_state(state, with->python, Py_NewRef(cls));
    keep_in_state(state, with->type, Py_NewRef(type));
    return type;
}

/* Return the type that replaces `LazyProxy`; or the Python class itself, if wrapt's own proxy type is not in C, or if
   an assumption does not hold. */
static PyTypeObject *
replace_proxy(PyObject *module, PyTypeObject *base, PyObject *cls)
{
    int found = written_slots_hold ? find_wrapped(base) : 0;
    if (found <= 0) {
        return found < 0 ? NULL : (PyTypeObject *)Py_NewRef(cls);
    }
    PyTypeObject *type = make_proxy_type(module, base);
    if (type != NULL && copy_attributes(cls, type, 0) < 0) {
        Py_CLEAR(type);
    }
    return type;
}

/* A Python function and the function in C that replaces it. The latter is bound to a tuple: the Python function, which
   it calls for the cases that it does not handle, the listed globals of that function's module, and the string. */
typedef struct {
    PyMethodDef definition;
    const char *globals[3];
    const char *string;
} FunctionReplacement;

#define FAST_FUNCTION(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL, NULL
static FunctionReplacement function_replacements[] = {
    {{"is_coroutine_function", native_is_coroutine_function, METH_O, NULL}, {NULL}, "_is_coroutine_marker"},
    {{"keep_get", native_keep_get, METH_O, NULL}, {NULL}, NULL},
    {{"keep_for_ever", native_keep_for_ever, METH_O, NULL}, {NULL}, NULL},
    {{"next_number", native_next_number, METH_NOARGS, NULL}, {NULL}, NULL},
    {{"make_proxy", FAST_FUNCTION(native_make_proxy)}, {"_by_interface", "_with_all", NULL}, "return"},
    {{"new_class", FAST_FUNCTION(native_new_class)}, {NULL}, NULL},
    {{NULL, NULL, 0, NULL}, {NULL}, NULL},
};

static PyObject *
replace_function(PyObject *function)
{
    PyObject *name = ((PyFunctionObject *)function)->func_name;
    FunctionReplacement *with = function_replacements;
    while (with->definition.ml_name != NULL && !equals(name, with->definition.ml_name)) {
        with++;
    }
    if (with->definition.ml_name == NULL) {
        return PyErr_Format(PyExc_LookupError, "nothing in C replaces %U()", name);
    }
    PyObject *bound = PyList_New(0);
    int result = bound == NULL ? -1 : PyList_Append(bound, function);
    for (const char **global = with->globals; result == 0 && *global != NULL; global++) {
        PyObject *value = PyMapping_GetItemString(PyFunction_GET_GLOBALS(function), *global);
        result = value == NULL ? -1 : PyList_Append(bound, value);
        Py_XDECREF(value);
    }
    if (result == 0 && with->string != NULL) {
        PyObject *string = PyUnicode_InternFromString(with->string);
        result = string == NULL ? -1 : PyList_Append(bound, string);
        Py_XDECREF(string);
    }
    PyObject *arguments = result < 0 ? NULL : PyList_AsTuple(bound);
    PyObject *replacement = arguments == NULL ? NULL : PyCFunction_New(&with->definition, arguments);
    Py_XDECREF(arguments);
    Py_XDECREF(bound);
    return replacement;
}

static PyMethodDef register_definition = {"register", native_register, METH_O, NULL};

/* Code in C registers cells, too, so the state keeps the list of the registry. */
static PyObject *
replace_register(PyObject *module, State *state, PyObject *function)
{
    PyObject *globals = PyFunction_GET_GLOBALS(function);
    keep_in_state(state, STATE(registry_globals), Py_NewRef(globals));
    keep_in_state(state, STATE(registered), PyMapping_GetItemString(globals, "_registered"));
    return state->registered == NULL ? NULL : PyCFunction_New(&register_definition, module);
}

static PyObject *
native_replace(PyObject *module, PyObject *original)
{
    State *state = PyModule_GetState(module);
    if (PyFunction_Check(original)) {
        PyObject *function_name = ((PyFunctionObject *)original)->func_name;
        return equals(function_name, register_definition.ml_name)
                   ? replace_register(module, state, original)
                   : replace_function(original);
    }
    if (!PyType_Check(original)) {
        PyErr_SetString(PyExc_TypeError, "replace() takes a class or a function");
        return NULL;
    }
    const char *name = ((PyTypeObject *)original)->tp_name;
    PyTypeObject *base = ((PyTypeObject *)original)->tp_base;
    if (strcmp(name, "LazyProxy") == 0) {
        return (PyObject *)replace_proxy(module, base, original);
    }
    const Replacement *with = replacements;
    while (with->name != NULL && strcmp(name, with->name) != 0) {
        with++;
    }
    if (with->name == NULL) {
        return PyErr_Format(PyExc_LookupError, "nothing in C replaces %s", name);
    }
    if (with->spec == &cell_spec && append_docstrings(cell_methods, original) < 0) {
        return NULL;
    }
    PyTypeObject *type = replace_class(module, state, with, base, original);
    if (type != NULL && with->spec == &once_spec) {
        PyTypeObject *method_type = replace_class(module, state, &once_method, type, original);
        if (method_type == NULL) {
            Py_CLEAR(type);
        }
        Py_XDECREF(method_type);
    }
    return (PyObject *)type;
}
