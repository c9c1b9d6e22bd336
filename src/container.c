// Arrays and objects. Maps and sets are in collection.c.
//
// Invariants
//   Items of an array and values of members are never NULL and belong to the
//   document of their container.
//   Entries of a sparse array ascend by index; its size is larger than all of
//   them.
//   A hole is the document's `hole` among items, and nothing among entries.
//   Named properties of an array are an object in the document's table.
//   An object has an index exactly while its capacity is above MEMBERS_LINEAR.
//
// Design notes
//   Most objects are small: up to MEMBERS_LINEAR members the key is looked for
//   one by one. Above, a hash index of uint32 lies behind the members, rebuilt
//   when they grow. It is made by writers only, so that reading a document from
//   several threads stays free of locks.
//   Sparse arrays exist because `new Array(1e7)` takes four bytes on the wire.

#include "src/value.h"

#include <string.h>

#include "src/common.h"
#include "src/text.h"

#define CAPACITY_MIN   4 // A power of two.
#define MEMBERS_LINEAR 16

size_t nw_value_size(const nw_value *value)
{
    switch (nw_value_type(value)) {
    case NW_TYPE_ARRAY:
    case NW_TYPE_OBJECT:
    case NW_TYPE_MAP:
    case NW_TYPE_SET:
        return value->size;
    default:
        return 0;
    }
}

void nw__value_place(nw_value *value)
{
    // A constant has no identity, and is shared between all its places.
    if (value->type < NW_TYPE_NUMBER) {
        return;
    }
    if ((value->flags & NW__VALUE_PLACED) != 0) {
        value->flags |= NW__VALUE_SHARED;
        return;
    }
    value->flags |= NW__VALUE_PLACED;
    if (value->type == NW_TYPE_BYTES) {
        nw__value_place_bytes(value);
    }
}

uint32_t nw__capacity_next(uint32_t capacity)
{
    if (capacity < CAPACITY_MIN) {
        return CAPACITY_MIN;
    }
    return capacity > UINT32_MAX / 2 ? 0 : capacity * 2;
}

nw_status nw__child_check(const nw_value *container, nw_type type,
                          const nw_value *child)
{
    if (nw_value_type(container) != type) {
        return NW_EINVAL;
    }
    if (child == NULL) {
        return nw__doc_fail(container->doc, NW_EINVAL);
    }
    return child->doc == container->doc ? NW_OK : NW_EINVAL;
}

// -- arrays

static nw_status array_set_capacity(nw_value *array, uint32_t capacity)
{
    nw_value **items;

    if (capacity == 0) {
        return nw__doc_fail(array->doc, NW_ELIMIT);
    }
    items = nw__doc_grow(array->doc, array->as.array.items,
                         array->as.array.capacity * sizeof(*items),
                         capacity * sizeof(*items));
    if (items == NULL) {
        return NW_ENOMEM;
    }
    array->as.array.items = items;
    array->as.array.capacity = capacity;
    return NW_OK;
}

nw_status nw__array_reserve(nw_value *array, uint32_t count)
{
    return count == 0 ? NW_OK : array_set_capacity(array, count);
}

nw_status nw__array_append(nw_value *array, nw_value *item)
{
    nw_status status;

    if ((array->flags & NW__VALUE_SPARSE) != 0) {
        if (array->size == UINT32_MAX) {
            return nw__doc_fail(array->doc, NW_ELIMIT);
        }
        return nw__array_append_at(array, array->size, item);
    }
    if (array->size == array->as.array.capacity) {
        status = array_set_capacity(
            array, nw__capacity_next(array->as.array.capacity));
        if (status != NW_OK) {
            return status;
        }
    }
    array->as.array.items[array->size++] = item;
    nw__value_place(item);
    return NW_OK;
}

void nw__array_make_sparse(nw_value *array)
{
    NW_ASSERT(array->size == 0);

    array->flags |= NW__VALUE_SPARSE;
    array->as.sparse.entries = NULL;
    array->as.sparse.count = 0;
}

// Entries grow from CAPACITY_MIN by doubling, so their number tells whether
// they are full.
static bool entries_are_full(uint32_t count)
{
    return count == 0 || (count >= CAPACITY_MIN && (count & (count - 1)) == 0);
}

