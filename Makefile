# cgthread - build, test, run, install.  "make help" lists the targets.

# ---- choices, each may be given on the command line ------------------------

VARIANT ?= release#	release, debug, asan, tsan, cov or fuzz: each has a directory
PREFIX ?= /usr/local
DESTDIR ?=
DEPS ?= yes#		"no": install nothing
PYTHON ?= /usr/bin/python3#	each version has a worker program
PYTHONS ?= $(PYTHON)#	those that "make check" tests; all: see tests/pythons.sh
LIBPYTHON ?=#		static or shared; empty: static where there is an archive
CC = gcc
V ?=#			1: show full command lines
FUZZ_TIME ?= 60#		seconds for each target
FUZZ_TARGETS ?=#	of tests/fuzz, all if empty: FUZZ_TARGETS="head conn"

# ---- what to build with ----------------------------------------------------

BUILD := build/$(strip $(VARIANT))
LIBEXECDIR := $(PREFIX)/libexec/cgthread
MANDIR := $(PREFIX)/share/man
DOCDIR := $(PREFIX)/share/doc/cgthread
PKG_CONFIG ?= pkg-config

PACKAGES := gcc libc6-dev make pkg-config libevent-dev libpython3-dev \
	python3-dev libinih-dev libbsd-dev libjansson-dev node-llhttp
TEST_PACKAGES := libcriterion-dev python3-pytest python3-flask python3-django \
	python3-h11
LINT_PACKAGES := clang-format mandoc
FUZZ_PACKAGES := clang libclang-rt-14-dev
BENCH_PACKAGES := gunicorn python3-waitress uwsgi uwsgi-plugin-python3 wrk \
	python3-flask python3-django

# All that depends on the Python is asked of it, not of pkg-config, which knows
# only the system's.
blank := $() $()
PYTHON_FACTS := $(shell $(PYTHON) -I src/worker/python_facts.py 2>/dev/null)
fact = $(subst ^,$(blank),$(patsubst $(1)=%,%,$(filter $(1)=%,$(PYTHON_FACTS))))
PYTHON_VERSION := $(call fact,version)
WORKER_NAME := cgthread-worker-$(PYTHON_VERSION)

# Asked for once per make, and only by what compiles: "make deps" runs without.
pkg = $(shell $(PKG_CONFIG) $(1) 2>/dev/null)
EVENT_LIBS = $(call pkg,--libs libevent_core)
BSD_LIBS = $(call pkg,--libs libbsd)
INIH_LIBS = $(call pkg,--libs inih)
JANSSON_LIBS = $(call pkg,--libs jansson)
CRITERION_LIBS = $(call pkg,--libs criterion)

# The archive, as python3 has it, is faster than the shared library: its calls to
# itself are direct.  All of it is linked, for extension modules that come later.
#
# Exported is Python's API alone.  Of all else that the worker defines, an
# extension module with a function of that name, or with an llhttp of its own,
# would get ours.  The condition variables are exported so that a shared libpython
# too calls the worker's where it defines them.
LIBPYTHON_static := $(call fact,archive)
LIBPYTHON_shared := $(call fact,shared)
LINKAGE := $(or $(strip $(LIBPYTHON)),$(if $(LIBPYTHON_static),static,shared))
PYTHON_LIBS := $(foreach names,Py* _Py* pthread_cond_*, \
	'-Wl,--export-dynamic-symbol=$(names)')
ifeq ($(LINKAGE),static)
PYTHON_LIBS += -no-pie -Wl,--whole-archive $(LIBPYTHON_static) \
	-Wl,--no-whole-archive $(call fact,archivelibs)
else
PYTHON_LIBS += $(LIBPYTHON_shared)
endif

