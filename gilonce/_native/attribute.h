/* Attributes of instances and classes, and what is remembered of a type. */

#ifndef GILONCE_ATTRIBUTE_H
#define GILONCE_ATTRIBUTE_H

#include "field.h"

static int dict_load(PyObject *dict, PyObject *key, PyObject **value);
static PyObject *dict_of_type(PyTypeObject *type);
static PyObject *mro_of(PyTypeObject *type);
static int type_lookup(PyTypeObject *type, PyObject *name, PyObject **entry);
static int type_lookup_string(PyTypeObject *type, const char *name, PyObject **entry);
static int has_usual_dict(PyTypeObject *type);
static int attribute_load(PyObject *instance, PyObject *key, PyObject **value);
static int definition_fields(PyObject *definition, PyObject **key, PyObject **discard);
#ifndef Py_GIL_DISABLED
static int has_dict_object(PyObject *instance);
static int attribute_publish(PyObject *instance, PyObject *key, PyObject *value, PyObject **published);
#endif

/* What was found out about the type that was looked up last: its version tag, then 32 bits for the fact. The
   interpreter gives each tag to one state of one type, so the tag alone identifies both, and the memo keeps no type
   alive. The tag has no public accessor. */
typedef struct {
    uint64_t word;
#if PY_VERSION_HEX < 0x030B0000
    /* `sys._clear_type_cache()` makes the tags start again, and a new type may have the address of a freed one. A weak
       reference distinguishes them. */
    PyObject *type;
#endif
} TypeMemo;

#if !defined(Py_GIL_DISABLED) || SIZEOF_VOID_P >= 8
#  define REMEMBERS 1
#else
/* Without a GIL, one atomic operation has to read or write the whole word. A 32-bit processor may have none that is so
   wide, and the compiler would call a library that extensions are not linked with. There, nothing is remembered. */
#  define REMEMBERS 0
#endif

static inline uint32_t
tag_of(PyTypeObject *type)
{
    return (uint32_t)LOAD_NUMBER(&type->tp_version_tag);
}

/* Return whether the memo has a fact about `type`. A type without a tag is never remembered. */
static inline int
recall(TypeMemo *memo, PyTypeObject *type, uint32_t *fact)
{
#if REMEMBERS
#  ifdef Py_GIL_DISABLED
    Py_BUILD_ASSERT(sizeof(memo->word) <= sizeof(void *));
#  endif
    uint64_t word = LOAD_NUMBER(&memo->word);
    uint32_t tag = tag_of(type);
    *fact = (uint32_t)word;
    if (tag == 0 || (uint32_t)(word >> 32) != tag) {
        return 0;
    }
#  if PY_VERSION_HEX < 0x030B0000
    return PyWeakref_GET_OBJECT(memo->type) == (PyObject *)type;
#  else
    return 1;
#  endif
#else
    (void)memo;
    (void)type;
    *fact = 0;
    return 0;
#endif
}

/* Remember a fact about `type`. `tag` is the tag that the type had before the lookup: if the type has changed since,
   the memo does not match it. */
static inline void
remember(TypeMemo *memo, PyTypeObject *type, uint32_t tag, uint32_t fact)
{
    if (!version_tags_hold) {
        return;
    }
#if PY_VERSION_HEX < 0x030B0000
    PyObject *reference = tag == 0 ? NULL : PyWeakref_NewRef((PyObject *)type, NULL);
    if (reference == NULL) {
        PyErr_Clear(); /* no memory: the fact is not remembered */
        return;
    }
    Py_XSETREF(memo->type, reference);
#endif
#if REMEMBERS
    if (tag != 0) {
        STORE_NUMBER(&memo->word, (uint64_t)tag << 32 | fact);
    }
#endif
    (void)memo;
    (void)type;
    (void)tag;
    (void)fact;
}

static inline void
forget(TypeMemo *memo)
{
#if REMEMBERS
    STORE_NUMBER(&memo->word, 0);
#endif
#if PY_VERSION_HEX < 0x030B0000
    Py_CLEAR(memo->type);
#endif
    (void)memo;
}

/* The facts about a type. */
enum {
    USUAL_DICT = 1,       /* `has_usual_dict` */
    UNDER_ITS_NAME = 2, /* the property is the attribute itself, not overridden in a subclass */
};

/* Return the result of `has_usual_dict`, from the memo if it is there. `memo` may be NULL. */
static inline int
recall_usual_dict(TypeMemo *memo, PyTypeObject *type)
{
    uint32_t facts;
    return memo != NULL && recall(memo, type, &facts) ? (int)(facts & USUAL_DICT) : has_usual_dict(type);
}

static int remember_usual_dict(TypeMemo *memo, PyTypeObject *type);

static inline int
learn_usual_dict(TypeMemo *memo, PyTypeObject *type)
{
    uint32_t facts;
    return recall(memo, type, &facts) ? (int)(facts & USUAL_DICT) : remember_usual_dict(memo, type);
}

#endif
