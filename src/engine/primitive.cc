// Primitives, which skip V8's serializer: setting one up costs more than a
// whole task of one number.

#include "src/engine/codec.h"

#include "src/wire.h"

using v8::Isolate;
using v8::Local;
using v8::Value;

namespace
{

// Longest of them: a tag and a double.
constexpr size_t primitive_max = 9;

// Values of one message that are tried; one with more takes the long way.
constexpr size_t primitives_max = 8;

// How many bytes it has, at `out`; 0: it is something else.
size_t put_primitive(Local<Value> value, uint8_t *out)
{
    size_t size = 0;

    if (value->IsInt32()) {
        int32_t number = value.As<v8::Int32>()->Value();
        uint32_t zigzag = (static_cast<uint32_t>(number) << 1) ^
                          static_cast<uint32_t>(number >> 31);
        out[size++] = 'I';
        for (; zigzag >= 0x80; zigzag >>= 7) {
            out[size++] = static_cast<uint8_t>(zigzag | 0x80);
        }
        out[size++] = static_cast<uint8_t>(zigzag);
    } else if (value->IsUndefined()) {
        out[size++] = '_';
    } else if (value->IsNull()) {
        out[size++] = '0';
    } else if (value->IsBoolean()) {
        out[size++] = value->IsTrue() ? 'T' : 'F';
    } else if (value->IsNumber()) {
        double number = value.As<v8::Number>()->Value();
        out[size++] = 'N';
        memcpy(out + size, &number, sizeof(number));
        size += sizeof(number);
    }
    return size;
}

} // namespace

bool nw::encode_primitives(const Local<Value> *values, size_t count,
                           nw__message *message)
{
    uint8_t bytes[2 + primitives_max * primitive_max];
    size_t size = 0;

    if (count > primitives_max) {
        return false;
    }
    bytes[size++] = 0xFF;
    bytes[size++] = NW__WIRE_VERSION;
    for (size_t i = 0; i < count; i++) {
        size_t length = put_primitive(values[i], bytes + size);

        if (length == 0) {
            return false;
        }
        size += length;
    }
    if (nw__message_reserve(message, size) != NW_OK) {
        return false; // The long way lacks memory as well, and says so.
    }
    memcpy(message->data, bytes, size);
    message->value_count = static_cast<uint32_t>(count);
    return true;
}

namespace
{

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