# Said by what needs it: the other targets work without.
ifeq ($(PYTHON_FACTS),)
PYTHON_TROUBLE := no Python that can be asked
else ifneq ($(call fact,refused),)
PYTHON_TROUBLE := $(call fact,refused)
else ifeq ($(filter $(LINKAGE),static shared),)
PYTHON_TROUBLE := LIBPYTHON=$(LIBPYTHON): choose static or shared
else ifeq ($(LIBPYTHON_$(LINKAGE)),)
PYTHON_TROUBLE := it has no $(LINKAGE) libpython
endif
python_ok = $(if $(PYTHON_TROUBLE),$(error PYTHON=$(PYTHON): $(PYTHON_TROUBLE)))

# llhttp: the system's library where there is one, else the C sources that
# Debian ships are compiled.  Strict either way.
LLHTTP_LIBS := $(call pkg,--libs libllhttp)
LLHTTP_DIR := /usr/share/llhttp
ifeq ($(LLHTTP_LIBS),)
LLHTTP_OBJECTS := $(addprefix $(BUILD)/llhttp/,api.o http.o llhttp.o)
LLHTTP_CFLAGS := -isystem /usr/share/include/llhttp -DLLHTTP_STRICT_MODE=1
else
LLHTTP_CFLAGS := $(call pkg,--cflags libllhttp)
endif

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wvla
ifdef CI
WARNINGS += -Werror
endif

FLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2
FLAGS_debug := -O0 -g3 -DCGTHREAD_DIAG
FLAGS_asan := -O1 -g -DCGTHREAD_DIAG -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined
FLAGS_tsan := -O1 -g -DCGTHREAD_DIAG -fno-omit-frame-pointer -fsanitize=thread
# The programs leave by _exit(2), so that is where the counts are written.
FLAGS_cov := -O0 -g -DCGTHREAD_DIAG --coverage -fprofile-update=atomic
LDFLAGS_cov := -Wl,--wrap=_exit

# The targets see what the input does in llhttp, too.
FLAGS_fuzz := -O1 -g -DCGTHREAD_DIAG -fno-omit-frame-pointer \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
LLHTTP_FLAGS_fuzz := -fsanitize=fuzzer-no-link,address
VARIANT_FLAGS := $(FLAGS_$(strip $(VARIANT)))
ifeq ($(VARIANT_FLAGS),)
$(error VARIANT=$(VARIANT): choose release, debug, asan, tsan, cov or fuzz)
endif
ifeq ($(strip $(VARIANT)),fuzz)
CC = clang
WARNINGS += -Wno-unneeded-internal-declaration
endif

CFLAGS ?=
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -pthread $(WARNINGS) $(VARIANT_FLAGS) \
	-fstack-protector-strong $(CFLAGS)
ALL_LDFLAGS = -pthread $(VARIANT_FLAGS) -Wl,-z,relro,-z,now \
	$(LDFLAGS_$(strip $(VARIANT))) $(LDFLAGS)

# ---- the tree: an include path is what a directory may know -----------------

COMMON := $(wildcard src/common/*.c)
MASTER := $(wildcard src/master/*.c)
WORKER := $(wildcard src/worker/*.c)
TESTS := $(wildcard tests/unit/*.c tests/unit/*/*.c)

# Only these see Python.h; none of them may see libevent (checked by lint).
PYTHON_SIDE := $(wildcard src/worker/py_*.c src/worker/python.c \
	src/worker/wsgi*.c)

# What depends on the Python has a directory for each version.
PYTHON_BUILD := $(BUILD)/python-$(PYTHON_VERSION)

