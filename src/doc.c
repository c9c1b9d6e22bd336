// Documents: an arena, the blobs and references that values point to, and the
// failure mark.
//
// Invariants
//   The arena only grows; nothing in it is freed alone. A reset gives all of it
//   back at once and keeps `first` and one block of moderate size, so that a
//   document in a loop stops allocating.
//   Every holding that is not gone is released exactly once: by a reset, by
//   destroy, or by whoever took it. Every reference is dropped by a reset or by
//   destroy.
//   The first failure is remembered until the reset, because makers are nested
//   and their results not looked at one by one.
//
// Design notes
//   Blocks double from 8 KiB to 1 MiB. A request that would waste much of a
//   block gets one of its own behind the current one, which stays in use.

#include "src/value.h"

#include <string.h>

#include "src/common.h"

#define BLOCK_SIZE_MIN  ((size_t)8 << 10)
#define BLOCK_SIZE_MAX  ((size_t)1 << 20)
#define BLOCK_SIZE_KEPT ((size_t)64 << 10)

struct nw__block {
    struct nw__block *next;
    size_t size; // Of `data`.
    _Alignas(16) uint8_t data[];
};

static nw_value constant(nw_doc *doc, nw_type type, bool boolean)
{
    return (nw_value){.doc = doc, .type = type, .as.boolean = boolean};
}

// The empty state, apart from what was in it.
static void doc_clear(nw_doc *doc)
{
    doc->at = doc->first;
    doc->end = (uint8_t *)doc + NW__DOC_SIZE;
    doc->blocks = NULL;
    doc->holdings = NULL;
    doc->helds = NULL;
    doc->properties = NULL;
    doc->properties_count = 0;
    doc->properties_capacity = 0;
    doc->error_changes = 0;
    doc->block_size = BLOCK_SIZE_MIN;
    doc->value_count = 0;
    doc->status = NW_OK;
}

nw_doc *nw_doc_create(void)
{
    nw_doc *doc = nw__alloc(NW__DOC_SIZE);

    if (doc == NULL) {
        return NULL;
    }
    doc_clear(doc);
    doc->spare = NULL;
    doc->undefined = constant(doc, NW_TYPE_UNDEFINED, false);
    doc->hole = constant(doc, NW_TYPE_UNDEFINED, false);
    doc->null = constant(doc, NW_TYPE_NULL, false);
    doc->booleans[false] = constant(doc, NW_TYPE_BOOL, false);
    doc->booleans[true] = constant(doc, NW_TYPE_BOOL, true);
    return doc;
}

static void holdings_release(struct nw__holding *holding)
{
    for (; holding != NULL; holding = holding->next) {
        if (!holding->gone && holding->blob.release != NULL) {
            holding->blob.release(holding->blob.data, holding->blob.size,
                                  holding->blob.hint);
        }
    }
}

static void helds_drop(struct nw__held *held)
{
    for (; held != NULL; held = held->next) {
        nw__ref_put(held->ref);
    }
}

static void blocks_free(struct nw__block *block)
{
    while (block != NULL) {
        struct nw__block *next = block->next;

        nw__free(block);
        block = next;
    }
}

void nw_doc_destroy(nw_doc *doc)
{
    if (doc == NULL) {
        return;
    }
    holdings_release(doc->holdings);
    helds_drop(doc->helds);
    blocks_free(doc->blocks);
    nw__free(doc->spare);
    nw__free(doc);
}

// Takes the block that is worth keeping out of the list.
static struct nw__block *blocks_pick_spare(struct nw__block **list)
{
    struct nw__block **best = NULL;
    struct nw__block *spare;

    for (struct nw__block **at = list; *at != NULL; at = &(*at)->next) {
        if ((*at)->size <= BLOCK_SIZE_KEPT &&
            (best == NULL || (*at)->size > (*best)->size)) {
            best = at;
        }
    }
    if (best == NULL) {
        return NULL;
    }
    spare = *best;
    *best = spare->next;
    return spare;
}

void nw_doc_reset(nw_doc *doc)
{
    if (doc == NULL) {
        return;
    }
    holdings_release(doc->holdings);
    helds_drop(doc->helds);
    if (doc->blocks != NULL) {
        if (doc->spare == NULL) {
            doc->spare = blocks_pick_spare(&doc->blocks);
        }
        blocks_free(doc->blocks);
    }
    doc_clear(doc);
}

nw_status nw_doc_status(const nw_doc *doc)
{
    return doc == NULL ? NW_ENOMEM : doc->status;
}

nw_status nw__doc_fail(nw_doc *doc, nw_status status)
{
    if (doc->status == NW_OK) {
        doc->status = status;
    }
    return doc->status;
}

// -- the arena

static struct nw__block *block_create(size_t size)
{
    struct nw__block *block = nw__alloc(sizeof(*block) + size);

    if (block != NULL) {
        block->size = size;
    }
    return block;
}

// Makes `block` the one that small requests are served from.
static void doc_use_block(nw_doc *doc, struct nw__block *block)
{
    block->next = doc->blocks;
    doc->blocks = block;
    doc->at = block->data;
    doc->end = block->data + block->size;
}

