// The writer's part for bytes and for what lies beside a message. Where bytes
// go, inside or beside, is for the cargo to say.

#include "src/wire.h"

#include "src/common.h"
#include "src/wire_writer.h"

static uint8_t view_tag(nw_view view)
{
    static const uint8_t tags[] = {
        [NW_VIEW_UINT8] = NW__VIEW_UINT8,
        [NW_VIEW_INT8] = NW__VIEW_INT8,
        [NW_VIEW_UINT8_CLAMPED] = NW__VIEW_UINT8_CLAMPED,
        [NW_VIEW_INT16] = NW__VIEW_INT16,
        [NW_VIEW_UINT16] = NW__VIEW_UINT16,
        [NW_VIEW_INT32] = NW__VIEW_INT32,
        [NW_VIEW_UINT32] = NW__VIEW_UINT32,
        [NW_VIEW_FLOAT16] = NW__VIEW_FLOAT16,
        [NW_VIEW_FLOAT32] = NW__VIEW_FLOAT32,
        [NW_VIEW_FLOAT64] = NW__VIEW_FLOAT64,
        [NW_VIEW_BIGINT64] = NW__VIEW_BIGINT64,
        [NW_VIEW_BIGUINT64] = NW__VIEW_BIGUINT64,
        [NW_VIEW_DATA_VIEW] = NW__VIEW_DATA_VIEW,
    };

    return tags[view];
}

static void put_ref(struct nw__writer *writer, struct nw__ref *ref)
{
    uint32_t index = 0;

    if (nw__cargo_take_ref(&writer->cargo, ref, &index) != NW_OK) {
        nw__writer_fail(writer, NW_ENOMEM, NULL);
        return;
    }
    nw__put_varint(writer, index);
}

// What moves travels beside the message, other bytes inside it.
static void put_buffer(struct nw__writer *writer, const nw_value *root)
{
    uint32_t index;
    bool moves;

    if (root->view == NW_VIEW_SHARED_ARRAY_BUFFER) {
        nw__put_byte(writer, NW__TAG_BUFFER_SHARED);
        put_ref(writer, &root->as.bytes.of.shared->ref);
        return;
    }
    if (nw__cargo_take_bytes(&writer->cargo, root, &moves, &index) != NW_OK) {
        nw__writer_fail(writer, NW_ENOMEM, NULL);
    } else if (moves) {
        nw__put_byte(writer, NW__TAG_BUFFER_TRANSFER);
        nw__put_varint(writer, index);
    } else {
        nw__put_byte(writer, NW__TAG_BUFFER);
        nw__put_varint(writer, root->size);
        nw__put_bytes(writer, root->as.bytes.data, root->size);
    }
}

static void put_view(struct nw__writer *writer, const nw_value *value,
                     size_t offset)
{
    nw__put_byte(writer, NW__TAG_VIEW);
    nw__put_byte(writer, view_tag((nw_view)value->view));
    nw__put_varint(writer, (uint32_t)offset);
    nw__put_varint(writer, value->size);
    nw__put_varint(writer, 0);
}

// To V8 the buffer below a view is an object of its own and comes first.
static void put_view_of(struct nw__writer *writer, const nw_value *value)
{
    size_t offset;
    const nw_value *buffer = nw_value_buffer(value, &offset);
    struct nw__pointer_slot *slot;

    if (!nw__put_known(writer, buffer)) {
        put_buffer(writer, buffer);
    }
    slot = nw__pointer_map_find(&writer->ids, value);
    if (slot != NULL) {
        slot->number = writer->next_id; // Not known before.
    }
    writer->next_id++;
    put_view(writer, value, offset);
}

void nw__put_bytes_value(struct nw__writer *writer, const nw_value *value)
{
    bool is_buffer = (value->flags & NW__VALUE_BUFFER) != 0;

    if (nw__put_reference(writer, value, writer->next_id + !is_buffer)) {
        return;
    }
    if (!nw__value_has_bytes(value)) {
        nw__writer_fail(writer, NW_EINVAL,
                        "bytes that were handed over already");
        return;
    }
    if ((value->flags & NW__VALUE_VIEW) != 0) {
        put_view_of(writer, value);
        return;
    }
    put_buffer(writer, value);
    writer->next_id++;
    if (!is_buffer) {
        writer->next_id++;
        put_view(writer, value, 0);
    }
}

void nw__put_host(struct nw__writer *writer, const nw_value *value)
{
    const char *detail;
    nw_status status;

    if (nw__put_known(writer, value)) {
        return;
    }
    status = nw__cargo_check_host(&writer->cargo, value, &detail);
    if (status != NW_OK) {
        nw__writer_fail(writer, status, detail);
        return;
    }
    nw__put_byte(writer, NW__TAG_HOST_OBJECT);
    nw__put_varint(writer, NW__WIRE_HOST_OBJECT);
    put_ref(writer, value->as.ref);
}

void nw__put_module(struct nw__writer *writer, const nw_value *value)
{
    if (!nw__put_known(writer, value)) {
        nw__put_byte(writer, NW__TAG_WASM_MODULE);
        put_ref(writer, value->as.ref);
    }
}

void nw__put_memory(struct nw__writer *writer, const nw_value *value)
{
    const nw_value *buffer = value->as.memory.buffer;
    uint32_t pages = (uint32_t)value->as.memory.pages_max;

    if (nw__put_known(writer, value)) {
        return;
    }
    nw__put_byte(writer, NW__TAG_WASM_MEMORY);
    nw__put_varint(writer, pages << 1 ^ (0 - (pages >> 31)));
    // Never a reference: V8 10 reads none here. Later ones are to the first.
    if (nw__writer_may_repeat(writer, buffer)) {
        bool is_new;
        struct nw__pointer_slot *slot =
            nw__pointer_map_add(&writer->ids, buffer, &is_new);

        if (slot == NULL) {
            nw__writer_fail(writer, NW_ENOMEM, NULL);
        } else if (is_new) {
            slot->number = writer->next_id;
        }
    }
    writer->next_id++;
    put_buffer(writer, buffer);
}