object = $(patsubst %.c,$(BUILD)/%.o,$(1))
COMMON_OBJECTS := $(call object,$(COMMON))
MASTER_OBJECTS := $(call object,$(MASTER))
PYTHON_OBJECTS := $(patsubst %.c,$(PYTHON_BUILD)/%.o,$(PYTHON_SIDE))
WORKER_OBJECTS := $(call object,$(filter-out $(PYTHON_SIDE),$(WORKER)))
MASTER_PARTS := $(filter-out %/main.o,$(MASTER_OBJECTS))
WORKER_PARTS := $(filter-out %/main.o %/worker.o,$(WORKER_OBJECTS))
tests_of = $(call object,$(wildcard tests/unit/*.c tests/unit/$(1)/*.c))

MASTER_PROGRAM := $(BUILD)/cgthread
WORKER_PROGRAM := $(BUILD)/$(WORKER_NAME)
UNIT_PROGRAMS := $(addprefix $(BUILD)/unit-,common master worker)

quiet = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)';)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all worker python-ok run check unit replay e2e asan tsan stress fuzz cov lint \
	bench install install-worker clean deps help soak

all: python-ok $(MASTER_PROGRAM) $(WORKER_PROGRAM) # build the programs; PYTHON= as below
worker: python-ok $(WORKER_PROGRAM) # the worker alone, for another PYTHON=

# Said before anything is compiled.
python-ok:
	@$(python_ok):

$(BUILD)/src/common/%.o: INCLUDES = -Isrc/common
$(BUILD)/src/master/%.o: INCLUDES = -Isrc/common -Isrc/master
$(BUILD)/src/worker/%.o: INCLUDES = -Isrc/common -Isrc/worker $(LLHTTP_CFLAGS)
$(PYTHON_OBJECTS): INCLUDES = -Isrc/common -Isrc/worker $(LLHTTP_CFLAGS) \
	$(python_ok)$(call fact,includes)
$(BUILD)/tests/unit/common/%.o: INCLUDES = -Itests/unit -Isrc/common
$(BUILD)/tests/unit/master/%.o: INCLUDES = -Itests/unit -Isrc/common -Isrc/master
$(BUILD)/tests/unit/worker/%.o: INCLUDES = -Itests/unit -Isrc/common -Isrc/worker \
	$(LLHTTP_CFLAGS)
$(BUILD)/tests/unit/%.o: INCLUDES ?= -Itests/unit

VERSION := 0.1.0
DEFINES = -DCGTHREAD_VERSION='"$(VERSION)"' \
	-DCGTHREAD_SOURCE_DIR='"$(CURDIR)"'

# What may change from one make to the next is known only to those that need it,
# and stands in a file that is written when it changes.
USERS_OF_PLACES := $(BUILD)/src/master/program.o \
	$(BUILD)/tests/unit/master/program_test.o
$(USERS_OF_PLACES): DEFINES += -DCGTHREAD_LIBEXECDIR='"$(LIBEXECDIR)"' \
	-DCGTHREAD_PYTHON_VERSION='"$(PYTHON_VERSION)"'
$(PYTHON_BUILD)/src/worker/py_interpreter.o: DEFINES += \
	-DCGTHREAD_PYTHON='"$(call fact,executable)"' \
	-DCGTHREAD_PYTHON_PREFIX='"$(call fact,prefix)"'

STAMP_places = $(LIBEXECDIR) $(PYTHON_VERSION)
STAMP_python = $(PYTHON_FACTS)
STAMP_linkage = $(LINKAGE)
$(USERS_OF_PLACES): $(BUILD)/stamp-places
$(PYTHON_OBJECTS): $(PYTHON_BUILD)/stamp-python
$(WORKER_PROGRAM): $(PYTHON_BUILD)/stamp-python $(PYTHON_BUILD)/stamp-linkage
$(BUILD)/stamp-places $(PYTHON_BUILD)/stamp-python \
		$(PYTHON_BUILD)/stamp-linkage: always
	@$(python_ok)mkdir -p $(@D)
	@echo '$(STAMP_$(patsubst stamp-%,%,$(@F)))' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
.PHONY: always

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(ALL_CFLAGS) $(DEFINES) $(INCLUDES) -MMD -MP \
		-c -o $@ $<

$(PYTHON_BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(ALL_CFLAGS) $(DEFINES) $(INCLUDES) -MMD -MP \
		-c -o $@ $<

# Not ours to warn about.
$(BUILD)/llhttp/%.o: $(LLHTTP_DIR)/%.c Makefile
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) -O2 -g $(LLHTTP_FLAGS_$(strip $(VARIANT))) \
		$(LLHTTP_CFLAGS) -c -o $@ $<

$(MASTER_PROGRAM): $(MASTER_OBJECTS) $(COMMON_OBJECTS)
	$(call quiet,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ \
		$(EVENT_LIBS) $(INIH_LIBS) $(BSD_LIBS)

$(WORKER_PROGRAM): $(WORKER_OBJECTS) $(PYTHON_OBJECTS) $(COMMON_OBJECTS) \
		$(LLHTTP_OBJECTS) $(filter $(LIBPYTHON_$(LINKAGE)),$(LIBPYTHON_static))
	$(call quiet,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) \
		$(EVENT_LIBS) $(INIH_LIBS) $(BSD_LIBS) $(JANSSON_LIBS) \
		$(PYTHON_LIBS)

# ---- tests -----------------------------------------------------------------

$(BUILD)/unit-common: $(call tests_of,common) $(COMMON_OBJECTS)
$(BUILD)/unit-master: $(call tests_of,master) $(MASTER_PARTS) $(COMMON_OBJECTS)
$(BUILD)/unit-worker: $(call tests_of,worker) $(WORKER_PARTS) \
	$(COMMON_OBJECTS) $(LLHTTP_OBJECTS)
$(UNIT_PROGRAMS):
	$(call quiet,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ \
		$(EVENT_LIBS) $(INIH_LIBS) $(BSD_LIBS) $(JANSSON_LIBS) \
		$(CRITERION_LIBS)

# Each sub-make looks again at what the packages brought.
run: # install what is missing, build, serve the example application
	@$(MAKE) -s install-missing WANTED="$(PACKAGES)"
	@$(MAKE) -s all
	$(BUILD)/cgthread -c conf/server.ini $(ARGS)

check: # install what is missing, build, run all tests
	@$(MAKE) -s install-missing WANTED="$(PACKAGES) $(TEST_PACKAGES)"
	@$(MAKE) -s unit
	@$(MAKE) -s replay
ifeq ($(strip $(PYTHONS)),$(strip $(PYTHON)))
	@$(MAKE) -s e2e
	@$(MAKE) -s e2e-other-linkage
else
	@$(MAKE) -s e2e-pythons
endif
ifeq ($(strip $(VARIANT)),release)
	@$(MAKE) -s bench-built
	@$(MAKE) -s VARIANT=tsan stress
endif

unit: $(UNIT_PROGRAMS) # unit tests alone
	@for program in $(UNIT_PROGRAMS); do \
		echo "  UNIT    $$program"; \
		LSAN_OPTIONS=suppressions=tests/unit/lsan.supp:print_suppressions=0 \
			./$$program $(UNIT_ARGS) || exit 1; \
	done

e2e: all e2e-built # end-to-end tests alone; E2E_ARGS="-k name"

# The tests themselves run in Debian's Python, which has pytest.
e2e-built: worker
	@echo "  E2E     $(BUILD), $(PYTHON) ($(LINKAGE))"
	@CGTHREAD_BUILD=$(strip $(VARIANT)) \
		CGTHREAD_E2E_PYTHON=$(call fact,executable) \
		/usr/bin/python3 -B -m pytest -q -p no:cacheprovider tests/e2e \
		bench/test_bench.py $(E2E_ARGS)

# The shared library where the worker usually has the archive: what is linked can go
# wrong, and what the worker puts before the library.
e2e-other-linkage:
ifneq ($(and $(filter static,$(LINKAGE)),$(LIBPYTHON_shared)),)
	@$(MAKE) -s e2e-built LIBPYTHON=shared E2E_ARGS='-k "python or wsgi"'
	@$(MAKE) -s worker
endif

# Each with a worker of its own, beside those of the others; two that are of one
# version take turns.
.PHONY: e2e-built e2e-pythons e2e-other-linkage
e2e-pythons: all
	@list=$$(sh tests/pythons.sh $(PYTHONS)) || exit 1; \
	for python in $$list; do \
		$(MAKE) -s e2e-built PYTHON=$$python || exit 1; \
	done
	@$(MAKE) -s worker

asan: # all tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(MAKE) -s check VARIANT=asan

# Without address randomisation, which is too much for ThreadSanitizer with some
# kernels; where a container forbids to turn it off, with it.
FIXED_ADDRESSES = $(shell setarch -R true 2>/dev/null && echo setarch -R)

tsan: # stress programs, then end-to-end tests, under ThreadSanitizer
	@$(MAKE) -s install-missing WANTED="$(PACKAGES) $(TEST_PACKAGES)"
	@$(MAKE) -s VARIANT=tsan stress
	@$(FIXED_ADDRESSES) $(MAKE) -s VARIANT=tsan e2e

# Plain programs, since Criterion does not start under ThreadSanitizer.
STRESS := $(patsubst tests/tsan/%.c,$(BUILD)/%,$(wildcard tests/tsan/*.c))
stress: $(STRESS)
	@for program in $(STRESS); do for threads in 1 4 16; do \
		echo "  TSAN    $$program $$threads"; \
		$(FIXED_ADDRESSES) ./$$program $$threads || exit 1; \
	done; done

$(BUILD)/tests/tsan/%.o: INCLUDES = -Itests/unit -Isrc/common -Isrc/worker \
	$(LLHTTP_CFLAGS)
$(BUILD)/%_stress: $(BUILD)/tests/tsan/%_stress.o $(WORKER_PARTS) \
		$(COMMON_OBJECTS) $(LLHTTP_OBJECTS)
	$(call quiet,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ \
		$(EVENT_LIBS) $(INIH_LIBS) $(BSD_LIBS) $(JANSSON_LIBS)

# Of what is exercised in one process and of what a running server does.  Tests
# that leave no descriptor, or no memory, leave none for the counts either.
cov: # line coverage of all tests together, in build/cov
	@$(MAKE) -s install-missing WANTED="$(PACKAGES) $(TEST_PACKAGES)"
	@mkdir -p build/cov && find build/cov -name '*.gcda' -delete
	@{ $(MAKE) -s VARIANT=cov unit replay e2e; echo $$? >build/cov/status; } \
		2>&1 | grep -v '^profiling:.*Cannot open'; exit $$(cat build/cov/status)
	@sh tests/cov/report.sh

ifeq ($(strip $(VARIANT)),cov)
$(MASTER_PROGRAM) $(WORKER_PROGRAM) $(UNIT_PROGRAMS): $(BUILD)/tests/cov/exit.o
$(REPLAYS): $(BUILD)/tests/cov/exit.o
endif

SOAK_SECONDS ?= 600

soak: all # mixed load for SOAK_SECONDS=600; memory and references stay as they are
	@CGTHREAD_BUILD=$(strip $(VARIANT)) \
		CGTHREAD_E2E_PYTHON=$(call fact,executable) \
		/usr/bin/python3 -B tests/e2e/soak.py --seconds $(SOAK_SECONDS)

# ---- fuzzing: README.md lists the targets ----------------------------------

# What several targets use; stub_pool.c stands in the place of the pool.
FUZZ_SHARED := $(addprefix tests/fuzz/,fuzz.c reference.c stub_app.c stub_pool.c)
FUZZ_PARTS := $(call object,$(FUZZ_SHARED)) \
	$(filter-out %/pool.o %/pool_wakeup.o,$(WORKER_PARTS)) \
	$(COMMON_OBJECTS) $(LLHTTP_OBJECTS)
TARGETS := $(basename $(notdir $(filter-out $(FUZZ_SHARED) %/replay.c \
	%/conn_outcome.c,$(wildcard tests/fuzz/*.c))))
REPLAYS := $(addprefix $(BUILD)/replay-,$(TARGETS))
FUZZERS := $(addprefix build/fuzz/fuzz-,$(or $(FUZZ_TARGETS),$(TARGETS)))

replay: $(REPLAYS) # the fuzz targets' corpora alone, without a fuzzer
	@for target in $(TARGETS); do \
		echo "  REPLAY  $(BUILD)/replay-$$target"; \
		./$(BUILD)/replay-$$target tests/fuzz/corpus/$$target || exit 1; \
	done

# Two at a time; what is found is in build/fuzz/found.
fuzz: # fuzz targets, FUZZ_TIME seconds each, with clang's libFuzzer
	@$(MAKE) -s install-missing WANTED="$(PACKAGES) $(FUZZ_PACKAGES)"
	@$(MAKE) -s VARIANT=fuzz $(FUZZERS)
	@echo $(or $(FUZZ_TARGETS),$(TARGETS)) | xargs -n 1 -P 2 \
		sh tests/fuzz/run.sh $(FUZZ_TIME)

$(BUILD)/tests/fuzz/%.o: INCLUDES = -Itests/fuzz -Isrc/common -Isrc/worker \
	$(LLHTTP_CFLAGS)
$(BUILD)/replay-conn $(BUILD)/fuzz-conn: $(BUILD)/tests/fuzz/conn_outcome.o
$(BUILD)/replay-%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/replay.o \
		$(FUZZ_PARTS)
	$(call quiet,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ \
		$(EVENT_LIBS) $(INIH_LIBS) $(BSD_LIBS) $(JANSSON_LIBS)
$(BUILD)/fuzz-%: $(BUILD)/tests/fuzz/%.o $(FUZZ_PARTS)
	$(call quiet,LINK,$@)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ \
		$(EVENT_LIBS) $(INIH_LIBS) $(BSD_LIBS) $(JANSSON_LIBS)
.SECONDARY: $(addprefix $(BUILD)/tests/fuzz/,$(addsuffix .o,$(TARGETS)))

# ---- benchmark: bench/README.md --------------------------------------------

BENCH_ARGS ?= --rounds 3 --seconds 2 \
	--only cgthread,responder,gunicorn,waitress,uwsgi,uwsgi-http11 \
	--workloads hello,hello16,hello1-sleep,hello-close,flask,io,cpu

bench: # beside gunicorn, waitress and uwsgi, some minutes; BENCH_ARGS=
	@$(MAKE) -s install-missing WANTED="$(PACKAGES) $(BENCH_PACKAGES)"
	@$(MAKE) -s all $(BUILD)/responder
	@$(PYTHON) -B -m bench run --build $(BUILD) --out build/bench/result \
		$(BENCH_ARGS)
	@echo "What environ and the call cost within the process: make micro"

# Nothing is measured in "make check", but it must not rot.
.PHONY: bench-built
bench-built: $(BUILD)/responder $(PYTHON_BUILD)/micro
	@./$(PYTHON_BUILD)/micro 100 >/dev/null

$(BUILD)/bench/responder.o: INCLUDES = $(LLHTTP_CFLAGS)
$(BUILD)/responder: $(BUILD)/bench/responder.o $(LLHTTP_OBJECTS)
	$(call quiet,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(EVENT_LIBS)

lint: # format, include rules, sizes, manual
	@$(MAKE) -s install-missing WANTED="$(PACKAGES) $(LINT_PACKAGES)"
	@sh tests/lint.sh

install: all install-worker # into $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(MANDIR)/man8 \
		$(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(DOCDIR)/examples
	install -m 755 $(MASTER_PROGRAM) $(DESTDIR)$(PREFIX)/sbin
	sed -e 's|/usr/local|$(PREFIX)|' \
		-e 's|cgthread-worker-3\.11|$(WORKER_NAME)|' \
		-e 's|Python 3\.11|Python $(PYTHON_VERSION)|' \
		man/cgthread.8 >$(DESTDIR)$(MANDIR)/man8/cgthread.8
	chmod 644 $(DESTDIR)$(MANDIR)/man8/cgthread.8
	install -m 644 man/cgthread.ini.5 $(DESTDIR)$(MANDIR)/man5
	install -m 644 README.md DESIGN.md CHANGES.md LICENSE \
		$(DESTDIR)$(DOCDIR)
	install -m 644 conf/server.ini examples/*.py \
		$(DESTDIR)$(DOCDIR)/examples

# Of two Pythons of one version the last one has the name.
install-worker: worker # the worker alone, beside those of other versions
	install -d $(DESTDIR)$(LIBEXECDIR)
	@[ ! -e $(DESTDIR)$(LIBEXECDIR)/$(WORKER_NAME) ] || \
		echo "  NOTE    replacing $(WORKER_NAME): from now on that of" \
		"$(call fact,prefix)"
	install -m 755 $(WORKER_PROGRAM) $(DESTDIR)$(LIBEXECDIR)

deps: # install what building, testing and linting need (Debian; DEPS=no: not)
	@$(MAKE) -s install-missing \
		WANTED="$(PACKAGES) $(TEST_PACKAGES) $(LINT_PACKAGES)"

# Asks the package system first: quiet and without root where all is there.
.PHONY: install-missing
install-missing:
ifneq ($(strip $(DEPS)),no)
	@missing=; for package in $(WANTED); do \
		dpkg-query -W -f '$${Status}' $$package 2>/dev/null | \
		grep -q ' installed$$' || missing="$$missing $$package"; \
	done; \
	[ -z "$$missing" ] && exit 0; \
	sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	echo "  APT    $$missing"; \
	log=$$(mktemp) && \
	{ $$sudo apt-get -q update && DEBIAN_FRONTEND=noninteractive $$sudo \
		apt-get -q -y --no-install-recommends install $$missing; \
	} >$$log 2>&1 </dev/null || { cat $$log; exit 1; }; \
	rm -f $$log
endif

clean: # remove what was built
	rm -rf build

help: # this list
	@sed -n 's/^\([a-z0-9-]*\):[^#=]*# \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | \
		expand -t 16
	@echo
	@echo "VARIANT=release|debug|asan|tsan  V=1 (full commands)  DEPS=no"
	@echo "PYTHON=/path/to/python3.x  PYTHONS=all (check)  LIBPYTHON=static|shared"
	@echo "DESTDIR= PREFIX=  ARGS= E2E_ARGS= UNIT_ARGS="

# ---- what the Python side costs, in one process without a server ------------

# It has a reply port of its own, and no connections.
MICRO_OBJECTS := $(PYTHON_BUILD)/bench/micro.o $(PYTHON_OBJECTS) \
	$(filter-out $(addprefix $(BUILD)/src/worker/, \
	reply.o acceptor% access_log.o conn% settings.o status.o), \
	$(WORKER_PARTS))

.PHONY: micro
micro: $(PYTHON_BUILD)/micro # cost of environ and of the WSGI call, in nanoseconds
	./$(PYTHON_BUILD)/micro $(MICRO_ARGS)

$(PYTHON_BUILD)/bench/micro.o: INCLUDES = -Isrc/common -Isrc/worker \
	$(LLHTTP_CFLAGS) $(python_ok)$(call fact,includes)
$(PYTHON_BUILD)/bench/micro.o $(PYTHON_BUILD)/micro: $(PYTHON_BUILD)/stamp-python
$(PYTHON_BUILD)/micro: $(PYTHON_BUILD)/stamp-linkage
$(PYTHON_BUILD)/micro: $(MICRO_OBJECTS) $(COMMON_OBJECTS) $(LLHTTP_OBJECTS)
	$(call quiet,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) \
		$(EVENT_LIBS) $(INIH_LIBS) $(BSD_LIBS) $(JANSSON_LIBS) \
		$(PYTHON_LIBS)

-include $(patsubst %.o,%.d,$(COMMON_OBJECTS) $(MASTER_OBJECTS) \
	$(WORKER_OBJECTS) $(PYTHON_OBJECTS) $(BUILD)/bench/responder.o \
	$(PYTHON_BUILD)/bench/micro.o \
	$(call object,$(TESTS) $(wildcard tests/tsan/*.c tests/fuzz/*.c)))
