/* The special methods of lazy proxies: one function per slot, which applies the operation to the object. Programs
   recognize some abilities by the presence of a slot (is it callable? iterable? an integer?). A proxy type has such a
   slot only if its interface has it; see `proxy_types.c`. */

#include "proxy.h"

static inline PyObject *
with_wrapped(PyObject *self, PyObject *(*act)(PyObject *))
{
    PyObject *wrapped = wrapped_in(self);
    PyObject *result = wrapped == NULL ? NULL : act(wrapped);
    Py_XDECREF(wrapped);
    return result;
}

/* Return the object behind an operand if that is a proxy, with a new reference to it in `owned`; else the operand
   itself, with NULL in `owned`. Returns NULL with an exception if touching the proxy fails. */
static inline PyObject *
value_of(PyObject *operand, PyObject **owned)
{
    PyTypeObject *type = Py_TYPE(operand);
    int is_proxy = type->tp_getattro == proxy_getattro;
    if (!is_proxy && type->tp_flags & Py_TPFLAGS_HEAPTYPE) {
        /* All of wrapt's proxies derive from the type that has this deallocator. */
        while (type != NULL && type->tp_dealloc != dealloc_of_wrapt) {
            type = type->tp_base;
        }
        is_proxy = type != NULL;
    }
    *owned = is_proxy ? wrapped_in(operand) : NULL;
    return is_proxy ? *owned : operand;
}

static inline PyObject *
with_both(PyObject *left, PyObject *right, PyObject *(*operate)(PyObject *, PyObject *))
{
    PyObject *owned_left, *owned_right = NULL;
    PyObject *first = value_of(left, &owned_left);
    PyObject *second = first == NULL ? NULL : value_of(right, &owned_right);
    PyObject *result = second == NULL ? NULL : operate(first, second);
    Py_XDECREF(owned_left);
    Py_XDECREF(owned_right);
    return result;
}

/* Numbers. */

#define UNARY(name, act) \
    static PyObject *proxy_##name(PyObject *self) { return with_wrapped(self, act); }
/* The slot of the object's type, or NULL if it has none. Calling it directly instead of the function of the C API makes
   `x in P` a tenth faster (measured on 3.11 and 3.13). */
#define TYPE_SLOT(object, methods, slot) \
    (Py_TYPE(object)->methods == NULL ? NULL : Py_TYPE(object)->methods->slot)
#define NUMBER(name, slot, act) \
    static PyObject *proxy_##name(PyObject *self) \
    { \
        PyObject *number = borrow(self, is_number); \
        unaryfunc its_own = number == NULL ? NULL : Py_TYPE(number)->tp_as_number->slot; \
        return its_own == NULL ? with_wrapped(self, act) : its_own(number); \
    }
#define BINARY(name, operate) \
    static PyObject *proxy_##name(PyObject *left, PyObject *right) { return with_both(left, right, operate); }
#define SUM(name, slot, operate) \
    static PyObject *name(PyObject *left, PyObject *right) \
    { \
        PyObject *first = borrow_operand(left, is_number); \
        PyObject *second = first == NULL ? NULL : borrow_operand(right, is_number); \
        int are_alike = second != NULL && Py_IS_TYPE(second, Py_TYPE(first)); \
        return are_alike ? Py_TYPE(first)->tp_as_number->slot(first, second) : with_both(left, right, operate); \
    }

NUMBER(negative, nb_negative, PyNumber_Negative)
NUMBER(positive, nb_positive, PyNumber_Positive)
NUMBER(absolute, nb_absolute, PyNumber_Absolute)
NUMBER(invert, nb_invert, PyNumber_Invert)
UNARY(index, PyNumber_Index)
UNARY(int, PyNumber_Long)
UNARY(float, PyNumber_Float)

SUM(add, nb_add, PyNumber_Add)
SUM(proxy_subtract, nb_subtract, PyNumber_Subtract)
BINARY(multiply, PyNumber_Multiply)
BINARY(matrix_multiply, PyNumber_MatrixMultiply)
BINARY(remainder, PyNumber_Remainder)
BINARY(divmod, PyNumber_Divmod)
BINARY(lshift, PyNumber_Lshift)
BINARY(rshift, PyNumber_Rshift)
BINARY(and, PyNumber_And)
BINARY(xor, PyNumber_Xor)
BINARY(or, PyNumber_Or)
BINARY(floor_divide, PyNumber_FloorDivide)
BINARY(true_divide, PyNumber_TrueDivide)

