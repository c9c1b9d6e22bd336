/**
 * @file nwpool/value.h
 * JavaScript values seen from C, without any JavaScript engine.
 *
 * Who owns what
 *   Values live in a document (nw_doc) and die with it, all at once: there is
 *   nothing else to free, and a value may be shared or contain itself. A value
 *   may only be put into containers of its own document.
 * Failure
 *   A maker that fails returns NULL and marks the document with the reason;
 *   every later use of that document in a task or message fails with it. So
 *   makers can be nested without a check at each step. The reason is
 *   NW_ENOMEM; NW_EINVAL for text that is NULL or not UTF-8; NW_ELIMIT for
 *   what is larger than a value may be.
 * Which thread
 *   A document belongs to one thread at a time. Reading it from several
 *   threads at once is fine while nobody writes.
 * Limits
 *   Nesting NW_VALUE_DEPTH_MAX; a string or bytes value 512 MiB - 24, which
 *   is V8's own limit for strings (NW_VALUE_SIZE_MAX).
 */
#ifndef NWPOOL_VALUE_H
#define NWPOOL_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nwpool/export.h>
#include <nwpool/status.h>

NW_EXTERN_C_BEGIN

/** Deepest nesting that is written or read. V8 recurses; this keeps it safe. */
#define NW_VALUE_DEPTH_MAX 1000

/** Largest string or bytes value, in bytes. */
#define NW_VALUE_SIZE_MAX 536870888

/** Owns values. Opaque; make one with nw_doc_create(). */
typedef struct nw_doc nw_doc;

/** One JavaScript value inside a document. Opaque. */
typedef struct nw_value nw_value;

/** What a value is. New kinds are appended. */
typedef enum nw_type {
    NW_TYPE_UNDEFINED,
    NW_TYPE_NULL,
    NW_TYPE_BOOL,
    NW_TYPE_NUMBER, /**< A double, as all JavaScript numbers are. */
    NW_TYPE_STRING, /**< Unicode text; UTF-8 on this side. */
    NW_TYPE_ARRAY,
    NW_TYPE_OBJECT, /**< String keys in insertion order. */
    NW_TYPE_BYTES   /**< A Uint8Array; from JavaScript also a Buffer,
                         ArrayBuffer, DataView or other typed array. */
} nw_type;

/**
 * Gives memory back to whoever lent it. Called once.
 *
 * Thread: any, V8's own helper threads included; also after the pool and the
 * runtime are gone. Must not call into this library.
 */
typedef void nw_release_cb(void *data, size_t size, void *hint);

/* -- documents */

/** An empty document, or NULL without memory. Thread: any. */
NW_API nw_doc *nw_doc_create(void);

/** Frees a document and everything in it. NULL is ignored. Thread: owner. */
NW_API void nw_doc_destroy(nw_doc *doc);

/**
 * Empties a document for reuse and clears its failure mark; keeps some of the
 * memory. Every value of it is dead afterwards. Thread: owner.
 */
NW_API void nw_doc_reset(nw_doc *doc);

/** NW_OK, or why the first maker that failed did so. Thread: owner. */
NW_API nw_status nw_doc_status(const nw_doc *doc);

/* -- makers: each returns a value of `doc`, or NULL (see Failure above).
 *    Thread: owner of the document, for all of them. */

NW_API nw_value *nw_value_undefined(nw_doc *doc);
NW_API nw_value *nw_value_null(nw_doc *doc);
NW_API nw_value *nw_value_bool(nw_doc *doc, bool boolean);
NW_API nw_value *nw_value_number(nw_doc *doc, double number);

/** NUL-terminated UTF-8, copied. NULL or invalid UTF-8 is a failure. */
NW_API nw_value *nw_value_string(nw_doc *doc, const char *text);

/** UTF-8 of `size` bytes, copied; may contain NUL. */
NW_API nw_value *nw_value_string_n(nw_doc *doc, const char *text, size_t size);

NW_API nw_value *nw_value_array(nw_doc *doc);
NW_API nw_value *nw_value_object(nw_doc *doc);

/** Bytes, copied. JavaScript receives a Uint8Array. */
NW_API nw_value *nw_value_bytes(nw_doc *doc, const void *data, size_t size);

