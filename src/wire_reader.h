// What the parts of the reader share: its state, ids, and who reads what. The
// invariants are at the top of wire.c.

#ifndef NW_SRC_WIRE_READER_H
#define NW_SRC_WIRE_READER_H

#include <string.h>

#include "src/value.h"
#include "src/wire_input.h"

#define NW__READER_IDS_INLINE 16

// Where the value that comes next belongs.
enum nw__place {
    NW__PLACE_ITEM,     // At the end of a dense array.
    NW__PLACE_INDEX,    // At `index` of a sparse array.
    NW__PLACE_MEMBER,   // At `key` of an object.
    NW__PLACE_PROPERTY, // At `key` of an array.
    NW__PLACE_KEY,      // The key of a pair of a map.
    NW__PLACE_VALUE,    // Its value.
    NW__PLACE_SET,      // At the end of a set.
    NW__PLACE_CAUSE,    // The cause of an error.
};

struct nw__reader_frame {
    struct nw__reader_frame *outer;
    nw_value *container;
    nw_value *error;     // The container is its record; or NULL.
    uint32_t length;     // Announced, of an array.
    uint32_t items_left; // Of a dense array.
    uint32_t pairs;      // Of key and value, so far.
    enum nw__place place;
    uint32_t index;
    uint32_t key_size;
    const char *key;
    nw_value *map_key;
};

struct nw__reader {
    struct nw__input input;
    nw_doc *doc;
    struct nw__adopted adopted; // What came beside the message.
    uint32_t version;
    uint64_t owed;

    struct nw__reader_frame *top;
    struct nw__reader_frame *unused; // Closed ones, for reuse.
    uint32_t depth;

    nw_value **ids; // == ids_small, or in the document.
    uint32_t ids_count;
    uint32_t ids_capacity;
    nw_value *ids_small[NW__READER_IDS_INLINE];
};

// -- wire.c

// Makes room for more ids.
nw_status nw__reader_grow_ids(struct nw__reader *reader);

// The value behind a reference; its tag has been read.
nw_status nw__reader_reference(struct nw__reader *reader, nw_value **out);

// A string where nothing else may stand.
nw_status nw__reader_tagged_string(struct nw__reader *reader, nw_value **out);

// The next value, put where `top` wants it; of a container only its beginning.
nw_status nw__reader_value(struct nw__reader *reader, nw_value **out);

// -- wire_bytes.c. The tag has been read.

nw_status nw__reader_buffer(struct nw__reader *reader, bool resizable,
                            nw_value **out);
nw_status nw__reader_transferred(struct nw__reader *reader, nw_value **out);
nw_status nw__reader_shared(struct nw__reader *reader, nw_value **out);
nw_status nw__reader_module(struct nw__reader *reader, nw_value **out);
nw_status nw__reader_memory(struct nw__reader *reader, nw_value **out);

// The view behind a buffer.
nw_status nw__reader_view(struct nw__reader *reader, nw_value *buffer,
                          nw_value **out);

// One of our own; see wire.h.
nw_status nw__reader_host(struct nw__reader *reader, nw_value **out);

// -- wire_container.c. The tag has been read; these read the beginning and leave
// a frame for the rest.

nw_status nw__reader_open_object(struct nw__reader *reader, nw_value **out);
nw_status nw__reader_open_dense(struct nw__reader *reader, nw_value **out);
nw_status nw__reader_open_sparse(struct nw__reader *reader, nw_value **out);
nw_status nw__reader_open_map(struct nw__reader *reader, nw_value **out);
nw_status nw__reader_open_set(struct nw__reader *reader, nw_value **out);

// An Error in V8's own form, or in ours (its record comes next).
nw_status nw__reader_open_error(struct nw__reader *reader, nw_value **out);
nw_status nw__reader_open_record(struct nw__reader *reader, nw_value **out);

// Reads all that is left of the open containers.
nw_status nw__reader_finish(struct nw__reader *reader);

// -- ids

static inline nw_status nw__reader_add_id(struct nw__reader *reader,
                                          nw_value *value)
{
    if (reader->ids_count == reader->ids_capacity) {
        nw_status status = nw__reader_grow_ids(reader);

        if (status != NW_OK) {
            return status;
        }
    }
    reader->ids[reader->ids_count++] = value;
    return NW_OK;
}

// Gives the value the next id and hands it on. Without a value it is the mark of
// the document.
static inline nw_status nw__reader_identify(struct nw__reader *reader,
                                            nw_value *value, nw_value **out)
{
    *out = value;
    return value == NULL ? reader->doc->status
                         : nw__reader_add_id(reader, value);
}

#endif
