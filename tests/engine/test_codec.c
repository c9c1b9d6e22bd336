// Goal: the codec refuses what is malformed, undoes what failed, and hands the
// objects of Node.js to its hosts in one piece. The cases are in codec.js, which
// runs in the control environment and calls the codec through this file.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/common.h"
#include "src/engine/engine.h"
#include "tests/unit/support.h"

#define WHY_MAX     512
#define OBJECTS_MAX 64
#define BLOB_SIZE   16

static napi_env env;
static struct nw__engine_codec *codec;
static const char *case_name;
static char failure[4096]; // Of the case that ran; "" when it passed.
static bool finished;

// -- hosts: objects stay where they are

static napi_ref objects[OBJECTS_MAX]; // By id.
static uint32_t object_count;
static bool keep_fails;
static char kept[64]; // What the last keep was asked for.

static void forget(struct nw__ref *ref)
{
    struct nw__host *host = (struct nw__host *)ref;

    napi_delete_reference(env, objects[host->id]);
    free(host);
}

static bool contains(napi_value array, uint32_t length, napi_value object)
{
    bool equal = false;

    for (uint32_t i = 0; i < length && !equal; i++) {
        napi_value item;

        napi_get_element(env, array, i, &item);
        napi_strict_equals(env, item, object, &equal);
    }
    return equal;
}

static nw_status keep(void *context, napi_value array, uint32_t count,
                      napi_value transfer, struct nw__attached *out,
                      char *error, size_t error_size)
{
    uint32_t movers = 0;

    cr_assert(eq(ptr, context, &codec));
    if (keep_fails) {
        snprintf(error, error_size, "no room for them");
        return NW_ECLONE;
    }
    if (transfer != NULL) {
        napi_get_array_length(env, transfer, &movers);
    }
    snprintf(kept, sizeof(kept), "%u of which %u move", count, movers);
    for (uint32_t i = 0; i < count; i++) {
        struct nw__host *host = calloc(1, sizeof(*host));
        napi_value object;

        cr_assert(lt(u32, object_count, OBJECTS_MAX));
        nw__ref_init(&host->ref, NW__REF_HOST, forget);
        host->id = object_count++;
        napi_get_element(env, array, i, &object);
        napi_create_reference(env, object, 1, &objects[host->id]);
        out[i].ref = &host->ref;
        out[i].transfer = contains(transfer, movers, object);
    }
    return NW_OK;
}

static nw_status fetch(void *context, const struct nw__attached *const *refs,
                       uint32_t count, napi_value *array, char *error,
                       size_t error_size)
{
    (void)error;
    (void)error_size;
    cr_assert(eq(ptr, context, &codec));
    napi_create_array(env, array);
    for (uint32_t i = 0; i < count; i++) {
        const struct nw__host *host = (const struct nw__host *)refs[i]->ref;
        napi_value object;

        napi_get_reference_value(env, objects[host->id], &object);
        napi_set_element(env, *array, i, object);
    }
    return NW_OK;
}

// -- what codec.js calls

static napi_value outcome(nw_status status, napi_value value, const char *why)
{
    if (status != NW_OK) {
        napi_throw_error(env, nw_status_name(status), why);
        return NULL;
    }
    return value;
}

static void arguments(napi_callback_info info, napi_value values[2])
{
    size_t count = 2;

    napi_get_cb_info(env, info, &count, values, NULL, NULL);
}

// loop(value[, transfer]): what arrives, and what moved with it.
static napi_value loop(napi_env unused, napi_callback_info info)
{
    struct nw__message message = {0};
    napi_value values[2], pair;
    napi_value value = NULL;
    napi_value moved = NULL;
    bool is_array = false;
    char why[WHY_MAX];
    nw_status status;

    (void)unused;
    arguments(info, values);
    napi_is_array(env, values[1], &is_array);
    status = nw__engine_encode(codec, values[0], is_array ? values[1] : NULL,
                               &message, why, sizeof(why));
    if (status == NW_OK) {
        status = nw__engine_decode(codec, &message, &value, 1, &moved, why,
                                   sizeof(why));
    } else {
        // On failure nothing may be half done.
        cr_expect(eq(sz, message.size, 0));
        cr_expect(eq(ptr, (void *)message.beside, NULL));
    }
    nw__message_fini(&message);
    if (status != NW_OK) {
        return outcome(status, NULL, why);
    }
    napi_create_array(env, &pair);
    napi_set_element(env, pair, 0, value);
    if (moved != NULL) {
        napi_set_element(env, pair, 1, moved);
    }
    return pair;
}

