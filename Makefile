# SPDX-License-Identifier: MIT
# Builds, tests and boots everything. `make help` lists the targets; there is no other Makefile.

O     ?= build
CC    := gcc
CLANG ?= clang
QEMU  ?= qemu-system-x86_64
CPUS  ?= 2
MEM   ?= 1024
debug ?= n
socle := $(O)/socle$(if $(filter y,$(debug)),-debug)

MAKEFLAGS += --no-builtin-rules --no-print-directory
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
Q := $(if $(V),,@)

warn := -Wall -Wextra -Werror -Wno-missing-field-initializers

# ---- the hypervisor: build/socle, and build/socle-debug with checks and the auditor ----

hv-inc  := -Ihypervisor/include -Ihypervisor/arch/x86/include -Iinclude
hv-text := hypervisor/arch/x86/hypervisor.lds.S
hv-made := hypervisor/arch/x86/asm_offsets.c $(hv-text)
hv-src  := $(filter-out $(hv-made),$(wildcard hypervisor/common/*.c hypervisor/arch/x86/*.[cS]))
hv-more-debug := $(wildcard hypervisor/debug/*.c)
# No vector registers, no red zone, indirect calls through thunks (thunk.S), no stack frames.
hv-cflags := -std=gnu11 -O2 -g $(warn) $(hv-inc) -include hv/hidden.h -ffreestanding -fpie \
    -fno-common -fno-strict-aliasing -fno-delete-null-pointer-checks -fwrapv \
    -fno-asynchronous-unwind-tables -fno-stack-protector -fcf-protection=none -fno-jump-tables \
    -mno-red-zone -mgeneral-regs-only -mno-sse -mindirect-branch=thunk-extern \
    -mindirect-branch-register -fomit-frame-pointer -ffunction-sections -fdata-sections
hv-ldflags := -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
    -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,--gc-sections -Wl,--fatal-warnings

# $(1): release or debug, $(2): its file, $(3): its further flags
define hypervisor
hv-obj-$(1) := $$(patsubst %,$(O)/$(1)/%.o,$$(basename $$(hv-src) $$(hv-more-$(1))))
$(O)/$(1)/hypervisor/common/lib.o $(O)/$(1)/hypervisor/common/string.o: \
    more := -fno-tree-loop-distribute-patterns

$(O)/$(1)/%.o: %.c $(O)/$(1)/include/asm/offsets.h
	@mkdir -p $$(@D)
	$$(Q)$(CC) $(hv-cflags) $(3) $$(more) -I$(O)/$(1)/include -MMD -MP -c -o $$@ $$<

$(O)/$(1)/hypervisor/%.o: hypervisor/%.S $(O)/$(1)/include/asm/offsets.h
	@mkdir -p $$(@D)
	$$(Q)$(CC) $(hv-cflags) $(3) -D__ASSEMBLY__ -I$(O)/$(1)/include -MMD -MP -c -o $$@ $$<

$(O)/$(1)/include/asm/offsets.h: hypervisor/arch/x86/asm_offsets.c
	@mkdir -p $$(@D)
	$$(Q)$(CC) $(hv-cflags) $(3) -MMD -MP -MT $$@ -S -o $$(@:.h=.s) $$<
	$$(Q)sed -n 's/.*->\([A-Za-z0-9_]*\) \(-\?[0-9]*\).*/#define \1 \2/p' $$(@:.h=.s) >$$@

$(O)/$(1)/hypervisor.lds: $(hv-text)
	@mkdir -p $$(@D)
	$$(Q)$(CC) -E -P -x assembler-with-cpp $(hv-inc) -MMD -MP -MF $$@.d -MT $$@ -o $$@ $$<

# Linked twice: the first time without, the second time with the table of its own symbols.
$(2): $$(hv-obj-$(1)) $(O)/$(1)/hypervisor.lds hypervisor/symbols.awk
	$$(Q)awk -f hypervisor/symbols.awk /dev/null >$(O)/$(1)/symbols.S
	$$(Q)$(CC) $(hv-ldflags) -Wl,-T,$(O)/$(1)/hypervisor.lds -o $(O)/$(1)/first \
	    $$(hv-obj-$(1)) $(O)/$(1)/symbols.S
	$$(Q)nm -n $(O)/$(1)/first | awk -f hypervisor/symbols.awk >$(O)/$(1)/symbols.S
	$$(Q)$(CC) $(hv-ldflags) -Wl,-T,$(O)/$(1)/hypervisor.lds -o $$@ \
	    $$(hv-obj-$(1)) $(O)/$(1)/symbols.S

-include $$(hv-obj-$(1):.o=.d) $(O)/$(1)/include/asm/offsets.d $(O)/$(1)/hypervisor.lds.d
endef
$(eval $(call hypervisor,release,$(O)/socle,))
$(eval $(call hypervisor,debug,$(O)/socle-debug,-DSOCLE_DEBUG))

# ---- PV guests: pv-guest/NAME/ and tests/pv/NAME.c, each with the library ----

pv-cflags := -std=gnu11 -O2 -g $(warn) -ffreestanding -fno-pie -fno-stack-protector -mno-red-zone \
    -mgeneral-regs-only -mcmodel=kernel -fno-asynchronous-unwind-tables -fcf-protection=none \
    -fno-strict-aliasing -fno-common -Ipv-guest/include -Iinclude
pv-ldflags := -nostdlib -static -no-pie -Wl,-T,pv-guest/guest.lds -Wl,--build-id=none \
    -Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments -Wl,-z,noexecstack
pv-obj    = $(patsubst %,$(O)/guests/%.o,$(basename $(wildcard $(1))))
pv-lib   := $(call pv-obj,pv-guest/lib/*.[cS])
pv-hello := $(call pv-obj,pv-guest/hello/*.[cS])
pv-bench := $(call pv-obj,pv-guest/bench/*.[cS])
pv-test  := $(patsubst tests/pv/%.c,$(O)/guests/test-%.elf,$(wildcard tests/pv/*.c))
pv-domu  := $(patsubst tests/system/guest/%.c,$(O)/guests/system-%.elf,$(wildcard tests/system/guest/*.c))
guests   := $(O)/guests/hello.elf $(O)/guests/bench.elf $(pv-test) $(pv-domu)

$(O)/guests/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(pv-cflags) -MMD -MP -c -o $@ $<

$(O)/guests/%.o: %.S
	@mkdir -p $(@D)
	$(Q)$(CC) $(pv-cflags) -MMD -MP -c -o $@ $<

pv-link = $(Q)$(CC) $(pv-ldflags) -o $@ $(filter %.o,$^)
$(O)/guests/hello.elf: $(pv-hello) $(pv-lib) pv-guest/guest.lds
	$(pv-link)
$(O)/guests/bench.elf: $(pv-bench) $(pv-lib) pv-guest/guest.lds
	$(pv-link)
# Static pattern rules, here and below: what only a chain of patterns leads to would be removed again, or, kept, not be
# missed when it is missing.
$(pv-test): $(O)/guests/test-%.elf: $(O)/guests/tests/pv/%.o $(pv-lib) pv-guest/guest.lds
	$(pv-link)
$(pv-domu): $(O)/guests/system-%.elf: $(O)/guests/tests/system/guest/%.o $(pv-lib) pv-guest/guest.lds
	$(pv-link)

-include $(patsubst %.o,%.d,$(pv-lib) $(pv-hello) $(pv-bench))
-include $(patsubst %.c,$(O)/guests/%.d,$(wildcard tests/pv/*.c tests/system/guest/*.c))

# ---- dom0 tools: dom0-tools/NAME/*.c becomes socle-NAME, socle/ socle; ordinary programs, with libsocle ----

tool-names := $(patsubst dom0-tools/%/main.c,%,$(wildcard dom0-tools/*/main.c))
tool-file   = $(O)/dom0-tools/socle$(patsubst %,-%,$(filter-out socle,$(1)))
tools      := $(foreach t,$(tool-names),$(call tool-file,$t))
tool-lib   := $(O)/dom0-tools/libsocle.a
# The hypervisor's reader of ELF files serves the tools as well, with what it needs.
tool-lib-src := $(wildcard dom0-tools/libsocle/*.c) hypervisor/common/elf.c hypervisor/common/lib.c
tool-src   := $(wildcard $(tool-names:%=dom0-tools/%/*.c))
tool-version := $(shell sed -n 's/^.define VERSION "\(.*\)"/\1/p' hypervisor/arch/x86/setup.c)
tool-defs  := -D_GNU_SOURCE -DSOCLE_HOST -DSOCLE_VERSION='"$(tool-version)"' $(hv-inc)
tool-cflags := -std=gnu11 -O2 -g $(warn) $(tool-defs) -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
# Linked in, so far as dom0 need not replace them: loading so many took longer than most of what a tool does.
tool-libs  := -Wl,-Bstatic -lz -lbz2 -llzma -llzo2 -llz4 -lzstd -lyajl_s -lncurses -ltinfo -Wl,-Bdynamic
tool-libs-socle := -Wl,-Bstatic -lxencall -lxenforeignmemory -lxenstore -lxentoolcore -lxentoollog -Wl,-Bdynamic
tool-libs-watchd := $(tool-libs-socle)
tool-libs-network := -lnftables -lmnl
tool-libs-stored := -lxenevtchn -lxengnttab -lxenforeignmemory -lxencall
tool-libs-consoled := $(tool-libs-stored)

$(O)/dom0-tools/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(tool-cflags) -MMD -MP -c -o $@ $<

$(tool-lib): $(tool-lib-src:%.c=$(O)/dom0-tools/obj/%.o)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

define tool
$(call tool-file,$(1)): $(patsubst %.c,$(O)/dom0-tools/obj/%.o,$(wildcard dom0-tools/$(1)/*.c)) $(tool-lib)
	$$(Q)$$(CC) -pie -Wl,-z,relro,-z,now -Wl,--as-needed -o $$@ $$^ $$(tool-libs) $$(tool-libs-$(1))
endef
$(foreach t,$(tool-names),$(eval $(call tool,$t)))

-include $(patsubst %.c,$(O)/dom0-tools/obj/%.d,$(tool-lib-src) $(tool-src))

# ---- dom0: stock kernels of Debian, and a userland with our tools ----

# stable: the kernel of the release; backports: the one of its backports; cloud: the release's for virtual machines
image     := dom0-tools/image
image-src := $(image)/make-initramfs $(wildcard $(image)/modules*) $(shell find $(image)/root -type f)
dom0-stable    := $(O)/dom0/vmlinux-stable $(O)/dom0/initramfs-stable
dom0-backports := $(O)/dom0/vmlinux-backports $(O)/dom0/initramfs-backports

$(O)/kernel/%/version:
	@O=$(O) $(image)/fetch-kernel $* $(@D)

# Any package of the release, unpacked and not installed. For tests: Debian's own toolstack, and pvgrub.
packages = $(patsubst %,$(O)/package/%/version,xen-utils-4.17 xen-utils-common libxenmisc4.17 grub-xen-host)

$(O)/package/%/version:
	@O=$(O) $(image)/fetch-package $* $(@D)

$(O)/dom0/vmlinux-stable $(O)/dom0/vmlinux-backports: $(O)/dom0/vmlinux-%: $(O)/kernel/%/version $(O)/dom0-tools/socle-unpack
	@mkdir -p $(@D)
	$(Q)$(O)/dom0-tools/socle-unpack $(O)/kernel/$*/boot/vmlinuz-$$(cat $<) -o $@

$(O)/dom0/initramfs-stable $(O)/dom0/initramfs-backports: $(O)/dom0/initramfs-%: $(O)/kernel/%/version $(tools) $(image-src)
	@mkdir -p $(@D)
	$(Q)$(image)/make-initramfs -o $@ -k $(<D) $(tools)

# The same userland for guests: with their drivers, without tools.
linux-guests := $(patsubst %,$(O)/guests/initramfs-%,stable cloud)
$(linux-guests): $(O)/guests/initramfs-%: $(O)/kernel/%/version $(image-src)
	@mkdir -p $(@D)
	$(Q)$(image)/make-initramfs -o $@ -k $(<D) -m $(image)/modules-guest

$(O)/dom0/xen: $(O)/package/xen-hypervisor-4.17-amd64/version
	@mkdir -p $(@D)
	$(Q)gunzip -c $(<D)/boot/xen-4.17-amd64.gz >$@

# What `make run` boots has guests with it, where the examples look for them: ours, and Debian's kernel for clouds,
# which is quickly unpacked.
examples  := config/examples/demo.json config/examples/hello.json
demo-need := $(examples) $(O)/guests/hello.elf $(O)/kernel/cloud/version $(O)/guests/initramfs-cloud
demo       = $(foreach e,$(examples),etc/socle/$(notdir $e)=$e) usr/lib/socle/hello.elf=$(O)/guests/hello.elf \
    usr/lib/socle/vmlinuz=$$(ls $(O)/kernel/cloud/boot/vmlinuz-*) usr/lib/socle/initramfs=$(O)/guests/initramfs-cloud
dom0-run  := $(O)/dom0/vmlinux-stable $(O)/dom0/initramfs-run

$(O)/dom0/initramfs-run: $(O)/kernel/stable/version $(tools) $(image-src) $(demo-need)
	@mkdir -p $(@D)
	$(Q)$(image)/make-initramfs -o $@ -k $(<D) $(tools) $(demo)

# A disc that boots by BIOS and by UEFI.
$(O)/socle.iso: $(O)/socle $(O)/socle-debug $(dom0-run) $(image)/grub.cfg
	@mkdir -p $(O)/iso/boot/grub
	$(Q)cp $(image)/grub.cfg $(O)/iso/boot/grub/
	$(Q)cp $(filter-out %.cfg,$^) $(O)/iso/boot/
	$(Q)grub-mkrescue -o $@ $(O)/iso >$(O)/iso.log 2>&1 || { cat $(O)/iso.log; exit 1; }

# ---- unit tests: the hypervisor's logic on this machine, under sanitizers ----

# The part of arch/x86 that has no instruction of its own.
pure-x86 := page_type pt_check detach mmu mmu_root mmuext mmu_grant desc_check desc_frames relinquish \
    ptwrite decode multiboot acpi_tables phys_reader bootmem
host-src := $(wildcard hypervisor/debug/*.c hypervisor/common/*.c $(pure-x86:%=hypervisor/arch/x86/%.c))
san      := -fsanitize=address,undefined -fno-sanitize-recover=undefined
tool-test-cflags := -std=gnu11 -O1 -g $(warn) $(tool-defs) -I. -fno-omit-frame-pointer
host-cflags := -std=gnu11 -O1 -g $(warn) $(hv-inc) -DSOCLE_HOST -DSOCLE_DEBUG -fno-strict-aliasing \
    -fwrapv -fno-omit-frame-pointer

unit-src  := $(wildcard tests/unit/*/*_test.c)
unit-fake := $(patsubst %.c,$(O)/host/%.o,$(wildcard tests/unit/fake/*.c))
unit-lib  := $(O)/host/libsocle.a
unit-test := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(unit-src))
unit-test-tools := $(filter $(O)/tests/unit/tools/%,$(unit-test))
unit-tools := $(O)/host/tools/libtools.a

$(O)/host/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(host-cflags) $(san) -Itests/unit/fake -MMD -MP -c -o $@ $<

# Made anew each time, so that a source that is gone leaves no member behind.
$(unit-lib): $(host-src:%.c=$(O)/host/%.o)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(filter-out $(unit-test-tools),$(unit-test)): $(O)/tests/unit/%: $(O)/host/tests/unit/%.o $(unit-fake) $(unit-lib)
	@mkdir -p $(@D)
	$(Q)$(CC) $(san) -o $@ $(filter %.o,$^) $(unit-lib) -lcmocka -lpthread

# Tests of the tools: all but main() and what asks a hypervisor, for which there are fakes.
tool-testable := $(filter-out %/xcall.c %/ring_page.c %/device_kernel.c %/daemon.c %/loop.c %/net.c %/network_call.c,$(tool-lib-src)) \
    $(filter-out %/main.c %/xenio.c %/host.c %/finder.c %/nft.c,$(tool-src)) \
    $(wildcard tests/unit/tools/fake_*.c)

$(O)/host/tools/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(tool-test-cflags) $(san) -MMD -MP -c -o $@ $<

$(unit-tools): $(tool-testable:%.c=$(O)/host/tools/%.o)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(unit-test-tools): $(O)/tests/unit/tools/%: $(O)/host/tools/tests/unit/tools/%.o $(unit-tools)
	@mkdir -p $(@D)
	$(Q)$(CC) $(san) -o $@ $(filter %.o,$^) $(unit-tools) -lcmocka $(tool-libs) $(tool-libs-network)

-include $(patsubst %.c,$(O)/host/%.d,$(host-src) $(unit-src)) $(unit-fake:.o=.d)
-include $(patsubst %.c,$(O)/host/tools/%.d,$(tool-testable) $(unit-src))

# ---- fuzzers ----

fuzz-src  := $(wildcard tests/fuzz/*_fuzz.c)
fuzz-tool := $(wildcard tests/fuzz/tools/*_fuzz.c)
fuzz-test := $(patsubst tests/fuzz/%_fuzz.c,$(O)/tests/fuzz/%,$(fuzz-src) $(fuzz-tool))
fuzz-test-tools := $(filter $(O)/tests/fuzz/tools/%,$(fuzz-test))
fuzz-lib  := $(O)/fuzz/libsocle.a
fuzz-fake := $(patsubst %.c,$(O)/fuzz/%.o,$(wildcard tests/unit/fake/*.c))
FUZZ_SECONDS ?= 60

$(O)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(host-cflags) $(san) -fsanitize=fuzzer-no-link -Itests/unit/fake -MMD -MP -c -o $@ $<

$(fuzz-lib): $(host-src:%.c=$(O)/fuzz/%.o)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(filter-out $(fuzz-test-tools),$(fuzz-test)): $(O)/tests/fuzz/%: $(O)/fuzz/tests/fuzz/%_fuzz.o $(fuzz-fake) $(fuzz-lib)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(san) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(fuzz-lib)

fuzz-tools := $(O)/fuzz/tools/libtools.a

$(O)/fuzz/tools/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(tool-test-cflags) $(san) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(fuzz-tools): $(tool-testable:%.c=$(O)/fuzz/tools/%.o)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(fuzz-test-tools): $(O)/tests/fuzz/tools/%: $(O)/fuzz/tools/tests/fuzz/tools/%_fuzz.o $(fuzz-tools)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(san) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(fuzz-tools) $(tool-libs) $(tool-libs-network)

-include $(patsubst %.c,$(O)/fuzz/%.d,$(host-src) $(fuzz-src)) $(fuzz-fake:.o=.d)
-include $(patsubst %.c,$(O)/fuzz/tools/%.d,$(tool-testable) $(fuzz-tool))

# ---- targets ----

.PHONY: all hypervisor guests dom0-tools unit fuzzers deps dom0 run iso hello test test-all bench bench-create profile fuzz format lint help clean

all: hypervisor guests dom0-tools unit ## build everything but the fuzzers into build/

hypervisor: $(O)/socle $(O)/socle-debug
guests: $(guests)
dom0-tools: $(tools)
dom0: $(dom0-stable)
unit: $(unit-test)
fuzzers: $(fuzz-test)

deps: ## install what building and testing need, if something is missing
	@tests/deps

# What needs packages looks for them first, then builds.

# Kinds of disks and network cards that a stock kernel drives.
disk-virtio := -device virtio-blk-pci,drive=disk
disk-ahci   := -device ahci,id=ahci -device ide-hd,drive=disk,bus=ahci.0
disk-nvme   := -device nvme,drive=disk,serial=socle
DISK    ?= virtio
NIC     ?= virtio-net-pci
MACHINE ?= pc
CPU     ?= qemu64
qemu     = $(QEMU) -machine $(MACHINE) -cpu $(CPU) -smp $(CPUS) -m $(MEM) -nographic
RUN_DISK ?= $(O)/run/disk.img
devices  = -drive if=none,id=disk,format=raw,file=$(RUN_DISK) $(disk-$(DISK)) -nic user,model=$(NIC)

$(RUN_DISK):
	@mkdir -p $(@D)
	$(Q)truncate -s 256M $@.new && PATH=$$PATH:/sbin mke2fs -q -t ext4 -L socle $@.new && mv $@.new $@

# Half of the memory is for guests. dom0 keeps their disks on the disk with that label.
run: deps ## boot stock Debian Linux as dom0, with a guest; Ctrl-A X leaves. CPUS= MEM=MiB HVARGS= KARGS= ARGS= (QEMU's) debug=y
	@$(MAKE) hypervisor $(dom0-run) $(RUN_DISK)
	$(qemu) $(devices) -kernel $(socle) -append "console=com1 com1=115200,8n1 dom0_mem=$$(($(MEM) / 2))M $(HVARGS)" \
	    -initrd "$(O)/dom0/vmlinux-stable console=hvc0 $(KARGS),$(O)/dom0/initramfs-run" $(ARGS)

iso: deps ## make build/socle.iso, which boots the same from a disc or USB stick, by BIOS or UEFI
	@$(MAKE) $(O)/socle.iso

hello: deps ## boot the small hello guest as dom0 instead; q ends it. GUEST_ARGS= is its command line
	@$(MAKE) hypervisor guests
	$(qemu) -no-reboot -net none -kernel $(socle) -append "console=com1 com1=115200,8n1 $(HVARGS)" \
	    -initrd "$(O)/guests/hello.elf $(GUEST_ARGS)" $(ARGS)

# Programs that system tests take along to dom0.
system-programs := $(patsubst %.c,$(O)/%,$(filter-out %/trip.c,$(wildcard tests/system/*.c))) $(O)/tests/system/trip.so

$(O)/tests/system/trip.so: tests/system/trip.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 $(warn) -shared -fPIC -o $@ $<

$(O)/tests/system/%: tests/system/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 $(warn) -static -o $@ $< -lpthread

system-needs = dom0 $(dom0-backports) $(linux-guests) $(packages) $(O)/dom0/xen $(system-programs)

# The tools are ordinary programs for any hypervisor of this ABI. Their system tests run on Xen as well, as NAME.t@xen;
# with `make test-all` also those that take long.
on-xen = socle store create commands disks-nics console $(if $(FULL),guests endings hostile)

# `make test only=evtchn` runs the tests whose names contain that.
tests = $(strip $(foreach t,$(unit-test) $(wildcard tests/abi/*.t tests/boot/*.t tests/system/*.t tests/tools/*.t) \
    $(on-xen:%=tests/system/%.t@xen) $(pv-test) $(fuzz-test),$(if $(if $(only),$(findstring $(only),$(notdir $t)),all),$t)))
prove := O=$(O) QEMU=$(QEMU) prove $(if $(V),-v) --exec tests/run

# Stock kernels are fetched only if they are wanted.
test: deps ## run all tests; only=NAME those whose file name contains it, V=1 shows every result
	@$(MAKE) all fuzzers $(if $(filter tests/system/%,$(tests)),$(system-needs))
	@rm -rf $(O)/log/failures
	@$(prove) -j2 $(tests) || { status=$$?; O=$(O) tests/failures; exit $$status; }

test-all: export FULL = 1
test-all: test ## the same, on every combination of CPU model, machine, CPUs and memory

# Boots for measuring: a tick of the TSC is an instruction.
bench-qemu := $(QEMU) -cpu qemu64 -smp 1 -m 1024 -display none -no-reboot -net none -icount shift=0,sleep=off
bench-hv    = -kernel $(or $(XEN),$(O)/socle) -append "console=com1 com1=115200,8n1 $(HVARGS)"
bench-log  := -monitor none -serial stdio </dev/null
bench-dom0  = -initrd "$(O)/dom0/vmlinux-stable console=hvc0 quiet$(1),$(O)/bench/initramfs"

$(O)/bench/dom0: tests/bench/dom0.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 $(warn) -D_GNU_SOURCE -static -o $@ $<

$(O)/bench/initramfs: $(O)/bench/dom0 $(image)/make-initramfs
	$(Q)$(image)/make-initramfs -o $@ init=$<

# Making domains: a dom0 with our tools, and a guest with a ramdisk of 30 MiB.
$(O)/bench/create: tests/bench/create.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 $(warn) -D_GNU_SOURCE $(hv-inc) -static -o $@ $< -lxencall -lxentoolcore -lxentoollog

$(O)/bench/create.cpio: $(O)/bench/create $(O)/kernel/stable/version $(tools) $(O)/guests/hello.elf $(image-src)
	$(Q)head -c 30M </dev/urandom >$(O)/bench/filler && : >$(O)/bench/guest-init
	$(Q)$(image)/make-initramfs -o $(O)/bench/guest.cpio init=$< guest-init=$(O)/bench/guest-init filler=$(O)/bench/filler
	$(Q)$(image)/make-initramfs -o $@ -k $(O)/kernel/stable $(addprefix $(O)/dom0-tools/,socle socle-stored socle-consoled) \
	    etc/session=$< $(foreach g,hello linux,guest/$g.json=tests/bench/$g.json) guest/hello.elf=$(O)/guests/hello.elf \
	    guest/vmlinuz=$(O)/kernel/stable/boot/vmlinuz-$$(cat $(O)/kernel/stable/version) guest/initrd=$(O)/bench/guest.cpio

bench-create: HVARGS += dom0_mem=512M
bench-create: deps ## the part of make bench that is about making domains
	@$(MAKE) hypervisor dom0-tools $(O)/dom0/vmlinux-stable $(O)/bench/create.cpio
	@mkdir -p $(O)/log
	$(subst -m 1024,-m 2048,$(bench-qemu)) $(bench-hv) \
	    -initrd "$(O)/dom0/vmlinux-stable console=hvc0 quiet,$(O)/bench/create.cpio" $(bench-log) >$(O)/log/bench-create.log
	tests/bench/create-table $(O)/log/bench-create.log

bench: deps ## instructions per operation, beside the figures of Xen 4.17; XEN=file measures that
	@$(MAKE) hypervisor guests $(O)/dom0/vmlinux-stable $(O)/bench/initramfs
	@mkdir -p $(O)/log
	$(bench-qemu) $(bench-hv) -initrd "$(O)/guests/bench.elf $(GUEST_ARGS)$(if $(XEN), shutdown=reboot)" \
	    $(bench-log) >$(O)/log/bench.log
	pv-guest/bench/table.py $(if $(XEN),,--image $(O)/socle) $(O)/log/bench.log
	$(bench-qemu) $(bench-hv) $(call bench-dom0) $(bench-log) >$(O)/log/bench-dom0.log
	$(bench-qemu) -kernel $(O)/kernel/stable/boot/vmlinuz-* -append "console=ttyS0 quiet" \
	    -initrd $(O)/bench/initramfs $(bench-log) >$(O)/log/bench-bare.log
	tests/bench/dom0-table $(O)/log/bench-bare.log $(O)/log/bench-dom0.log
	@$(MAKE) bench-create

# The guest kernel has its functions' addresses in a compressed form; it prints them when it runs.
$(O)/bench/kallsyms: $(O)/kernel/stable/version | $(O)/dom0/vmlinux-stable $(O)/bench/initramfs $(O)/socle
	$(bench-qemu) $(bench-hv) $(call bench-dom0, work=symbols) $(bench-log) | tr -d '\r' >$@

profile: deps ## functions that WORK=fork (a key of make bench's second table) spends its instructions in
	@$(MAKE) hypervisor $(O)/bench/kallsyms
	tests/bench/profile --kallsyms $(O)/bench/kallsyms $(PROFILE_ARGS) $(O)/bench/dom0 $(O)/socle $(or $(WORK),fork) \
	    -- $(bench-qemu) $(bench-hv) $(call bench-dom0, work=$(or $(WORK),fork))

fuzz: deps ## run the fuzzers in turn, FUZZ_SECONDS each, and the guests among them, until one finds something
	@$(MAKE) all fuzzers
	@while GUEST_ARGS="seed=$$(date +%s) calls=10000000 steps=500000 seconds=3000" TIMEOUT=3600 \
	    FUZZ_SECONDS=$(FUZZ_SECONDS) $(prove) $(fuzz-test) $(filter %/test-fuzz.elf %/test-fuzz_control.elf,$(pv-test)); do :; done

sources = $(shell find hypervisor debug include pv-guest dom0-tools ring-protocol tests -name '*.[ch]')

format: ## bring all C sources into the project's form
	@tests/deps lint
	clang-format -i $(sources)

lint: ## complain about form, and about what the analyser of clang sees
	@tests/deps lint
	clang-format --dry-run -Werror $(sources)
	clang-tidy --quiet --checks=-clang-analyzer-security.insecureAPI.* $(host-src) -- $(hv-inc) -std=gnu11 -DSOCLE_HOST -DSOCLE_DEBUG
	clang-tidy --quiet --checks=-clang-analyzer-security.insecureAPI.* $(filter dom0-tools/%,$(tool-lib-src) $(tool-src)) -- $(tool-defs) -std=gnu11

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## *\(.*\)/make \1	\2/p' Makefile | expand -t 14

clean: ## remove build/
	rm -rf $(O)
