// What every file of the command may use: exit statuses, memory, text.
//
// A batch command has nobody to hand an out-of-memory error to: the calls here
// never return NULL, they end the process with one line on standard error.

#ifndef NWPOOL_BATCH_BASE_H
#define NWPOOL_BATCH_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

// Exit statuses of the command. docs/batch.md tells users about them; 128 plus
// the signal number is added for an interrupted run.
enum nwpool_batch_exit {
    NWPOOL_BATCH_EXIT_OK = 0,
    NWPOOL_BATCH_EXIT_TASKS = 1,  // Some tasks failed.
    NWPOOL_BATCH_EXIT_CONFIG = 2, // Usage or job file; nothing was run.
    NWPOOL_BATCH_EXIT_POOL = 4,   // No worker could run the module.
    NWPOOL_BATCH_EXIT_IO = 5,     // An input or the output failed midway.
    NWPOOL_BATCH_EXIT_BUG = 70,   // The command's own count does not add up.
    NWPOOL_BATCH_EXIT_SIGNAL = 128
};

void *nwpool_batch_alloc(size_t size);
void *nwpool_batch_alloc_zero(size_t size);
void *nwpool_batch_realloc(void *old, size_t size);
char *nwpool_batch_strdup(const char *text);

// Says that something failed for want of memory, and ends the process.
_Noreturn void nwpool_batch_out_of_memory(void);

// Text that grows. Zero-initialized is empty; `data` is NULL then and always
// NUL-terminated afterwards.
struct nwpool_batch_text {
    char *data;
    size_t size;
    size_t capacity;
};

void nwpool_batch_text_fini(struct nwpool_batch_text *text);

// Hands the bytes to the caller, who frees them, and leaves the text empty.
// Never NULL.
char *nwpool_batch_text_take(struct nwpool_batch_text *text);

void nwpool_batch_text_append(struct nwpool_batch_text *text, const void *data,
                              size_t size);
void nwpool_batch_text_puts(struct nwpool_batch_text *text, const char *data);
void nwpool_batch_text_printf(struct nwpool_batch_text *text,
                              const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void nwpool_batch_text_vprintf(struct nwpool_batch_text *text,
                               const char *format, va_list arguments);

// A new string, as printf makes it.
char *nwpool_batch_format(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

// `path` as seen from `directory`: unchanged when absolute, otherwise both
// joined, without a leading "./". A new string.
char *nwpool_batch_path_join(const char *directory, const char *path);

#endif
