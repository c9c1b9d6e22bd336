/**
 * @file nwpool/json.h
 * Values to and from jansson's json_t. The only public header that needs
 * <jansson.h>; nothing else here does.
 */
#ifndef NWPOOL_JSON_H
#define NWPOOL_JSON_H

#include <jansson.h>

#include <nwpool/value.h>

NW_EXTERN_C_BEGIN

/**
 * A copy of `json` in `doc`. Integers beyond +-2^53 become the nearest double,
 * as JSON.parse does it.
 *
 * @param json  borrowed.
 * @return the value; NULL, with the document marked, without memory
 *         (NW_ENOMEM), when `json` is NULL (NW_EINVAL), or when it is nested
 *         deeper than NW_VALUE_DEPTH_MAX (NW_ELIMIT).
 * Thread: owner of the document.
 */
NW_API nw_value *nw_value_from_json(nw_doc *doc, const json_t *json);

/**
 * A new json_t, by the rules of JSON.stringify: undefined members are left
 * out, undefined items and non-finite numbers become null, whole numbers
 * within +-2^53 become integers, a Date its ISO string (null when invalid), a
 * boxed primitive the primitive; named properties of arrays are left out.
 * What JSON has no type for: bytes, of whatever view, become a base64 string
 * (RFC 4648, padded); a BigInt an integer if it lies within +-2^53; an Error an
 * object of its name, message, code, stack, cause, errors and own properties,
 * those that there are. Nothing else is converted.
 *
 * @param out  receives a new reference, yours to json_decref(); NULL on
 *             failure. A top-level undefined gives json null.
 * @return NW_OK; NW_EINVAL; NW_ENOMEM; NW_ETYPE when the value contains
 *         itself, a larger BigInt, or something that would be lost (a Map, Set,
 *         RegExp, port, other object of Node.js, or anything of WebAssembly);
 *         NW_ELIMIT when it is too deep, or would be many times larger than its
 *         document because it repeats its parts or has many holes.
 * Thread: any that may read the document.
 */
NW_API nw_status nw_value_to_json(const nw_value *value, json_t **out);

NW_EXTERN_C_END

#endif