nw_status nw__array_append_at(nw_value *array, uint32_t index, nw_value *item)
{
    struct nw__entry *entries = array->as.sparse.entries;
    uint32_t count = array->as.sparse.count;

    NW_ASSERT(index >= array->size);

    if (entries_are_full(count)) {
        uint32_t next = nw__capacity_next(count);

        if (next == 0) {
            return nw__doc_fail(array->doc, NW_ELIMIT);
        }
        entries = nw__doc_grow(array->doc, entries, count * sizeof(*entries),
                               next * sizeof(*entries));
        if (entries == NULL) {
            return NW_ENOMEM;
        }
        array->as.sparse.entries = entries;
    }
    entries[count] = (struct nw__entry){.value = item, .index = index};
    array->as.sparse.count = count + 1;
    array->size = index + 1;
    nw__value_place(item);
    return NW_OK;
}

nw_status nw__array_end_sparse(nw_value *array, uint32_t length)
{
    const struct nw__entry *entries = array->as.sparse.entries;
    uint32_t count = array->as.sparse.count;
    nw_value **items;

    NW_ASSERT(length >= array->size);

    array->size = length;
    // An entry takes two pointers: from half full on, plain items are smaller.
    if (length / 2 > count) {
        return NW_OK;
    }
    items = nw__doc_alloc(array->doc, length * sizeof(*items), sizeof(*items));
    if (items == NULL) {
        return NW_ENOMEM;
    }
    for (uint32_t i = 0; i < length; i++) {
        items[i] = &array->doc->hole;
    }
    for (uint32_t i = 0; i < count; i++) {
        items[entries[i].index] = entries[i].value;
    }
    array->flags &= (uint8_t)~NW__VALUE_SPARSE;
    array->as.array.items = items;
    array->as.array.capacity = length;
    return NW_OK;
}

nw_status nw_array_push(nw_value *array, nw_value *item)
{
    nw_status status = nw__child_check(array, NW_TYPE_ARRAY, item);

    return status == NW_OK ? nw__array_append(array, item) : status;
}

// The entry with the given index, or NULL for a hole.
static const nw_value *sparse_get(const nw_value *array, uint32_t index)
{
    const struct nw__entry *entries = array->as.sparse.entries;
    uint32_t low = 0;
    uint32_t high = array->as.sparse.count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (entries[middle].index < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < array->as.sparse.count && entries[low].index == index) {
        return entries[low].value;
    }
    return NULL;
}

const nw_value *nw_array_get(const nw_value *array, size_t index)
{
    const nw_value *item;

    if (nw_value_type(array) != NW_TYPE_ARRAY || index >= array->size) {
        return NULL;
    }
    if ((array->flags & NW__VALUE_SPARSE) == 0) {
        item = array->as.array.items[index];
        return item == &array->doc->hole ? &array->doc->undefined : item;
    }
    item = sparse_get(array, (uint32_t)index);
    return item == NULL ? &array->doc->undefined : item;
}

bool nw_array_is_hole(const nw_value *array, size_t index)
{
    if (nw_value_type(array) != NW_TYPE_ARRAY || index >= array->size) {
        return false;
    }
    if ((array->flags & NW__VALUE_SPARSE) == 0) {
        return array->as.array.items[index] == &array->doc->hole;
    }
    return sparse_get(array, (uint32_t)index) == NULL;
}

nw_status nw_array_push_hole(nw_value *array)
{
    if (nw_value_type(array) != NW_TYPE_ARRAY) {
        return NW_EINVAL;
    }
    if ((array->flags & NW__VALUE_SPARSE) == 0) {
        return nw__array_append(array, &array->doc->hole);
    }
    if (array->size == UINT32_MAX) {
        return nw__doc_fail(array->doc, NW_ELIMIT);
    }
    array->size++;
    return NW_OK;
}

// -- named properties of arrays

bool nw__key_is_index(const char *key, size_t size)
{
    uint64_t index = 0;

    if (size == 0 || size > 10 || (key[0] == '0' && size > 1)) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (key[i] < '0' || key[i] > '9') {
            return false;
        }
        index = index * 10 + (uint64_t)(key[i] - '0');
    }
    return index < UINT32_MAX;
}

const nw_value *nw_array_properties(const nw_value *array)
{
    uint32_t number;

    if (nw_value_type(array) != NW_TYPE_ARRAY) {
        return NULL;
    }
    number = array->as.array.properties;
    return number == 0 ? NULL : array->doc->properties[number - 1];
}