/**
 * Bytes that are lent, not copied: JavaScript receives a Uint8Array over this
 * very memory, and `release` is called when nobody uses it any more.
 *
 * The memory moves with the first task or message that carries the value and
 * is accepted; from then on the value is empty and cannot be sent again. If
 * that never happens, `release` is called when the document dies. On failure
 * (NULL) the memory stays yours. `size` 0 is fine: `release` is still called.
 */
NW_API nw_value *nw_value_bytes_lend(nw_doc *doc, void *data, size_t size,
                                     nw_release_cb *release, void *hint);

/**
 * Appends to an array. `item` belongs to the same document and may stand in
 * several places.
 *
 * @return NW_OK; NW_EINVAL if `array` is no array or the documents differ;
 *         NW_ENOMEM without memory; when `item` is NULL, which is what a
 *         maker that failed returned, the mark of the document.
 */
NW_API nw_status nw_array_push(nw_value *array, nw_value *item);

/** Sets a member; a key that exists is replaced in place. `key` is copied
 *  UTF-8. Returns as nw_array_push(), and NW_EINVAL for a wrong key. */
NW_API nw_status nw_object_set(nw_value *object, const char *key,
                               nw_value *value);

/** The same for a key of `key_size` bytes, which may contain NUL. */
NW_API nw_status nw_object_set_n(nw_value *object, const char *key,
                                 size_t key_size, nw_value *value);

/* -- readers. Everything returned is borrowed from the document.
 *    Thread: any that may read the document. */

/** NW_TYPE_UNDEFINED for NULL. */
NW_API nw_type nw_value_type(const nw_value *value);

/** "undefined", "null", "boolean", "number", ... for messages. Never NULL. */
NW_API const char *nw_type_name(nw_type type);

/** True only for the boolean true. */
NW_API bool nw_value_get_bool(const nw_value *value);

/** The number; NaN when the value is no number. */
NW_API double nw_value_get_number(const nw_value *value);

/**
 * The number as an integer.
 *
 * @return NW_OK; NW_ETYPE when it is no number or not a whole one within
 *         +-2^53 (where doubles are exact); `*out` is 0 then.
 */
NW_API nw_status nw_value_get_int64(const nw_value *value, int64_t *out);

/**
 * The text, NUL-terminated UTF-8; NULL when the value is no string. A lone
 * surrogate, which UTF-8 cannot express, reads as U+FFFD. `size` (may be NULL)
 * receives the length in bytes.
 */
NW_API const char *nw_value_get_string(const nw_value *value, size_t *size);

/** The bytes; NULL when there are none, also when the value is empty or was
 *  taken. `size` (may be NULL) is set always. */
NW_API const void *nw_value_get_bytes(const nw_value *value, size_t *size);

/** Items of an array or members of an object; 0 for anything else. */
NW_API size_t nw_value_size(const nw_value *value);

/** Item `index`, or NULL past the end. A hole reads as undefined. */
NW_API const nw_value *nw_array_get(const nw_value *array, size_t index);

/** The member of that name, or NULL. */
NW_API const nw_value *nw_object_get(const nw_value *object, const char *key);

/**
 * Member `index` in insertion order, or NULL past the end. `key` and
 * `key_size` (may be NULL) receive its name.
 */
NW_API const nw_value *nw_object_at(const nw_value *object, size_t index,
                                    const char **key, size_t *key_size);

/** Memory that was handed over; call release(data, size, hint) once. */
typedef struct nw_bytes {
    void *data;
    size_t size;
    nw_release_cb *release;
    void *hint;
} nw_bytes;

/**
 * Takes bytes out of a document so that they outlive it. No copy where they
 * arrived without one (a buffer that the task transferred, or lent memory) and
 * the value shows all of them and is the only one to do so; otherwise they are
 * copied. The value is empty afterwards and cannot be sent again.
 *
 * @param out  receives the bytes; its `release` is never NULL on success, and
 *             all of it is zero on failure.
 * @return NW_OK; NW_ETYPE when the value holds no bytes, or not any more;
 *         NW_ENOMEM; NW_EINVAL.
 * Thread: owner of the document.
 */
NW_API nw_status nw_value_take_bytes(nw_value *value, nw_bytes *out);

NW_EXTERN_C_END

#endif
