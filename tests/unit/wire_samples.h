// What V8 itself writes: made with `new v8.Serializer()`, writeHeader() and
// writeValue() of Node.js 20, which writes the same bytes as Node.js 18.

#ifndef NW_TESTS_UNIT_WIRE_SAMPLES_H
#define NW_TESTS_UNIT_WIRE_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>

// The header of every message: format version 15.
#define V15 "\xff\x0f"

// A literal with its size, its own NULs included and the last one not.
#define BYTES(literal) literal, sizeof(literal) - 1

struct sample {
    const char *name;
    const char *data;
    size_t size;
    const char *text; // Of nw_test_text().
    // Our writer writes the same bytes. It does not where V8 holds numbers as
    // doubles, turns keys into indices, or where something is lost on our side:
    // lone surrogates, holes, properties of arrays, kinds of views.
    bool same;
};

static const struct sample samples[] = {
    {"undefined", BYTES(V15 "_"), "undefined", true},
    {"null", BYTES(V15 "0"), "null", true},
    {"true", BYTES(V15 "T"), "true", true},
    {"false", BYTES(V15 "F"), "false", true},
    {"zero", BYTES(V15 "I\x00"), "0", true},
    {"minus one", BYTES(V15 "I\x01"), "-1", true},
    {"int max", BYTES(V15 "I\xfe\xff\xff\xff\x0f"), "2147483647", true},
    {"int min", BYTES(V15 "I\xff\xff\xff\xff\x0f"), "-2147483648", true},
    {"2^31",
     BYTES(V15 "N\x00\x00\x00\x00\x00\x00\xe0"
               "A"),
     "2147483648", true},
    {"1.5", BYTES(V15 "N\x00\x00\x00\x00\x00\x00\xf8?"), "1.5", true},
    {"minus zero", BYTES(V15 "N\x00\x00\x00\x00\x00\x00\x00\x80"), "-0", true},
    {"NaN", BYTES(V15 "N\x00\x00\x00\x00\x00\x00\xf8\x7f"), "NaN", true},
    {"infinity", BYTES(V15 "N\x00\x00\x00\x00\x00\x00\xf0\x7f"), "inf", true},
    {"-2^53", BYTES(V15 "N\x00\x00\x00\x00\x00\x00@\xc3"), "-9007199254740992",
     true},
    {"empty string", BYTES(V15 "\"\x00"), "\"\"", true},
    {"ascii", BYTES(V15 "\"\x05hello"), "\"hello\"", true},
    {"latin-1", BYTES(V15 "\"\x05h\xe9llo"), "\"h\\xc3\\xa9llo\"", true},
    {"two-byte", BYTES(V15 "c\x08\xac u\x00r\x00o\x00"),
     "\"\\xe2\\x82\\xacuro\"", true},
    {"pair", BYTES(V15 "c\x04=\xd8\x00\xde"), "\"\\xf0\\x9f\\x98\\x80\"", true},
    {"lone high",
     BYTES(V15 "c\x06"
               "a\x00\x00\xd8"
               "b\x00"),
     "\"a\\xef\\xbf\\xbdb\"", false},
    {"lone low", BYTES(V15 "c\x02\x00\xdc"), "\"\\xef\\xbf\\xbd\"", false},
    {"array",
     BYTES(V15 "A\x03I\x02\"\x01"
               "a0$\x00\x03"),
     "[1, \"a\", null]", true},
    {"empty array", BYTES(V15 "A\x00$\x00\x00"), "[]", true},
    {"doubles",
     BYTES(V15 "A\x02N\x00\x00\x00\x00\x00\x00\xf8?"
               "N\x00\x00\x00\x00\x00\x00\x00@$\x00\x02"),
     "[1.5, 2]", false},
    {"undefined item", BYTES(V15 "A\x01_$\x00\x01"), "[undefined]", true},
    {"sparse", BYTES(V15 "a\x03I\x00I\x02I\x04I\x06@\x02\x03"),
     "[1, undefined, 3]", false},
    {"holes", BYTES(V15 "a\x03@\x00\x03"), "[undefined, undefined, undefined]",
     true},
    {"array with property",
     BYTES(V15 "A\x02I\x02I\x04\"\x04name\"\x01n$\x01\x02"), "[1, 2]", false},
    {"match",
     BYTES(V15 "a\x02I\x00\"\x02"
               "bcI\x02\"\x01"
               "c\"\x05indexI\x02\"\x05input\"\x03"
               "abc\"\x06groups_@\x05\x02"),
     "[\"bc\", \"c\"]", false},
    {"object",
     BYTES(V15 "o\"\x01"
               "aI\x02\"\x01"
               "b\"\x01x{\x02"),
     "{\"a\": 1, \"b\": \"x\"}", true},
    {"empty object", BYTES(V15 "o{\x00"), "{}", true},
    {"index keys",
     BYTES(V15 "oI\x00\"\x01"
               "bI\x02\"\x01"
               "a\"\x01zI\x04{\x03"),
     "{\"0\": \"b\", \"1\": \"a\", \"z\": 2}", false},
    {"large index",
     BYTES(V15 "oI\x0e\"\x05seven\"\x0a"
               "4294967295\"\x03"
               "big\"\x01zI\x02{\x03"),
     "{\"7\": \"seven\", \"4294967295\": \"big\", \"z\": 1}", false},
    {"nested",
     BYTES(V15 "o\"\x01"
               "ao\"\x01"
               "bo\"\x01"
               "cA\x01o{\x00$\x00\x01{\x01{\x01{\x01"),
     "{\"a\": {\"b\": {\"c\": [{}]}}}", true},
    {"siblings",
     BYTES(V15 "A\x02"
               "A\x00$\x00\x00"
               "A\x01"
               "A\x00$\x00\x00$\x00\x01$\x00\x02"),
     "[[], [[]]]", true},
    {"two-byte key",
     BYTES(V15 "o\x00"
               "c\x02\xac I\x02{\x01"),
     "{\"\\xe2\\x82\\xac\": 1}", true},
    {"latin key", BYTES(V15 "o\"\x01\xe9I\x02{\x01"), "{\"\\xc3\\xa9\": 1}",
     true},
    {"cycle",
     BYTES(V15 "o\"\x01"
               "aI\x02\"\x04self^\x00{\x02"),
     "{\"a\": 1, \"self\": ^0}", true},
    {"shared", BYTES(V15 "A\x02o\"\x01xI\x02{\x01^\x01$\x00\x02"),
     "[{\"x\": 1}, {\"x\": 1}]", true},
    {"Uint8Array", BYTES(V15 "B\x03\x01\x02\x03VB\x00\x03\x00"), "<010203>",
     true},
    {"ArrayBuffer", BYTES(V15 "B\x04\x01\x02\x03\x04"), "<01020304>", false},
    {"two views",
     BYTES(V15
           "A\x02"
           "B\x04\x01\x02\x03\x04VB\x00\x02\x00^\x01VW\x02\x02\x00$\x00\x02"),
     "[<0102>, <0304>]", false},
    {"view twice",
     BYTES(V15 "A\x02"
               "B\x03\x01\x02\x03VB\x00\x03\x00^\x02$\x00\x02"),
     "[<010203>, <010203>]", true},
    {"DataView", BYTES(V15 "B\x02\x09\x08V?\x00\x02\x00"), "<0908>", false},
    {"Float64Array",
     BYTES(V15 "B\x08\x00\x00\x00\x00\x00\x00\xf0?VF\x00\x08\x00"),
     "<000000000000f03f>", false},
    {"BigInt64Array",
     BYTES(V15 "B\x08\x01\x00\x00\x00\x00\x00\x00\x00Vq\x00\x08\x00"),
     "<0100000000000000>", false},
    {"Int8", BYTES(V15 "B\x01\xffVb\x00\x01\x00"), "<ff>", false},
    {"Clamped", BYTES(V15 "B\x01\xffVC\x00\x01\x00"), "<ff>", false},
    {"Int16", BYTES(V15 "B\x02\xfe\xffVw\x00\x02\x00"), "<feff>", false},
    {"Int32", BYTES(V15 "B\x04\x01\x00\x00\x00Vd\x00\x04\x00"), "<01000000>",
     false},
    {"Uint32", BYTES(V15 "B\x04\x01\x00\x00\x00VD\x00\x04\x00"), "<01000000>",
     false},
    {"Float32", BYTES(V15 "B\x04\x00\x00\x80?Vf\x00\x04\x00"), "<0000803f>",
     false},
    {"BigUint64",
     BYTES(V15 "B\x08\x01\x00\x00\x00\x00\x00\x00\x00VQ\x00\x08\x00"),
     "<0100000000000000>", false},
    {"empty view", BYTES(V15 "B\x00VB\x00\x00\x00"), "<>", true},
    {"tail view", BYTES(V15 "B\x04\x01\x02\x03\x04VB\x03\x01\x00"), "<04>",
     false},
};

// Values that C has no type for. The name is the detail of the reader.
static const struct sample foreign_samples[] = {
    {"Date", BYTES(V15 "D\x00\x00\x00\x00\x00\x00\x00\x00"), NULL, false},
    {"BigInt", BYTES(V15 "Z\x10\x05\x00\x00\x00\x00\x00\x00\x00"), NULL, false},
    {"Map", BYTES(V15 ";I\x02I\x04:\x02"), NULL, false},
    {"Set", BYTES(V15 "'I\x02,\x01"), NULL, false},
    {"RegExp",
     BYTES(V15 "R\"\x01"
               "a\x01"),
     NULL, false},
    {"Error", BYTES(V15 "rm\"\x01xs\"\x01s."), NULL, false},
    {"Boolean object", BYTES(V15 "y"), NULL, false},
    {"Boolean object", BYTES(V15 "x"), NULL, false},
    {"Number object", BYTES(V15 "n\x00\x00\x00\x00\x00\x00\xf0?"), NULL, false},
    {"String object", BYTES(V15 "s\"\x01s"), NULL, false},
    {"BigInt object", BYTES(V15 "z\x10\x01\x00\x00\x00\x00\x00\x00\x00"), NULL,
     false},
};

#endif