// A new entry in the document's table.
static nw_status properties_make(nw_value *array)
{
    nw_doc *doc = array->doc;
    nw_value **table = doc->properties;
    uint32_t capacity = doc->properties_capacity;
    nw_value *object = nw_value_object(doc);

    if (object == NULL) {
        return NW_ENOMEM;
    }
    if (doc->properties_count == capacity) {
        capacity = nw__capacity_next(capacity);
        if (capacity == 0) {
            return nw__doc_fail(doc, NW_ELIMIT);
        }
        table =
            nw__doc_grow(doc, table, doc->properties_capacity * sizeof(*table),
                         capacity * sizeof(*table));
        if (table == NULL) {
            return NW_ENOMEM;
        }
        doc->properties = table;
        doc->properties_capacity = capacity;
    }
    table[doc->properties_count++] = object;
    array->as.array.properties = doc->properties_count;
    return NW_OK;
}

// The object, made if there is none; NULL when that fails.
static nw_value *properties_of(nw_value *array)
{
    if (array->as.array.properties == 0 && properties_make(array) != NW_OK) {
        return NULL;
    }
    return (nw_value *)nw_array_properties(array);
}

nw_status nw__array_put_property(nw_value *array, const char *key,
                                 uint32_t key_size, nw_value *value)
{
    nw_value *properties = properties_of(array);

    return properties == NULL
               ? array->doc->status
               : nw__object_put(properties, key, key_size, value);
}

nw_status nw_array_set_property(nw_value *array, const char *key,
                                nw_value *value)
{
    nw_status status = nw__child_check(array, NW_TYPE_ARRAY, value);
    nw_value *properties;

    if (status != NW_OK) {
        return status;
    }
    if (key == NULL || nw__key_is_index(key, strlen(key)) ||
        !nw__utf8_is_valid(key, strlen(key))) {
        return nw__doc_fail(array->doc, NW_EINVAL);
    }
    properties = properties_of(array);
    return properties == NULL ? array->doc->status
                              : nw_object_set(properties, key, value);
}

// -- objects

#define NO_MEMBER UINT32_MAX

static bool object_is_indexed(const nw_value *object)
{
    return object->as.object.capacity > MEMBERS_LINEAR;
}

// The index: twice as many slots as there is room for members, each a member's
// number or NO_MEMBER. There is always a free slot.
static uint32_t *object_slots(const nw_value *object)
{
    return (uint32_t *)(void *)(object->as.object.members +
                                object->as.object.capacity);
}

static uint32_t object_slot_mask(const nw_value *object)
{
    return object->as.object.capacity * 2 - 1;
}

// FNV-1a, started with something a script cannot know, so that keys that
// collide cannot be prepared.
static uint32_t key_hash(const nw_doc *doc, const char *key, size_t size)
{
    uint32_t hash = UINT32_C(2166136261) ^ (uint32_t)((uintptr_t)doc >> 4);

    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (uint8_t)key[i]) * UINT32_C(16777619);
    }
    return hash ^ hash >> 15;
}

static bool key_equals(const struct nw__member *member, const char *key,
                       size_t size)
{
    return member->key_size == size && memcmp(member->key, key, size) == 0;
}

static struct nw__member *object_find(const nw_value *object, const char *key,
                                      size_t size)
{
    struct nw__member *members = object->as.object.members;
    uint32_t hash;
    uint32_t mask;

    if (!object_is_indexed(object)) {
        for (uint32_t i = 0; i < object->size; i++) {
            if (key_equals(&members[i], key, size)) {
                return &members[i];
            }
        }
        return NULL;
    }
    hash = key_hash(object->doc, key, size);
    mask = object_slot_mask(object);
    for (uint32_t slot = hash & mask;; slot = (slot + 1) & mask) {
        uint32_t number = object_slots(object)[slot];

        if (number == NO_MEMBER) {
            return NULL;
        }
        if (members[number].hash == hash &&
            key_equals(&members[number], key, size)) {
            return &members[number];
        }
    }
}

