# glibctrace. `make help` lists what can be made; .ci/setup installs what a step needs and is not there.

VERSION := 0.1.0
CC ?= cc
PREFIX ?= /usr/local
DESTDIR ?=
CFLAGS ?= -O2 -g
PYTHON ?= /usr/bin/python3
SAN ?=

# Libraries of the program, by pkg-config name; .ci/setup has the same list with each system's packages.
MODULES := libarchive jansson libseccomp libzstd libdw libelf capstone zlib
# The static binary names its archives itself: pkg-config's --static for libarchive asks for everything that some
# format of it may use (libxml2, nettle, acl, …), while the linker takes only the members that are called.
STATIC_LIBS = $(SQUASH:%=-l%) -larchive -ljansson -lseccomp -lzstd -ldw -lelf -lcapstone -lz -lbz2 -llzma $(if $(SQUASH),-llz4)

ifeq ($(SAN),1)
BUILD := build/san
CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
else ifeq ($(SAN),fuzz)
BUILD := build/fuzz
CC := clang
CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined \
    -D__builtin_cpu_supports\(x\)=0
else
BUILD := build
endif

# As many jobs as processors, unless -j was given.
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 1)
endif

# One short line a step; V=1 shows the commands.
Q := $(if $(V),,@)
say = @$(if $(V),:,printf '%-5s %s\n' $(1) $(2))

WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Werror
ALL_CFLAGS = -std=gnu17 -fno-pie -D_GNU_SOURCE -DGLIBCTRACE_VERSION='"$(VERSION)"' $(WARNINGS) -I. $(CPPFLAGS) $(CFLAGS)
# Asked when a recipe runs, not when the Makefile is read: before the set-up there may be no pkg-config.
# Each library from its archive where there is one (Debian's -dev packages have them, others ship none): loading shared ones
# takes longer than most programs run, and libarchive's drags in libxml2, ICU and a C++ library for formats never used.
# Not position-independent: capstone's tables hold 77,000 pointers, and relocating them would cost a millisecond a start.
archive_of = $(wildcard $(shell $(CC) -print-file-name=lib$(1).a))
library = $(foreach l,$(1),$(or $(call archive_of,$(l)),-l$(l)))
# Of AppImages' file system; not every system packages it, and reports/squash.c does without.
SQUASH = $(shell echo '\#include <sqfs/super.h>' | $(CC) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 && echo squashfs)
# Where all have one, the C library too: whoever asks why a program does not start may well have set LD_LIBRARY_PATH or
# LD_PRELOAD to what is at fault, or have another C library than the one that this was built on.
MAIN_LIBS = $(SQUASH) archive jansson seccomp zstd dw elf capstone z
MORE_LIBS = bz2 lzma $(if $(SQUASH),lz4)
lacks_archive = $(strip $(foreach l,$(MAIN_LIBS) $(MORE_LIBS) c,$(if $(call archive_of,$(l)),,$(l))))
LIBS = -no-pie $(if $(SAN)$(lacks_archive),,-static) \
    $(call library,$(MAIN_LIBS) $(if $(call archive_of,dw)$(call archive_of,archive),$(MORE_LIBS)))
TEST_LIBS = -no-pie $(shell pkg-config --libs check $(MODULES)) $(SQUASH:%=-l%)

