# glmproxy - plain `make` builds build/glmproxy, offline. `make help` lists the
# targets. CC, CPPFLAGS, CFLAGS, LDFLAGS, DESTDIR and PREFIX are the caller's;
# the project's own flags have names of their own.

VERSION  = 0.1.0
BUILD   ?= release
PREFIX  ?= /usr/local
B        = build/$(BUILD)
CLANG   ?= $(firstword $(foreach c,clang-14 clang,$(if $(shell command -v $(c)),$(c))))

all: build/glmproxy

# --- flags ----------------------------------------------------------------

WARN = -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion \
	-Wsign-conversion -Wcast-qual -Wcast-align -Wpointer-arith \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wundef \
	-Wformat=2 -Wvla -Wwrite-strings -Wimplicit-fallthrough \
	-Wnull-dereference -Wswitch-enum -Wredundant-decls -Wdate-time \
	-Wdouble-promotion
HARD = -fstack-protector-strong -fno-common -fPIE -fvisibility=hidden

cc-option = $(shell $(CC) -Werror $(1) -x c -c /dev/null -o /dev/null 2>/dev/null && echo $(1))
WARN += $(call cc-option,-Wduplicated-cond) $(call cc-option,-Wlogical-op)
HARD += $(call cc-option,-fstack-clash-protection) \
	$(call cc-option,-fcf-protection) \
	$(call cc-option,-ftrivial-auto-var-init=zero)

CFLAGS_release = -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
CFLAGS_debug   = -O0 -g
CFLAGS_asan    = -O1 -g -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS_tsan    = -O1 -g -fno-omit-frame-pointer -fsanitize=thread
CFLAGS_cov     = -O0 -g --coverage
CFLAGS_fuzz    = -O1 -g -fno-omit-frame-pointer \
	-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
ifeq ($(BUILD),fuzz)
CC = $(CLANG)
endif

OWN_CPPFLAGS = -D_GNU_SOURCE -I. -I$(B)/gen
OWN_CFLAGS   = $(CFLAGS_$(BUILD)) $(WARN) $(HARD) $(WERROR)
OWN_LDFLAGS  = $(filter -fsanitize=% --coverage,$(CFLAGS_$(BUILD))) -pie \
	-Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code -Wl,--as-needed
# V=1 shows whole commands.
ifeq ($(V),1)
say =
else
say = @echo '  $(1) $(subst $(B)/,,$@)';
endif
COMPILE = $(CC) $(OWN_CPPFLAGS) $(CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS) -MMD -MP
LINK    = $(CC) $(OWN_CFLAGS) $(CFLAGS) $(OWN_LDFLAGS) $(LDFLAGS)

# --- libraries ------------------------------------------------------------

# llhttp: the distribution's library, else the sources of Debian's node-llhttp.
LLHTTP_DIR ?= /usr/share/llhttp
LLHTTP_INC ?= /usr/share/include/llhttp
ifeq ($(shell pkg-config --exists libllhttp 2>/dev/null && echo yes),yes)
LLHTTP_CPPFLAGS = $(shell pkg-config --cflags libllhttp)
LLHTTP_LIBS     = $(shell pkg-config --libs libllhttp)
else
LLHTTP_CPPFLAGS = -isystem $(LLHTTP_INC)
LLHTTP_OBJS     = $(patsubst %,$(B)/llhttp/%.o,api http llhttp)
LLHTTP_LIBS     = $(LLHTTP_OBJS)
endif
TLS_LIBS = -lmbedtls -lmbedx509 -lmbedcrypto

$(B)/llhttp/%.o: $(LLHTTP_DIR)/%.c
	@mkdir -p $(@D)
	$(call say,CC  )$(CC) $(CFLAGS_$(BUILD)) $(HARD) $(CFLAGS) \
		-DLLHTTP_STRICT_MODE=1 -Wno-unused-parameter -I$(LLHTTP_INC) -c -o $@ $<

# --- the program ----------------------------------------------------------

