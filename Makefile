# glibctrace: `make help` lists what can be made.
CC ?= cc
PKGS := libelf libdw libunwind-ptrace capstone jansson libseccomp libarchive libzstd
BUILD ?= build
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wmissing-prototypes -Werror -I. $(CFLAGS)
LIBS = -larchive -ljansson -lseccomp -ldw -lelf

SOURCES := $(wildcard probes/*.c reports/*.c tracer/*.c)
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)

all: $(BUILD)/glibctrace

$(BUILD)/glibctrace: $(OBJECTS)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(OBJECTS) $(LIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

-include $(OBJECTS:.o=.d)
.PHONY: all
