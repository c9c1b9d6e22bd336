// Goal: an output line is one line of JSON that tells all there is to tell,
// and always the same keys in the same order.

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "batch/record.h"
#include "tests/unit/support.h"

static nw_doc *doc;

static void setup(void)
{
    doc = nw_doc_create();
}

static void teardown(void)
{
    nw_doc_destroy(doc);
    nw_test_no_leaks();
}

TestSuite(record, .init = setup, .fini = teardown, .timeout = 20);

static void expect_result(const nw_result *result, nw_status status,
                          const char *expected)
{
    struct nwpool_batch_text line = {0};
    const nw_error *error;

    cr_expect(eq(int,
                 nwpool_batch_record_result(&line, 7, "\"in\"", result, &error),
                 status));
    cr_expect(eq(str, line.data, (char *)expected));
    cr_expect(eq(int, error == NULL, status == NW_OK));
    nwpool_batch_text_fini(&line);
}

Test(record, a_result_stands_beside_its_input)
{
    nw_value *object = nw_value_object(doc);
    const nw_result result = {.task = {3}, .value = object};

    nw_object_set(object, "n", nw_value_number(doc, 0.1));
    expect_result(&result, NW_OK,
                  "{\"index\":7,\"ok\":true,\"input\":\"in\","
                  "\"result\":{\"n\":0.1}}\n");
}

Test(record, undefined_is_null)
{
    const nw_result result = {.task = {3}, .value = nw_value_undefined(doc)};

    expect_result(&result, NW_OK,
                  "{\"index\":7,\"ok\":true,\"input\":\"in\","
                  "\"result\":null}\n");
}

Test(record, an_error_is_told_with_all_it_has)
{
    nw_value *properties = nw_value_object(doc);
    const nw_error cause = {.name = "",
                            .message = "5",
                            .stack = "",
                            .thrown = nw_value_number(doc, 5)};
    const nw_error error = {
        .name = "SyntaxError",
        .message = "Unexpected \"x\"\n(1:2)",
        .stack = "SyntaxError: ...\n    at f",
        .code = "ECODE",
        .properties = properties,
        .cause = &cause,
    };
    const nw_result result = {
        .task = {12}, .status = NW_ETHROWN, .error = &error};

    nw_object_set(properties, "pos", nw_value_number(doc, 2));
    expect_result(
        &result, NW_ETHROWN,
        "{\"index\":7,\"ok\":false,\"input\":\"in\","
        "\"status\":\"NW_ETHROWN\",\"task\":12,\"error\":{"
        "\"name\":\"SyntaxError\","
        "\"message\":\"Unexpected \\\"x\\\"\\n(1:2)\",\"code\":\"ECODE\","
        "\"properties\":{\"pos\":2},"
        "\"stack\":\"SyntaxError: ...\\n    at f\","
        "\"cause\":{\"name\":\"\",\"message\":\"5\",\"thrown\":5}}}\n");
}

Test(record, a_crash_has_its_exit_code)
{
    const nw_error error = {.name = "Error", .message = "died", .stack = ""};
    const nw_result result = {
        .task = {12}, .status = NW_ECRASHED, .error = &error, .exit_code = 3};

    expect_result(&result, NW_ECRASHED,
                  "{\"index\":7,\"ok\":false,\"input\":\"in\","
                  "\"status\":\"NW_ECRASHED\",\"task\":12,\"exit_code\":3,"
                  "\"error\":{\"name\":\"Error\",\"message\":\"died\"}}\n");
}

Test(record, a_result_that_contains_itself_is_a_failure)
{
    nw_value *array = nw_value_array(doc);
    const nw_result result = {.task = {12}, .value = array};

    nw_array_push(array, array);
    expect_result(&result, NW_ETYPE,
                  "{\"index\":7,\"ok\":false,\"input\":\"in\","
                  "\"status\":\"NW_ETYPE\",\"task\":12,"
                  "\"error\":{\"name\":\"Error\",\"message\":\"the result "
                  "contains itself, or a value that JSON has no form for: "
                  "a Map, Set, RegExp, large BigInt, port ...\"}}\n");
}

Test(record, an_error_property_that_is_no_json_is_left_out)
{
    nw_value *properties = nw_value_object(doc);
    const nw_error error = {
        .name = "Error", .message = "m", .stack = "", .properties = properties};
    const nw_result result = {
        .task = {12}, .status = NW_ETHROWN, .error = &error};

    nw_object_set(properties, "self", properties);
    expect_result(&result, NW_ETHROWN,
                  "{\"index\":7,\"ok\":false,\"input\":\"in\","
                  "\"status\":\"NW_ETHROWN\",\"task\":12,"
                  "\"error\":{\"name\":\"Error\",\"message\":\"m\"}}\n");
}

Test(record, causes_are_followed_to_a_limit)
{
    nw_error errors[NWPOOL_BATCH_CAUSES_MAX + 5];
    const size_t count = sizeof(errors) / sizeof(errors[0]);
    const nw_result result = {
        .task = {12}, .status = NW_ETHROWN, .error = &errors[0]};
    struct nwpool_batch_text line = {0};
    const nw_error *error;
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        errors[i] = (nw_error){
            .name = "Error",
            .message = "m",
            .stack = "",
            .cause = i + 1 < count ? &errors[i + 1] : NULL,
        };
    }
    nwpool_batch_record_result(&line, 7, "1", &result, &error);
    for (const char *at = line.data; (at = strstr(at, "\"cause\"")) != NULL;
         at++) {
        found++;
    }
    cr_expect(eq(sz, found, NWPOOL_BATCH_CAUSES_MAX));
    nwpool_batch_text_fini(&line);
}

Test(record, a_refused_task_has_no_id)
{
    struct nwpool_batch_text line = {0};

    nwpool_batch_record_refusal(&line, 7, "[1]", NW_ELIMIT);
    cr_expect(eq(str, line.data,
                 "{\"index\":7,\"ok\":false,\"input\":[1],"
                 "\"status\":\"NW_ELIMIT\",\"task\":null,"
                 "\"error\":{\"name\":\"Error\",\"message\":\"a fixed limit "
                 "was exceeded\"}}\n"));
    nwpool_batch_text_fini(&line);
}

Test(record, a_bad_input_names_its_place)
{
    struct nwpool_batch_text line = {0};
    const struct nwpool_batch_item item = {
        .index = 7,
        .echo = (char *)"null",
        .problem = (char *)"in:3:9: no JSON value",
        .source = "in",
        .place = {3, 9},
        .excerpt = (char *)"\"tru\"",
    };

    nwpool_batch_record_bad_input(&line, &item);
    cr_expect(eq(str, line.data,
                 "{\"index\":7,\"ok\":false,\"input\":null,"
                 "\"status\":\"BAD_INPUT\",\"task\":null,"
                 "\"error\":{\"name\":\"Error\","
                 "\"message\":\"in:3:9: no JSON value\",\"file\":\"in\","
                 "\"line\":3,\"column\":9,\"text\":\"tru\"}}\n"));
    nwpool_batch_text_fini(&line);
}