// bytes(value): as they are written.
static napi_value bytes(napi_env unused, napi_callback_info info)
{
    struct nw__message message = {0};
    napi_value values[2];
    napi_value result = NULL;
    char why[WHY_MAX];
    void *copy;
    nw_status status;

    (void)unused;
    arguments(info, values);
    status =
        nw__engine_encode(codec, values[0], NULL, &message, why, sizeof(why));
    if (status == NW_OK) {
        napi_create_buffer_copy(env, message.size, message.data, &copy,
                                &result);
    }
    nw__message_fini(&message);
    return outcome(status, result, why);
}

// parse(bytes): a value out of any bytes, with one blob of BLOB_SIZE beside
// them.
static napi_value parse(napi_env unused, napi_callback_info info)
{
    static uint8_t blob[BLOB_SIZE];
    struct nw__message message = {.value_count = 1};
    napi_value values[2];
    napi_value value = NULL;
    char why[WHY_MAX];
    void *data;
    size_t size;
    nw_status status;

    (void)unused;
    arguments(info, values);
    napi_get_buffer_info(env, values[0], &data, &size);
    cr_assert(eq(int, nw__message_reserve(&message, size), NW_OK));
    memcpy(message.data, data, size);
    cr_assert(eq(int, nw__message_reserve_beside(&message, 1, 0), NW_OK));
    message.beside->blobs[0].data = blob;
    message.beside->blobs[0].size = BLOB_SIZE;
    status =
        nw__engine_decode(codec, &message, &value, 1, NULL, why, sizeof(why));
    nw__message_fini(&message);
    return outcome(status, value, why);
}

// -- memory of C

static uint8_t lent[BLOB_SIZE];
static int given_back;

static void give_back(void *data, size_t size, void *hint)
{
    cr_expect(eq(ptr, data, lent));
    cr_expect(size == 0 || size == sizeof(lent));
    cr_expect(eq(ptr, hint, &given_back));
    given_back++;
}

// What the end of memory that C lent means, by src/ref.h.
static void end_lent(struct nw__ref *ref)
{
    struct nw_shared *memory = (struct nw_shared *)ref;

    if (memory->store != NULL) {
        memory->store_free(memory->store);
    }
    if (memory->store == NULL || memory->size == 0) {
        memory->release(memory->data, memory->size, memory->hint);
    }
    free(memory);
}

static napi_value receive(struct nw__ref *ref)
{
    static const uint8_t wire[] = {0xff, 15, 'A', 2, 'u', 0, 'u', 0, '$', 0, 2};
    struct nw__message message = {.value_count = 1};
    napi_value value = NULL;
    char why[WHY_MAX] = "";

    cr_assert(eq(int, nw__message_reserve(&message, sizeof(wire)), NW_OK));
    memcpy(message.data, wire, sizeof(wire));
    cr_assert(eq(int, nw__message_reserve_beside(&message, 0, 1), NW_OK));
    message.beside->refs[0].ref = nw__ref_get(ref);
    cr_expect(eq(int,
                 nw__engine_decode(codec, &message, &value, 1, NULL, why,
                                   sizeof(why)),
                 NW_OK),
              "%s", why);
    nw__message_fini(&message);
    return value;
}

// lend(size): the same memory out of two messages, where it stands twice each.
static napi_value lend(napi_env unused, napi_callback_info info)
{
    struct nw_shared *memory = calloc(1, sizeof(*memory));
    napi_value values[2], both;
    uint32_t size = 0;
    void *store;

    (void)unused;
    arguments(info, values);
    napi_get_value_uint32(env, values[0], &size);
    nw__ref_init(&memory->ref, NW__REF_SHARED, end_lent);
    memory->data = lent;
    memory->size = size;
    memory->release = give_back;
    memory->hint = &given_back;
    napi_create_array(env, &both);
    napi_set_element(env, both, 0, receive(&memory->ref));
    store = memory->store;
    napi_set_element(env, both, 1, receive(&memory->ref));
    // One for all isolates, or Atomics.notify() would find nobody.
    cr_expect(ne(ptr, store, NULL));
    cr_expect(eq(ptr, memory->store, store));
    nw__ref_put(&memory->ref);
    return both;
}

// givenBack(): how many have been.
static napi_value given(napi_env unused, napi_callback_info info)
{
    napi_value result;

    (void)unused;
    (void)info;
    napi_create_int32(env, given_back, &result);
    return result;
}