// A block of its own, behind the current one if there is one.
static void *doc_alloc_large(nw_doc *doc, size_t size)
{
    struct nw__block *block = block_create(size);

    if (block == NULL) {
        return NULL;
    }
    if (doc->blocks == NULL) {
        // An empty rest: `first` stays in use.
        block->next = NULL;
        doc->blocks = block;
    } else {
        block->next = doc->blocks->next;
        doc->blocks->next = block;
    }
    return block->data;
}

// A block for small requests: the one that a reset kept, or a new one, each
// twice as large as the last.
static void *doc_alloc_small(nw_doc *doc, size_t size)
{
    struct nw__block *block = doc->spare;

    if (block != NULL && size <= block->size) {
        doc->spare = NULL;
    } else {
        block = block_create(doc->block_size);
        if (block == NULL) {
            return NULL;
        }
    }
    if (doc->block_size < BLOCK_SIZE_MAX) {
        doc->block_size *= 2;
    }
    doc_use_block(doc, block);
    doc->at += size;
    return block->data;
}

// Called when the current block has no room. The data of every block is
// aligned to 16, so no request needs padding at its start.
static void *doc_alloc_slow(nw_doc *doc, size_t size)
{
    void *memory;

    if (size > doc->block_size / 4) {
        memory = doc_alloc_large(doc, size);
    } else {
        memory = doc_alloc_small(doc, size);
    }
    if (memory == NULL) {
        nw__doc_fail(doc, NW_ENOMEM);
    }
    return memory;
}

void *nw__doc_alloc(nw_doc *doc, size_t size, size_t alignment)
{
    size_t padding = (size_t)(-(uintptr_t)doc->at & (alignment - 1));
    size_t room = (size_t)(doc->end - doc->at);
    void *memory;

    if (room < padding || room - padding < size) {
        return doc_alloc_slow(doc, size);
    }
    memory = doc->at + padding;
    doc->at += padding + size;
    return memory;
}

void *nw__doc_grow(nw_doc *doc, void *old, size_t old_size, size_t size)
{
    void *memory;

    // The newest piece of the arena can be extended where it is.
    if (old != NULL && (uint8_t *)old + old_size == doc->at &&
        size - old_size <= (size_t)(doc->end - doc->at)) {
        doc->at += size - old_size;
        return old;
    }
    memory = nw__doc_alloc(doc, size, sizeof(void *));
    if (memory != NULL && old != NULL) {
        memcpy(memory, old, old_size);
    }
    return memory;
}

char *nw__doc_text(nw_doc *doc, const char *text, size_t size)
{
    char *copy = nw__doc_alloc(doc, size + 1, 1);

    if (copy != NULL) {
        if (size > 0) {
            memcpy(copy, text, size);
        }
        copy[size] = '\0';
    }
    return copy;
}

// -- what lies outside of the arena

static void adopt_blobs(nw_doc *doc, struct nw__beside *beside,
                        struct nw__holding *holdings)
{
    for (uint32_t i = 0; i < beside->blob_count; i++) {
        struct nw__blob *blob = &beside->blobs[i];

        if (holdings != NULL) {
            holdings[i] = (struct nw__holding){
                .next = doc->holdings,
                .blob = *blob,
            };
            doc->holdings = &holdings[i];
        } else if (blob->release != NULL) {
            blob->release(blob->data, blob->size, blob->hint);
        }
    }
    beside->blob_count = 0;
}

static void adopt_refs(nw_doc *doc, struct nw__beside *beside,
                       struct nw__held *helds)
{
    for (uint32_t i = 0; i < beside->ref_count; i++) {
        struct nw__ref *ref = beside->refs[i].ref;

        if (helds != NULL) {
            helds[i] = (struct nw__held){.next = doc->helds, .ref = ref};
            doc->helds = &helds[i];
        } else {
            nw__ref_put(ref);
        }
    }
    beside->ref_count = 0;
}

nw_status nw__doc_adopt(nw_doc *doc, struct nw__message *message,
                        struct nw__adopted *out)
{
    struct nw__beside *beside = message->beside;
    size_t blob_count = nw__message_blob_count(message);
    size_t ref_count = nw__message_ref_count(message);
    uint8_t *room;

    memset(out, 0, sizeof(*out));
    if (blob_count + ref_count == 0) {
        return NW_OK;
    }
    // One piece of memory, so that nothing is half adopted.
    room = nw__doc_alloc(doc,
                         blob_count * sizeof(*out->holdings) +
                             ref_count * sizeof(*out->helds),
                         sizeof(void *));
    if (room != NULL) {
        out->holdings = (struct nw__holding *)(void *)room;
        out->helds = (struct nw__held *)(void *)(out->holdings + blob_count);
        out->holding_count = (uint32_t)blob_count;
        out->held_count = (uint32_t)ref_count;
    }
    adopt_blobs(doc, beside, out->holdings);
    adopt_refs(doc, beside, out->helds);
    return room == NULL ? NW_ENOMEM : NW_OK;
}

nw_status nw__doc_hold(nw_doc *doc, struct nw__ref *ref)
{
    struct nw__held *held = nw__doc_alloc(doc, sizeof(*held), sizeof(void *));

    if (held == NULL) {
        return NW_ENOMEM;
    }
    *held = (struct nw__held){.next = doc->helds, .ref = nw__ref_get(ref)};
    doc->helds = held;
    return NW_OK;
}
