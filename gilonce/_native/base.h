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

static State *state_of(PyTypeObject *type);
static PyObject *torn_down(void);
static PyObject *call_with(PyObject *callable, PyObject *self, PyObject *const *args, Py_ssize_t positional,
                           PyObject *kwnames);
static PyObject *call_method(PyObject *object, const char *name, PyObject *argument);
static PyObject *call_python_method(PyObject *cls, const char *name, PyObject *self, PyObject *const *args,
                                    Py_ssize_t positional, PyObject *kwnames);
static PyObject *call_global(PyObject *globals, const char *name, PyObject *first, PyObject *second, PyObject *third,
                             PyObject *fourth);
static PyObject *weakref_get(PyObject *reference);

static inline int
equals(PyObject *string, const char *text)
{
    return PyUnicode_CompareWithASCIIString(string, text) == 0;
}

/* Deferred reference counts, without a GIL. Every call takes a reference to the called object, so threads that call one
   object contend for its count. The interpreter therefore does not count such references to top-level functions, and
   we follow the same rule. Only the collector can free such an object, so an object that a function makes is counted
   as usual: the program may expect it to be freed at once. (3.13 has no function for this. It makes its own top-level
   functions immortal. If we did so, each reload of a module would leak the objects that it defines.) */

#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000
static int is_made_at_top_level(State *state);

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

#endif
