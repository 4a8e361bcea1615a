/* once_property. The value is in the instance's `__dict__` or, with `slot=`, in a slot. */

#include "place.h"

typedef struct {
    PyObject_HEAD
    PyObject *function;
    PyObject *attrname;
    PyObject *slot;
    PyObject *is_async;
    PyObject *definition;
    PyObject *key;
    PyObject *discard;
    PyObject *dict;
    PyObject *weakrefs;
    TypeMemo memo;
    TypeMemo slot_offset;
} Property;

static PyObject *
property_get_in_python(Property *self, PyObject *instance, PyObject *owner)
{
    State *state = state_of(Py_TYPE(self));
    PyObject *args[] = {instance, owner};
    int count = owner == NULL ? 1 : 2;
    return state == NULL
               ? NULL
               : call_python_method(state->python_property, "__get__", (PyObject *)self, args, count, NULL);
}

/* The fields that computing a value needs: new references, because code that runs meanwhile may replace the fields. */
typedef struct {
    PyObject *function;
    PyObject *name;
    PyObject *definition;
    PyObject *key;
    PyObject *discard;
} PropertyFields;

static void
property_fields_release(PropertyFields *fields)
{
    Py_XDECREF(fields->function);
    Py_XDECREF(fields->name);
    Py_XDECREF(fields->definition);
    Py_XDECREF(fields->key);
    Py_XDECREF(fields->discard);
}

/* Returns 0 without any references if the Python implementation has to handle the access: if a field is missing, or if
   the function is an `async def`. */
static int
property_fields_load(Property *self, PropertyFields *fields)
{
    if (LOAD(&self->is_async) == Py_True) {
        return 0;
    }
    *fields = (PropertyFields){
        .key = field_load((PyObject *)self, offsetof(Property, key)),
        .function = field_load((PyObject *)self, offsetof(Property, function)),
        .name = field_load((PyObject *)self, offsetof(Property, attrname)),
        .definition = field_load((PyObject *)self, offsetof(Property, definition)),
        .discard = field_load((PyObject *)self, offsetof(Property, discard)),
    };
    if (fields->key == NULL || fields->function == NULL || fields->name == NULL || !PyUnicode_Check(fields->name)) {
        property_fields_release(fields);
        return 0;
    }
    return 1;
}

/* Return the facts about the type of an instance, or -1 with an exception. */
static int
property_facts(Property *self, PyTypeObject *type, PyObject *name)
{
    uint32_t known;
    if (recall(&self->memo, type, &known)) {
        return (int)known;
    }
    Py_INCREF(type);
    uint32_t tag = tag_of(type);
    PyObject *entry = NULL;
    int facts = has_usual_dict(type);
    if (facts >= 0 && type_lookup(type, name, &entry) < 0) {
        facts = -1;
    }
    /* If another object has the name, it is an override that calls this property through super(). */
    else if (facts >= 0) {
        facts = (facts ? USUAL_DICT : 0) | (entry == (PyObject *)self ? UNDER_ITS_NAME : 0);
        remember(&self->memo, type, tag, (uint32_t)facts);
    }
    Py_XDECREF(entry);
    Py_DECREF(type);
    return facts;
}

static PyObject *
property_get(Property *self, PyObject *instance, PyObject *owner)
{
    if (instance == NULL || instance == Py_None) {
        return Py_NewRef(self);
    }
    PropertyFields fields;
    if (!property_fields_load(self, &fields)) {
        return property_get_in_python(self, instance, owner);
    }
    PyObject *value = NULL;
    int facts = property_facts(self, Py_TYPE(instance), fields.name);
    if (facts >= 0) {
        Place place = {
            .owner = instance,
            /* An override publishes its value under the name, so an overridden property uses a key of its own. */
            .key = facts & UNDER_ITS_NAME ? fields.name : fields.key,
            .memo = &self->memo,
            .definition = fields.definition,
        };
        value = load_or_fill((PyObject *)self, IN_NAMESPACE, &place, fields.discard, fields.function, instance);
    }
    property_fields_release(&fields);
    return value;
}

