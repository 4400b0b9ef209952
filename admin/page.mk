# The admin page, which is part of the program. The library for its charts is
# fetched by `make deps`, or came with the source (`make dist`); without it the
# page does without charts.
UPLOT = $(firstword $(patsubst %/fetched,%,$(wildcard build/vendor/uplot/fetched \
	packaging/vendor/uplot/fetched)) build/vendor/uplot)
PAGE_FILES = $(sort $(wildcard $(addprefix admin/page/*.,html css js svg)))
PAGE_PAIRS = $(foreach f,$(PAGE_FILES),$(notdir $(f))=$(f)) LICENSE=LICENSE
ifneq ($(wildcard $(UPLOT)/fetched),)
PAGE_PAIRS += uplot.js=$(UPLOT)/uPlot.iife.min.js uplot.css=$(UPLOT)/uPlot.min.css \
	LICENSE.uPlot=$(UPLOT)/LICENSE
endif
# Remade, too, when a file comes or goes.
$(B)/gen/admin_page/assets.pairs: FORCE
	@mkdir -p $(@D)
	@echo '$(PAGE_PAIRS)' | cmp -s - $@ || echo '$(PAGE_PAIRS)' > $@
$(B)/gen/admin_page/assets.h: $(B)/gen/admin_page/assets.pairs admin/page/embed.sh \
		$(foreach p,$(PAGE_PAIRS),$(lastword $(subst =, ,$(p))))
	$(call say,PAGE)admin/page/embed.sh $(PAGE_PAIRS) > $@
$(B)/admin/assets.o: $(B)/gen/admin_page/assets.h
.PHONY: FORCE
FORCE:
