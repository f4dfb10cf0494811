/* Messages of language servers and debug adapters as they come, and the words of a command. */
#include <tracer/verify.h>

#include <reports/frame.h>

#include <probes/alloc.h>

#include <check.h>
#include <string.h>

static const char two[] = "Content-Length: 42\r\n\r\n{\"id\":7,\"error\":{\"code\":-1,\"message\":\"a\"}}"
                          "content-type: x\r\nCONTENT-LENGTH:2\r\n\r\n{}";

START_TEST(messages_in_pieces)
{
    struct frames frames = {0};
    struct json_line line = {0};
    size_t n = strlen(two), count = 0, cut = (size_t)_i;

    for (size_t at = 0; at < n; at += cut) {
        struct err err;

        frames_add(&frames, two + at, n - at < cut ? n - at : cut);
        while (frames_next(&frames, &line, &err) > 0) {
            const struct json_value *error = json_line_get(&line, "error");

            if (count++)
                ck_assert_uint_eq(line.count, 0);
            else
                ck_assert_str_eq(json_line_within(&line, error, "message")->string, "a");
        }
    }
    ck_assert_uint_eq(count, 2);
    frames_deinit(&frames);
    json_line_deinit(&line);
}
END_TEST

START_TEST(what_is_no_message)
{
    static const char *const wrong[] = {"\r\n",
                                        "\n\n{}",
                                        "hello world\n",
                                        "Content-Length: \r\n",
                                        "Content-Length: 1x\r\n",
                                        "Content-Length: -2\r\n",
                                        "Content-Length: 18446744073709551618\r\n",
                                        "Content-Length: 67108865\r\n",
                                        "Content-Length 2\r\n",
                                        "Content-Length: 2\r\n\r\n[]",
                                        "Content-Length: 0\r\n\r\n",
                                        "Content-Length: 2\r\nnot a field\r\n"};
    struct frames frames = {0};
    struct json_line line = {0};
    struct err err;

    frames_add(&frames, wrong[_i], strlen(wrong[_i]));
    ck_assert_msg(frames_next(&frames, &line, &err) == -1, "%s is taken", wrong[_i]);
    frames_deinit(&frames);
    json_line_deinit(&line);
}
END_TEST

START_TEST(a_header_ends)
{
    struct frames frames = {0};
    struct json_line line = {0};
    struct err err;
    int status = 0;

    for (int i = 0; status == 0 && i < FRAME_HEADER_MOST + 2; i++) {
        frames_add(&frames, "x", 1);
        status = frames_next(&frames, &line, &err);
    }
    ck_assert_int_eq(status, -1);
    frames_deinit(&frames);
}
END_TEST

START_TEST(words_of_a_command)
{
    struct strings words = {0};
    struct err err;

    ck_assert_int_eq(verify_words(" a 'b c'\\ d \"e \\\"f\\x\" '' ", &words, &err), 0);
    ck_assert_uint_eq(words.n, 4);
    ck_assert_str_eq(words.v[1], "b c d");
    ck_assert_str_eq(words.v[2], "e \"f\\x");
    ck_assert_str_eq(words.v[3], "");
    strings_deinit(&words);
    for (const char *const *bad = (const char *const[]){"", "  ", "'a", "\"a\\\"", "''", NULL}; *bad; bad++) {
        ck_assert_int_lt(verify_words(*bad, &words, &err), 0);
        strings_deinit(&words);
    }
}
END_TEST

START_TEST(places_of_names)
{
    struct verify_place places[4];

    ck_assert_uint_eq(verify_places("package p\n\n/* \xc3\xbc\xf0\x9f\x98\x80 */ func f() {}\n", places, 4), 3);
    ck_assert(places[0].line == 2 && places[0].unit == 15); /* "f": the second letter before it is two units */
    ck_assert(places[1].line == 0 && places[1].unit == 0);
    ck_assert_uint_eq(verify_places("", places, 4), 0);
    ck_assert_uint_eq(verify_places("1 2 +", places, 4), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("frame");
    TCase *tests = tcase_create("frame");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(tests, messages_in_pieces, 1, sizeof two);
    tcase_add_loop_test(tests, what_is_no_message, 0, 12);
    tcase_add_test(tests, a_header_ends);
    tcase_add_test(tests, words_of_a_command);
    tcase_add_test(tests, places_of_names);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