/* Properties with `slot=`. */

/* Return the offset in `instance` of the slot that the property names, or -1 with an exception. */
static Py_ssize_t
property_offset(Property *self, PyObject *instance)
{
    /* A read at a remembered offset returns the value itself. An async property has to return an awaitable, so its
       offset is not remembered. */
    return named_slot_offset((PyObject *)self, LOAD(&self->is_async) == Py_True ? NULL : &self->slot_offset, instance);
}

static PyObject *
slot_property_get_with(Property *self, PyObject *instance, const PropertyFields *fields)
{
    Place place = {.owner = instance, .offset = property_offset(self, instance)};
    PyObject *value;
    if (place.offset < 0) {
        return NULL;
    }
    if (slot_load(&place, &value) != 0) {
        return value;
    }
    return fill_named_slot((PyObject *)self, &place, fields->discard, fields->function);
}

/* Read a slot that only the Python implementation can fill. */
static PyObject *
slot_property_get_unusual(Property *self, PyObject *instance, PyObject *owner)
{
    if (LOAD(&self->slot) != NULL && LOAD(&self->attrname) != NULL && LOAD(&self->is_async) != Py_True) {
        Place place = {.owner = instance, .offset = property_offset(self, instance)};
        PyObject *value;
        if (place.offset < 0 || slot_load(&place, &value) != 0) {
            return place.offset < 0 ? NULL : value;
        }
    }
    return property_get_in_python(self, instance, owner);
}

static PyObject *
slot_property_get(Property *self, PyObject *instance, PyObject *owner)
{
    if (instance == NULL || instance == Py_None) {
        return Py_NewRef(self);
    }
#ifndef Py_GIL_DISABLED
    /* The most frequent read: there is a value, at an offset that is known. */
    uint32_t offset;
    if (recall(&self->slot_offset, Py_TYPE(instance), &offset)) {
        PyObject *value = *(PyObject **)((char *)instance + offset);
        if (value != NULL) {
            return Py_NewRef(value);
        }
    }
#endif
    PropertyFields fields;
    if (LOAD(&self->slot) == NULL || !property_fields_load(self, &fields)) {
        return slot_property_get_unusual(self, instance, owner);
    }
    PyObject *value = slot_property_get_with(self, instance, &fields);
    property_fields_release(&fields);
    return value;
}

static int
slot_property_set(Property *self, PyObject *instance, PyObject *value)
{
    if (LOAD(&self->slot) != NULL && LOAD(&self->attrname) != NULL && LOAD(&self->is_async) != Py_True) {
        Py_ssize_t offset = property_offset(self, instance);
        if (offset < 0) {
            return -1;
        }
        PyObject *old = field_swap(instance, offset, value);
        if (value != NULL || old != NULL) {
            Py_XDECREF(old);
            return 0;
        }
    }
    State *state = state_of(Py_TYPE(self));
    PyObject *args[] = {instance, value};
    const char *name = value == NULL ? "__delete__" : "__set__";
    int count = value == NULL ? 1 : 2;
    PyObject *ignored = NULL;
    if (state != NULL) {
        ignored = call_python_method(state->python_slot_property, name, (PyObject *)self, args, count, NULL);
    }
    Py_XDECREF(ignored);
    return ignored == NULL ? -1 : 0;
}

/* The types. */

/* Give `cls`, a class made in Python, the C function behind the `__get__` that it inherits. Without this, the
   interpreter would call the Python function of that name, which `copy_attributes` has put in the base class. If a
   class has its own `__get__`, or gets one later, the interpreter calls that. */
