# Pages that are part of the program, as C arrays.
$(B)/gen/page/%.h: worker/page/%
	@mkdir -p $(@D)
	@{ echo 'static const unsigned char page_$(subst .,_,$(notdir $<))[] = {'; \
	od -An -v -tx1 $< | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'; \
	echo '};'; } > $@
$(B)/worker/pages.o: $(B)/gen/page/docs.html.h $(B)/gen/page/openapi.json.h
