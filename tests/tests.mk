# The test targets. Included by the Makefile.

TEST_LIBS = $(B)/libtestlib.a $(B)/libglmproxy.a $(SHARED_LIBS)

$(B)/libtestlib.a: $(call objs,tests/lib)
	@rm -f $@
	$(call say,AR  )$(AR) rcs $@ $^

# One program per test file; worker and master modules come from the archive.
test_programs = $(patsubst %.c,$(B)/%,$(sort $(wildcard $(1))))
UNIT_TESTS = $(call test_programs,tests/unit/test_*.c tests/matrix/test_*.c) \
	$(call test_programs,tests/proc/test_*.c)
FUZZERS    = $(call test_programs,tests/fuzz/fuzz_*.c)

$(UNIT_TESTS): %: %.o $(TEST_LIBS) $(LLHTTP_OBJS)
	$(call say,LINK)$(LINK) -o $@ $< $(TEST_LIBS) $(LIBS) -lcmocka -lpthread

# With BUILD=fuzz real libFuzzer programs, otherwise programs that run every
# file named on the command line once.
ifeq ($(BUILD),fuzz)
FUZZ_MAIN = -fsanitize=fuzzer
else
FUZZ_MAIN = $(B)/tests/fuzz/replay.o
$(FUZZERS): $(B)/tests/fuzz/replay.o
endif
$(FUZZERS): %: %.o $(TEST_LIBS) $(LLHTTP_OBJS)
	$(call say,LINK)$(LINK) -o $@ $< $(FUZZ_MAIN) $(TEST_LIBS) $(LIBS) -lpthread

# The stand-in upstream: never linked with json or translate, so that the same
# bug cannot sit on both sides.
STANDIN_LIBS = $(B)/libsys.a $(B)/libhttp.a $(B)/libbase.a
$(B)/standin: $(call objs,tests/upstream) $(STANDIN_LIBS) $(LLHTTP_OBJS)
	$(call say,LINK)$(LINK) -o $@ $(call objs,tests/upstream) $(STANDIN_LIBS) \
		$(LLHTTP_LIBS) $(TLS_LIBS) -lz -ljansson

$(B)/tests/bench/bench_xlate $(B)/tests/bench/bench_context: %: %.o $(SHARED_LIBS) $(LLHTTP_OBJS)
	$(call say,LINK)$(LINK) -o $@ $< $(SHARED_LIBS) $(LIBS)

$(B)/tests/bench/bench_tokens: %: %.o $(SHARED_LIBS)
	$(call say,LINK)$(LINK) -o $@ $< $(SHARED_LIBS)

# The load tools of the benchmark share the stand-in's libraries.
BENCH_TOOLS = $(patsubst %,$(B)/tests/bench/%,streams delay seal records)
$(BENCH_TOOLS): %: %.o $(STANDIN_LIBS) $(LLHTTP_OBJS)
	$(call say,LINK)$(LINK) -o $@ $< $(STANDIN_LIBS) $(LLHTTP_LIBS) $(TLS_LIBS)

# The clients of the system tests, which stand alone.
$(B)/tests/system/load: %: %.o
	$(call say,LINK)$(LINK) -o $@ $< -lpthread

$(B)/tests/system/env_values: %: %.o $(SHARED_LIBS)
	$(call say,LINK)$(LINK) -o $@ $< $(SHARED_LIBS)

units: $(UNIT_TESTS) ## build the unit, matrix and process tests
fuzzers: $(FUZZERS)
bench-tools: $(BENCH_TOOLS) $(B)/tests/bench/bench_tokens \
	$(B)/tests/bench/bench_context
standin: $(B)/standin

# --- running --------------------------------------------------------------

RUN_TESTS = GLMPROXY_BIN=$(B)/glmproxy STANDIN_BIN=$(B)/standin \
	python3 tests/run.py --units $(UNIT_TESTS) --fuzz $(FUZZERS)
test-deps:
	packaging/deps.sh test
	packaging/deps.sh prometheus || echo "its tests will be skipped" >&2
	packaging/vocab.sh
	packaging/uplot.sh

check: test-deps ## install what tests need, build, pass every test
	$(MAKE) all units fuzzers standin
	$(RUN_TESTS) --e2e --clients --reference

# For packages, which are built where nothing can be fetched.
check-units: units ## only the unit, matrix and process tests; installs nothing
	python3 tests/run.py --units $(UNIT_TESTS)

e2e: test-deps ## only the tests of the whole program
	$(MAKE) all standin
	GLMPROXY_BIN=$(B)/glmproxy STANDIN_BIN=$(B)/standin \
		python3 tests/run.py --e2e

big-history: all ## the interface and page over 10 million rows (made in some minutes)
	GLMPROXY_BIN=$(B)/glmproxy GLMPROXY_BIG_ROWS=10000000 \
		GLMPROXY_BIG_TELL=1 python3 -m unittest -v tests.e2e.test_big_history

asan: test-deps ## all tests but the SDKs' under ASan, UBSan and LSan
	$(MAKE) BUILD=asan build/asan/glmproxy units fuzzers standin run-asan
run-asan:
	$(RUN_TESTS) --e2e

tsan: test-deps ## the shared-memory tests under TSan
	$(MAKE) BUILD=tsan run-tsan