static PyObject *
native_keep_get(PyObject *Py_UNUSED(bound), PyObject *cls)
{
    if (!written_slots_hold) {
        Py_RETURN_NONE;
    }
    PyObject *name = PyUnicode_InternFromString("__get__");
    PyObject *mro = name == NULL ? NULL : mro_of((PyTypeObject *)cls);
    int found = 0;
    for (Py_ssize_t i = 0; mro != NULL && i < PyTuple_GET_SIZE(mro) && found == 0; i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);
        PyObject *dict = dict_of_type(base);
        found = PyDict_Contains(dict, name);
        Py_DECREF(dict);
        if (found > 0 && (base->tp_descr_get == (descrgetfunc)property_get ||
                          base->tp_descr_get == (descrgetfunc)slot_property_get)) {
            ((PyTypeObject *)cls)->tp_descr_get = base->tp_descr_get;
        }
    }
    Py_XDECREF(name);
    Py_XDECREF(mro);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

/* Set a field on which the remembered facts depend, and forget those. */
static int
property_set_and_forget(Property *self, PyObject *name, void *offset)
{
    int result = field_set((PyObject *)self, name, offset);
    forget(&self->memo);
    forget(&self->slot_offset);
    return result;
}

static int
property_set_definition(Property *self, PyObject *definition, void *offset)
{
    PyObject *key, *discard;
    if (definition == NULL) {
        return field_set((PyObject *)self, NULL, offset);
    }
    PyObject *races = PyObject_GetAttrString(definition, "races");
    int is_chosen = races == NULL ? -1 : !PyObject_IsTrue(races);
    Py_XDECREF(races);
    if (is_chosen < 0 || definition_fields(definition, &key, &discard) < 0) {
        return -1;
    }
    if (is_chosen) {
        /* Without a key in this field, the Python implementation fills empty places. */
        Py_SETREF(key, Py_NewRef(Py_None));
    }
    (void)field_set((PyObject *)self, discard == NULL ? Py_None : discard, (void *)offsetof(Property, discard));
    (void)field_set((PyObject *)self, definition, offset);
    /* The key is written last, because a reader that sees it relies on the other fields. */
    (void)field_set((PyObject *)self, key, (void *)offsetof(Property, key));
    Py_DECREF(key);
    Py_XDECREF(discard);
    return 0;
}

static int
property_traverse(Property *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->function);
    Py_VISIT(self->definition);
    Py_VISIT(self->discard);
    Py_VISIT(self->dict);
    return 0;
}

/* A later access finds no key, so the Python implementation handles it, and raises an error because there is no
   function. */
static int
property_clear(Property *self)
{
    Py_CLEAR(self->key);
    Py_CLEAR(self->function);
    Py_CLEAR(self->definition);
    Py_CLEAR(self->discard);
    Py_CLEAR(self->dict);
    return 0;
}

static void
property_dealloc(Property *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, property_dealloc)
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    (void)property_clear(self);
    Py_CLEAR(self->attrname);
    Py_CLEAR(self->slot);
    Py_CLEAR(self->is_async);
    forget(&self->memo);
    forget(&self->slot_offset);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

static PyMemberDef property_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(Property, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Property, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef property_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {"_function", field_get, field_set, NULL, (void *)offsetof(Property, function)},
    {"attrname", field_get, (setter)property_set_and_forget, NULL, (void *)offsetof(Property, attrname)},
    {"_slot", field_get, (setter)property_set_and_forget, NULL, (void *)offsetof(Property, slot)},
    {"_is_async", field_get, (setter)property_set_and_forget, NULL, (void *)offsetof(Property, is_async)},
    {"_definition", field_get, (setter)property_set_definition, NULL, (void *)offsetof(Property, definition)},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot property_slots[] = {
    {Py_tp_descr_get, property_get},
    {Py_tp_members, property_members},
    {Py_tp_getset, property_getset},
    {Py_tp_traverse, property_traverse},
    {Py_tp_clear, property_clear},
    {Py_tp_dealloc, property_dealloc},
    {0, NULL},
};

static PyType_Slot slot_property_slots[] = {
    {Py_tp_descr_get, slot_property_get},
    {Py_tp_descr_set, slot_property_set},
    {Py_tp_traverse, property_traverse},
    {Py_tp_clear, property_clear},
    {Py_tp_dealloc, property_dealloc},
    {0, NULL},
};
