/* What every file needs: the interpreter, atomics, the module's state, and calls of the Python implementation. */

#ifndef GILONCE_BASE_H
#define GILONCE_BASE_H

#include <Python.h>
#if defined(PYPY_VERSION) || defined(GRAALVM_PYTHON)
#  error "This is for CPython. Elsewhere the package works in Python."
#endif
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>

/* Atomics. Only builds without a GIL need them: elsewhere the GIL orders all reads and writes. Why a pointer is written
   with release and read with acquire is in tests/litmus/publish.litmus. */

#ifdef Py_GIL_DISABLED
#  if defined(_MSC_VER)
/* This compiler has no atomic operations for C that guarantee acquire and release order on every processor. The
   interpreter's header has them. */
#    define LOAD(address) _Py_atomic_load_ptr_acquire(address)
#    define SWAP(address, new) _Py_atomic_exchange_ptr((address), (new))
static inline int
write_if_null(PyObject **address, PyObject *new)
{
    PyObject *expected = NULL;
    return _Py_atomic_compare_exchange_ptr(address, &expected, new);
}
#    define LOAD_NUMBER(address) (*(address)) /* one instruction, because it is aligned; order does not matter */
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
/* Before 3.12, allocating a container may start the garbage collector, which runs arbitrary code. These macros switch
   the collector off for a few lines. The GIL is held throughout, so no other thread can notice. */
#  define NO_GC_BEGIN { int gc_was_enabled = PyGC_Disable();
#  define NO_GC_END if (gc_was_enabled) { PyGC_Enable(); } }
#else
#  define NO_GC_BEGIN {
#  define NO_GC_END }
#endif

#if PY_VERSION_HEX < 0x030B0000
/* Public since 3.11. A slot function has no other way to find the module's state. */
#  define PyType_GetModuleByDef _PyType_GetModuleByDef
#endif

/* Whether what the core relies on holds here; see `assumptions.c`. */
static int version_tags_hold = 1;
static int written_slots_hold = 1;
static int shared_counts_hold = 1;
static int tuple_hashes_hold = 1;
static int wrapt_holds = 1;

/* The module's state. Each field is written when the module that defines its class is imported, and is cleared only by
   the collector. */

typedef struct {
    /* The Python classes that types in C replace. Their methods handle whatever C does not. */
    PyObject *python_cell;
    PyObject *python_once;
    PyObject *python_per_args;
    PyObject *python_property;
    PyObject *python_slot_property;
    /* The globals of Python modules. */
    PyObject *cell_globals;
    PyObject *once_globals;
    PyObject *registry_globals;
    /* The registry's list of weak references. */
    PyObject *registered;
    /* The types in C. */
    PyTypeObject *cell_type;
    PyTypeObject *once_type;
    PyTypeObject *once_method_type;
    PyTypeObject *bound_type;
    PyTypeObject *per_args_type;
    PyTypeObject *bound_args_type;
    PyTypeObject *table_type;
    /* The strings "_fill" and "_self_origin". */
    PyObject *fill;
    PyObject *self_origin;
    /* (None,): the arguments that initialize a proxy of wrapt's. */
    PyObject *nothing;
} State;

static struct PyModuleDef native_module;

static State *
state_of(PyTypeObject *type)
{
    PyObject *module = PyType_GetModuleByDef(type, &native_module);
    return module == NULL ? NULL : (State *)PyModule_GetState(module);
}

/* Raise the error for objects that outlive the module's state, which the collector has cleared. */
static PyObject *
torn_down(void)
{
    PyErr_SetString(PyExc_RuntimeError, "gilonce has been torn down");
    return NULL;
}

static inline int
equals(PyObject *string, const char *text)
{
    return PyUnicode_CompareWithASCIIString(string, text) == 0;
}

/* Call `callable` with `self` and then the given arguments. */
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

/* Call the method `name` with one argument. It may be a tuple, which `PyObject_CallMethod` would unpack. */
static PyObject *
call_method(PyObject *object, const char *name, PyObject *argument)
{
    PyObject *method = PyUnicode_InternFromString(name);
    PyObject *result = method == NULL ? NULL : PyObject_CallMethodOneArg(object, method, argument);
    Py_XDECREF(method);
    return result;
}

/* Call the method `name` of a Python class, with `self` and the given arguments. */
static PyObject *
call_python_method(PyObject *cls, const char *name, PyObject *self, PyObject *const *args, Py_ssize_t positional,
                   PyObject *kwnames)
{
    PyObject *method = cls == NULL ? torn_down() : PyObject_GetAttrString(cls, name);
    if (method == NULL) {
        return NULL;
    }
    PyObject *result = call_with(method, self, args, positional, kwnames);
    Py_DECREF(method);
    return result;
}

/* Call the Python function `name`, which is in the globals of a module, with at most four arguments. NULL ends them. */
static PyObject *
call_global(PyObject *globals, const char *name, PyObject *first, PyObject *second, PyObject *third, PyObject *fourth)
{
    PyObject *callable = globals == NULL ? torn_down() : PyMapping_GetItemString(globals, name);
    PyObject *result =
        callable == NULL ? NULL : PyObject_CallFunctionObjArgs(callable, first, second, third, fourth, NULL);
    Py_XDECREF(callable);
    return result;
}

/* Return the referent of a weak reference, a new reference, or NULL without an exception. */
static PyObject *
weakref_get(PyObject *reference)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *referent = NULL;
    (void)PyWeakref_GetRef(reference, &referent);
    return referent;
