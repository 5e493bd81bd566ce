# Catnap. `make help` lists the targets; docs/how-to/build-and-test.md says more.

BUILD ?= build
PREFIX ?= /usr/local
VERSION := $(shell sed -n 's/.*CATNAP_VERSION "\(.*\)"/\1/p' include/catnap.h)
SONAME := libcatnap.so.$(firstword $(subst ., ,$(VERSION)))

# The best compiler there is, unless one is named.
ifeq ($(origin CC),default)
CC := $(firstword $(foreach c,clang-22 clang-19 gcc-12 cc,$(if $(shell command -v $(c)),$(c))))
endif
ifeq ($(origin AR),default)
AR := $(firstword $(foreach c,ar llvm-ar-22 llvm-ar-19,$(if $(shell command -v $(c)),$(c))))
endif

# ---- Flags ---------------------------------------------------------------------------------------

# CPPFLAGS, CFLAGS and LDFLAGS are the user's; they come after ours.
OPTIMIZE ?= -O2
WARNINGS = -Wall -Wextra $(if $(WERROR),-Werror)
cppflags = -D_GNU_SOURCE -Iinclude -Isrc -I$(BUILD) $(if $(SMALL),-DCATNAP_SMALL) \
           $(if $(filter goto,$(DISPATCH)),-DCATNAP_DISPATCH_GOTO) $(if $(ZEAL),-DCATNAP_ZEAL) \
           $(if $(or $(ASSERT),$(SANITIZE)),-DCATNAP_ASSERT) $(if $(ZSTD),-DCATNAP_HAVE_ZSTD) $(CPPFLAGS)
cflags = -std=gnu17 $(OPTIMIZE) -g $(WARNINGS) -fPIC -fno-strict-aliasing -ffp-contract=off \
         -fno-math-errno -pthread -MMD -MP \
         $(if $(SMALL),-ffunction-sections -fdata-sections \
             -fno-asynchronous-unwind-tables -fno-unwind-tables) $(CFLAGS)
ldflags = $(LDFLAGS)
LIBS = -lxxhash $(if $(ZSTD),-lzstd) -lm -pthread
ifdef SANITIZE
cflags += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
ldflags += -fsanitize=$(SANITIZE)
endif
ifdef COVERAGE
cflags += -fprofile-instr-generate -fcoverage-mapping
ldflags += -fprofile-instr-generate
endif

# Snapshots can be compressed where libzstd is installed for the target: headers alone may be another's.
ZSTD := $(if $(NO_ZSTD),,$(shell t=$$(mktemp) && \
    echo 'int main(void) { return ZSTD_versionNumber() < 10000; }' | \
    $(CC) $(CPPFLAGS) $(LDFLAGS) -include zstd.h -x c - -x none -lzstd -o $$t 2>/dev/null && \
    echo yes; rm -f $$t))

# One line for each step; V=1 shows the whole command.
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $@;)

# ---- Programs and libraries ----------------------------------------------------------------------

objects = $(addprefix $(BUILD)/,$(addsuffix .o,$(basename $(1))))