static napi_value box(napi_env unused, napi_callback_info info)
{
    napi_value values[2];

    (void)unused;
    arguments(info, values);
    return nw__engine_box_error(codec, values[0]);
}

static napi_value set_boxer(napi_env unused, napi_callback_info info)
{
    napi_value values[2];

    (void)unused;
    arguments(info, values);
    cr_expect(eq(int, nw__engine_set_boxer(codec, values[0]), NW_OK));
    return NULL;
}

static napi_value is_plain(napi_env unused, napi_callback_info info)
{
    napi_value values[2];
    napi_value result;

    (void)unused;
    arguments(info, values);
    napi_get_boolean(env, nw__engine_is_plain(values[0]), &result);
    return result;
}

// openFlat(makeFlat): from now on the codec has the flat form.
static napi_value open_flat(napi_env unused, napi_callback_info info)
{
    napi_value tools = nw__engine_flat_tools(codec);
    napi_value values[2], undefined, flat;
    napi_value parts[3];

    (void)unused;
    arguments(info, values);
    napi_get_undefined(env, &undefined);
    napi_call_function(env, undefined, values[0], 1, &tools, &flat);
    for (uint32_t i = 0; i < NW_ARRAY_SIZE(parts); i++) {
        napi_get_element(env, flat, i, &parts[i]);
    }
    cr_expect(eq(int, nw__engine_set_flat(codec, parts[0], parts[1], tools),
                 NW_EINVAL));
    cr_expect(eq(int, nw__engine_set_flat(codec, parts[0], parts[1], parts[2]),
                 NW_OK));
    return NULL;
}

static napi_value trip_result(const napi_value *values, size_t count,
                              const struct nw__message *message)
{
    napi_value result, list, bytes;
    void *copy;

    napi_create_array(env, &list);
    for (uint32_t i = 0; i < count; i++) {
        napi_set_element(env, list, i, values[i]);
    }
    napi_create_buffer_copy(env, message->size, message->data, &copy, &bytes);
    napi_create_object(env, &result);
    napi_set_named_property(env, result, "values", list);
    napi_set_named_property(env, result, "bytes", bytes);
    return result;
}

// flatTrip(...values): { values, bytes }
static napi_value flat_trip(napi_env unused, napi_callback_info info)
{
    struct nw__message message = {0};
    napi_value values[NW__ENGINE_VALUES_MAX];
    napi_value result = NULL;
    size_t count = NW__ENGINE_VALUES_MAX;
    char why[WHY_MAX];
    nw_status status;

    (void)unused;
    napi_get_cb_info(env, info, &count, values, NULL, NULL);
    status = nw__engine_encode_flat(codec, values, count, NULL, &message, why,
                                    sizeof(why));
    if (status == NW_OK) {
        status = nw__engine_decode(codec, &message, values, count, NULL, why,
                                   sizeof(why));
    }
    if (status == NW_OK) {
        result = trip_result(values, count, &message);
    }
    nw__message_fini(&message);
    return outcome(status, result, why);
}

// lastKept(): what keep() was last asked for.
static napi_value last_kept(napi_env unused, napi_callback_info info)
{
    napi_value result;

    (void)unused;
    (void)info;
    napi_create_string_utf8(env, kept, NAPI_AUTO_LENGTH, &result);
    return result;
}

static napi_value fail_keep(napi_env unused, napi_callback_info info)
{
    napi_value values[2];

    (void)unused;
    arguments(info, values);
    napi_get_value_bool(env, values[0], &keep_fails);
    return NULL;
}

// finish(text): the case has ended; the text is its failure, or "".
static napi_value finish(napi_env unused, napi_callback_info info)
{
    napi_value values[2];
    size_t size;

    (void)unused;
    arguments(info, values);
    napi_get_value_string_utf8(env, values[0], failure, sizeof(failure), &size);
    finished = true;
    return NULL;
}

static void drop_codec(void *data)
{
    (void)data;
    nw__engine_codec_destroy(codec);
}

