# Catnap. `make help` lists the targets; docs/building.md says more.
#
#   make                     build/catnap, build/libcatnap.a, build/libcatnap.so
#   make CC=gcc-12 BUILD=out another compiler, elsewhere
#   make SANITIZE=address,undefined BUILD=build/asan
#   make SMALL=1             the small form: fewer handler variants
#   make DISPATCH=goto       the portable dispatch, with any compiler

BUILD ?= build
PREFIX ?= /usr/local
VERSION := $(shell sed -n 's/.*CATNAP_VERSION "\(.*\)"/\1/p' include/catnap.h)

# The best compiler there is, unless one is named.
ifeq ($(origin CC),default)
CC := $(firstword $(foreach c,clang-22 clang-19 cc,$(if $(shell command -v $(c)),$(c))))
endif
AR ?= ar

WARNINGS = -Wall -Wextra $(if $(WERROR),-Werror)
OPTIMIZE ?= -O2
CPPFLAGS += -D_GNU_SOURCE -Iinclude -Isrc
CFLAGS += -std=gnu17 $(OPTIMIZE) -g $(WARNINGS) -fPIC -fno-strict-aliasing -ffp-contract=off \
          -fno-math-errno -pthread -MMD -MP
LIBS = -lxxhash -lm -pthread
ifdef SANITIZE
CFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=$(SANITIZE)
endif
ifdef COVERAGE
CFLAGS += --coverage
LDFLAGS += --coverage
endif
ifdef SMALL
CPPFLAGS += -DCATNAP_SMALL
endif
ifeq ($(DISPATCH),goto)
CPPFLAGS += -DCATNAP_DISPATCH_GOTO
endif

LIB_SOURCES := $(wildcard $(addprefix src/,base/*.c binary/*.c validate/*.c translate/*.c exec/*.c \
                                           runtime/*.c api/*.c wasi/*.c))
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o)
SPEC_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out spec-tests/main.c,$(wildcard spec-tests/*.c)))
CLI_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard src/cli/*.c))

# The text format comes from libwabt (C++), where it is installed.
WABT_LIB := $(firstword $(wildcard /usr/lib/libwabt.a /usr/lib/*/libwabt.a /usr/local/lib/libwabt.a))
CXX_FOR_WABT ?= $(firstword $(foreach c,g++ clang++-22 clang++-19,$(if $(shell command -v $(c)),$(c))))
ifneq ($(and $(WABT_LIB),$(CXX_FOR_WABT),$(if $(NO_WABT),,yes)),)
CLI_OBJECTS += $(BUILD)/src/cli/wat.o
$(BUILD)/src/cli/%.o: CPPFLAGS += -DCATNAP_HAVE_WABT
CLI_LIBS = $(WABT_LIB) -lcrypto -lstdc++
endif
# The conformance runner reads JSON with json-c; without it the command has no `wast`.
ifneq ($(shell printf '\#include <json-c/json.h>\n' | $(CC) -E - >/dev/null 2>&1 && echo yes),)
CLI_OBJECTS += $(SPEC_OBJECTS)
$(BUILD)/src/cli/%.o: CPPFLAGS += -DCATNAP_HAVE_JSON
CLI_LIBS += -ljson-c
endif

.PHONY: all
all: $(BUILD)/catnap $(BUILD)/libcatnap.a $(BUILD)/libcatnap.so

$(BUILD)/libcatnap.a: $(LIB_OBJECTS)
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/libcatnap.so: $(LIB_OBJECTS) tools/libcatnap.map
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libcatnap.so.0 -Wl,-Bsymbolic \
	    -Wl,--version-script=tools/libcatnap.map -o $@ $(LIB_OBJECTS) $(LIBS)

$(BUILD)/catnap: $(CLI_OBJECTS) $(BUILD)/libcatnap.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CLI_LIBS) $(LIBS)

$(BUILD)/spec-runner: $(BUILD)/spec-tests/main.o $(SPEC_OBJECTS) $(BUILD)/libcatnap.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -ljson-c $(LIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/src/cli/wat.o: src/cli/wat.cc
	@mkdir -p $(@D)
	$(CXX_FOR_WABT) $(CPPFLAGS) -std=c++17 $(OPTIMIZE) -g -Wall -Wextra -pthread -MMD -MP -c -o $@ $<

# Handlers are found by address when memory faults, and are hot: one section, aligned.
$(BUILD)/src/exec/exec.o: CFLAGS += -fomit-frame-pointer -fno-stack-protector

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