static PyObject *
proxy_add(PyObject *left, PyObject *right)
{
    if (TYPE_SLOT(left, tp_as_sequence, sq_inplace_concat) == NULL) {
        return add(left, right);
    }
    /* The proxy is touched first, because a TypeError of the factory is not one of the addition. */
    PyObject *owned;
    PyObject *second = value_of(right, &owned);
    PyObject *sum = second == NULL ? NULL : add(left, second);
    Py_XDECREF(owned);
    /* For `list += P`, the interpreter tries the right operand's addition before it extends the list. */
    if (second != NULL && sum == NULL && PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Clear();
        Py_RETURN_NOTIMPLEMENTED;
    }
    return sum;
}

static PyObject *
proxy_power(PyObject *base, PyObject *exponent, PyObject *modulus)
{
    PyObject *owned[3] = {NULL, NULL, NULL};
    PyObject *first = value_of(base, &owned[0]);
    PyObject *second = first == NULL ? NULL : value_of(exponent, &owned[1]);
    PyObject *third = second == NULL ? NULL : value_of(modulus, &owned[2]);
    PyObject *result = third == NULL ? NULL : PyNumber_Power(first, second, third);
    for (int i = 0; i < 3; i++) {
        Py_XDECREF(owned[i]);
    }
    return result;
}

/* Return the length of the object behind a proxy if it can be read without owning the object, else -1. */
static inline Py_ssize_t
borrowed_length(PyObject *self)
{
    PyObject *array = borrow(self, is_array);
    if (array != NULL) {
        return Py_SIZE(array);
    }
    PyObject *dict = borrow(self, is_plain_dict);
    if (dict != NULL) {
        return PyDict_GET_SIZE(dict);
    }
    PyObject *text = borrow(self, is_text);
    return text == NULL ? -1 : PyUnicode_GetLength(text);
}

static Py_NO_INLINE int
bool_of_owned(PyObject *self)
{
    PyObject *wrapped = wrapped_in(self);
    if (wrapped == NULL) {
        return -1;
    }
    int result = PyObject_IsTrue(wrapped);
    Py_DECREF(wrapped);
    return result;
}

static int
proxy_bool(PyObject *self)
{
    PyObject *number = borrow(self, is_number);
    if (number != NULL) {
        return Py_TYPE(number)->tp_as_number->nb_bool(number);
    }
    Py_ssize_t length = borrowed_length(self);
    return length < 0 ? bool_of_owned(self) : length > 0;
}

static Py_NO_INLINE Py_hash_t
hash_of_owned(PyObject *self)
{
    PyObject *wrapped = wrapped_in(self);
    if (wrapped == NULL) {
        return -1;
    }
    Py_hash_t result = PyObject_Hash(wrapped);
    Py_DECREF(wrapped);
    return result;
}

static Py_hash_t
proxy_hash(PyObject *self)
{
    PyObject *key = borrow(self, is_number_or_text);
    return key == NULL ? hash_of_owned(self) : Py_TYPE(key)->tp_hash(key);
}

static PyObject *
proxy_richcompare(PyObject *self, PyObject *other, int operation)
{
    PyObject *left = borrow(self, is_number_or_text);
    PyObject *right = left == NULL ? NULL : borrow_operand(other, is_number_or_text);
    if (right != NULL && Py_IS_TYPE(right, Py_TYPE(left))) {
        return Py_TYPE(left)->tp_richcompare(left, right, operation);
    }
    PyObject *wrapped = wrapped_in(self);
    if (wrapped == NULL) {
        return NULL;
    }
    PyObject *owned;
    PyObject *value = value_of(other, &owned);
    PyObject *result = value == NULL ? NULL : PyObject_RichCompare(wrapped, value, operation);
    Py_DECREF(wrapped);
    Py_XDECREF(owned);
    return result;
}

/* Containers. */

static Py_NO_INLINE Py_ssize_t
length_of_owned(PyObject *self)
{
    PyObject *wrapped = wrapped_in(self);
    if (wrapped == NULL) {
        return -1;
    }
    Py_ssize_t result = PyObject_Size(wrapped);
    Py_DECREF(wrapped);
    return result;
}