LIB_OBJECTS := $(call objects,$(wildcard $(addprefix src/,base/*.c types/*.c binary/*.c validate/*.c \
                   translate/*.c bytecode/*.c code/*.c exec/*.c heap/*.c runtime/*.c persist/*.c pool/*.c cache/*.c api/*.c wasi/*.c)))
SPEC_OBJECTS := $(call objects,$(filter-out spec-tests/main.c,$(wildcard spec-tests/*.c)))
# The text format is of the command and the tests, not of the library.
TEXT_OBJECTS := $(call objects,$(wildcard src/text/*.c))
CLI_OBJECTS := $(call objects,$(wildcard src/cli/*.c)) $(TEXT_OBJECTS)

# The conformance runner reads JSON with json-c; without it the command has no `wast`.
ifeq ($(shell $(CC) $(cppflags) -include json-c/json.h -E -x c /dev/null >/dev/null 2>&1 && echo yes),yes)
CLI_OBJECTS += $(SPEC_OBJECTS)
CLI_CPPFLAGS += -DCATNAP_HAVE_JSON
CLI_LIBS += -ljson-c
endif

.PHONY: all
all: $(BUILD)/catnap $(BUILD)/libcatnap.a $(BUILD)/libcatnap.so

$(BUILD)/libcatnap.a: $(LIB_OBJECTS)
	$(call say,AR) rm -f $@ && $(AR) rcs $@ $^

# It stays loaded when dlclose() closes it: its handler of faults does. The link lets programs run that
# were linked with the library in place.
$(BUILD)/libcatnap.so: $(LIB_OBJECTS) tools/libcatnap.map
	$(call say,LD) $(CC) $(cflags) $(ldflags) -shared -Wl,-soname,$(SONAME) -Wl,-Bsymbolic -Wl,-z,nodelete \
	    -Wl,--version-script=tools/libcatnap.map -o $@ $(LIB_OBJECTS) $(LIBS)
	@ln -sf $(@F) $(BUILD)/$(SONAME)

$(BUILD)/catnap: $(CLI_OBJECTS) $(BUILD)/libcatnap.a
	$(call say,LD) $(CC) $(cflags) $(ldflags) -o $@ $^ $(CLI_LIBS) $(LIBS)

$(BUILD)/spec-runner: $(BUILD)/spec-tests/main.o $(SPEC_OBJECTS) $(TEXT_OBJECTS) $(BUILD)/libcatnap.a
	$(call say,LD) $(CC) $(cflags) $(ldflags) -o $@ $^ -ljson-c $(LIBS)

# Objects are built again when the compiler or a flag has changed.
FLAGS := $(CC) $(cppflags) $(cflags) $(ldflags) $(CLI_CPPFLAGS) $(shell $(CC) --version | head -n 1)
.PHONY: FORCE
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' >$@

# The bytecode of this build, written by a program that runs here even when CC is a cross compiler.
ifeq ($(origin HOSTCC),undefined)
HOSTCC := $(firstword $(foreach c,cc gcc-12 clang-22 clang-19,$(if $(shell command -v $(c)),$(c))))
endif
GENERATED := $(BUILD)/generated/bytecode
GENERATED_FILES := $(addprefix $(GENERATED)/,opcodes.h lookup.inc info.inc handlers.inc handler_rows.inc)

$(BUILD)/generate: $(wildcard src/bytecode/generate/*.c src/bytecode/generate/*.h src/bytecode/*.def) \
    $(addprefix src/bytecode/,rules.h fields.h key.h) $(BUILD)/flags
	$(call say,HOST) $(HOSTCC) -std=gnu17 -O1 -D_GNU_SOURCE $(WARNINGS) -Isrc -o $@ $(filter %.c,$^)

# Files that would not change keep their time, so that nothing is compiled again for them.
$(GENERATED)/made: $(BUILD)/generate src/bytecode/form.in src/bytecode/form.h src/base/access.h $(BUILD)/flags
	@mkdir -p $(@D)
	@$(CC) $(cppflags) -E -P -x c src/bytecode/form.in >$(@D)/form
	$(call say,GEN) $(BUILD)/generate $(@D)/form $(@D)
	@touch $@
$(GENERATED_FILES): $(GENERATED)/made ;

$(BUILD)/%.o: %.c $(BUILD)/flags | $(GENERATED)/made
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(cppflags) $(cflags) -c -o $@ $<

$(BUILD)/src/cli/%.o: cppflags += $(CLI_CPPFLAGS)
# Handlers are found by address when memory faults, and are hot: one section, aligned.
$(BUILD)/src/exec/exec.o: cflags += -fomit-frame-pointer -fno-stack-protector \
    -fno-asynchronous-unwind-tables

-include $(patsubst %.o,%.d,$(LIB_OBJECTS) $(CLI_OBJECTS) $(SPEC_OBJECTS) $(BUILD)/spec-tests/main.o)

include tests/tests.mk

# ---- Installing ----------------------------------------------------------------------------------

MAN_PAGES := $(wildcard docs/man/*.1)
INSTALLED = bin/catnap include/wasm.h include/catnap.h lib/libcatnap.a lib/libcatnap.so.$(VERSION) \
            lib/$(SONAME) lib/libcatnap.so lib/pkgconfig/catnap.pc \
            $(MAN_PAGES:docs/man/%=share/man/man1/%) \
            share/bash-completion/completions/catnap share/zsh/site-functions/_catnap \
            share/fish/vendor_completions.d/catnap.fish
ROOT = $(DESTDIR)$(PREFIX)

.PHONY: install uninstall
install: all
	install -d $(sort $(dir $(addprefix $(ROOT)/,$(INSTALLED))))
	install -m 755 $(BUILD)/catnap $(ROOT)/bin/
	install -m 644 include/wasm.h include/catnap.h $(ROOT)/include/
	install -m 644 $(BUILD)/libcatnap.a $(ROOT)/lib/
	install -m 755 $(BUILD)/libcatnap.so $(ROOT)/lib/libcatnap.so.$(VERSION)
	ln -sf libcatnap.so.$(VERSION) $(ROOT)/lib/$(SONAME)
	ln -sf $(SONAME) $(ROOT)/lib/libcatnap.so
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|; s|@LIBS@|$(LIBS)|' catnap.pc.in >$(ROOT)/lib/pkgconfig/catnap.pc
	chmod 644 $(ROOT)/lib/pkgconfig/catnap.pc
	install -m 644 $(MAN_PAGES) $(ROOT)/share/man/man1/
	install -m 644 tools/completion/catnap.bash $(ROOT)/share/bash-completion/completions/catnap
	install -m 644 tools/completion/_catnap $(ROOT)/share/zsh/site-functions/
	install -m 644 tools/completion/catnap.fish $(ROOT)/share/fish/vendor_completions.d/

uninstall:
	rm -f $(addprefix $(ROOT)/,$(INSTALLED))

# ---- Keeping the source in order -----------------------------------------------------------------

CLANG_FORMAT ?= clang-format-19
CLANG_TIDY ?= clang-tidy-19
C_SOURCES = $(shell find src include spec-tests tests bench -name '*.[ch]')
LINTED = $(shell find src spec-tests -name '*.c')
LINT_JOBS = $$(nproc)

.PHONY: bytecode-reference bytecode-reference-check format format-check lint rooms clang-tidy cppcheck
format:
	@$(CLANG_FORMAT) -i $(C_SOURCES)

format-check:
	@$(CLANG_FORMAT) --dry-run --Werror $(C_SOURCES)

lint: rooms bytecode-reference-check clang-tidy cppcheck

# The reference of the bytecode, which is committed, against the specification.
BYTECODE_REFERENCE := docs/reference/bytecode.md
bytecode-reference: $(BUILD)/generate
	@$(BUILD)/generate --reference $(BYTECODE_REFERENCE)
bytecode-reference-check: $(BUILD)/generate
	@$(BUILD)/generate --reference $(BUILD)/reference.md
	@diff -u $(BYTECODE_REFERENCE) $(BUILD)/reference.md || { echo 'run make bytecode-reference' >&2; exit 1; }

# Which directory includes which, against the table in docs/architecture.md.
rooms:
	@tools/check-rooms

# With assertions, from which checkers learn what holds. The largest files first, so that none of them
# is left for the end.
clang-tidy: $(BUILD)/lint/made
	@ls -S $(LINTED) | xargs -P $(LINT_JOBS) -n 1 sh -c \
	    '$(CLANG_TIDY) --quiet "$$@" -- $(lint_cppflags) $(CLI_CPPFLAGS) -std=gnu17 -pthread' $(CLANG_TIDY)

# As the small form for clang, where each handler is a function.
lint_cppflags = $(subst -I$(BUILD) ,-I$(BUILD)/lint ,$(cppflags)) -DCATNAP_ASSERT -DCATNAP_SMALL
$(BUILD)/lint/made: $(BUILD)/generate
	@mkdir -p $(@D)/generated/bytecode
	@echo form 0 0 1 >$(@D)/form
	$(call say,GEN) $(BUILD)/generate $(@D)/form $(@D)/generated/bytecode
	@touch $@

cppcheck: $(BUILD)/lint/made
	@cppcheck -q -j $(LINT_JOBS) --std=c11 --enable=warning,performance,portability --inline-suppr \
	    --suppressions-list=tools/cppcheck.suppressions --error-exitcode=1 $(lint_cppflags) \
	    -D__clang__ -D__clang_major__=19 -D__x86_64__ -D__BYTE_ORDER__=1234 \
	    -D__ORDER_LITTLE_ENDIAN__=1234 $(LINTED)

.PHONY: clean help
clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^#: \{0,1\}//p' $(MAKEFILE_LIST)

#: Building
#:   all            catnap, libcatnap.a, libcatnap.so (the default)
#:   install        into PREFIX (/usr/local), below DESTDIR; uninstall takes it away
#:   clean          removes BUILD
#: Source
#:   format         clang-format over everything; format-check only tells
#:   bytecode-reference
#:                  renews docs/reference/bytecode.md; bytecode-reference-check only compares
#:   lint           the table of rooms, the reference of the bytecode, clang-tidy, cppcheck
#: Variables
#:   BUILD=DIR      where things are built (build)
#:   CC=gcc-12      another compiler
#:   HOSTCC=cc      the compiler of programs that the build runs
#:   OPTIMIZE=-O3   optimization flags (-O2)
#:   WERROR=1       warnings are errors
#:   SANITIZE=LIST  as -fsanitize=LIST; implies ASSERT=1
#:   ASSERT=1       checks the library's own invariants (src/base/assert.h)
#:   SMALL=1        the small form: fewer handler variants
#:   DISPATCH=goto  the portable dispatch, with any compiler
#:   ZEAL=1         collects what nothing can reach wherever it may: for tests
#:   V=1            shows commands
#:   NO_ZSTD=1      without compression of snapshots
