/* What every room needs: the interpreter, atomics, the module's state, and calls of the reference. */

#include <Python.h>
#if defined(PYPY_VERSION) || defined(GRAALVM_PYTHON)
#  error "This is for CPython. Elsewhere the package works in Python."
#endif
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>

/* Atomics, which only builds without a GIL need: elsewhere the GIL orders everything. */

#ifdef Py_GIL_DISABLED
#  if defined(_MSC_VER)
/* This compiler has no atomic operations of its own for C that order as asked on every
   processor; the interpreter's header has. */
#    define LOAD(address) _Py_atomic_load_ptr_acquire(address)
#    define SWAP(address, new) _Py_atomic_exchange_ptr((address), (new))
static inline int
write_if_null(PyObject **address, PyObject *new)
{
    PyObject *expected = NULL;
    return _Py_atomic_compare_exchange_ptr(address, &expected, new);
}
#    define LOAD_NUMBER(address) (*(address)) /* aligned, hence whole; order does not matter */
#    define STORE_NUMBER(address, new) (*(address) = (new))
#  else
#    define LOAD(address) __atomic_load_n((address), __ATOMIC_ACQUIRE)
#    define SWAP(address, new) __atomic_exchange_n((address), (new), __ATOMIC_ACQ_REL)
static inline int
write_if_null(PyObject **address, PyObject *new)
{
    PyObject *expected = NULL;
    return __atomic_compare_exchange_n(address, &expected, new, 0, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE);
}
#    define LOAD_NUMBER(address) __atomic_load_n((address), __ATOMIC_RELAXED)
#    define STORE_NUMBER(address, new) __atomic_store_n((address), (new), __ATOMIC_RELAXED)
#  endif
#  define WRITE_IF_NULL(address, new) write_if_null((address), (new))
#else
#  define LOAD(address) (*(address))
#  define LOAD_NUMBER(address) (*(address))
#  define STORE_NUMBER(address, new) (*(address) = (new))
static inline PyObject *
SWAP(PyObject **address, PyObject *new)
{
    PyObject *old = *address;
    *address = new;
    return old;
}
static inline int
WRITE_IF_NULL(PyObject **address, PyObject *new)
{
    if (*address != NULL) {
        return 0;
    }
    *address = new;
    return 1;
}
#endif

#ifndef Py_BEGIN_CRITICAL_SECTION /* 3.13 */
#  define Py_BEGIN_CRITICAL_SECTION(object) {
#  define Py_END_CRITICAL_SECTION() }
#endif

#if PY_VERSION_HEX < 0x030C0000
/* Before 3.12, any allocation of a container may start the garbage collector, and with it
   arbitrary code. Off for a few lines under the GIL, that goes unnoticed. */
#  define NO_GC_BEGIN { int gc_was_enabled = PyGC_Disable();
#  define NO_GC_END if (gc_was_enabled) { PyGC_Enable(); } }
#else
#  define NO_GC_BEGIN {
#  define NO_GC_END }
#endif

#if PY_VERSION_HEX < 0x030B0000
/* Public from 3.11 on; there is no other way to a module's state from a slot function. */
#  define PyType_GetModuleByDef _PyType_GetModuleByDef
#endif

/* The module's state: set while the package is imported, then only read. */

typedef struct {
    /* The Python classes whose places were taken: their methods serve the unusual. */
    PyObject *cell_reference;
    PyObject *once_reference;
    PyObject *property_reference;
    PyObject *slot_property_reference;
    /* The names of the modules that they stand in. */
    PyObject *cell_room;
    PyObject *once_room;
    PyTypeObject *cell_type;
    PyTypeObject *once_type;
    PyTypeObject *once_method_type;
    PyTypeObject *bound_type;
    /* Strings, and what wrapt's proxies are initialized with. */
    PyObject *fill;
    PyObject *self_origin;
    PyObject *nothing;
} State;

static struct PyModuleDef native_module;

static State *
state_of(PyTypeObject *type)
{
    PyObject *module = PyType_GetModuleByDef(type, &native_module);
    return module == NULL ? NULL : (State *)PyModule_GetState(module);
}

/* Raise what who still has objects is told when the collector has cleared the module. */
static PyObject *
torn_down(void)
{
    PyErr_SetString(PyExc_RuntimeError, "gilonce has been torn down");
    return NULL;
}

/* Call `callable` with `self` put before the arguments as they came. */
static PyObject *
call_with(PyObject *callable, PyObject *self, PyObject *const *args, Py_ssize_t positional, PyObject *kwnames)
{
    Py_ssize_t count = positional + (kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames));
    PyObject **all = PyMem_New(PyObject *, count + 1);
    if (all == NULL) {
        return PyErr_NoMemory();
    }
    all[0] = self;
    if (count > 0) {
        memcpy(all + 1, args, count * sizeof(PyObject *));
    }
    PyObject *result = PyObject_Vectorcall(callable, all, positional + 1, kwnames);
    PyMem_Free(all);
    return result;
}

/* Call the method `name` with one argument, which may be a tuple. */
static PyObject *
call_method(PyObject *object, const char *name, PyObject *argument)
{
    PyObject *method = PyUnicode_InternFromString(name);
    PyObject *result = method == NULL ? NULL : PyObject_CallMethodOneArg(object, method, argument);
    Py_XDECREF(method);
    return result;
}

/* Call the method `name` of a reference class, with `self` and the arguments as they came. */
static PyObject *
call_reference(PyObject *reference, const char *name, PyObject *self, PyObject *const *args, Py_ssize_t positional,
               PyObject *kwnames)
{
    PyObject *method = reference == NULL ? torn_down() : PyObject_GetAttrString(reference, name);
    if (method == NULL) {
        return NULL;
    }
    PyObject *result = call_with(method, self, args, positional, kwnames);
    Py_DECREF(method);
    return result;
}

