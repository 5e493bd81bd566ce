# Testing and measuring; part of the Makefile.
#
# A test is tests/DIRECTORY/test_NAME.c (a cmocka program of its own; other .c files of the
# directory are linked to each), spec-tests/tests/NAME_test.c, or tests/DIRECTORY/run-tests (a script
# that gets the path of the command).

SUITES ?= $(filter-out fuzz support $(WITHOUT),$(patsubst tests/%/.,%,$(wildcard tests/*/.)) spec-tests)
TEST_SOURCES := $(foreach s,$(SUITES),$(if $(filter spec-tests,$(s)),\
                    $(wildcard spec-tests/tests/*_test.c),$(wildcard tests/$(s)/test_*.c)))
TEST_PROGRAMS := $(TEST_SOURCES:%.c=$(BUILD)/%)
TEST_SCRIPTS := $(foreach s,$(SUITES),$(wildcard tests/$(s)/run-tests))

# Helpers of a test: the other files of its directory; the runner's parts for the runner's tests;
# the generator of programs for those that change them.
helpers = $(call objects,$(filter-out $(dir $(1))test_%,$(wildcard $(dir $(1))*.c)) \
                         $(if $(filter tests/hostile/% tests/snapshot/test_random.c tests/snapshot/test_every_stop.c tests/snapshot/test_to_module.c,$(1)),\
                           tests/differential/generate.c))
define test_program
$(BUILD)/$(1:%.c=%): $(BUILD)/$(1:%.c=%.o) \
    $(if $(filter spec-tests/%,$(1)),$(SPEC_OBJECTS) $(TEXT_OBJECTS),$(call helpers,$(1)) $(if $(filter tests/text/%,$(1)),$(TEXT_OBJECTS))) $(BUILD)/libcatnap.a
	$$(call say,LD) $$(CC) $$(cflags) $$(ldflags) -o $$@ $$^ -lcmocka $(if $(filter spec-tests/%,$(1)),-ljson-c) $$(LIBS)
endef
$(foreach t,$(TEST_SOURCES),$(eval $(call test_program,$(t))))

-include $(TEST_PROGRAMS:%=%.d) $(patsubst %.c,$(BUILD)/%.d,$(wildcard tests/*/*.c))

# Two plugins with a copy of the library each, for a test that loads them and the shared library.
PLUGINS := $(patsubst %,$(BUILD)/tests/host/plugin/%.so,one two)
$(PLUGINS): $(BUILD)/tests/host/plugin/plugin.o $(BUILD)/libcatnap.a
	$(call say,LD) $(CC) $(cflags) $(ldflags) -shared -Wl,--exclude-libs,ALL -o $@ $^ $(LIBS)

-include $(BUILD)/tests/host/plugin/plugin.d

$(BUILD)/tests/host/test_plugins: | $(PLUGINS) $(BUILD)/libcatnap.so

# Golden tests of translation: tests/translate/NAME.wat and what it becomes, NAME.txt.
DISASSEMBLE := $(BUILD)/tests/translate/disassemble
$(DISASSEMBLE): $(BUILD)/tests/translate/disassemble.o $(BUILD)/libcatnap.a
	$(call say,LD) $(CC) $(cflags) $(ldflags) -o $@ $^ $(LIBS)

-include $(BUILD)/tests/translate/disassemble.d

# The program whose output the test of the reader of text compares with that of wat2wasm.
READ_TEXT := $(BUILD)/tests/text/tool/read_text
$(READ_TEXT): $(BUILD)/tests/text/tool/read_text.o $(TEXT_OBJECTS) $(BUILD)/libcatnap.a
	$(call say,LD) $(CC) $(cflags) $(ldflags) -o $@ $^ $(LIBS)

-include $(READ_TEXT:=.d)

.PHONY: golden
golden: $(DISASSEMBLE) $(READ_TEXT)
	@tests/translate/run-tests --update $(BUILD) $(GOLDEN)

.PHONY: check tests spec bench
tests: $(TEST_PROGRAMS) $(DISASSEMBLE) $(READ_TEXT)

# Scripts first: they are the longest, and would be waited for alone at the end.
check: all $(TEST_PROGRAMS) $(if $(filter translate,$(SUITES)),$(DISASSEMBLE)) \
    $(if $(filter text translate,$(SUITES)),$(READ_TEXT))
	@CATNAP_BUILD=$(abspath $(BUILD)) CC='$(CC)' tests/run --catnap $(BUILD)/catnap \
	    $(if $(TEST_WRAPPER),--wrapper '$(TEST_WRAPPER)') $(TEST_OPTIONS) \
	    $(TEST_SCRIPTS) $(TEST_PROGRAMS)

spec: $(BUILD)/spec-runner
ifdef SPEC_TESTSUITE
	@$(TEST_WRAPPER) $< $(SPEC_OPTIONS) $(SPEC_SET:%=--set %) $(SPEC_TESTSUITE)
else
	@echo 'usage: make spec SPEC_TESTSUITE=DIR [SPEC_SET=wasm-2.0] [SPEC_OPTIONS=...]' >&2
	@echo 'DIR holds the converted suite; spec-tests/README.md says how to get it.' >&2
	@exit 2
endif

bench: $(BUILD)/catnap
	bench/run --catnap $(BUILD)/catnap $(BENCH_OPTIONS)

# Loading alone, for those who improve it: BUILD/bench/validate FILE...
$(BUILD)/bench/validate: $(BUILD)/bench/validate.o $(BUILD)/libcatnap.a
	$(call say,LD) $(CC) $(cflags) $(ldflags) -o $@ $^ $(LIBS)

# Costs of calls between host and guest.
.PHONY: bench-calls
bench-calls: $(BUILD)/bench/calls
	@$<

$(BUILD)/bench/calls: $(BUILD)/bench/calls.o $(BUILD)/libcatnap.a
	$(call say,LD) $(CC) $(cflags) $(ldflags) -o $@ $^ $(LIBS)

-include $(BUILD)/bench/calls.d

# Costs of checkpoints, rollbacks, clones and files, beside their targets.
.PHONY: bench-snapshot
bench-snapshot: $(BUILD)/bench/snapshot/snapshot
	@$<

$(BUILD)/bench/snapshot/snapshot: $(BUILD)/bench/snapshot/snapshot.o $(BUILD)/libcatnap.a
	$(call say,LD) $(CC) $(cflags) $(ldflags) -o $@ $^ $(LIBS)

-include $(BUILD)/bench/snapshot/snapshot.d

# Costs of pools.
.PHONY: bench-pool
bench-pool: $(BUILD)/bench/snapshot/pool
	@$<

$(BUILD)/bench/snapshot/pool: $(BUILD)/bench/snapshot/pool.o $(BUILD)/libcatnap.a
	$(call say,LD) $(CC) $(cflags) $(ldflags) -o $@ $^ $(LIBS)

-include $(BUILD)/bench/snapshot/pool.d

# The garbage-collected heap alone.
.PHONY: bench-heap
bench-heap: $(BUILD)/bench/heap
	@$<

$(BUILD)/bench/heap: $(BUILD)/bench/heap.o $(BUILD)/libcatnap.a
	$(call say,LD) $(CC) $(cflags) $(ldflags) -o $@ $^ $(LIBS)

-include $(BUILD)/bench/heap.d

# ---- Coverage ------------------------------------------------------------------------------------

# Of the tests, the corpora of fuzz targets and, with SPEC_TESTSUITE, of the official suite (in one process,
# which writes its profile when it ends). Prints a table for each file, and the branches of those that are
# closest to hostile input that nothing takes and that have no reason in tests/uncovered.txt; the pages are in
# BUILD/coverage/html. A process that is ended from outside leaves a profile that is cut: it is left out.
LLVM ?= 22
COVERED = $(BUILD)/coverage
COVERAGE_MAKE = LLVM_PROFILE_FILE=$(abspath $(COVERED))/profiles/%8m.profraw \
    $(MAKE) --no-print-directory BUILD=$(COVERED) CC=clang-$(LLVM) COVERAGE=1 OPTIMIZE=-O1
COVERED_CORPORA = decode execute snapshot
LLVM_COV_DATA = $(COVERED)/catnap -instr-profile=$(COVERED)/all.profdata \
                $(addprefix -object ,$(COVERED)/spec-runner $(TEST_SOURCES:%.c=$(COVERED)/%)) src

.PHONY: coverage coverage-corpora
coverage:
	rm -rf $(COVERED)/profiles
	$(COVERAGE_MAKE) check
	$(COVERAGE_MAKE) coverage-corpora
	$(if $(SPEC_TESTSUITE),$(COVERAGE_MAKE) spec SPEC_OPTIONS=--in-process)
	llvm-profdata-$(LLVM) merge -failure-mode=warn -sparse $(COVERED)/profiles -o $(COVERED)/all.profdata
	llvm-cov-$(LLVM) show -format=html -show-branches=count -output-dir=$(COVERED)/html $(LLVM_COV_DATA)
	llvm-cov-$(LLVM) report $(LLVM_COV_DATA)
	tools/uncovered --llvm $(LLVM) --figures $(COVERED)/all.profdata $(COVERED)/libcatnap.so

coverage-corpora: $(COVERED_CORPORA:%=$(BUILD)/fuzz_%)
	@for name in $(COVERED_CORPORA); do $(BUILD)/fuzz_$$name -runs=0 tests/fuzz/corpus/$$name || exit; done

# ---- Fuzzing -------------------------------------------------------------------------------------

# tests/fuzz/fuzz_NAME.c starts from tests/fuzz/corpus/NAME; what is found on the way stays in
# BUILD.
# Limits of the fast validator are tiny there, so that each of them is met.
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ = $(BUILD)/fuzz
SECONDS ?= 60

.PHONY: fuzz fuzz-run fuzz-programs
fuzz:
	$(MAKE) --no-print-directory BUILD=$(FUZZ) CC=clang-$(LLVM) OPTIMIZE=-O1 \
	    SANITIZE=address,undefined,fuzzer-no-link CPPFLAGS='$(CPPFLAGS) -DCATNAP_TINY_LIMITS' \
	    fuzz-programs

fuzz-programs: $(FUZZERS:%=$(BUILD)/%)

$(FUZZERS:%=$(BUILD)/%): $(BUILD)/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/libcatnap.a
	$(call say,LD) $(CC) $(cflags) $(ldflags) -fsanitize=fuzzer -o $@ \
	    $(filter %.o,$^) $(filter %.a,$^) $(FUZZ_LIBS) -lcmocka $(LIBS)

$(BUILD)/fuzz_text: $(TEXT_OBJECTS)

# The command's own files, but for the one with main().
$(BUILD)/fuzz_options: $(filter-out %/main.o,$(CLI_OBJECTS))
$(BUILD)/fuzz_options: FUZZ_LIBS = $(CLI_LIBS)

# The programs that write first inputs: BUILD/make_seeds DIRECTORY, BUILD/make_snapshots DIRECTORY.
$(BUILD)/make_%: $(BUILD)/tests/fuzz/make_%.o $(BUILD)/libcatnap.a
	$(call say,LD) $(CC) $(cflags) $(ldflags) -o $@ $^ -lcmocka $(LIBS)

-include $(FUZZERS:%=$(BUILD)/tests/fuzz/%.d)

# FUZZ_JOBS targets at a time.
FUZZ_JOBS ?= 1
fuzz-run: fuzz
	@printf '%s\n' $(FUZZERS:fuzz_%=%) | xargs -P $(FUZZ_JOBS) -n 1 tests/fuzz/run $(FUZZ) $(SECONDS)

#: Testing
#:   check          all tests; SUITES="unit api" picks directories of tests/,
#:                  WITHOUT=programs leaves one out
#:   golden         writes the expected bytecode in tests/translate again; GOLDEN=NAME... only these
#:   spec           the official suite: SPEC_TESTSUITE=DIR, SPEC_SET=NAME, SPEC_OPTIONS=...
#:   coverage       the tests, and the suite with SPEC_TESTSUITE=DIR, with a table of what they reach, and
#:                  branches that they do not take and tests/uncovered.txt does not name
#:   fuzz, fuzz-run builds the fuzz targets; runs each for SECONDS=60, FUZZ_JOBS=1 at a time
#:   bench-calls    what calls between host and WebAssembly cost
#:   bench-snapshot what checkpoints, clones and snapshots cost
#:   bench-pool     what pools of instances cost
#:   bench-heap     what the garbage-collected heap costs, without code that runs in it
#:   bench          measures; BENCH_OPTIONS="--peer ..." (bench/README.md)
