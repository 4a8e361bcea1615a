/* once_property, in the instance's `__dict__` and in a slot. */

/* What was found out about the type met last: its version tag, then 32 bits of `how`. A tag is
   given to one state of one type, so the type needs no mention, and nothing is kept alive.
   There is no public way to read it, nor another name for such a state. */
typedef struct {
    uint64_t known;
#if PY_VERSION_HEX < 0x030B0000
    /* There, `sys._clear_type_cache()` makes tags begin anew. Only compared, never followed. */
    PyTypeObject *type;
#endif
} Met;

#if PY_VERSION_HEX < 0x030B0000
#  define IS_TYPE_MET(met, asked) ((met)->type == (asked))
#  define SET_TYPE_MET(met, asked) ((met)->type = (asked))
#else
#  define IS_TYPE_MET(met, asked) 1
#  define SET_TYPE_MET(met, asked) ((void)(asked))
#endif

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
    Met met;      /* the `How` of a value in the `__dict__` */
    Met slot_met; /* the offset of the slot */
    PyObject *probed; /* the instance in which `property_probe` looks */
    char *prober; /* for which thread, by its `own_place` */
} Property;

enum How { STANDARD = 1, UNDER_ITS_NAME = 2 };

static inline uint32_t
tag_of(PyTypeObject *type)
{
    return (uint32_t)LOAD_NUMBER(&type->tp_version_tag);
}

/* Returns whether `how` is known. A type without a tag is never remembered. */
static inline int
recall(Met *met, PyTypeObject *type, uint32_t *how)
{
    uint64_t known = LOAD_NUMBER(&met->known);
    uint32_t tag = tag_of(type);
    *how = (uint32_t)known;
    return tag != 0 && (uint32_t)(known >> 32) == tag && IS_TYPE_MET(met, type);
}

static inline void
remember(Met *met, PyTypeObject *type, uint32_t tag, uint32_t how)
{
    if (tag != 0) {
        SET_TYPE_MET(met, type);
        STORE_NUMBER(&met->known, (uint64_t)tag << 32 | how);
    }
}

static PyObject *
property_reference(Property *self, PyObject *instance, PyObject *owner)
{
    State *state = state_of(Py_TYPE(self));
    PyObject *args[] = {instance, owner};
    return state == NULL ? NULL
                         : call_reference(state->property_reference, "__get__", (PyObject *)self, args,
                                          owner == NULL ? 1 : 2, NULL);
}

/* How the value of an instance of `type` is kept; -1 with an exception set. */
static int
property_classify(Property *self, PyTypeObject *type, PyObject *name)
{
    PyObject *entry;
    int standard = is_standard(type);
    int found = standard < 0 ? -1 : type_lookup(type, name, &entry);
    if (found <= 0) {
        return found < 0 ? -1 : standard ? STANDARD : 0;
    }
    /* If something else is found, it is an override that has reached us through super(). */
    int is_self = entry == (PyObject *)self;
    Py_DECREF(entry);
    return (standard ? STANDARD : 0) | (is_self ? UNDER_ITS_NAME : 0);
}

/* The same, remembered. */
static int
property_how(Property *self, PyTypeObject *type, PyObject *name)
{
    uint32_t known;
    if (recall(&self->met, type, &known)) {
        return (int)known;
    }
    uint32_t tag = tag_of(type);
    int how = property_classify(self, type, name);
    if (how >= 0) {
        remember(&self->met, type, tag, (uint32_t)how);
    }
    return how;
}

static PyObject *property_get(Property *self, PyObject *instance, PyObject *owner);

#ifndef Py_GIL_DISABLED

static int
has_all(Property *self)
{
    return self->is_async != Py_True && self->key != NULL && self->function != NULL && self->attrname != NULL &&
           PyUnicode_Check(self->attrname);
}

/* Whether the interpreter's lookup ends here, and none is under way: a subclass may have a
   `__get__` or `__set__` in Python. */
static inline int
may_probe(Property *self, int how)
{
    PyTypeObject *type = Py_TYPE(self);
    return how & STANDARD && self->probed == NULL && type->tp_descr_get == (descrgetfunc)property_get &&
           type->tp_descr_set == NULL;
}

/* Has another address in each thread: the cheapest way to tell them apart. */
#if defined(_MSC_VER)
static __declspec(thread) char own_place;
#elif defined(__GLIBC__)
/* Where such a variable lies in a thread is known here when the library is loaded, so nothing is called. */
static _Thread_local char own_place __attribute__((tls_model("initial-exec")));
#else
static _Thread_local char own_place;
#endif