ROOMS := probes reports $(if $(filter fuzz,$(SAN)),,tracer)
SOURCES := $(sort $(wildcard $(ROOMS:%=%/*.c)))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
MAIN := $(BUILD)/tracer/main.o
LIBRARY := $(BUILD)/libglibctrace.a
PROGRAM := $(BUILD)/glibctrace
STATIC := $(BUILD)/glibctrace-static
UNIT_SOURCES := $(sort $(wildcard tests/unit/test_*.c))
UNIT_TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(BUILD)/tests/%)
BENCH_SOURCES := $(sort $(wildcard tests/bench/*.c))
BENCHES := $(BENCH_SOURCES:tests/bench/%.c=$(BUILD)/bench/%)
FUZZ_SOURCES := tests/fuzz/fuzz.c tests/fuzz/targets.c
COMPARE_SOURCES := $(sort $(wildcard tests/conformance/*.c))
COMPARE := $(BUILD)/conformance/bindings
FORMATTED = $(wildcard probes/*.[ch] reports/*.[ch] tracer/*.[ch] tests/unit/*.[ch] tests/bench/*.[ch] \
    tests/conformance/*.[ch] tests/score/*.[ch] tests/fuzz/*.[ch])

all: $(PROGRAM)

help:
	@echo 'make             the program, $(PROGRAM)'
	@echo 'make demo        run it on a broken program and print the report'
	@echo 'make check       unit and end-to-end tests (SAN=1: with address and undefined-behaviour sanitizers)'
	@echo 'make static      $(STATIC), one file that runs without any library'
	@echo 'make bench       cost against strace and against no tracer'
	@echo 'make conformance what ld.so bound against the model, --bindings, -t lookups and check, lookup by lookup'
	@echo 'make score       every kind of cause on every libc against what is right, and how reliable a confidence is'
	@echo 'make install     program, man page, completions (PREFIX=$(PREFIX), DESTDIR=); make uninstall'
	@echo 'make unit        only the unit tests'
	@echo 'make rounds      attach, load and kill, 200 times each (ROUNDS=N), on gopls, node and a C program'
	@echo 'make real        real programs: VS Code Server, chromium, npm add-ons, newer programs on older C libraries'
	@echo 'make fuzz        every reader under libFuzzer (FUZZ_SECONDS=60 each, FUZZ_TARGETS="strace trace")'
	@echo 'make roots       small root directories with other libcs, for the tests'
	@echo 'make libc-table  what Debian'\''s releases define, against the table in probes/releases.c'
	@echo 'make lint        formatting, layering, clang-tidy, cppcheck; make format mends the first'
	@echo 'make clean       remove build/'

# --- set-up: a cheap test each time, an installation only where something is missing ---------------------------
SETUPS := setup-build setup-static setup-test setup-bench setup-lint setup-fuzz
$(SETUPS): setup-%:
	@sh .ci/setup $*
# One after the other: two package managers at once lock each other out.
setup-static setup-test setup-bench setup-lint setup-fuzz: | setup-build

# --- the program -----------------------------------------------------------------------------------------------
$(PROGRAM): $(MAIN) $(LIBRARY)
	$(call say,link,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -Wl,--gc-sections -o $@ $(MAIN) $(LIBRARY) $(LIBS)

$(LIBRARY): $(filter-out $(MAIN),$(OBJECTS))
	@rm -f $@
	@$(AR) rcs $@ $^

$(BUILD)/%.o: %.c $(BUILD)/flags | setup-build
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The page's style and script, which the assembler puts into the program as they are.
$(BUILD)/reports/page_assets.o: reports/page.css reports/page.js

# Other flags, other objects: the file changes only when they do.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL_CFLAGS)' | cmp -s - $@ || echo '$(CC) $(ALL_CFLAGS)' >$@

static: $(STATIC)

$(STATIC): $(MAIN) $(LIBRARY) | setup-static
	$(call say,link,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -static $(LDFLAGS) -Wl,--gc-sections -o $@ $(MAIN) $(LIBRARY) $(STATIC_LIBS)

# --- tests -----------------------------------------------------------------------------------------------------
$(BUILD)/tests/%: tests/unit/%.c $(LIBRARY) $(BUILD)/flags | setup-test
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -o $@ $< $(LIBRARY) $(LDFLAGS) $(TEST_LIBS)

# The inputs that the fuzzers found, without a fuzzer.
$(BUILD)/tests/test_fuzz: tests/unit/test_fuzz.c tests/fuzz/targets.c tests/fuzz/targets.h $(LIBRARY) $(BUILD)/flags | setup-test
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ tests/unit/test_fuzz.c tests/fuzz/targets.c $(LIBRARY) $(LDFLAGS) $(TEST_LIBS)

# Only the unit tests: needs no main.
unit: $(UNIT_TESTS)
	@bash tests/run.sh unit $(UNIT_TESTS)

check: $(PROGRAM) $(UNIT_TESTS) $(COMPARE) | setup-test
	@GLIBCTRACE='$(abspath $(PROGRAM))' PYTHON='$(PYTHON)' bash tests/run.sh all $(UNIT_TESTS)

# What `make check` does some twenty times: attach to real programs at work, put load on them, kill glibctrace.
rounds: $(PROGRAM) | setup-test
	@GLIBCTRACE='$(abspath $(PROGRAM))' GLIBCTRACE_ROUNDS=$(or $(ROUNDS),200) LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) -m pytest -q -p no:cacheprovider -rP -k rounds tests/e2e/test_attach_real.py

# Programs of other suites and registries: VS Code Server, chromium, npm add-ons, newer programs on older C libraries.
# What is fetched (3 GB, some minutes the first time) is cached. REAL_ARGS="-k server" does less.
real: $(PROGRAM) | setup-test
	@GLIBCTRACE='$(abspath $(PROGRAM))' LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) -m pytest -q -p no:cacheprovider -rfEs $(REAL_ARGS) tests/real

# Each reader for a time, with what testdata/fuzz has; ends with 1 where one was broken. What is found lies in
# build/fuzz/found, what is learnt in build/fuzz/learnt: the next run begins there.
fuzz: | setup-fuzz
	@$(MAKE) --no-print-directory SAN=fuzz build/fuzz/fuzz
	@FUZZ_SECONDS='$(or $(FUZZ_SECONDS),60)' bash tests/fuzz/run.sh build/fuzz $(FUZZ_TARGETS)

$(BUILD)/fuzz: $(FUZZ_SOURCES) tests/fuzz/targets.h $(LIBRARY)
	$(call say,link,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -o $@ $(FUZZ_SOURCES) $(LIBRARY) $(LDFLAGS) -no-pie $$(pkg-config --libs $(MODULES)) $(SQUASH:%=-l%)

roots: | setup-test
	@bash tests/roots.sh

libc-table:
	@$(PYTHON) tests/libc_table.py

demo: $(PROGRAM) $(BUILD)/demo/viewer
	@sh testdata/demo/run.sh $(PROGRAM) $(BUILD)/demo

$(BUILD)/demo/viewer: $(wildcard testdata/demo/*) | setup-build
	$(call say,demo,$@)
	$(Q)CC='$(CC)' sh testdata/demo/build.sh $(@D)

$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/flags | setup-build
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -no-pie -MMD -MP -o $@ $< $(LDFLAGS)

# CONFORMANCE_ARGS="--libc host --quick" does less.
conformance: $(COMPARE) $(PROGRAM) | setup-test
	@bad=0; $(PYTHON) tests/conformance/run.py --tool $(COMPARE) $(CONFORMANCE_ARGS) || bad=1; echo; \
	$(PYTHON) tests/conformance/slots.py --program $(PROGRAM) $(CONFORMANCE_ARGS) || bad=1; echo; \
	$(PYTHON) tests/conformance/live.py --program $(PROGRAM) $(CONFORMANCE_ARGS) || bad=1; echo; \
	$(PYTHON) tests/conformance/checked.py --program $(PROGRAM) || bad=1; exit $$bad

# SCORE_ARGS="--libc 2.36 --only shadowed --keep" does less, and keeps the reports; --reproductions has a line for each of
# those, and --minimal takes everything out of them, one thing at a time (minutes).
score: $(PROGRAM) | setup-test
	@$(PYTHON) tests/score/run.py --program $(PROGRAM) $(SCORE_ARGS)

$(COMPARE): $(COMPARE_SOURCES) $(wildcard tests/conformance/*.h) $(LIBRARY) $(BUILD)/flags | setup-build
	@mkdir -p $(@D)
	$(call say,cc,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(COMPARE_SOURCES) $(LIBRARY) $(LDFLAGS) $(LIBS)

bench: $(PROGRAM) $(BENCHES) | setup-bench
	@$(PYTHON) tests/bench/run.py --program $(PROGRAM) --helpers $(BUILD)/bench $(BENCH_ARGS)

# --- installation ----------------------------------------------------------------------------------------------
BINDIR = $(DESTDIR)$(PREFIX)/bin
MANDIR = $(DESTDIR)$(PREFIX)/share/man/man1
BASHDIR = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSHDIR = $(DESTDIR)$(PREFIX)/share/zsh/site-functions
FISHDIR = $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d

install: $(PROGRAM)
	install -D -m 755 $(PROGRAM) $(BINDIR)/glibctrace
	install -D -m 644 tracer/doc/glibctrace.1 $(MANDIR)/glibctrace.1
	install -D -m 644 tracer/doc/glibctrace.bash $(BASHDIR)/glibctrace
	install -D -m 644 tracer/doc/glibctrace.zsh $(ZSHDIR)/_glibctrace
	install -D -m 644 tracer/doc/glibctrace.fish $(FISHDIR)/glibctrace.fish

uninstall:
	rm -f $(BINDIR)/glibctrace $(MANDIR)/glibctrace.1 $(BASHDIR)/glibctrace $(ZSHDIR)/_glibctrace \
	    $(FISHDIR)/glibctrace.fish

# --- the sources themselves --------------------------------------------------------------------------------------
format: | setup-lint
	clang-format -i $(FORMATTED)

format-check: | setup-lint
	clang-format --dry-run -Werror $(FORMATTED)

layering:
	@bash tests/layering.sh

lint: layering format-check tidy cppcheck

# Debian 12's clang does not know gcc's names of the x86-64 levels, which __builtin_cpu_supports() takes.
TIDY := $(SOURCES:%.c=tidy/%)
tidy: $(TIDY)
$(TIDY): tidy/%: %.c | setup-lint setup-build
	@clang-tidy --quiet --warnings-as-errors='*' $< -- -std=gnu17 -D_GNU_SOURCE \
	    -DGLIBCTRACE_VERSION='"$(VERSION)"' '-D__builtin_cpu_supports(x)=0' -I. 2>&1 | { ! grep -E '(warning|error):' -A 3; }

cppcheck: | setup-lint
	cppcheck --quiet --std=c11 --platform=unix64 --enable=warning,performance,portability --inline-suppr \
	    --suppressions-list=.cppcheck-suppressions --error-exitcode=1 -D_GNU_SOURCE -D__x86_64__ --library=.cppcheck.cfg -I. probes reports tracer

clean:
	rm -rf build

FORCE:
-include $(OBJECTS:.o=.d) $(UNIT_TESTS:=.d) $(BENCHES:=.d)
.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: all help static check unit fuzz rounds real roots libc-table demo bench score install uninstall format format-check layering lint tidy \
    $(TIDY) cppcheck clean FORCE $(SETUPS)