#else
    PyObject *referent = PyWeakref_GetObject(reference);
    return referent == NULL || referent == Py_None ? NULL : Py_NewRef(referent);
#endif
}

/* Deferred reference counts, without a GIL. Every call takes a reference to the called object, so threads that call one
   object contend for its count. The interpreter therefore does not count such references to top-level functions, and
   we follow the same rule. Only the collector can free such an object, so an object that a function makes is counted
   as usual: the program may expect it to be freed at once. (3.13 has no function for this. It makes its own top-level
   functions immortal. If we did so, each reload of a module would leak the objects that it defines.) */

#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000
/* Return whether the running code is the body of a module, or of a class in one: code that runs once. */
static int
is_made_at_top_level(State *state)
{
    int found = 0;
    PyFrameObject *frame = PyEval_GetFrame();
    Py_XINCREF(frame);
    while (frame != NULL) {
        PyObject *names = PyFrame_GetGlobals(frame);
        PyCodeObject *code = PyFrame_GetCode(frame);
        int is_ours = names == state->once_globals;
        int is_body = !(code->co_flags & CO_OPTIMIZED);
        found = is_body && equals(code->co_name, "<module>");
        PyFrameObject *back = is_ours || (is_body && !found) ? PyFrame_GetBack(frame) : NULL;
        Py_DECREF(code);
        Py_DECREF(names);
        Py_SETREF(frame, back);
    }
    PyErr_Clear(); /* no memory for a frame: the count is not deferred */
    return found;
}

/* Defer the count of a new object, which no other thread has seen yet, if it is made at the top level. */
static inline void
defer_refcount(State *state, PyObject *object)
{
    if (is_made_at_top_level(state)) {
        (void)PyUnstable_Object_EnableDeferredRefcount(object);
    }
}
#else
#  define defer_refcount(state, object) ((void)(state), (void)(object))
#endif

/* Fields: pointers in an object that some threads read while others write. The value of a cell is one.

   A reader without a lock takes two steps: it loads the pointer, and then takes a reference. Between the two, another
   thread could remove the value and drop its last reference. With a GIL, nothing can happen between them. Without a
   GIL, `PyMember_GetOne` reads the field as it reads the slots of any instance: it takes a reference only if the count
   is not zero, checks that the field still has the object, and otherwise reads again under the object's lock. (The
   count can be read even if the object was freed. The interpreter arranges that for its own slots and dicts.) See
   tests/litmus/reference.litmus, and tests/litmus/reuse.litmus for the check. A writer has to follow two rules:

   - It removes or replaces a value under the object's lock. The lock is held for two instructions, between which the
     thread cannot stop. So no thread waits for user code, and a fork never copies a held lock. See
     tests/litmus/locked.litmus and tests/litmus/replace.litmus.
   - It counts the field's own reference as shared. A thread that did not make the object can add to the shared count
     without the lock only while that count is not zero.

   Filling an empty field needs no lock: one compare-and-exchange writes the pointer, after its count was increased. See
   tests/litmus/count_first.litmus. */

/* Increase the count of a value for the field that will have it. */
#ifdef Py_GIL_DISABLED
static inline void
incref_for_field(PyObject *value)
{
#  if PY_VERSION_HEX >= 0x030E0000
    PyUnstable_EnableTryIncRef(value);
    Py_INCREF(value);
#  else
    /* 3.13 has no function for this. These lines do what Py_INCREF does in a thread that did not make the object. */
    if (!shared_counts_hold) {
        Py_INCREF(value);
    }
    else if (!_Py_IsImmortal(value)) {
        _Py_atomic_add_ssize(&value->ob_ref_shared, 1 << _Py_REF_SHARED_SHIFT);
    }
#  endif
}
#else
#  define incref_for_field(value) Py_INCREF(value)
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
        PyErr_Clear(); /* AttributeError: another thread has just emptied the field */
    }
    return value;
#else
    return Py_XNewRef(*field_at(self, offset));
#endif
}

/* Write `value`, or empty the field if it is NULL. Returns the old value, whose reference now belongs to the caller. */
static PyObject *
field_swap(PyObject *self, Py_ssize_t offset, PyObject *value)
{
    PyObject *old;
    if (value != NULL) {
        incref_for_field(value);
    }
    Py_BEGIN_CRITICAL_SECTION(self);
    old = SWAP(field_at(self, offset), value);
    Py_END_CRITICAL_SECTION();
    return old;
}

/* Write `value` if the field has `expected`, and return whether it had. NULL means empty for both. The caller has a
   reference to `expected`. */
static int
field_replace(PyObject *self, Py_ssize_t offset, PyObject *expected, PyObject *value)
{
    int is_there;
    if (value != NULL) {
        incref_for_field(value);
    }
    Py_BEGIN_CRITICAL_SECTION(self);
    PyObject **address = field_at(self, offset);
    /* Other threads fill an empty field without the lock, so only filling it needs a compare-and-exchange. */
    is_there = expected == NULL && value != NULL ? WRITE_IF_NULL(address, value) : LOAD(address) == expected;
    if (is_there && expected != NULL) {
        (void)SWAP(address, value);
    }
    Py_END_CRITICAL_SECTION();
    Py_XDECREF(is_there ? expected : value);
    return is_there;
}

/* Getters and setters of fields. Their closure is the field's offset. */

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

#endif
