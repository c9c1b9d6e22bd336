// Memory and text for the command.
//
// Invariants
//   No function here returns NULL.
//   A text's `data`, once there, is NUL-terminated at `size`.

#include "batch/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_CAPACITY_MIN 64

// Leaves without exit handlers: they would want memory too.
_Noreturn void nwpool_batch_out_of_memory(void)
{
    static const char message[] = "nwpool: out of memory\n";
    ssize_t ignored = write(STDERR_FILENO, message, sizeof(message) - 1);

    (void)ignored;
    _exit(NWPOOL_BATCH_EXIT_IO);
}

void *nwpool_batch_alloc(size_t size)
{
    void *memory = malloc(size == 0 ? 1 : size);

    if (memory == NULL) {
        nwpool_batch_out_of_memory();
    }
    return memory;
}

void *nwpool_batch_alloc_zero(size_t size)
{
    void *memory = nwpool_batch_alloc(size);

    memset(memory, 0, size);
    return memory;
}

void *nwpool_batch_realloc(void *old, size_t size)
{
    void *memory = realloc(old, size == 0 ? 1 : size);

    if (memory == NULL) {
        nwpool_batch_out_of_memory();
    }
    return memory;
}

char *nwpool_batch_strdup(const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(nwpool_batch_alloc(size), text, size);
}

// -- text

void nwpool_batch_text_fini(struct nwpool_batch_text *text)
{
    free(text->data);
    *text = (struct nwpool_batch_text){0};
}

char *nwpool_batch_text_take(struct nwpool_batch_text *text)
{
    char *data = text->data;

    *text = (struct nwpool_batch_text){0};
    return data != NULL ? data : nwpool_batch_strdup("");
}

// Room for `more` bytes and the NUL.
static void text_reserve(struct nwpool_batch_text *text, size_t more)
{
    size_t needed = text->size + more + 1;
    size_t capacity = text->capacity;

    if (needed <= capacity) {
        return;
    }
    if (capacity < TEXT_CAPACITY_MIN) {
        capacity = TEXT_CAPACITY_MIN;
    }
    while (capacity < needed) {
        capacity *= 2;
    }
    text->data = nwpool_batch_realloc(text->data, capacity);
    text->capacity = capacity;
}

void nwpool_batch_text_append(struct nwpool_batch_text *text, const void *data,
                              size_t size)
{
    text_reserve(text, size);
    if (size > 0) {
        memcpy(text->data + text->size, data, size);
    }
    text->size += size;
    text->data[text->size] = '\0';
}

void nwpool_batch_text_puts(struct nwpool_batch_text *text, const char *data)
{
    nwpool_batch_text_append(text, data, strlen(data));
}

void nwpool_batch_text_vprintf(struct nwpool_batch_text *text,
                               const char *format, va_list arguments)
{
    va_list again;
    int size;

    va_copy(again, arguments);
    size = vsnprintf(NULL, 0, format, arguments);
    if (size > 0) {
        text_reserve(text, (size_t)size);
        vsnprintf(text->data + text->size, (size_t)size + 1, format, again);
        text->size += (size_t)size;
    }
    va_end(again);
}

void nwpool_batch_text_printf(struct nwpool_batch_text *text,
                              const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    nwpool_batch_text_vprintf(text, format, arguments);
    va_end(arguments);
}

char *nwpool_batch_format(const char *format, ...)
{
    struct nwpool_batch_text text = {0};
    va_list arguments;

    va_start(arguments, format);
    nwpool_batch_text_vprintf(&text, format, arguments);
    va_end(arguments);
    return nwpool_batch_text_take(&text);
}

char *nwpool_batch_path_join(const char *directory, const char *path)
{
    size_t size = strlen(directory);

    if (path[0] == '/') {
        return nwpool_batch_strdup(path);
    }
    while (path[0] == '.' && path[1] == '/') {
        path += 2;
        path += strspn(path, "/");
    }
    return nwpool_batch_format(
        "%s%s%s", directory, size > 0 && directory[size - 1] == '/' ? "" : "/",
        path);
}
