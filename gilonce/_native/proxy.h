/* The proxies that lazy_global makes, and the objects behind them. */

#ifndef GILONCE_PROXY_H
#define GILONCE_PROXY_H

#include "attribute.h"

/* `proxy.c` */

static PyObject *touch(PyObject *self);
static PyObject *proxy_getattr(PyObject *self, PyObject *name);
static PyObject *proxy_getattro(PyObject *self, PyObject *name);
static int proxy_setattro(PyObject *self, PyObject *name, PyObject *value);
static int proxy_init(PyObject *self, PyObject *args, PyObject *kwargs);
static int find_wrapped(PyTypeObject *base);

/* `proxy_slots.c` */

static PyObject *proxy_vectorcall(PyObject *self, PyObject *const *args, size_t count, PyObject *kwnames);
static PyObject *proxy_call(PyObject *self, PyObject *args, PyObject *kwargs);
static PyObject *proxy_add(PyObject *left, PyObject *right);
static PyObject *proxy_power(PyObject *base, PyObject *exponent, PyObject *modulus);
static int proxy_bool(PyObject *self);
static Py_hash_t proxy_hash(PyObject *self);
static PyObject *proxy_richcompare(PyObject *self, PyObject *other, int operation);
static Py_ssize_t proxy_length(PyObject *self);
static int proxy_contains(PyObject *self, PyObject *item);
static PyObject *proxy_subscript(PyObject *self, PyObject *key);
static int proxy_ass_subscript(PyObject *self, PyObject *key, PyObject *value);
static PyObject *proxy_item(PyObject *self, Py_ssize_t index);
static int proxy_getbuffer(PyObject *self, Py_buffer *view, int flags);
static PyObject *proxy_descr_get(PyObject *self, PyObject *instance, PyObject *owner);

/* `proxy_types.c` */

static PyTypeObject *make_proxy_type(PyObject *module, PyTypeObject *base);

/* Facts about wrapt's type. They are the same in all interpreters of a process. */
static getter wrapped_of;
static setter set_wrapped;
static newfunc new_of_wrapt;
static destructor dealloc_of_wrapt;
static Py_ssize_t wrapped_offset; /* of the object in a proxy */
/* The offset of the `vectorcallfunc` in our proxies. */
static Py_ssize_t vectorcall_offset;

static inline int
is_touched(PyObject *self)
{
    return LOAD(field_at(self, wrapped_offset)) != NULL;
}

/* Return the object behind a proxy, a new reference. This touches an untouched proxy. */
static inline PyObject *
wrapped_in(PyObject *self)
{
#ifndef Py_GIL_DISABLED
    PyObject *wrapped = *field_at(self, wrapped_offset);
    return wrapped != NULL ? Py_NewRef(wrapped) : touch(self);
#else
    return is_touched(self) ? wrapped_of(self, NULL) : touch(self);
#endif
}

/* An operation owns the object while user code may run, because that code could empty the cell. The operations in
   `proxy_slots.c` that borrow the object run no user code on these types, and with a GIL no other thread can run
   meanwhile. So the proxy's own reference is enough. Owning the object would make `len(P)` and `P < 1` a tenth slower
   (measured on 3.11 and 3.13). Multiplying and dividing do not borrow it, because they run signal handlers for long
   integers. */

static inline int
is_number(PyObject *object)
{
    return PyLong_CheckExact(object) || PyFloat_CheckExact(object);
}

static inline int
is_text(PyObject *object)
{
    return PyUnicode_CheckExact(object);
}

static inline int
is_number_or_text(PyObject *object)
{
    return is_number(object) || is_text(object);
}

static inline int
is_array(PyObject *object)
{
    return PyList_CheckExact(object) || PyTuple_CheckExact(object);
}

static inline int
is_plain_dict(PyObject *object)
{
    return PyDict_CheckExact(object);
}

/* Return the object behind a proxy, as a borrowed reference, if it is of suitable type; else NULL without an
   exception. */
static inline PyObject *
borrow(PyObject *self, int (*is_suitable)(PyObject *))
{
#ifdef Py_GIL_DISABLED
    (void)self, (void)is_suitable;
    return NULL;
#else
    PyObject *wrapped = *field_at(self, wrapped_offset);
    return wrapped != NULL && is_suitable(wrapped) ? wrapped : NULL;
#endif
}

/* Like `borrow`, for an operand, which is a proxy or the object itself. */
static inline PyObject *
borrow_operand(PyObject *operand, int (*is_suitable)(PyObject *))
{
    if (Py_TYPE(operand)->tp_getattro == proxy_getattro) {
        return borrow(operand, is_suitable);
    }
    return is_suitable(operand) ? operand : NULL;
}

/* The functions `..._of_owned` are not inlined, so that the fast path does not have to save registers. */
#ifndef Py_NO_INLINE /* 3.11 */
#  define Py_NO_INLINE
#endif

#endif
