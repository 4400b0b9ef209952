# The test targets. Included by the Makefile.

TEST_LIBS = $(B)/libtestlib.a $(B)/libglmproxy.a $(SHARED_LIBS)

$(B)/libtestlib.a: $(call objs,tests/lib)
	@rm -f $@
	$(AR) rcs $@ $^

# One program per test file; sys and worker modules come from the archives.
UNIT_TESTS = $(patsubst tests/%.c,$(B)/tests/%,$(sort \
	$(wildcard tests/unit/test_*.c tests/matrix/test_*.c tests/proc/test_*.c)))

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(TEST_LIBS) $(LLHTTP_OBJS)
	$(LINK) -o $@ $< $(TEST_LIBS) $(LIBS) -lcmocka -lpthread
$(B)/tests/matrix/%: $(B)/tests/matrix/%.o $(TEST_LIBS) $(LLHTTP_OBJS)
	$(LINK) -o $@ $< $(TEST_LIBS) $(LIBS) -lcmocka -lpthread
$(B)/tests/proc/%: $(B)/tests/proc/%.o $(TEST_LIBS) $(LLHTTP_OBJS)
	$(LINK) -o $@ $< $(TEST_LIBS) $(LIBS) -lcmocka -lpthread

# The stand-in upstream: never linked with json or translate, so that the same
# bug cannot sit on both sides.
STANDIN_LIBS = $(B)/libsys.a $(B)/libhttp.a $(B)/libbase.a
$(B)/standin: $(call objs,tests/upstream) $(STANDIN_LIBS) $(LLHTTP_OBJS)
	$(LINK) -o $@ $(call objs,tests/upstream) $(STANDIN_LIBS) $(LLHTTP_LIBS) \
		$(TLS_LIBS) -lz -ljansson

# Fuzzers: with BUILD=fuzz real libFuzzer programs, otherwise replay programs
# that run every file named on the command line once.
FUZZERS = $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(sort \
	$(wildcard tests/fuzz/fuzz_*.c)))
ifeq ($(BUILD),fuzz)
FUZZ_MAIN = -fsanitize=fuzzer
else
FUZZ_MAIN = $(B)/tests/fuzz/replay.o
$(FUZZERS): $(B)/tests/fuzz/replay.o
endif
$(B)/tests/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(TEST_LIBS) $(LLHTTP_OBJS)
	$(LINK) -o $@ $< $(FUZZ_MAIN) $(TEST_LIBS) $(LIBS)

units: $(UNIT_TESTS) ## build the unit, matrix and process tests
fuzzers: $(FUZZERS)

.PHONY: units fuzzers
