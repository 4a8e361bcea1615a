/* The types of lazy proxies: a base type, and one type for each interface. */

#include "proxy.h"

static PyObject *
proxy_get_wrapped(PyObject *self, void *Py_UNUSED(closure))
{
    return wrapped_in(self);
}

static int
proxy_set_wrapped(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    return set_wrapped(self, value, NULL);
}

/* For `inspect.getattr_static`, which reads a `__dict__` only if its descriptor is in C. All other code gets the
   object's `__dict__` from `proxy_getattro`. */
static PyObject *
proxy_get_dict(PyObject *self, void *Py_UNUSED(closure))
{
    return PyObject_CallMethod(self, "_self_static_dict", NULL);
}

static PyGetSetDef proxy_getset[] = {
    {"__wrapped__", proxy_get_wrapped, proxy_set_wrapped, NULL, NULL},
    {"__dict__", proxy_get_dict, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* The slots of the base type, which every proxy inherits. */
static PyType_Slot proxy_slots[] = {
    {Py_tp_init, proxy_init},
    {Py_tp_getattro, proxy_getattro},
    {Py_tp_setattro, proxy_setattro},
    {Py_tp_methods, proxy_methods},
    {Py_tp_getset, proxy_getset},
    {Py_tp_hash, proxy_hash},
    {Py_tp_richcompare, proxy_richcompare},
    {Py_nb_bool, proxy_bool},
    {Py_nb_negative, proxy_negative},
    {Py_nb_positive, proxy_positive},
    {Py_nb_absolute, proxy_absolute},
    {Py_nb_invert, proxy_invert},
    {Py_nb_add, proxy_add},
    {Py_nb_subtract, proxy_subtract},
    {Py_nb_multiply, proxy_multiply},
    {Py_nb_matrix_multiply, proxy_matrix_multiply},
    {Py_nb_remainder, proxy_remainder},
    {Py_nb_divmod, proxy_divmod},
    {Py_nb_power, proxy_power},
    {Py_nb_lshift, proxy_lshift},
    {Py_nb_rshift, proxy_rshift},
    {Py_nb_and, proxy_and},
    {Py_nb_xor, proxy_xor},
    {Py_nb_or, proxy_or},
    {Py_nb_floor_divide, proxy_floor_divide},
    {Py_nb_true_divide, proxy_true_divide},
    {0, NULL},
};

/* Make the base type. Its instances have one more field than wrapt's: the function that serves vector calls. */
static PyTypeObject *
make_proxy_type(PyObject *module, PyTypeObject *base)
{
    vectorcall_offset = base->tp_basicsize;
    PyMemberDef members[] = {
        {.name = "__vectorcalloffset__", .type = T_PYSSIZET, .offset = vectorcall_offset, .flags = READONLY},
        {0},
    };
    size_t count = sizeof(proxy_slots) / sizeof(proxy_slots[0]);
    PyType_Slot slots[sizeof(proxy_slots) / sizeof(proxy_slots[0]) + 1];
    slots[0] = (PyType_Slot){Py_tp_members, members};
    memcpy(slots + 1, proxy_slots, count * sizeof(PyType_Slot));
    PyType_Spec spec = {
        "gilonce.LazyProxy", (int)(base->tp_basicsize + sizeof(vectorcallfunc)), 0,
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots,
    };
    PyObject *bases = PyTuple_Pack(1, base);
    PyObject *type = bases == NULL ? NULL : PyType_FromModuleAndSpec(module, &spec, bases);
    Py_XDECREF(bases);
    return (PyTypeObject *)type;
}

/* The slots whose presence tells what an object can do, and where a type has them. */
#define OFFSET(part) offsetof(PyHeapTypeObject, part)
static const struct {
    int id;
    void *function;
    size_t offset;
} interface_slots[] = {
    {Py_tp_call, proxy_call, OFFSET(ht_type.tp_call)},
    {Py_tp_iter, proxy_iter, OFFSET(ht_type.tp_iter)},
    {Py_tp_iternext, proxy_iternext, OFFSET(ht_type.tp_iternext)},
    {Py_tp_descr_get, proxy_descr_get, OFFSET(ht_type.tp_descr_get)},
    {Py_am_await, proxy_await, OFFSET(as_async.am_await)},
    {Py_am_aiter, proxy_aiter, OFFSET(as_async.am_aiter)},
    {Py_am_anext, proxy_anext, OFFSET(as_async.am_anext)},
    {Py_nb_index, proxy_index, OFFSET(as_number.nb_index)},
    {Py_nb_int, proxy_int, OFFSET(as_number.nb_int)},
    {Py_nb_float, proxy_float, OFFSET(as_number.nb_float)},
    {Py_sq_length, proxy_length, OFFSET(as_sequence.sq_length)},
    {Py_sq_contains, proxy_contains, OFFSET(as_sequence.sq_contains)},
    {Py_sq_item, proxy_item, OFFSET(as_sequence.sq_item)},
    {Py_mp_length, proxy_length, OFFSET(as_mapping.mp_length)},
    {Py_mp_subscript, proxy_subscript, OFFSET(as_mapping.mp_subscript)},
    {Py_mp_ass_subscript, proxy_ass_subscript, OFFSET(as_mapping.mp_ass_subscript)},
    {Py_bf_getbuffer, proxy_getbuffer, OFFSET(as_buffer.bf_getbuffer)},
};
#define INTERFACE_SLOTS (sizeof(interface_slots) / sizeof(interface_slots[0]))

/* Return whether the proxy type for `interface`, or the one for any object if that is None, has a slot. */
static int
has_slot(PyObject *interface, int id, PyObject *entries)
{
    if (interface != Py_None) {
        PyTypeObject *type = (PyTypeObject *)interface;
        void *slot = PyType_GetSlot(type, id);
        if (id == Py_tp_iternext) {
            /* A class made by a class statement may have a slot that only raises. */
            PyObject *next = PyDict_GetItemString(entries, "__next__");
            return slot != NULL && next != NULL && next != Py_None;
        }
        if (slot == NULL && (id == Py_nb_int || id == Py_nb_float)) {
            /* `int()` and `float()` parse text and bytes-like objects, which do not have these slots. */
            return PyType_IsSubtype(type, &PyUnicode_Type) || PyType_GetSlot(type, Py_bf_getbuffer) != NULL;
        }
        /* A class may be subscripted, as in `list[int]`: the interpreter calls `__class_getitem__`. */
        return slot != NULL || (id == Py_mp_subscript && PyType_IsSubtype(type, &PyType_Type));
    }
    /* Code in C that finds one of these two slots uses it, and does not try anything else. */
    return id != Py_sq_item && (id != Py_bf_getbuffer || PY_VERSION_HEX >= 0x030C0000);
}

/* Put the entries in the dict of a new type. None as an entry hides an attribute that the type has or inherits. */
static int
put_entries(PyTypeObject *type, PyObject *entries)
{
    PyObject *own = dict_of_type(type);
    PyObject *name, *entry;
    Py_ssize_t position = 0;
    int result = 0;
    while (result == 0 && PyDict_Next(entries, &position, &name, &entry)) {
        if (entry == Py_None) {
            PyObject *hidden;
            result = type_lookup(type, name, &hidden);
            if (result > 0) {
                Py_DECREF(hidden);
                result = PyDict_SetItem(own, name, entry);
            }
        }
        else {
            int has = PyDict_Contains(own, name);
            result = has < 0 ? -1 : has ? 0 : PyObject_SetAttr((PyObject *)type, name, entry);
        }
    }
    Py_DECREF(own);
    PyType_Modified(type);
    return result;
}

/* Copy the other properties of a type that the interpreter checks, besides slots and attributes. */
static int
copy_properties_of(PyTypeObject *type, PyTypeObject *interface)
{
    if (interface->tp_hash == PyObject_HashNotImplemented) {
        type->tp_hash = PyObject_HashNotImplemented;
    }
    /* `match` recognizes sequences and mappings by these flags. */
    type->tp_flags |= interface->tp_flags & (Py_TPFLAGS_SEQUENCE | Py_TPFLAGS_MAPPING);
    /* The interpreter's messages show `tp_name`. The attribute keeps the text alive. */
    PyObject *name = PyUnicode_FromString(interface->tp_name);
    const char *text = name == NULL ? NULL : PyUnicode_AsUTF8(name);
    int result = text == NULL ? -1 : PyObject_SetAttrString((PyObject *)type, "_self_type_name", name);
    if (result == 0) {
        type->tp_name = text;
    }
    Py_XDECREF(name);
    return result;
}

/* Make the proxy type for an interface. The arguments are those of `new_class` in Python: the base, the interface or
   None, a name, and the entries. */
static PyObject *
native_new_class(PyObject *Py_UNUSED(bound), PyObject *const *args, Py_ssize_t count)
{
    if (count != 4 || !PyType_Check(args[0]) || (args[1] != Py_None && !PyType_Check(args[1])) ||
        !PyDict_Check(args[3])) {
        PyErr_SetString(PyExc_TypeError, "new_class() takes a class, a class or None, a name and a dict");
        return NULL;
    }
    PyObject *interface = args[1];
    PyType_Slot slots[INTERFACE_SLOTS + 1];
    size_t used = 0;
    for (size_t i = 0; i < INTERFACE_SLOTS; i++) {
        if (has_slot(interface, interface_slots[i].id, args[3])) {
            slots[used++] = (PyType_Slot){interface_slots[i].id, interface_slots[i].function};
        }
    }
    slots[used] = (PyType_Slot){0, NULL};
    PyType_Spec spec = {"gilonce.LazyProxy", 0, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
    PyTypeObject *type = (PyTypeObject *)PyType_FromSpecWithBases(&spec, args[0]);
    if (type == NULL) {
        return NULL;
    }
    if (has_slot(interface, Py_tp_call, args[3])) {
        /* Not in the spec: a debug build checks the offset that belongs to this flag before it is inherited. */
        type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
    }
    /* The type has inherited the other slots from wrapt's type. Remove them. */
    for (size_t i = 0; i < INTERFACE_SLOTS; i++) {
        if (!has_slot(interface, interface_slots[i].id, args[3])) {
            *(void **)((char *)type + interface_slots[i].offset) = NULL;
        }
    }
    if (PyObject_SetAttrString((PyObject *)type, "__name__", args[2]) < 0 ||
        PyObject_SetAttrString((PyObject *)type, "__qualname__", args[2]) < 0 || put_entries(type, args[3]) < 0 ||
        (interface != Py_None && copy_properties_of(type, (PyTypeObject *)interface) < 0)) {
        Py_CLEAR(type);
    }
    return (PyObject *)type;
}