static Py_ssize_t
proxy_length(PyObject *self)
{
    Py_ssize_t length = borrowed_length(self);
    return length < 0 ? length_of_owned(self) : length;
}

static int
proxy_contains(PyObject *self, PyObject *item)
{
    PyObject *wrapped = wrapped_in(self);
    if (wrapped == NULL) {
        return -1;
    }
    objobjproc its_own = TYPE_SLOT(wrapped, tp_as_sequence, sq_contains);
    int result = its_own == NULL ? PySequence_Contains(wrapped, item) : its_own(wrapped, item);
    Py_DECREF(wrapped);
    return result;
}

static Py_NO_INLINE PyObject *
item_of_owned(PyObject *self, PyObject *key)
{
    PyObject *wrapped = wrapped_in(self);
    if (wrapped == NULL) {
        return NULL;
    }
    binaryfunc its_own = TYPE_SLOT(wrapped, tp_as_mapping, mp_subscript);
    PyObject *result = its_own == NULL ? PyObject_GetItem(wrapped, key) : its_own(wrapped, key);
    Py_DECREF(wrapped);
    return result;
}

static PyObject *
proxy_subscript(PyObject *self, PyObject *key)
{
    PyObject *array = PyLong_CheckExact(key) ? borrow(self, is_array) : NULL;
    return array == NULL ? item_of_owned(self, key) : Py_TYPE(array)->tp_as_mapping->mp_subscript(array, key);
}

static int
proxy_ass_subscript(PyObject *self, PyObject *key, PyObject *value)
{
    PyObject *wrapped = wrapped_in(self);
    if (wrapped == NULL) {
        return -1;
    }
    int result = value == NULL ? PyObject_DelItem(wrapped, key) : PyObject_SetItem(wrapped, key, value);
    Py_DECREF(wrapped);
    return result;
}

/* The interpreter has already added the length to a negative index. `PySequence_GetItem` would add it again. */
static PyObject *
proxy_item(PyObject *self, Py_ssize_t index)
{
    PyObject *wrapped = wrapped_in(self);
    if (wrapped == NULL) {
        return NULL;
    }
    ssizeargfunc its_own = TYPE_SLOT(wrapped, tp_as_sequence, sq_item);
    PyObject *result = its_own == NULL ? PySequence_GetItem(wrapped, index) : its_own(wrapped, index);
    Py_DECREF(wrapped);
    return result;
}

static int
proxy_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
    PyObject *wrapped = wrapped_in(self);
    int result = wrapped == NULL ? -1 : PyObject_GetBuffer(wrapped, view, flags);
    Py_XDECREF(wrapped);
    return result;
}

/* Calls, iteration, descriptors and awaitables. */

static PyObject *
proxy_call(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *wrapped = wrapped_in(self);
    PyObject *result = wrapped == NULL ? NULL : PyObject_Call(wrapped, args, kwargs);
    Py_XDECREF(wrapped);
    return result;
}

static PyObject *
proxy_vectorcall(PyObject *self, PyObject *const *args, size_t count, PyObject *kwnames)
{
    PyObject *wrapped = wrapped_in(self);
    PyObject *result = wrapped == NULL ? NULL : PyObject_Vectorcall(wrapped, args, count, kwnames);
    Py_XDECREF(wrapped);
    return result;
}

static PyObject *
iter_of(PyObject *wrapped)
{
    getiterfunc its_own = Py_TYPE(wrapped)->tp_iter;
    return its_own == NULL ? PyObject_GetIter(wrapped) : its_own(wrapped);
}

UNARY(iter, iter_of)

static PyObject *
next_of(PyObject *wrapped)
{
    if (!PyIter_Check(wrapped)) {
        return PyErr_Format(PyExc_TypeError, "'%.200s' object is not an iterator", Py_TYPE(wrapped)->tp_name);
    }
    return Py_TYPE(wrapped)->tp_iternext(wrapped);
}

UNARY(iternext, next_of)

static PyObject *
proxy_descr_get(PyObject *self, PyObject *instance, PyObject *owner)
{
    PyObject *wrapped = wrapped_in(self);
    descrgetfunc get = wrapped == NULL ? NULL : Py_TYPE(wrapped)->tp_descr_get;
    if (get == NULL) {
        return wrapped;
    }
    PyObject *result = get(wrapped, instance, owner);
    Py_DECREF(wrapped);
    return result;
}