/* Look for the value under the attribute's own name, where the class has this property.
   The interpreter's lookup finds the instance's attribute or else asks the property, that
   is us: and so we learn that there is none. Nothing in between runs other code (but see
   `dict_load`: then another thread that comes meanwhile does without a probe). */
static int
property_probe(Property *self, PyObject *instance, PyObject *name, PyObject **value)
{

    self->prober = &own_place;
    self->probed = instance;
    *value = PyObject_GenericGetAttr(instance, name);
    int missed = self->probed == NULL;
    self->probed = NULL;
    if (missed) {
        Py_CLEAR(*value);
        return 0;
    }
    return *value == NULL ? -1 : 1;
}

static int
property_load(Property *self, PyObject *instance, PyObject *key, int how, PyObject **value)
{
    return how & UNDER_ITS_NAME ? property_probe(self, instance, key, value) : attribute_load(instance, key, value);
}

/* Atomic, for the reasons given at `attribute_publish`. */
static int
property_publish(Property *self, PyObject *instance, PyObject *key, int how, PyObject *value, PyObject **published)
{
    int written = -1;
    NO_GC_BEGIN
    int found = property_load(self, instance, key, how, published);
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

/* Read the attribute where no dict need be made for it. Returns the value; or NULL, and then, if
   `made` has been set, the initializer has made that and changed what was known. */
static PyObject *
property_get_inline(Property *self, PyObject *instance, int how, PyObject **made)
{
    PyObject *key = how & UNDER_ITS_NAME ? self->attrname : self->key;
    PyObject *value;
    if (property_load(self, instance, key, how, &value) != 0) {
        return value;
    }
    PyObject *function = Py_NewRef(self->function);
    value = initialize(function, instance);
    PyObject *published = NULL;
    uint32_t now;
    if (value != NULL) {
        /* The initializer may have changed anything: classes, and fields of the property, which
           makes it forget what it knows of classes. */
        if (!recall(&self->met, Py_TYPE(instance), &now) || (int)now != how || !may_probe(self, how)) {
            *made = value;
        }
        else if (property_publish(self, instance, how & UNDER_ITS_NAME ? self->attrname : self->key, how, value,
                                  &published) < 0) {
            Py_DECREF(value);
        }
        else {
            published = settle((PyObject *)self, value, published, self->discard);
        }
    }
    Py_DECREF(function);
    return published;
}

#endif

/* The fields that computing a value needs, held while code runs that might replace them. */

typedef struct {
    PyObject *function;
    PyObject *name;
    PyObject *definition;
    PyObject *key;
    PyObject *discard;
} Uses;

static void
property_release(Uses *use)
{
    Py_XDECREF(use->function);
    Py_XDECREF(use->name);
    Py_XDECREF(use->definition);
    Py_XDECREF(use->key);
    Py_XDECREF(use->discard);
}

/* Returns 0, holding nothing, where only the reference knows what to do: if a field is missing, or for an `async def`. */
static int
property_hold(Property *self, Uses *use)
{
    if (LOAD(&self->is_async) == Py_True) {
        return 0;
    }
    *use = (Uses){
        .key = field_load((PyObject *)self, offsetof(Property, key)),
        .function = field_load((PyObject *)self, offsetof(Property, function)),
        .name = field_load((PyObject *)self, offsetof(Property, attrname)),
        .definition = field_load((PyObject *)self, offsetof(Property, definition)),
        .discard = field_load((PyObject *)self, offsetof(Property, discard)),
    };
    if (use->key == NULL || use->function == NULL || use->name == NULL || !PyUnicode_Check(use->name)) {
        property_release(use);
        return 0;
    }
    return 1;
}

/* Read the attribute in the instance's namespace, where `made`, which is stolen, goes if there is one. */
static PyObject *
property_get_with(Property *self, PyObject *instance, const Uses *use, PyObject *made)
{
    int how = property_how(self, Py_TYPE(instance), use->name);
    if (how < 0) {
        Py_XDECREF(made);
        return NULL;
    }
    return keep_in_namespace((PyObject *)self, use->definition, instance, how & STANDARD,
                             how & UNDER_ITS_NAME ? use->name : use->key, use->discard, use->function, made);
}

static PyObject *
property_get(Property *self, PyObject *instance, PyObject *owner)
{
    if (instance == NULL || instance == Py_None) {
        return Py_NewRef(self);
    }
    PyObject *made = NULL;
#ifndef Py_GIL_DISABLED
    if (self->probed == instance && self->prober == &own_place) {
        self->probed = NULL;
        return Py_NewRef(Py_None);
    }
    if (has_all(self)) {
        int how = property_how(self, Py_TYPE(instance), self->attrname);
        if (how < 0) {
            return NULL;
        }
        if (may_probe(self, how)) {
            PyObject *value = property_get_inline(self, instance, how, &made);
            if (made == NULL) {
                return value;
            }
        }
    }
#endif
    Uses use;
    if (!property_hold(self, &use)) {
        Py_XDECREF(made);
        return property_reference(self, instance, owner);
    }
    PyObject *value = property_get_with(self, instance, &use, made);
    property_release(&use);
    return value;
}

/* The slot. */

/* The offset in `instance` of the slot that the property names; -1 with an exception set. */
static Py_ssize_t
property_offset(Property *self, PyObject *instance)
{
    PyTypeObject *type = Py_TYPE(instance);
    uint32_t tag = tag_of(type);
    uint32_t known;
    if (recall(&self->slot_met, type, &known)) {
        return known;
    }
    PyObject *member = call_method((PyObject *)self, "_member_for", instance);
    if (member == NULL) {
        return -1;
    }
    Py_ssize_t offset = offset_of(member);
    /* The place may be used as long as the instance is of this type, which has it if its slots include the member. */
    if (offset >= 0 && !PyType_IsSubtype(Py_TYPE(instance), PyDescr_TYPE(member))) {
        PyErr_Format(PyExc_TypeError, "%R does not belong to a %R object", member, Py_TYPE(instance));
        offset = -1;
    }
    Py_DECREF(member);
    /* Who recalls an offset takes for granted that the value is what is asked for. */
    if (offset >= 0 && offset <= (Py_ssize_t)UINT32_MAX && LOAD(&self->is_async) != Py_True) {
        remember(&self->slot_met, type, tag, (uint32_t)offset);
    }
    return offset;
}

static PyObject *
slot_property_get_with(Property *self, PyObject *instance, const Uses *use)
{
    Place place = {.owner = instance, .offset = property_offset(self, instance)};
    if (place.offset < 0) {
        return NULL;
    }
    PyObject *value;
    if (slot_load(&place, &value) != 0) {
        return value;
    }
    PyTypeObject *type = Py_TYPE(instance);
    value = initialize(use->function, instance);
    if (value == NULL) {
        return NULL;
    }
    /* The initializer may have changed anything. */
    if (Py_TYPE(instance) != type) {
        place.offset = property_offset(self, instance);
        if (place.offset < 0) {
            Py_DECREF(value);
            return NULL;
        }
    }
    return publish((PyObject *)self, SLOT, &place, use->discard, value);
}

/* Read a slot that only the reference can fill. */
static PyObject *
slot_property_look(Property *self, PyObject *instance, PyObject *owner)
{
    if (LOAD(&self->slot) != NULL && LOAD(&self->attrname) != NULL && LOAD(&self->is_async) != Py_True) {
        Place place = {.owner = instance, .offset = property_offset(self, instance)};
        PyObject *value;
        if (place.offset < 0 || slot_load(&place, &value) != 0) {
            return place.offset < 0 ? NULL : value;
        }
    }
    return property_reference(self, instance, owner);
}

static PyObject *
slot_property_get(Property *self, PyObject *instance, PyObject *owner)
{
    if (instance == NULL || instance == Py_None) {
        return Py_NewRef(self);
    }
#ifndef Py_GIL_DISABLED
    /* The usual read. */
    uint32_t offset;
    if (recall(&self->slot_met, Py_TYPE(instance), &offset)) {
        PyObject *value = *(PyObject **)((char *)instance + offset);
        if (value != NULL) {
            return Py_NewRef(value);
        }
    }
#endif
    Uses use;
    if (LOAD(&self->slot) == NULL || !property_hold(self, &use)) {
        return slot_property_look(self, instance, owner);
    }
    PyObject *value = slot_property_get_with(self, instance, &use);
    property_release(&use);
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
    PyObject *ignored = state == NULL ? NULL
                                      : call_reference(state->slot_property_reference,
                                                       value == NULL ? "__delete__" : "__set__", (PyObject *)self,
                                                       args, value == NULL ? 1 : 2, NULL);
    Py_XDECREF(ignored);
    return ignored == NULL ? -1 : 0;
}

/* The type. */

/* `descriptor.__get__(instance, owner=None)`, called by that name. The wrapper which the interpreter
   makes for it refuses None for both, where the reference, and functools, give the descriptor. */
static PyObject *
get_by_name(Property *self, descrgetfunc get, PyObject *const *args, Py_ssize_t positional, PyObject *kwnames)
{
    static const char *const names[] = {"instance", "owner"};
    PyObject *given[] = {NULL, NULL};
    Py_ssize_t keywords = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    for (Py_ssize_t i = 0; i < positional + keywords; i++) {
        Py_ssize_t place = i;
        if (i >= positional) {
            PyObject *name = PyTuple_GET_ITEM(kwnames, i - positional);
            place = PyUnicode_CompareWithASCIIString(name, names[0]) == 0   ? 0
                    : PyUnicode_CompareWithASCIIString(name, names[1]) == 0 ? 1
                                                                            : 2;
        }
        if (place > 1 || given[place] != NULL) {
            PyErr_SetString(PyExc_TypeError, "__get__() takes instance and owner=None, each once");
            return NULL;
        }
        given[place] = args[i];
    }
    if (given[0] == NULL) {
        PyErr_SetString(PyExc_TypeError, "__get__() missing 1 required argument: 'instance'");
        return NULL;
    }
    return get((PyObject *)self, given[0], given[1]);
}

static PyObject *
property__get__(Property *self, PyObject *const *args, Py_ssize_t positional, PyObject *kwnames)
{
    return get_by_name(self, (descrgetfunc)property_get, args, positional, kwnames);
}

static PyObject *
slot_property__get__(Property *self, PyObject *const *args, Py_ssize_t positional, PyObject *kwnames)
{
    return get_by_name(self, (descrgetfunc)slot_property_get, args, positional, kwnames);
}

#define GET(function)                                                                                       \
    {"__get__", (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS | METH_COEXIST, \
     "__get__($self, instance, owner=None)\n--\n\nReturn the value; without an instance, the descriptor."}

static PyMethodDef property_methods[] = {GET(property__get__), {NULL, NULL, 0, NULL}};
static PyMethodDef slot_property_methods[] = {GET(slot_property__get__), {NULL, NULL, 0, NULL}};

/* A class made in Python calls the `__get__` above by its name, also where it is the inherited one.
   The function behind it is as good, and faster. An assignment of `__get__`, here or in a base, undoes this. */
static PyObject *
native_keep_get(PyObject *Py_UNUSED(bound), PyObject *cls)
{
    PyTypeObject *type = (PyTypeObject *)cls;
    PyObject *entry;
    int found = type_lookup_string(type, "__get__", &entry);
    if (found < 0) {
        return NULL;
    }
    if (found > 0) {
        if (Py_IS_TYPE(entry, &PyMethodDescr_Type) && PyType_IsSubtype(type, PyDescr_TYPE(entry))) {
            PyMethodDef *method = ((PyMethodDescrObject *)entry)->d_method;
            if (method == property_methods) {
                type->tp_descr_get = (descrgetfunc)property_get;
            }
            else if (method == slot_property_methods) {
                type->tp_descr_get = (descrgetfunc)slot_property_get;
            }
        }
        Py_DECREF(entry);
    }
    Py_RETURN_NONE;
}

/* Set a field that what was found out depends on. */
static int
property_set_name(Property *self, PyObject *name, void *offset)
{
    int result = field_set((PyObject *)self, name, offset);
    STORE_NUMBER(&self->met.known, 0);
    STORE_NUMBER(&self->slot_met.known, 0);
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
        /* Without a key here, the reference is asked for whatever there is no value of. */
        Py_SETREF(key, Py_NewRef(Py_None));
    }
    (void)field_set((PyObject *)self, discard == NULL ? Py_None : discard, (void *)offsetof(Property, discard));
    (void)field_set((PyObject *)self, definition, offset);
    /* Last, for who sees the key takes the others for granted. */
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

/* Who still reads finds no key, and then is told by the reference that there is no function. */
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
    {"func", field_get, field_set, NULL, (void *)offsetof(Property, function)},
    {"attrname", field_get, (setter)property_set_name, NULL, (void *)offsetof(Property, attrname)},
    {"_slot", field_get, (setter)property_set_name, NULL, (void *)offsetof(Property, slot)},
    {"_is_async", field_get, (setter)property_set_name, NULL, (void *)offsetof(Property, is_async)},
    {"_definition", field_get, (setter)property_set_definition, NULL, (void *)offsetof(Property, definition)},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot property_slots[] = {
    {Py_tp_descr_get, property_get},
    {Py_tp_methods, property_methods},
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
    {Py_tp_methods, slot_property_methods},
    {Py_tp_traverse, property_traverse},
    {Py_tp_clear, property_clear},
    {Py_tp_dealloc, property_dealloc},
    {0, NULL},
};
