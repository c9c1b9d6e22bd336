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
} nw_error;

NW_EXTERN_C_END

#endif
