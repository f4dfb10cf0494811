/* Delta debugging on sets whose smallest part is known. */
#include <reports/shrink.h>

#include <check.h>
#include <string.h>

enum { MOST = 2000 };

static bool gone[MOST];

struct judge {
    size_t count;
    const size_t *needed; /* all of these, or … */
    size_t needed_count;
    size_t either[2]; /* … one of these two, where they differ */
    size_t asked;
};

static bool holds(void *ctx, const bool *taken)
{
    struct judge *judge = ctx;

    judge->asked++;
    for (size_t i = 0; i < judge->needed_count; i++)
        if (taken[judge->needed[i]])
            return false;
    return judge->either[0] == judge->either[1] || !taken[judge->either[0]] || !taken[judge->either[1]];
}

static size_t left(size_t count)
{
    size_t there = 0;

    for (size_t i = 0; i < count; i++)
        there += !gone[i];
    return there;
}

static void setup(void)
{
    memset(gone, 0, sizeof gone);
}

START_TEST(needed_ones_stay)
{
    static const size_t needed[] = {3, 700, 701, 1999};
    struct judge judge = {.needed = needed, .needed_count = 4};

    ck_assert(shrink(MOST, gone, holds, &judge, 1000));
    ck_assert_uint_eq(left(MOST), 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert(!gone[needed[i]]);
    ck_assert_uint_lt(judge.asked, 150);
}
END_TEST

START_TEST(one_of_two)
{
    struct judge judge = {.either = {5, 6}};

    ck_assert(shrink(10, gone, holds, &judge, 1000));
    ck_assert_uint_eq(left(10), 1);
}
END_TEST

/* Every answer that was no is asked again once something else went: then it may be yes. */
static bool in_order(void *ctx, const bool *taken)
{
    (void)ctx;
    for (size_t i = 0; i + 1 < 6; i++)
        if (taken[i] && !taken[i + 1])
            return false;
    return true;
}

START_TEST(until_none_can_go)
{
    ck_assert(shrink(6, gone, in_order, NULL, 1000));
    ck_assert_uint_eq(left(6), 0);
    setup();
    gone[0] = false;
    ck_assert(shrink(0, gone, in_order, NULL, 0));
}
END_TEST

START_TEST(bounded)
{
    static const size_t needed[] = {1, 3, 5, 7, 9};
    struct judge judge = {.needed = needed, .needed_count = 5};

    ck_assert(!shrink(10, gone, holds, &judge, 4));
    ck_assert_uint_eq(judge.asked, 4);
    for (size_t i = 0; i < 5; i++)
        ck_assert(!gone[needed[i]]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shrink");
    TCase *one = tcase_create("shrink");
    SRunner *runner;

    tcase_add_checked_fixture(one, setup, NULL);
    tcase_add_test(one, needed_ones_stay);
    tcase_add_test(one, one_of_two);
    tcase_add_test(one, until_none_can_go);
    tcase_add_test(one, bounded);
    suite_add_tcase(suite, one);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed ? 1 : 0;
}
