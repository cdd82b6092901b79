# Settings and units. Paths in the units follow --sysconfdir and --sbindir;
# the defaults in the settings are /etc/edgewise and /var/lib. A settings file that is there already is not touched: the new one
# is put beside it as .new.
EW_PATHS = sed -e 's,[@]sbindir[@],$(sbindir),g' \
	-e 's,[@]sysconfdir[@],$(sysconfdir),g'
EW_CONFS = sbc node
EW_UNITS = etc/systemd/edgewise-sbc.service etc/systemd/edgewise-node.service

EXTRA_DIST += etc/sbc.conf etc/node.conf etc/systemd/edgewise.sysusers \
	etc/systemd/edgewise-sbc.service.in \
	etc/systemd/edgewise-node.service.in
systemdsystemunit_DATA = $(EW_UNITS)
CLEANFILES += $(EW_UNITS)

etc/systemd/edgewise-sbc.service: etc/systemd/edgewise-sbc.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc/systemd && \
	$(EW_PATHS) $(srcdir)/etc/systemd/edgewise-sbc.service.in >$@

etc/systemd/edgewise-node.service: etc/systemd/edgewise-node.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc/systemd && \
	$(EW_PATHS) $(srcdir)/etc/systemd/edgewise-node.service.in >$@

install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(sysconfdir)/edgewise' \
		'$(DESTDIR)$(prefix)/lib/sysusers.d'
	$(INSTALL_DATA) '$(srcdir)/etc/systemd/edgewise.sysusers' \
		'$(DESTDIR)$(prefix)/lib/sysusers.d/edgewise.conf'
	@for c in $(EW_CONFS); do \
		f='$(DESTDIR)$(sysconfdir)/edgewise/'$$c.conf; \
		$(INSTALL_DATA) '$(srcdir)/etc/'$$c.conf "$$f.new" || exit 1; \
		if [ ! -f "$$f" ] || cmp -s "$$f.new" "$$f"; then \
			mv -f "$$f.new" "$$f"; \
		else \
			echo "$$f is yours and stays; the new one: $$f.new"; \
		fi; \
	done

# settings that were changed stay
uninstall-local:
	rm -f '$(DESTDIR)$(prefix)/lib/sysusers.d/edgewise.conf'
	@for c in $(EW_CONFS); do \
		f='$(DESTDIR)$(sysconfdir)/edgewise/'$$c.conf; \
		rm -f "$$f.new"; \
		if cmp -s '$(srcdir)/etc/'$$c.conf "$$f"; then rm -f "$$f"; fi; \
	done
	-rmdir '$(DESTDIR)$(sysconfdir)/edgewise' 2>/dev/null

dist_man_MANS += docs/man/edgewise.1 docs/man/edgewise-sbc.8 \
	docs/man/edgewise-node.8 docs/man/edgewise-sbc.conf.5 \
	docs/man/edgewise-node.conf.5 docs/man/edgewise-drill.5

# what Prometheus reads: examples, not settings of ours
prometheusdir = $(datadir)/edgewise/prometheus
dist_prometheus_DATA = etc/prometheus/edgewise-alerts.yml \
	etc/prometheus/prometheus.yml

grafanadir = $(datadir)/edgewise/grafana
dist_grafana_DATA = etc/grafana/edgewise.json

bashcompdir = $(datadir)/bash-completion/completions
dist_bashcomp_DATA = etc/bash-completion/edgewise

drillsdir = $(sysconfdir)/edgewise/drills
dist_drills_DATA = etc/drills/by-hand.conf etc/drills/node-kill-200.conf

# for other programs: to be copied
examplesdir = $(datadir)/edgewise/examples
dist_examples_DATA = etc/examples/edgewise.logrotate \
	etc/examples/keepalived.conf
