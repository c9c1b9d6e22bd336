/**
 * @file nwpool/value.h
 * JavaScript values seen from C, without any JavaScript engine.
 *
 * Who owns what
 *   Values live in a document (nw_doc) and die with it, all at once: there is
 *   nothing else to free, and a value may be shared or contain itself. A value
 *   may only be put into containers of its own document.
 *   What a value refers to outside of its document (shared memory, a port) is
 *   counted: the document holds one reference until it dies.
 * Failure
 *   A maker that fails returns NULL and marks the document with the reason;
 *   every later use of that document in a task or message fails with it. So
 *   makers can be nested without a check at each step. The reason is
 *   NW_ENOMEM; NW_EINVAL for text that is NULL or not UTF-8 and for other
 *   arguments that are wrong; NW_ELIMIT for what is larger than a value may be.
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
    NW_TYPE_BYTES,  /**< Bytes of any kind; nw_value_view() tells which. */
    NW_TYPE_BIGINT, /**< A whole number of any size. */
    NW_TYPE_DATE,   /**< Milliseconds since 1970, UTC. */
    NW_TYPE_REGEXP, /**< A regular expression: its source and flags. */
    NW_TYPE_MAP,    /**< Pairs in insertion order, keys of any type. */
    NW_TYPE_SET,    /**< Items in insertion order. */
    NW_TYPE_ERROR,  /**< An Error; see nwpool/error.h. */
    NW_TYPE_BOXED,  /**< `Object(1)`: a boolean, number, string or bigint as
                         an object. */
    NW_TYPE_PORT,   /**< One end of a MessageChannel; see nwpool/port.h. */
    NW_TYPE_HOST,   /**< Another object of Node.js (a KeyObject, Blob,
                         FileHandle, ...), to be handed on, not looked into. */
    NW_TYPE_WASM_MODULE, /**< A compiled WebAssembly.Module, to be handed on. */
    NW_TYPE_WASM_MEMORY  /**< A shared WebAssembly.Memory. */
} nw_type;

/** What bytes are in JavaScript. New kinds are appended. */
typedef enum nw_view {
    NW_VIEW_UINT8, /**< Uint8Array, and Buffer, which arrives as one. */
    NW_VIEW_ARRAY_BUFFER,
    NW_VIEW_SHARED_ARRAY_BUFFER,
    NW_VIEW_INT8,
    NW_VIEW_UINT8_CLAMPED,
    NW_VIEW_INT16,
    NW_VIEW_UINT16,
    NW_VIEW_INT32,
    NW_VIEW_UINT32,
    NW_VIEW_FLOAT16, /**< Read only: Node.js 18 has none. */
    NW_VIEW_FLOAT32,
    NW_VIEW_FLOAT64,
    NW_VIEW_BIGINT64,
    NW_VIEW_BIGUINT64,
    NW_VIEW_DATA_VIEW
} nw_view;

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
 * An ArrayBuffer, copied; alone, or to be shown by nw_value_view_of(). The
 * buffer of nw_value_buffer() is one too.
 */
NW_API nw_value *nw_value_array_buffer(nw_doc *doc, const void *data,
                                       size_t size);

/**
 * A typed array or DataView over a part of a buffer. All views of one buffer
 * share it in JavaScript too, when they are sent together.
 *
 * @param buffer  an ArrayBuffer or SharedArrayBuffer of the same document.
 * @param offset  in bytes, a multiple of the size of an element.
 * @param size    in bytes, the same; `offset + size` lies within the buffer.
 * Anything else, a `view` that is a buffer itself, or NW_VIEW_FLOAT16 is
 * NW_EINVAL.
 */
NW_API nw_value *nw_value_view_of(nw_value *buffer, nw_view view, size_t offset,
                                  size_t size);

/** A BigInt. */
NW_API nw_value *nw_value_bigint(nw_doc *doc, int64_t number);
NW_API nw_value *nw_value_bigint_unsigned(nw_doc *doc, uint64_t number);

/** A BigInt of any size: `count` words, least significant first, at most
 *  NW_BIGINT_WORDS_MAX; leading zero words are dropped, and minus zero is
 *  zero. */
NW_API nw_value *nw_value_bigint_words(nw_doc *doc, bool negative,
                                       const uint64_t *words, size_t count);

/** Largest BigInt, in words of 64 bits: 2^24 bits, as V8 reads. */
#define NW_BIGINT_WORDS_MAX ((size_t)1 << 18)

/** A Date: milliseconds since 1970 UTC; NaN, or beyond +-8.64e15, is an
 *  invalid date. A fraction is cut off, as JavaScript does. */
NW_API nw_value *nw_value_date(nw_doc *doc, double ms);

/** A RegExp. `flags` are of "dgimsuy", each at most once, or NULL for none;
 *  others are NW_EINVAL. The source is not checked: a malformed one fails
 *  where it is received. */
NW_API nw_value *nw_value_regexp(nw_doc *doc, const char *source,
                                 const char *flags);

NW_API nw_value *nw_value_map(nw_doc *doc);
NW_API nw_value *nw_value_set(nw_doc *doc);

/** `Object(primitive)`: of a boolean, number, string or bigint; others are
 *  NW_EINVAL. */
NW_API nw_value *nw_value_boxed(nw_doc *doc, nw_value *primitive);

/** Adds a pair to a map. Keys are not compared: when one comes twice, the
 *  later pair wins in JavaScript, where a key of -0 is 0. Returns as
 *  nw_array_push(). */
NW_API nw_status nw_map_push(nw_value *map, nw_value *key, nw_value *value);

