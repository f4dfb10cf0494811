/* What is fuzzed: one row a reader, each of which is handed bytes that anybody may have made.
 *
 * A target does with them what the program does with a file: reads them, judges what they tell of, renders the report.
 * It may find nothing in them; it may not crash, leak, hang or need more time than their size is worth. libFuzzer
 * drives them (fuzz.c), and so does tests/unit/test_fuzz.c, with the inputs that are kept in testdata/fuzz/NAME. */
#ifndef GLIBCTRACE_TESTS_FUZZ_TARGETS_H
#define GLIBCTRACE_TESTS_FUZZ_TARGETS_H

#include <stddef.h>
#include <stdint.h>

struct fuzz_target {
    const char *name;
    void (*run)(const uint8_t *data, size_t size);
};

/* Ends with a name of NULL. */
extern const struct fuzz_target fuzz_targets[];

#endif