static napi_value binding_init(napi_env environment, napi_value exports)
{
    static const struct {
        const char *name;
        napi_callback callback;
    } functions[] = {
        {"loop", loop},          {"bytes", bytes},
        {"parse", parse},        {"box", box},
        {"setBoxer", set_boxer}, {"isPlain", is_plain},
        {"lastKept", last_kept}, {"failKeep", fail_keep},
        {"finish", finish},      {"lend", lend},
        {"givenBack", given},    {"openFlat", open_flat},
        {"flatTrip", flat_trip},
    };
    const struct nw__engine_hosts hosts = {keep, fetch, &codec};
    napi_value value;

    env = environment;
    codec = nw__engine_codec_create(env, &hosts);
    cr_assert(ne(ptr, (void *)codec, NULL));
    napi_add_env_cleanup_hook(env, drop_codec, NULL);
    for (size_t i = 0; i < NW_ARRAY_SIZE(functions); i++) {
        napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH,
                             functions[i].callback, NULL, &value);
        napi_set_named_property(env, exports, functions[i].name, value);
    }
    napi_create_string_utf8(env, case_name, NAPI_AUTO_LENGTH, &value);
    napi_set_named_property(env, exports, "caseName", value);
    return exports;
}

// -- running a case

static size_t append_file(char *to, size_t size, const char *path)
{
    FILE *file = fopen(path, "r");
    size_t got;

    cr_assert(ne(ptr, (void *)file, NULL), "%s", path);
    got = fread(to, 1, size, file);
    fclose(file);
    cr_assert(lt(sz, got, size));
    return got;
}

static void run_case(const char *name)
{
    static char script[1 << 17];
    struct nw__engine_options options = {
        .glue = script,
        .binding_name = "codec",
        .binding_init = binding_init,
        .platform_threads = 1,
    };
    size_t size = append_file(script, sizeof(script), NW_RECORD_JS);
    char error[WHY_MAX] = "";

    size += append_file(script + size, sizeof(script) - size, NW_FLAT_JS);
    size += append_file(script + size, sizeof(script) - size, NW_FLAT_CASES_JS);
    size += append_file(script + size, sizeof(script) - size, NW_CODEC_JS);
    script[size] = '\0';
    case_name = name;
    cr_assert(eq(int, nw__engine_open(&options, error, sizeof(error)), NW_OK),
              "%s", error);
    nw__engine_run();
    nw__engine_close();
    cr_expect(finished);
    cr_expect(eq(str, failure, ""));
    nw_test_no_leaks();
}

#define CODEC_CASE(name)                                                       \
    Test(codec, name, .timeout = 60)                                           \
    {                                                                          \
        run_case(#name);                                                       \
    }

Test(codec, memory_of_c_is_one_and_comes_back_once, .timeout = 60)
{
    run_case("memory_of_c_is_one");
    // The one that JavaScript held until the end, and the empty one.
    cr_expect(eq(int, given_back, 2));
    cr_expect(eq(int, lent[4], 7));
}

CODEC_CASE(views_share_their_buffer)
CODEC_CASE(what_moves_leaves_javascript)
CODEC_CASE(what_cannot_move_is_named)
CODEC_CASE(a_failure_moves_nothing)
CODEC_CASE(objects_of_node_are_kept_and_fetched)
CODEC_CASE(objects_that_are_listed_move)
CODEC_CASE(a_host_that_fails_undoes_all)
CODEC_CASE(boxes_come_out_as_errors)
CODEC_CASE(subclasses_keep_what_they_are_made_from)
CODEC_CASE(records_may_be_anything)
CODEC_CASE(a_failure_inside_a_box_keeps_its_text)
CODEC_CASE(malformed_bytes_are_refused)
CODEC_CASE(random_damage_is_survived)
CODEC_CASE(flat_values_arrive_as_they_are)
CODEC_CASE(flat_values_of_random_trees)
CODEC_CASE(flat_values_of_one_message)
CODEC_CASE(flat_keys_keep_their_order)
CODEC_CASE(flat_texts_of_any_length)
CODEC_CASE(flat_is_not_what_is_shared_or_large)
CODEC_CASE(flat_is_not_what_has_a_content_of_its_own)
CODEC_CASE(flat_is_not_what_cannot_be_cloned)
CODEC_CASE(flat_is_no_array_with_holes_or_keys)
CODEC_CASE(flat_is_no_object_with_unusual_keys)
CODEC_CASE(flat_is_nothing_while_prototypes_are_changed)
CODEC_CASE(flat_values_with_getters)
CODEC_CASE(flat_values_with_ever_new_keys)
CODEC_CASE(flat_texts_keep_no_others)
CODEC_CASE(flat_shapes_have_an_end)
CODEC_CASE(flat_values_are_read_while_others_are_written)
CODEC_CASE(flat_bytes_are_refused_where_nothing_is_flat)
CODEC_CASE(flat_damage_is_survived)
