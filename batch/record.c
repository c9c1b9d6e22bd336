// The lines of the output.

#include "batch/record.h"

#include <inttypes.h>
#include <string.h>

#include <nwpool/json.h>

#include "batch/dump.h"

static void put_string(struct nwpool_batch_text *out, const char *text)
{
    nwpool_batch_dump_string(out, text, strlen(text));
}

// Appends `"key":` and a value as JSON; nothing when it cannot be expressed.
static nw_status put_value(struct nwpool_batch_text *out, const char *key,
                           const nw_value *value)
{
    json_t *json;
    nw_status status = nw_value_to_json(value, &json);

    if (status == NW_ENOMEM) {
        nwpool_batch_out_of_memory();
    }
    if (status == NW_OK) {
        nwpool_batch_text_printf(out, ",\"%s\":", key);
        nwpool_batch_dump(out, json);
        json_decref(json);
    }
    return status;
}

static void put_error(struct nwpool_batch_text *out, const nw_error *error,
                      int causes_left)
{
    nwpool_batch_text_puts(out, "{\"name\":");
    put_string(out, error->name);
    nwpool_batch_text_puts(out, ",\"message\":");
    put_string(out, error->message);
    if (error->code != NULL) {
        nwpool_batch_text_puts(out, ",\"code\":");
        put_string(out, error->code);
    }
    if (error->properties != NULL) {
        put_value(out, "properties", error->properties);
    }
    if (error->thrown != NULL) {
        put_value(out, "thrown", error->thrown);
    }
    if (error->stack[0] != '\0') {
        nwpool_batch_text_puts(out, ",\"stack\":");
        put_string(out, error->stack);
    }
    if (error->cause != NULL && causes_left > 0) {
        nwpool_batch_text_puts(out, ",\"cause\":");
        put_error(out, error->cause, causes_left - 1);
    }
    nwpool_batch_text_puts(out, "}");
}

static void put_head(struct nwpool_batch_text *out, uint64_t index, bool ok,
                     const char *echo)
{
    nwpool_batch_text_printf(out, "{\"index\":%" PRIu64 ",\"ok\":%s,\"input\":",
                             index, ok ? "true" : "false");
    nwpool_batch_text_puts(out, echo);
}

static void put_failure(struct nwpool_batch_text *out, uint64_t index,
                        const char *echo, const char *status, nw_task_id task)
{
    put_head(out, index, false, echo);
    nwpool_batch_text_printf(out, ",\"status\":\"%s\",\"task\":", status);
    if (task.value == 0) {
        nwpool_batch_text_puts(out, "null");
    } else {
        nwpool_batch_text_printf(out, "%" PRIu64, task.value);
    }
}

// Why a result is no JSON, in the place of the error of a task.
static const nw_error *result_error(nw_status status)
{
    static const nw_error cycle = {
        .name = "Error",
        .message = "the result contains itself, or a value that JSON has "
                   "no form for: a Map, Set, RegExp, large BigInt, port ...",
        .stack = "",
    };
    static const nw_error depth = {
        .name = "Error",
        .message = "the result is nested too deep",
        .stack = "",
    };

    return status == NW_ETYPE ? &cycle : &depth;
}

nw_status nwpool_batch_record_result(struct nwpool_batch_text *out,
                                     uint64_t index, const char *echo,
                                     const nw_result *result,
                                     const nw_error **error)
{
    size_t before = out->size;
    nw_status status = result->status;

    *error = result->error;
    if (status == NW_OK) {
        put_head(out, index, true, echo);
        status = put_value(out, "result", result->value);
        if (status == NW_OK) {
            nwpool_batch_text_puts(out, "}\n");
            *error = NULL;
            return NW_OK;
        }
        out->size = before;
        *error = result_error(status);
    }

    put_failure(out, index, echo, nw_status_name(status), result->task);
    if (status == NW_ECRASHED) {
        nwpool_batch_text_printf(out, ",\"exit_code\":%d", result->exit_code);
    }
    nwpool_batch_text_puts(out, ",\"error\":");
    put_error(out, *error, NWPOOL_BATCH_CAUSES_MAX);
    nwpool_batch_text_puts(out, "}\n");
    return status;
}

void nwpool_batch_record_refusal(struct nwpool_batch_text *out, uint64_t index,
                                 const char *echo, nw_status status)
{
    const nw_error error = {
        .name = "Error",
        .message = nw_status_message(status),
        .stack = "",
    };

    put_failure(out, index, echo, nw_status_name(status), (nw_task_id){0});
    nwpool_batch_text_puts(out, ",\"error\":");
    put_error(out, &error, 0);
    nwpool_batch_text_puts(out, "}\n");
}

void nwpool_batch_record_bad_input(struct nwpool_batch_text *out,
                                   const struct nwpool_batch_item *item)
{
    put_failure(out, item->index, item->echo, NWPOOL_BATCH_BAD_INPUT,
                (nw_task_id){0});
    nwpool_batch_text_puts(out, ",\"error\":{\"name\":\"Error\",\"message\":");
    put_string(out, item->problem);
    nwpool_batch_text_puts(out, ",\"file\":");
    put_string(out, item->source);
    if (item->place.line > 0) {
        nwpool_batch_text_printf(out, ",\"line\":%zu,\"column\":%zu",
                                 item->place.line, item->place.column);
    }
    if (item->excerpt != NULL) {
        nwpool_batch_text_puts(out, ",\"text\":");
        nwpool_batch_text_puts(out, item->excerpt);
    }
    nwpool_batch_text_puts(out, "}}\n");
}