SHARED_DIRS = base json http count translate sys
objs = $(patsubst %.c,$(B)/%.o,$(sort $(wildcard $(1)/*.c)))
PROG_OBJS   = $(call objs,worker) $(call objs,admin) \
	$(filter-out $(B)/master/main.o,$(call objs,master))
# In link order: who uses comes before what is used.
SHARED_LIBS = $(B)/libtranslate.a $(B)/libsys.a $(B)/libcount.a $(B)/libhttp.a \
	$(B)/libjson.a $(B)/libbase.a
LIBS = $(LLHTTP_LIBS) $(TLS_LIBS) -lz -lsqlite3

include $(wildcard shared/sys/*.mk worker/*.mk admin/*.mk)

# Written only when it changes: another version compiles few files anew.
$(B)/gen/version.h: FORCE
	@mkdir -p $(@D)
	@echo '#define GLMPROXY_VERSION "$(VERSION)"' > $@.new
	@cmp -s $@.new $@ && rm -f $@.new || mv -f $@.new $@

$(B)/%.o: %.c | $(B)/gen/version.h
	@mkdir -p $(@D)
	$(call say,CC  )$(COMPILE) $(LLHTTP_CPPFLAGS) -c -o $@ $<

define shared_lib
$(B)/lib$(1).a: $$(call objs,shared/$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(call say,AR  )$$(AR) rcs $$@ $$^
endef
$(foreach d,$(SHARED_DIRS),$(eval $(call shared_lib,$(d))))

$(B)/libglmproxy.a: $(PROG_OBJS)
	@rm -f $@
	$(call say,AR  )$(AR) rcs $@ $^

$(B)/glmproxy: $(B)/master/main.o $(B)/libglmproxy.a $(SHARED_LIBS) $(LLHTTP_OBJS)
	$(call say,LINK)$(LINK) -o $@ $(B)/master/main.o $(B)/libglmproxy.a $(SHARED_LIBS) $(LIBS)

build/glmproxy: build/release/glmproxy
	@ln -f $< $@

# The tokenizer's vocabulary, which the program looks for beside itself. Its
# ranks are fetched by `make deps`, or came with the source (`make dist`);
# without them it estimates.
RANKS = $(firstword $(wildcard build/vendor/cl100k_base.json \
	packaging/vendor/cl100k_base.json))
ifneq ($(RANKS),)
build/glmproxy.vocab: $(RANKS) shared/count/vocab.py
	$(call say,MAKE)python3 shared/count/vocab.py $< $@
$(B)/glmproxy.vocab: build/glmproxy.vocab
	@mkdir -p $(@D)
	@ln -f $< $@
all: build/glmproxy.vocab
# Wherever a variant of the program is wanted, so is what lies beside it.
$(B)/glmproxy: | $(B)/glmproxy.vocab
build/glmproxy: | build/glmproxy.vocab
endif
ifneq ($(BUILD),release)
build/release/glmproxy:
	$(MAKE) BUILD=release $@
endif

# --- tests: see tests/tests.mk --------------------------------------------

include tests/tests.mk

# --- people's targets -----------------------------------------------------

deps: ## install what building needs, fetch the vocabulary and the charts
	packaging/deps.sh build
	packaging/deps.sh vocab
	packaging/vocab.sh
	packaging/uplot.sh

run: all ## run in the foreground against z.ai with ./glmproxy.conf
	build/glmproxy run -c glmproxy.conf

install: all ## install below $(DESTDIR)$(PREFIX)
	install -D -m 0755 build/glmproxy $(DESTDIR)$(PREFIX)/sbin/glmproxy
	install -D -m 0644 glmproxy.conf $(DESTDIR)/etc/glmproxy/glmproxy.conf
	[ ! -f build/glmproxy.vocab ] || install -D -m 0644 build/glmproxy.vocab \
		$(DESTDIR)$(PREFIX)/share/glmproxy/glmproxy.vocab
	[ ! -f $(UPLOT)/LICENSE ] || install -D -m 0644 $(UPLOT)/LICENSE \
		$(DESTDIR)$(PREFIX)/share/doc/glmproxy/LICENSE.uPlot
	install -D -m 0644 packaging/prometheus/glmproxy.rules.yml \
		$(DESTDIR)$(PREFIX)/share/glmproxy/glmproxy.rules.yml
	install -D -m 0644 packaging/grafana/glmproxy.json \
		$(DESTDIR)$(PREFIX)/share/glmproxy/grafana.json
	install -D -m 0644 packaging/man/glmproxy.8 \
		$(DESTDIR)$(PREFIX)/share/man/man8/glmproxy.8
	install -D -m 0644 packaging/man/glmproxy.conf.5 \
		$(DESTDIR)$(PREFIX)/share/man/man5/glmproxy.conf.5

# Where `make install` alone is not enough: a service that systemd starts.
install-systemd: ## also install the unit and the user's description
	install -D -m 0644 packaging/systemd/glmproxy.sysusers \
		$(DESTDIR)$(PREFIX)/lib/sysusers.d/glmproxy.conf
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|=/usr/sbin/|=$(PREFIX)/sbin/|' packaging/systemd/glmproxy.service \
		> $(DESTDIR)$(PREFIX)/lib/systemd/system/glmproxy.service
	chmod 0644 $(DESTDIR)$(PREFIX)/lib/systemd/system/glmproxy.service
	install -D -m 0644 packaging/completion/glmproxy \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/glmproxy

# --- packages -------------------------------------------------------------

DIST = build/dist/glmproxy-$(VERSION).tar.gz

dist: ## build/dist/glmproxy-VERSION.tar.gz, with what is fetched in it
	packaging/deps.sh vocab
	packaging/vocab.sh
	packaging/uplot.sh
	packaging/dist.sh $(DIST)

deb: dist ## Debian packages, in build/deb
	packaging/deps.sh deb
	packaging/deb.sh $(DIST) build/deb

rpm: dist ## RPM packages, in build/rpm
	packaging/deps.sh rpm
	packaging/rpm.sh $(DIST) build/rpm

reproducible: dist ## build both packages twice and compare the bytes
	packaging/deps.sh system
	packaging/reproducible.sh $(DIST) build/reproducible

clean: ## remove everything that was built
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' \
		Makefile tests/tests.mk

.PHONY: all deps run install install-systemd dist deb rpm reproducible clean help FORCE
.DELETE_ON_ERROR:
.SECONDARY:

-include $(shell find $(B) -name '*.d' 2>/dev/null)
