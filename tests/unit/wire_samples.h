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
    // lone surrogates, that a buffer could be resized.
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
    {"sparse", BYTES(V15 "a\x03I\x00I\x02I\x04I\x06@\x02\x03"), "[1, -, 3]",
     false},
    {"holes", BYTES(V15 "a\x03@\x00\x03"), "[-, -, -]", true},
    {"array with property",
     BYTES(V15 "A\x02I\x02I\x04\"\x04name\"\x01n$\x01\x02"),
     "[1, 2, \"name\": \"n\"]", true},
    {"match",
     BYTES(V15 "a\x02I\x00\"\x02"
               "bcI\x02\"\x01"
               "c\"\x05indexI\x02\"\x05input\"\x03"
               "abc\"\x06groups_@\x05\x02"),
     "[\"bc\", \"c\", \"index\": 1, \"input\": \"abc\", "
     "\"groups\": undefined]",
     false},
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
    {"ArrayBuffer", BYTES(V15 "B\x04\x01\x02\x03\x04"), "ArrayBuffer<01020304>",
     true},
    {"two views",
     BYTES(V15
           "A\x02"
           "B\x04\x01\x02\x03\x04VB\x00\x02\x00^\x01VW\x02\x02\x00$\x00\x02"),
     "[<0102>, Uint16Array<0304>]", true},
    {"view twice",
     BYTES(V15 "A\x02"
               "B\x03\x01\x02\x03VB\x00\x03\x00^\x02$\x00\x02"),
     "[<010203>, <010203>]", true},
    {"DataView", BYTES(V15 "B\x02\x09\x08V?\x00\x02\x00"), "DataView<0908>",
     true},
    {"Float64Array",
     BYTES(V15 "B\x08\x00\x00\x00\x00\x00\x00\xf0?VF\x00\x08\x00"),
     "Float64Array<000000000000f03f>", true},
    {"BigInt64Array",
     BYTES(V15 "B\x08\x01\x00\x00\x00\x00\x00\x00\x00Vq\x00\x08\x00"),
     "BigInt64Array<0100000000000000>", true},
    {"Int8", BYTES(V15 "B\x01\xffVb\x00\x01\x00"), "Int8Array<ff>", true},
    {"Clamped", BYTES(V15 "B\x01\xffVC\x00\x01\x00"), "Uint8ClampedArray<ff>",
     true},
    {"Int16", BYTES(V15 "B\x02\xfe\xffVw\x00\x02\x00"), "Int16Array<feff>",
     true},
    {"Int32", BYTES(V15 "B\x04\x01\x00\x00\x00Vd\x00\x04\x00"),
     "Int32Array<01000000>", true},
    {"Uint32", BYTES(V15 "B\x04\x01\x00\x00\x00VD\x00\x04\x00"),
     "Uint32Array<01000000>", true},
    {"Float32", BYTES(V15 "B\x04\x00\x00\x80?Vf\x00\x04\x00"),
     "Float32Array<0000803f>", true},
    {"BigUint64",
     BYTES(V15 "B\x08\x01\x00\x00\x00\x00\x00\x00\x00VQ\x00\x08\x00"),
     "BigUint64Array<0100000000000000>", true},
    {"empty view", BYTES(V15 "B\x00VB\x00\x00\x00"), "<>", true},
    {"tail view", BYTES(V15 "B\x04\x01\x02\x03\x04VB\x03\x01\x00"), "<04>",
     true},
    {"BigInt 0", BYTES(V15 "Z\x00"), "0n", true},
    {"BigInt", BYTES(V15 "Z\x10\x05\x00\x00\x00\x00\x00\x00\x00"), "5n", true},
    {"BigInt -2^63", BYTES(V15 "Z\x11\x00\x00\x00\x00\x00\x00\x00\x80"),
     "-9223372036854775808n", true},
    {"BigInt 2^64",
     BYTES(V15 "Z \x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00"
               "\x00\x00"),
     "0x10000000000000000n", true},
    {"Date", BYTES(V15 "D\x00\x00\x00\x00\x00\x00\xf0?"), "Date(1)", true},
    {"invalid Date", BYTES(V15 "D\x00\x00\x00\x00\x00\x00\xf8\x7f"),
     "Date(NaN)", true},
    {"RegExp",
     BYTES(V15 "R\"\x04"
               "a\\/b\xbf\x01"),
     "/a\\/b/dgimsuy", true},
    {"RegExp v",
     BYTES(V15 "R\"\x01"
               "a\x80\x02"),
     "/a/v", true},
    {"RegExp none", BYTES(V15 "R\"\x01x\x00"), "/x/", true},
    {"two-byte RegExp",
     BYTES(V15 "R\x00"
               "c\x02\xac \x00"),
     "/\xe2\x82\xac/", true},
    {"Map",
     BYTES(V15 ";I\x02\"\x01"
               "ao{\x00"
               "A\x00$\x00\x00\"\x04self^\x00:\x06"),
     "Map{1 => \"a\", {} => [], \"self\" => ^0}", true},
    {"empty Map", BYTES(V15 ";:\x00"), "Map{}", true},
    {"Set",
     BYTES(V15 "'I\x02\"\x01"
               "a^\x00,\x03"),
     "Set{1, \"a\", ^0}", true},
    {"empty Set", BYTES(V15 "',\x00"), "Set{}", true},
    {"Error", BYTES(V15 "rm\"\x01xs\"\x01s."), "Error(\"x\", stack \"s\")",
     true},
    {"Error without message", BYTES(V15 "rs\"\x01s."),
     "Error(\"\", stack \"s\")", true},
    {"Error without stack", BYTES(V15 "rm\"\x01n."), "Error(\"n\")", true},
    {"TypeError", BYTES(V15 "rTm\"\x01xs\"\x01s."),
     "TypeError(\"x\", stack \"s\")", true},
    {"RangeError", BYTES(V15 "rRm\"\x01xs\"\x01s."),
     "RangeError(\"x\", stack \"s\")", true},
    {"SyntaxError", BYTES(V15 "rSm\"\x01xs\"\x01s."),
     "SyntaxError(\"x\", stack \"s\")", true},
    {"ReferenceError", BYTES(V15 "rFm\"\x01xs\"\x01s."),
     "ReferenceError(\"x\", stack \"s\")", true},
    {"EvalError", BYTES(V15 "rEm\"\x01xs\"\x01s."),
     "EvalError(\"x\", stack \"s\")", true},
    {"URIError", BYTES(V15 "rUm\"\x01xs\"\x01s."),
     "URIError(\"x\", stack \"s\")", true},
    {"Error with cause",
     BYTES(V15 "rm\"\x01xco\"\x01"
               "aI\x02{\x01s\"\x01s."),
     "Error(\"x\", stack \"s\", cause {\"a\": 1})", false},
    {"Error in its cause",
     BYTES(V15 "o\"\x01"
               "erm\"\x01xc^\x00.{\x01"),
     "{\"e\": Error(\"x\", cause ^1)}", true},
    {"boxed",
     BYTES(V15 "A\x05yxn\x00\x00\x00\x00\x00\x00\xf8?s\"\x03strsc\x02\xac $"
               "\x00\x05"),
     "[Object(true), Object(false), Object(1.5), Object(\"str\"), "
     "Object(\"\\xe2\\x82\\xac\")]",
     true},
    {"boxed BigInt", BYTES(V15 "z\x10\x05\x00\x00\x00\x00\x00\x00\x00"),
     "Object(5n)", true},
    {"ids",
     BYTES(V15 "A\x0brm\"\x01xs\"\x01s.D\x00\x00\x00\x00\x00\x00\x00\x00R\""
               "\x01x\x00n\x00\x00\x00\x00\x00\x00\xf0?s\"\x01s;:\x00',\x00"
               "Z\x10\x03\x00\x00\x00\x00\x00\x00\x00z\x10\x03\x00\x00\x00"
               "\x00\x00\x00\x00o{\x00^\x09$\x00\x0b"),
     "[Error(\"x\", stack \"s\"), Date(0), /x/, Object(1), Object(\"s\"), "
     "Map{}, Set{}, 3n, Object(3n), {}, {}]",
     true},
    {"resizable",
     BYTES(V15 "A\x03~\x02\x08\x00\x01VB\x00\x00\x03^\x01VB\x00\x01\x02^\x01VB"
               "\x01\x00\x03$\x00\x03"),
     "[<0001>, <00>, <01>]", false},
};

#endif