/* If the object does not have the slot, the Python method `fallback` raises the error that the interpreter would raise.
   It also awaits coroutines, because only `await` itself checks that a coroutine is not already being awaited. */
#define ASYNC(name, fallback) \
    static PyObject *proxy_##name(PyObject *self) \
    { \
        PyObject *wrapped = wrapped_in(self); \
        if (wrapped == NULL) { \
            return NULL; \
        } \
        unaryfunc act = TYPE_SLOT(wrapped, tp_as_async, am_##name); \
        int is_direct = act != NULL && !PyCoro_CheckExact(wrapped); \
        PyObject *result = is_direct ? act(wrapped) : PyObject_CallMethod(self, fallback, NULL); \
        Py_DECREF(wrapped); \
        return result; \
    }

ASYNC(await, "_self_await")
ASYNC(aiter, "_self_aiter")
ASYNC(anext, "_self_anext")

/* Call a special method, which was found in the class of `instance`. */
static PyObject *
call_entry(PyObject *entry, PyObject *instance, PyObject *const *args, Py_ssize_t count)
{
    descrgetfunc get = Py_TYPE(entry)->tp_descr_get;
    PyObject *method = get == NULL ? Py_NewRef(entry) : get(entry, instance, (PyObject *)Py_TYPE(instance));
    PyObject *result = method == NULL ? NULL : PyObject_Vectorcall(method, args, count, NULL);
    Py_XDECREF(method);
    return result;
}

/* `with` and `async with`. If the object lacks a method, the Python method `fallback` raises the error that the
   interpreter would raise. */
static PyObject *
enter_object(PyObject *self, const char *enter_name, const char *exit_name, const char *fallback)
{
    PyObject *wrapped = wrapped_in(self);
    if (wrapped == NULL) {
        return NULL;
    }
    PyObject *result = NULL;
    PyObject *enter_entry = NULL;
    PyObject *exit_entry = NULL;
    int found = type_lookup_string(Py_TYPE(wrapped), enter_name, &enter_entry);
    if (found > 0) {
        found = type_lookup_string(Py_TYPE(wrapped), exit_name, &exit_entry);
    }
    if (found > 0) {
        result = call_entry(enter_entry, wrapped, NULL, 0);
        Py_DECREF(exit_entry);
    }
    else if (found == 0) {
        result = PyObject_CallMethod(self, fallback, NULL);
    }
    Py_XDECREF(enter_entry);
    Py_DECREF(wrapped);
    return result;
}

static PyObject *
leave_object(PyObject *self, const char *name, PyObject *const *args, Py_ssize_t count)
{
    PyObject *wrapped = wrapped_in(self);
    PyObject *entry = NULL;
    PyObject *result = NULL;
    int found = wrapped == NULL ? -1 : type_lookup_string(Py_TYPE(wrapped), name, &entry);
    if (found > 0) {
        result = call_entry(entry, wrapped, args, count);
        Py_DECREF(entry);
    }
    else if (found == 0) {
        PyErr_Format(PyExc_AttributeError, "'%.200s' object has no attribute '%s'", Py_TYPE(wrapped)->tp_name, name);
    }
    Py_XDECREF(wrapped);
    return result;
}

static PyObject *
proxy_enter(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return enter_object(self, "__enter__", "__exit__", "_self_enter");
}

static PyObject *
proxy_exit(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    return leave_object(self, "__exit__", args, count);
}

static PyObject *
proxy_aenter(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return enter_object(self, "__aenter__", "__aexit__", "_self_aenter");
}

static PyObject *
proxy_aexit(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    return leave_object(self, "__aexit__", args, count);
}

/* Because the type has its own `__getattr__`, `copy_attributes` does not assign the Python one, which would replace
   `tp_getattro`. */
static PyMethodDef proxy_methods[] = {
    {"__getattr__", proxy_getattr, METH_O, NULL},
    {"__enter__", proxy_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))proxy_exit, METH_FASTCALL, NULL},
    {"__aenter__", proxy_aenter, METH_NOARGS, NULL},
    {"__aexit__", (PyCFunction)(void (*)(void))proxy_aexit, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