/** Adds an item to a set, not comparing it either. Returns as
 *  nw_array_push(). */
NW_API nw_status nw_set_push(nw_value *set, nw_value *item);

/** Appends a hole, as in `[1, , 3]`. NW_OK; NW_EINVAL; NW_ENOMEM. */
NW_API nw_status nw_array_push_hole(nw_value *array);

/** Sets a named property of an array. Returns as nw_object_set(); a key that is
 *  an index is a wrong one. */
NW_API nw_status nw_array_set_property(nw_value *array, const char *key,
                                       nw_value *value);

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
 *  UTF-8. Returns as nw_array_push(); NW_EINVAL for a wrong key, or NW_ELIMIT
 *  for one that is too long, is the mark of the document too. */
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

/** What kind of bytes; NW_VIEW_UINT8 when the value holds none. */
NW_API nw_view nw_value_view(const nw_value *value);

/** "Uint8Array", "ArrayBuffer", ... Never NULL. */
NW_API const char *nw_view_name(nw_view view);

/**
 * The buffer that a view shows a part of, and where the view begins in it;
 * the value itself with 0 when it is a buffer; NULL when it holds no bytes, and
 * for a view that stands alone: bytes of nw_value_bytes(), or a view that
 * arrived as its slice. Views of one buffer give the same pointer.
 */
NW_API const nw_value *nw_value_buffer(const nw_value *value, size_t *offset);

/**
 * The magnitude of a BigInt, least significant word first, without leading
 * zeroes; NULL when it is none, or zero. `count` and `negative` (may be NULL)
 * are set always.
 */
NW_API const uint64_t *nw_value_get_bigint_words(const nw_value *value,
                                                 bool *negative, size_t *count);

/** A BigInt as an integer. NW_OK; NW_ETYPE when it is none; NW_ELIMIT when it
 *  does not fit; `*out` is 0 then. NW_EINVAL. */
NW_API nw_status nw_value_get_bigint(const nw_value *value, int64_t *out);
NW_API nw_status nw_value_get_bigint_unsigned(const nw_value *value,
                                              uint64_t *out);

/** Milliseconds since 1970 UTC; NaN when the value is no Date or an invalid
 *  one. */
NW_API double nw_value_get_date(const nw_value *value);

/** The source of a RegExp, NUL-terminated; NULL when it is none. `flags` (may
 *  be NULL) receives them in alphabetical order, "" for none. */
NW_API const char *nw_value_get_regexp(const nw_value *value,
                                       const char **flags);

/** The primitive in a boxed one, or NULL. */
NW_API const nw_value *nw_value_unbox(const nw_value *value);

/** Class name of an object of Node.js, cut after 31 bytes: "Blob", and for a
 *  KeyObject the class behind it, "SecretKeyObject"; "MessagePort" for a port;
 *  NULL for anything else. */
NW_API const char *nw_value_get_host_type(const nw_value *value);

/** Pair `index` of a map in insertion order: its value, and its key in `*key`
 *  (may be NULL); NULL past the end. */
NW_API const nw_value *nw_map_at(const nw_value *map, size_t index,
                                 const nw_value **key);

/** The value of a key that is a string, or NULL. Looks at pair after pair. */
NW_API const nw_value *nw_map_get(const nw_value *map, const char *key);

/** Item `index` of a set in insertion order, or NULL past the end. */
NW_API const nw_value *nw_set_at(const nw_value *set, size_t index);

/** True for a hole, which nw_array_get() reads as undefined. */
NW_API bool nw_array_is_hole(const nw_value *array, size_t index);

/** The named properties of an array, an object; NULL when it has none. */
NW_API const nw_value *nw_array_properties(const nw_value *array);

/** Items of an array or set, pairs of a map, members of an object; 0 for
 *  anything else. */
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

/* -- shared memory */

/**
 * The memory of a SharedArrayBuffer: one for C and for all workers it is sent
 * to. Counted; freed with the last reference, wherever that is. Accesses from
 * both sides need atomics of the same size, as between threads.
 */
typedef struct nw_shared nw_shared;

/** New shared memory of `size` bytes, all zero, aligned to 16; one reference.
 *  NW_EINVAL; NW_ELIMIT above NW_VALUE_SIZE_MAX; NW_ENOMEM. Thread: any. */
NW_API nw_status nw_shared_create(nw_shared **out, size_t size);

/** The same over memory of yours, which `release` (may be NULL) gives back when
 *  nobody uses it any more. On failure the memory stays yours; NULL with a
 *  `size` is NW_EINVAL. Thread: any. */
NW_API nw_status nw_shared_lend(nw_shared **out, void *data, size_t size,
                                nw_release_cb *release, void *hint);

/** One more reference; returns `shared`. Thread: any. */
NW_API nw_shared *nw_shared_ref(nw_shared *shared);

/** One reference less. NULL is ignored. Thread: any. */
NW_API void nw_shared_unref(nw_shared *shared);

/** Its bytes; `size` (may be NULL) receives how many. Thread: any. */
NW_API void *nw_shared_data(const nw_shared *shared, size_t *size);

/** A SharedArrayBuffer over it. The document keeps a reference. */
NW_API nw_value *nw_value_shared(nw_doc *doc, nw_shared *shared);

/** The shared memory of a SharedArrayBuffer, of a view of one or of a
 *  WebAssembly.Memory, borrowed from the document; else NULL. */
NW_API nw_shared *nw_value_get_shared(const nw_value *value);

/* -- bytes that leave a document */

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
