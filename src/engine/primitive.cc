// Primitives, which skip V8's serializer: setting one up costs more than a
// whole task of one number.

#include "src/engine/codec.h"

#include "src/wire.h"

using v8::Isolate;
using v8::Local;
using v8::Value;

bool nw::encode_primitive(Local<Value> value, nw__message *message)
{
    uint8_t bytes[2 + 1 + 10];
    size_t size = 0;

    bytes[size++] = 0xFF;
    bytes[size++] = NW__WIRE_VERSION;
    if (value->IsInt32()) {
        int32_t number = value.As<v8::Int32>()->Value();
        uint32_t zigzag = (static_cast<uint32_t>(number) << 1) ^
                          static_cast<uint32_t>(number >> 31);
        bytes[size++] = 'I';
        for (; zigzag >= 0x80; zigzag >>= 7) {
            bytes[size++] = static_cast<uint8_t>(zigzag | 0x80);
        }
        bytes[size++] = static_cast<uint8_t>(zigzag);
    } else if (value->IsUndefined()) {
        bytes[size++] = '_';
    } else if (value->IsNull()) {
        bytes[size++] = '0';
    } else if (value->IsBoolean()) {
        bytes[size++] = value->IsTrue() ? 'T' : 'F';
    } else if (value->IsNumber()) {
        double number = value.As<v8::Number>()->Value();
        bytes[size++] = 'N';
        memcpy(bytes + size, &number, sizeof(number));
        size += sizeof(number);
    } else {
        return false;
    }
    // Fits the inline part, so it cannot fail.
    nw__message_reserve(message, size);
    memcpy(message->data, bytes, size);
    message->value_count = 1;
    return true;
}

namespace {

// Reads one primitive at `*at`. False, with `*at` as it was: it is something
// else, or malformed, and the deserializer shall say so.
bool decode_primitive(Isolate *isolate, const nw__message *message, size_t *at,
                      Local<Value> *out)
{
    const uint8_t *data = message->data;
    size_t position = *at;

    if (position >= message->size) {
        return false;
    }
    switch (data[position++]) {
    case '_':
        *out = v8::Undefined(isolate);
        break;
    case '0':
        *out = v8::Null(isolate);
        break;
    case 'T':
        *out = v8::True(isolate);
        break;
    case 'F':
        *out = v8::False(isolate);
        break;
    case 'I': {
        uint32_t zigzag = 0;
        for (unsigned shift = 0;; shift += 7) {
            if (position >= message->size || shift > 28) {
                return false;
            }
            uint8_t byte = data[position++];
            zigzag |= static_cast<uint32_t>(byte & 0x7F) << shift;
            if ((byte & 0x80) == 0) {
                break;
            }
        }
        *out = v8::Integer::New(
            isolate, static_cast<int32_t>((zigzag >> 1) ^ -(zigzag & 1)));
        break;
    }
    case 'N': {
        double number;
        if (message->size - position < sizeof(number)) {
            return false;
        }
        memcpy(&number, data + position, sizeof(number));
        position += sizeof(number);
        *out = v8::Number::New(isolate, number);
        break;
    }
    default:
        return false;
    }
    *at = position;
    return true;
}

} // namespace

bool nw::decode_primitives(Isolate *isolate, const nw__message *message,
                           napi_value *values)
{
    size_t at = 2;

    if (message->size < 2 || message->data[0] != 0xFF ||
        message->data[1] != NW__WIRE_VERSION) {
        return false;
    }
    for (uint32_t i = 0; i < message->value_count; i++) {
        Local<Value> value;
        if (!decode_primitive(isolate, message, &at, &value)) {
            return false;
        }
        values[i] = to_napi(value);
    }
    return at == message->size;
}
