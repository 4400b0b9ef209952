# Pages that are part of the program, as C arrays.
$(B)/gen/admin_page/%.h: admin/page/%
	@mkdir -p $(@D)
	@{ echo 'static const unsigned char page_$(subst .,_,$(notdir $<))[] = {'; \
	od -An -v -tx1 $< | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'; \
	echo '};'; } > $@
$(B)/admin/api_openapi.o: $(B)/gen/admin_page/openapi.json.h
