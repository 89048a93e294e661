# SPDX-License-Identifier: Apache-2.0
# The commands that a person needs, over Meson (which takes ccache by itself where it is there).
# `make demo` and `make test` install what is missing when they run as root.
BUILD = build
ASAN = $(BUILD)/asan
FUZZ = $(BUILD)/fuzz
FUZZ_SECONDS = 60
OPTIONS = -Ddeveloper=true
SANITIZE = -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

# Tests under the sanitizers are a build folder of their own, counted in the same last line.
test: deps-test $(BUILD)/build.ninja $(ASAN)/build.ninja
	@tools/run-tests $(BUILD) $(ASAN):unit,vectors,fuzz-seeds

# Also: everything compiles with clang, as the fuzzers do.
test-long: deps-test $(BUILD)/build.ninja $(ASAN)/build.ninja $(FUZZ)/build.ninja
	ninja -C $(FUZZ)
	@tools/run-tests $(BUILD) $(BUILD):long $(ASAN):unit,vectors,fuzz-seeds

# What a newcomer does, on a fresh Debian of each release; CACHE=DIR keeps the packages.
test-fresh:
	@tools/install-deps fresh
	@failed=; for release in bookworm trixie; do \
		tests/fresh/run $(CACHE:%=--cache %) $$release || test $$? = 77 || failed=1; \
	done; test -z "$$failed"

demo: deps-demo all
	@tools/demo $(BUILD)

bench: deps-test all
	@tests/bench/run $(BUILD)

scenario: deps-test all
	@tests/netns/scenario $(BUILD) $(NAME)

# Each fuzzer for FUZZ_SECONDS; what it finds stays in build/fuzz, its crashers are named.
fuzz: deps-test $(FUZZ)/build.ninja
	ninja -C $(FUZZ)
	@for fuzzer in $(FUZZ)/tests/fuzz/libfuzzer_*; do \
		test -x $$fuzzer -a -f $$fuzzer || continue; \
		name=$${fuzzer##*/libfuzzer_}; \
		mkdir -p $(FUZZ)/found/$$name; \
		$$fuzzer -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
			-artifact_prefix=$(FUZZ)/found/$$name- \
			$(FUZZ)/found/$$name tests/fuzz/corpus/$$name || exit 1; \
	done

lint:
	@tools/lint

# What is generated and committed.
doc: all
	@tools/spec-coverage
	@tools/endpoint-table
	@$(BUILD)/src/lifecycle/lifecycle-sketch >doc/lifecycle.dot

clean:
	rm -rf $(BUILD)

deps-test:
	@tools/install-deps build test

deps-demo:
	@tools/install-deps build demo

$(BUILD)/build.ninja:
	meson setup $(BUILD) $(OPTIONS)

$(ASAN)/build.ninja:
	meson setup $(ASAN) $(OPTIONS) $(SANITIZE)

$(FUZZ)/build.ninja:
	CC=clang meson setup $(FUZZ) $(OPTIONS) $(SANITIZE) -Dfuzzers=true \
		-Dc_args=-fsanitize=fuzzer-no-link -Dc_link_args=-fsanitize=fuzzer-no-link

.PHONY: all test test-long test-fresh demo bench scenario fuzz lint doc clean deps-test deps-demo