static void object_index_member(nw_value *object, uint32_t number)
{
    struct nw__member *member = &object->as.object.members[number];
    uint32_t mask = object_slot_mask(object);
    uint32_t *slots = object_slots(object);
    uint32_t slot;

    member->hash = key_hash(object->doc, member->key, member->key_size);
    slot = member->hash & mask;
    while (slots[slot] != NO_MEMBER) {
        slot = (slot + 1) & mask;
    }
    slots[slot] = number;
}

static nw_status object_grow(nw_value *object)
{
    uint32_t capacity = nw__capacity_next(object->as.object.capacity);
    size_t size = capacity * sizeof(struct nw__member);
    struct nw__member *members;

    // Member numbers and slot numbers must fit 32 bits.
    if (capacity == 0 || capacity > UINT32_MAX / 4) {
        return nw__doc_fail(object->doc, NW_ELIMIT);
    }
    if (capacity > MEMBERS_LINEAR) {
        size += 2 * (size_t)capacity * sizeof(uint32_t);
    }
    members = nw__doc_alloc(object->doc, size, sizeof(void *));
    if (members == NULL) {
        return NW_ENOMEM;
    }
    if (object->size > 0) {
        memcpy(members, object->as.object.members,
               object->size * sizeof(*members));
    }
    object->as.object.members = members;
    object->as.object.capacity = capacity;
    if (object_is_indexed(object)) {
        memset(object_slots(object), 0xFF,
               2 * (size_t)capacity * sizeof(uint32_t));
        for (uint32_t i = 0; i < object->size; i++) {
            object_index_member(object, i);
        }
    }
    return NW_OK;
}

// Appends a member whose key is known not to be there.
static nw_status object_append(nw_value *object, const char *key,
                               uint32_t key_size, nw_value *value)
{
    nw_status status;

    if (object->size == object->as.object.capacity) {
        status = object_grow(object);
        if (status != NW_OK) {
            return status;
        }
    }
    object->as.object.members[object->size] = (struct nw__member){
        .key = key,
        .value = value,
        .key_size = key_size,
    };
    if (object_is_indexed(object)) {
        object_index_member(object, object->size);
    }
    object->size++;
    nw__value_place(value);
    return NW_OK;
}

nw_status nw__object_put(nw_value *object, const char *key, uint32_t key_size,
                         nw_value *value)
{
    struct nw__member *member = object_find(object, key, key_size);

    if (member == NULL) {
        return object_append(object, key, key_size, value);
    }
    member->value = value;
    nw__value_place(value);
    return NW_OK;
}

nw_status nw_object_set(nw_value *object, const char *key, nw_value *value)
{
    return nw_object_set_n(object, key, key == NULL ? 0 : strlen(key), value);
}

nw_status nw_object_set_n(nw_value *object, const char *key, size_t key_size,
                          nw_value *value)
{
    nw_status status = nw__child_check(object, NW_TYPE_OBJECT, value);
    struct nw__member *member;
    const char *copy;

    if (status != NW_OK) {
        return status;
    }
    if (key != NULL && key_size > NW_VALUE_SIZE_MAX) {
        return nw__doc_fail(object->doc, NW_ELIMIT);
    }
    if (key == NULL || !nw__utf8_is_valid(key, key_size)) {
        return nw__doc_fail(object->doc, NW_EINVAL);
    }
    member = object_find(object, key, key_size);
    if (member != NULL) {
        member->value = value;
        nw__value_place(value);
        return NW_OK;
    }
    copy = nw__doc_text(object->doc, key, key_size);
    if (copy == NULL) {
        return NW_ENOMEM;
    }
    return object_append(object, copy, (uint32_t)key_size, value);
}

const nw_value *nw_object_get(const nw_value *object, const char *key)
{
    const struct nw__member *member;

    if (nw_value_type(object) != NW_TYPE_OBJECT || key == NULL) {
        return NULL;
    }
    member = object_find(object, key, strlen(key));
    return member == NULL ? NULL : member->value;
}

const nw_value *nw_object_at(const nw_value *object, size_t index,
                             const char **key, size_t *key_size)
{
    const struct nw__member *member = NULL;

    if (nw_value_type(object) == NW_TYPE_OBJECT && index < object->size) {
        member = &object->as.object.members[index];
    }
    if (key != NULL) {
        *key = member == NULL ? NULL : member->key;
    }
    if (key_size != NULL) {
        *key_size = member == NULL ? 0 : member->key_size;
    }
    return member == NULL ? NULL : member->value;
}
