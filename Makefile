# Tocsin. Objects land in build/$(MODE)/; the programs people run are build/tocsin-exporter, build/tocsin-alerter, build/promqltest.
#   make            build            make run     try it (installs what it needs)     make test   everything, ends "N passed, N failed"
#   make unit       unit tests only  make fuzz    fuzz each parser, FUZZ_SECONDS      make bench  side by side with the peers
#   make lint       static analysis  make install PREFIX=/usr/local DESTDIR=          make deb    make clean
#   make crash N=500    kill -9 of the alerter: what is lost or repeated (also SEED=, TARGET=alertmanager)
#   make chaos          full disk, locked database, jumping clock, no names, a receiver that trickles, 10,000 alerts
MODE ?= release
CC ?= gcc
PREFIX ?= /usr/local
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
B := build/$(MODE)

WARN := -std=c17 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wcast-qual -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wno-string-conversion -Werror
FLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection
FLAGS_debug := -O0 -g3
FLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_tsan := -O1 -g -fsanitize=thread
FLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
ifeq ($(MODE),fuzz)
CC := clang
endif
PKG := libcurl libpq hiredis yaml-0.1 libpcre2-8 libmicrohttpd gnutls jansson libcares librabbitmq sqlite3 zlib openssl
CPPFLAGS += -D_GNU_SOURCE -Iinclude $(filter-out -I/usr/include,$(shell pkg-config --cflags $(PKG) 2>/dev/null))
CFLAGS += $(WARN) $(FLAGS_$(MODE)) -fno-math-errno -pthread
LDLIBS = $(shell pkg-config --libs $(PKG)) -lcrypt -lm -pthread
LDFLAGS += $(FLAGS_$(MODE))

ifeq ($(shell command -v pkg-config),)
ifeq ($(filter deps run test bench crash chaos clean,$(MAKECMDGOALS)),)
$(error pkg-config is missing: 'make deps' installs what a build needs)
endif
endif

obj = $(patsubst %.c,$(B)/%.o,$(1))
LIB_C := $(wildcard lib/*.c lib/*/*.c)
EXPORTER_C := $(filter-out exporter/main.c,$(wildcard exporter/*.c exporter/*/*.c))
ALERTER_C := $(filter-out alerter/main.c,$(wildcard alerter/*.c alerter/*/*.c alerter/*/*/*.c))
ALERTER_S := $(wildcard alerter/web/*.S)
UNIT := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
PROGRAMS := $(B)/tocsin-exporter $(B)/tocsin-alerter $(B)/promqltest

.PHONY: deps all programs unit fuzz-build run test fuzz bench crash chaos lint install deb clean
.SECONDARY:
all: programs
	@for p in $(notdir $(PROGRAMS)); do ln -sf $(MODE)/$$p build/$$p; done
programs: $(PROGRAMS)
unit: $(UNIT)
fuzz-build: $(FUZZ)

$(B)/libtocsin.a: $(call obj,$(LIB_C))
	@rm -f $@; ar rcs $@ $^
$(B)/libexporter.a: $(call obj,$(EXPORTER_C))
	@rm -f $@; ar rcs $@ $^
$(B)/libalerter.a: $(call obj,$(ALERTER_C)) $(patsubst %.S,$(B)/%.o,$(ALERTER_S))
	@rm -f $@; ar rcs $@ $^
$(B)/tocsin-exporter: $(B)/exporter/main.o $(B)/libexporter.a $(B)/libtocsin.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/tocsin-alerter: $(B)/alerter/main.o $(B)/libalerter.a $(B)/libtocsin.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/promqltest: $(B)/tests/conformance/promqltest.o $(B)/libalerter.a $(B)/libtocsin.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/unit/%: $(B)/tests/unit/%.o $(B)/libalerter.a $(B)/libexporter.a $(B)/libtocsin.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)
$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(B)/libalerter.a $(B)/libexporter.a $(B)/libtocsin.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Ialerter -Iexporter $(CFLAGS) -MMD -MP -c -o $@ $<
$(B)/%.o: %.S $(wildcard alerter/web/*)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -c -o $@ $<

deps:
	@packaging/deps build
$(B)/lib/version.o: CPPFLAGS += -DTOCSIN_VERSION='"$(VERSION)"'

run:
	@packaging/deps run && $(MAKE) -s all && exec /usr/bin/python3 demo/demo.py
test:
	@packaging/deps test && exec /usr/bin/python3 tests/run.py
fuzz:
	@tests/fuzz/run
bench:
	@tests/bench/run
crash:
	@packaging/deps test && $(MAKE) -s all && N="$(N)" SEED="$(SEED)" TARGET="$(TARGET)" exec /usr/bin/python3 tests/crash/run.py
chaos:
	@packaging/deps test && $(MAKE) -s all && TOCSIN_MODE=release exec /usr/bin/python3 -m pytest -q -s -p no:cacheprovider tests/e2e/test_chaos.py
lint:
	@tests/lint
install: all
	@packaging/install "$(PREFIX)" "$(DESTDIR)"
deb: all
	@packaging/deb "$(VERSION)"
clean:
	rm -rf build

-include $(shell find build/$(MODE) -name '*.d' 2>/dev/null)