/* Call what a room of the reference calls `name`, with one to four arguments; NULL ends them. */
static PyObject *
call_in_room(PyObject *room, const char *name, PyObject *first, PyObject *second, PyObject *third, PyObject *fourth)
{
    PyObject *callable = room == NULL ? torn_down() : PyMapping_GetItemString(room, name);
    PyObject *result =
        callable == NULL ? NULL : PyObject_CallFunctionObjArgs(callable, first, second, third, fourth, NULL);
    Py_XDECREF(callable);
    return result;
}

/* Sharing. Every call takes a reference to what is called, and threads that call one object
   contend for its count. The interpreter spares its own top-level functions that, and by the
   same rule we spare what stands at the top level: a nested function is the one whose end is
   awaited, and so is what a function makes. */

#ifdef Py_GIL_DISABLED
/* Whether the body of a module, or of a class in that, is what makes an object: code that runs once. */
static int
is_made_at_top_level(State *state)
{
    int found = 0;
    PyFrameObject *frame = PyEval_GetFrame();
    Py_XINCREF(frame);
    while (frame != NULL) {
        PyObject *names = PyFrame_GetGlobals(frame);
        PyCodeObject *code = PyFrame_GetCode(frame);
        int is_ours = names == state->once_room;
        int is_body = !(code->co_flags & CO_OPTIMIZED);
        found = is_body && PyUnicode_CompareWithASCIIString(code->co_name, "<module>") == 0;
        PyFrameObject *back = is_ours || (is_body && !found) ? PyFrame_GetBack(frame) : NULL;
        Py_DECREF(code);
        Py_DECREF(names);
        Py_SETREF(frame, back);
    }
    PyErr_Clear(); /* no memory for a frame: then it is not shared */
    return found;
}
#endif

/* Share an object that nobody else has seen yet. */
static inline void
share(State *state, PyObject *object)
{
#ifdef Py_GIL_DISABLED
    if (is_made_at_top_level(state)) {
#  if PY_VERSION_HEX >= 0x030E0000
        (void)PyUnstable_Object_EnableDeferredRefcount(object);
#  else
        /* 3.13 has no function for it: it makes its own top-level functions immortal when the
           first thread starts, and immortal objects are told by these fields. */
        object->ob_ref_local = _Py_IMMORTAL_REFCNT_LOCAL;
        object->ob_ref_shared = 0;
#  endif
    }
#else
    (void)state;
    (void)object;
#endif
}

/* Fields: pointers in an object that threads read while others write, a cell's value above all.

   Reading one without a lock is two steps, to load the pointer and to take a reference, and in
   between another thread may take the value out and drop the last one. Where there is a GIL,
   nothing comes in between. Elsewhere `PyMember_GetOne` does both, as for the slots of any
   instance: it takes a reference only if there still is one, looks whether the field still has
   the object, and if not looks once more under the object's lock. (That a count can be looked at
   when its object may be gone is the interpreter's own arrangement, for its slots and dicts.)
   So two things are asked of a writer:

   - A value is taken out, or replaced, under the object's lock. Two instructions long, it is
     held across nothing at which a thread could stop; so nobody waits for anybody's code, and a
     fork finds it free.
   - The field's own reference is counted as shared. A thread that did not make the object can
     add to a shared count without the lock only while that is not zero.

   Who fills an empty field needs no lock: one compare-and-exchange, after the reference exists. */

#ifdef Py_GIL_DISABLED
static inline void
hold(PyObject *value)
{
#  if PY_VERSION_HEX >= 0x030E0000
    PyUnstable_EnableTryIncRef(value);
    Py_INCREF(value);
#  else
    /* 3.13 has no function for it: what Py_INCREF does for a thread that did not make the object. */
    if (!_Py_IsImmortal(value)) {
        _Py_atomic_add_ssize(&value->ob_ref_shared, 1 << _Py_REF_SHARED_SHIFT);
    }
#  endif
}
#else
#  define hold(value) Py_INCREF(value)
#endif

static inline PyObject **
field_at(PyObject *self, Py_ssize_t offset)
{
    return (PyObject **)((char *)self + offset);
}

/* Returns a new reference, or NULL without an exception. */
static inline PyObject *
field_load(PyObject *self, Py_ssize_t offset)
{
#ifdef Py_GIL_DISABLED
    if (LOAD(field_at(self, offset)) == NULL) {
        return NULL;
    }
    PyMemberDef member = {.name = "", .type = Py_T_OBJECT_EX, .offset = offset};
    PyObject *value = PyMember_GetOne((char *)self, &member);
    if (value == NULL) {
        PyErr_Clear(); /* the AttributeError of a slot emptied meanwhile */
    }
    return value;
#else
    return Py_XNewRef(*field_at(self, offset));
#endif
}

/* Returns what was there: the caller's reference now. */
static PyObject *
field_swap(PyObject *self, Py_ssize_t offset, PyObject *value)
{
    PyObject *old;
    if (value != NULL) {
        hold(value);
    }
    Py_BEGIN_CRITICAL_SECTION(self);
    old = SWAP(field_at(self, offset), value);
    Py_END_CRITICAL_SECTION();
    return old;
}

/* Getters and setters, whose closure is the offset. */

static PyObject *
field_get(PyObject *self, void *offset)
{
    PyObject *value = field_load(self, (Py_ssize_t)offset);
    return value == NULL ? Py_NewRef(Py_None) : value;
}

static int
field_set(PyObject *self, PyObject *value, void *offset)
{
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "this attribute cannot be deleted");
        return -1;
    }
    PyObject *old = field_swap(self, (Py_ssize_t)offset, value == Py_None ? NULL : value);
    Py_XDECREF(old);
    return 0;
}
