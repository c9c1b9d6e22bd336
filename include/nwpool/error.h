/**
 * @file nwpool/error.h
 * A JavaScript error as C sees it.
 */
#ifndef NWPOOL_ERROR_H
#define NWPOOL_ERROR_H

#include <nwpool/value.h>

NW_EXTERN_C_BEGIN

/**
 * What was thrown, or why a task could not run. Borrowed from whatever handed
 * it out. New fields are appended.
 */
typedef struct nw_error {
    const char *name;    /**< Class name, "TypeError"; "" for no Error. */
    const char *message; /**< Never NULL. For a thrown non-error: its text. */
    const char *stack;   /**< As JavaScript has it; "" when there is none. */
    const char *code;    /**< Its `code` property as text, or NULL. */
    const struct nw_error *cause; /**< Its `cause`, or NULL. */

    /** Own enumerable properties other than the above, those that can be
     *  cloned; an object, or NULL when there are none. */
    const nw_value *properties;

    /** The thrown value itself when it was no Error (`throw 5`), else NULL. */
    const nw_value *thrown;

    uint64_t task; /**< Id of the task that ended with it; 0: not a task's. */

    /** The `errors` of an AggregateError, an array, or NULL. */
    const nw_value *errors;
} nw_error;

/* -- errors as values: NW_TYPE_ERROR */

/**
 * An Error. In JavaScript its class is the built-in one of that name (Error,
 * TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError,
 * AggregateError), or Error with that `name`. Its stack is the one line
 * "name: message" until nw_error_set_stack().
 *
 * Thread: owner of the document, as for the functions below.
 */
NW_API nw_value *nw_value_error(nw_doc *doc, const char *name,
                                const char *message);

/** Sets its stack (NULL: none; JavaScript has its first line then), or its
 *  `code`. NW_OK; NW_EINVAL, also for text that is not UTF-8; NW_ELIMIT;
 *  NW_ENOMEM. */
NW_API nw_status nw_error_set_stack(nw_value *error, const char *stack);
NW_API nw_status nw_error_set_code(nw_value *error, const char *code);

/** Sets its `cause`, any value of the document; its `errors`, an array; or an
 *  own property. Return as nw_object_set(). */
NW_API nw_status nw_error_set_cause(nw_value *error, nw_value *cause);
NW_API nw_status nw_error_set_errors(nw_value *error, nw_value *errors);
NW_API nw_status nw_error_set_property(nw_value *error, const char *key,
                                       nw_value *value);

/**
 * What the error says, borrowed from its document; NULL when the value is no
 * Error. The chain of causes has at most 16 links and never loops: it is cut
 * where an error would be its own cause.
 */
NW_API const nw_error *nw_value_get_error(const nw_value *value);

NW_EXTERN_C_END

#endif