run-tsan: $(B)/tests/proc/test_slots_threads \
	$(B)/tests/proc/test_turns_threads
	for t in $^; do $$t || exit 1; done

cover: test-deps ## lines of the pure core that the unit tests reach
	$(MAKE) BUILD=cov units run-cover
run-cover:
	python3 tests/run.py --units $(UNIT_TESTS)
	tests/cover.sh $(B)

# RUNS=20: each operation under load so often (2). WAIT_MS=100: no request may
# take longer in a reload or an upgrade (3000).
MACHINES ?= bookworm,trixie,rpm
check-system: ## packages, installed and upgraded under systemd in nspawn; root
	packaging/deps.sh system
	$(MAKE) dist standin $(B)/tests/system/load $(B)/tests/system/env_values
	RUNS=$(RUNS) WAIT_MS=$(WAIT_MS) python3 tests/system/run.py \
		--machines $(MACHINES) $(DIST)

FUZZ_S ?= 60
fuzz: ## run every fuzzer (or FUZZ=names) for FUZZ_S seconds, note the time
	packaging/deps.sh lint
	$(MAKE) BUILD=fuzz fuzzers
	tests/fuzz/run.sh $(FUZZ_S) $(FUZZ)

fuzz-times: ## fuzzers that ran less than 15 minutes since their module changed
	@tests/fuzz/times.sh check 900

bench: ## compare with nginx and haproxy in one run
	packaging/deps.sh bench
	packaging/vocab.sh
	$(MAKE) all standin bench-tools
	tests/bench/bench.sh

check-container: ## build the image, use it with podman (needs root)
	packaging/deps.sh container
	$(MAKE) standin
	tests/system/container.sh

check-cluster: ## HAProxy and Prometheus before three nodes (needs root)
	packaging/deps.sh cluster
	$(MAKE) all standin
	python3 tests/system/cluster.py

bench-records: ## what recording costs, what the admin process takes
	$(MAKE) all standin bench-tools
	tests/bench/bench.sh --only records,history,stopped

demo: ## build, start with a stand-in upstream, show both dialects
	packaging/deps.sh demo
	$(MAKE) all standin
	tests/demo.sh

# --- looking at the code --------------------------------------------------

C_FILES  = $(sort $(wildcard shared/*.h shared/*/*.[ch] master/*.[ch] worker/*.[ch] \
	admin/*.[ch] tests/*/*.[ch]))
FORMAT  ?= $(firstword $(foreach c,clang-format-14 clang-format,$(if $(shell command -v $(c)),$(c))))
TIDY    ?= $(firstword $(foreach c,clang-tidy-14 clang-tidy,$(if $(shell command -v $(c)),$(c))))

format: ## lay out the C files
	$(FORMAT) -i $(C_FILES)

format-check:
	@$(FORMAT) --dry-run -Werror $(C_FILES)

unicode-check: ## prove that the classes of characters are what was generated
	python3 shared/count/unicode_classes.py --check

protocol-rows: test-deps ## edge cases of the protocols: row, test, pass
	@$(MAKE) --no-print-directory all units standin
	@GLMPROXY_BIN=$(B)/glmproxy STANDIN_BIN=$(B)/standin python3 tests/rows.py $(B)

structure: all unicode-check
	tests/lint/layers.sh
	tests/lint/dialect_names.sh
	tests/lint/headers.sh
	tests/lint/optscan.sh
	tests/lint/rows.sh
	python3 tests/lint/openapi.py
	python3 tests/lint/metrics.py
	python3 tests/lint/exit_codes.py
	python3 packaging/docker/names.py
	tests/lint/purity.sh $(addprefix $(B)/lib,base.a json.a http.a count.a translate.a)

tidy: all
	tests/lint/tidy.sh $(TIDY) "$(LLHTTP_CPPFLAGS)" \
		$(filter %.c,$(filter-out tests/%,$(C_FILES)))

cppcheck:
	cppcheck --quiet --library=tests/lint/cppcheck.cfg --std=c11 --enable=warning,portability,performance \
		--inline-suppr --error-exitcode=1 --suppress=missingInclude \
		--suppress=unknownMacro --suppress=legacyUninitvar -j 2 -I. $(OWN_CPPFLAGS) \
		shared master worker admin

shellcheck:
	shellcheck $(wildcard .ci/run tests/*.sh tests/*/*.sh packaging/*.sh packaging/*/*.sh) \
		packaging/completion/glmproxy debian/tests/foreground debian/tests/service

lint: ## warnings as errors (gcc and clang), format, structure, analysers
	packaging/deps.sh lint
	$(MAKE) format-check structure shellcheck cppcheck
	$(MAKE) -j2 BUILD=lint-gcc CFLAGS_lint-gcc=-O2 WERROR=-Werror \
		build/lint-gcc/glmproxy units standin
	$(MAKE) -j2 BUILD=lint-clang CFLAGS_lint-clang=-O2 CC=$(CLANG) \
		WERROR=-Werror build/lint-clang/glmproxy units
	$(MAKE) tidy

.PHONY: big-history units fuzzers bench-tools standin test-deps check check-units check-system e2e asan run-asan tsan run-tsan \
	cover run-cover fuzz fuzz-times bench bench-records check-container check-cluster demo format format-check unicode-check protocol-rows structure tidy \
	cppcheck shellcheck lint
