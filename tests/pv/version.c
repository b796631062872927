/* SPDX-License-Identifier: MIT */
/* xen_version and vm_assist: every sub-operation, good and refused, and whether what is not filled in
 * is cleared (XSA-122). */
#include <pv/test.h>
#include <xen/version.h>

#define UNMAPPED ((void *)vm_reserve(1))

static long version(int cmd, void *arg)
{
    return hypercall_xen_version(cmd, arg);
}

/* Fill @buf with a pattern, call, and check: a string, then zeroes up to @size, then the pattern. */
static const char *text(int cmd, size_t size)
{
    static char buf[2048];
    size_t len;

    memset(buf, 0xa5, sizeof(buf));
    check_eq(version(cmd, buf), 0);
    len = strlen(buf);
    check_lt(len, size);
    for (size_t i = len; i < size; i++)
        if (buf[i]) {
            check_eq(buf[i], 0);
            break;
        }
    check_eq((unsigned char)buf[size], 0xa5);
    return buf;
}

TEST(version_number)
{
    check_eq(version(XENVER_version, NULL), 4 << 16 | 17);
    check_eq(version(XENVER_version, (void *)-1), 4 << 16 | 17);
}

TEST(texts_are_cleared_to_their_end)
{
    note("extraversion \"%s\"", text(XENVER_extraversion, sizeof(xen_extraversion_t)));
    check(strstr(text(XENVER_capabilities, sizeof(xen_capabilities_info_t)), "xen-3.0-x86_64"));
    note("changeset \"%s\"", text(XENVER_changeset, sizeof(xen_changeset_info_t)));
    note("command line \"%s\"", text(XENVER_commandline, sizeof(xen_commandline_t)));
}

TEST(compile_info)
{
    static struct {
        struct xen_compile_info info;
        uint8_t after;
    } t;

    memset(&t, 0xa5, sizeof(t));
    check_eq(version(XENVER_compile_info, &t.info), 0);
    check_lt(strlen(t.info.compiler), sizeof(t.info.compiler));
    check_lt(strlen(t.info.compile_by), sizeof(t.info.compile_by));
    check_lt(strlen(t.info.compile_domain), sizeof(t.info.compile_domain));
    check_lt(strlen(t.info.compile_date), sizeof(t.info.compile_date));
    check_eq(t.info.compiler[sizeof(t.info.compiler) - 1], 0);
    check_eq(t.info.compile_by[sizeof(t.info.compile_by) - 1], 0);
    check_eq(t.after, 0xa5);
    note("compiler \"%s\"", t.info.compiler);
}

TEST(platform_parameters)
{
    struct xen_platform_parameters p = {0};

    check_eq(version(XENVER_platform_parameters, &p), 0);
    check_eq(p.virt_start, HYPERVISOR_VIRT_START);
}

TEST(features)
{
    struct xen_feature_info f = {.submap_idx = 0, .submap = ~0u};
    uint32_t want = 1u << XENFEAT_mmu_pt_update_preserve_ad | 1u << XENFEAT_highmem_assist |
                    1u << XENFEAT_gnttab_map_avail_bits | 1u << XENFEAT_direct_mapped;
    uint32_t never = 1u << XENFEAT_auto_translated_physmap | 1u << XENFEAT_writable_page_tables |
                     1u << XENFEAT_writable_descriptor_tables | 1u << XENFEAT_hvm_callback_vector |
                     1u << XENFEAT_supervisor_mode_kernel | 1u << XENFEAT_hvm_pirqs |
                     1u << XENFEAT_not_direct_mapped;

    check_eq(version(XENVER_get_features, &f), 0);
    note("features %#x", f.submap);
    check_eq(f.submap & want, want);
    check_eq(f.submap & never, 0);
    check_eq(!!(f.submap & 1u << XENFEAT_dom0), guest_is_initial());
    f.submap_idx = 1;
    check_eq(version(XENVER_get_features, &f), -EINVAL);
    f.submap_idx = ~0u;
    check_eq(version(XENVER_get_features, &f), -EINVAL);
}

TEST(page_size)
{
    char c;

    check_eq(version(XENVER_pagesize, NULL), 4096);
    check_eq(version(XENVER_pagesize, &c), -EINVAL);
}

TEST(handle)
{
    struct {
        uint8_t handle[16], after;
    } h;

    memset(&h, 0xa5, sizeof(h));
    check_eq(version(XENVER_guest_handle, h.handle), 0);
    check_eq(h.after, 0xa5);
    if (guest_is_initial())
        for (unsigned i = 0; i < 16; i++)
            check_eq(h.handle[i], 0);
}

TEST(build_id)
{
    struct {
        uint32_t len;
        uint8_t buf[64];
    } id = {.len = 0};
    long rc = version(XENVER_build_id, NULL);

    note("build id: %ld", rc);
    if (!guest_is_initial()) {
        check_eq(rc, -EPERM);
        return;
    }
    if (rc == -ENODATA)
        skip("there is none");
    check_ge(rc, 1);
    check_eq(version(XENVER_build_id, &id), -EINVAL); /* no room at all */
}

TEST(bad_pointers_and_commands)
{
    static const int commands[] = {XENVER_extraversion,  XENVER_compile_info,
                                   XENVER_capabilities,  XENVER_changeset,
                                   XENVER_get_features,  XENVER_platform_parameters,
                                   XENVER_guest_handle,  XENVER_commandline};
    void *bad[] = {UNMAPPED, (void *)HYPERVISOR_VIRT_START, (void *)(HYPERVISOR_VIRT_START - 1),
                   (void *)~0ul, (void *)0x800000000000ul};

    for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        for (unsigned n = 0; n < sizeof(bad) / sizeof(bad[0]); n++)
            check_eq(version(commands[i], bad[n]), -EFAULT);
    check_eq(version(11, NULL), -ENOSYS);
    check_eq(version(-1, NULL), -ENOSYS);
    check_eq(version(0x7fffffff, NULL), -ENOSYS);
}

TEST(assists)
{
    static const unsigned good[] = {
        VMASST_TYPE_4gb_segments,     VMASST_TYPE_4gb_segments_notify,
        VMASST_TYPE_writable_pagetables, VMASST_TYPE_architectural_iopl,
        VMASST_TYPE_runstate_update_flag, VMASST_TYPE_m2p_strict, VMASST_TYPE_pae_extended_cr3};
    static const unsigned bad[] = {6, 7, 31, 33, 63, 64, 65, 1u << 31, ~0u};

    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        check_eq(hypercall_vm_assist(VMASST_CMD_enable, good[i]), 0);
        check_eq(hypercall_vm_assist(VMASST_CMD_disable, good[i]), 0);
        check_eq(hypercall_vm_assist(2, good[i]), -ENOSYS);
    }
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        check_eq(hypercall_vm_assist(VMASST_CMD_enable, bad[i]), -EINVAL);
        check_eq(hypercall_vm_assist(VMASST_CMD_disable, bad[i]), -EINVAL);
    }
    hypercall_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables);
}

/* In another domain: what is not for everybody. */
static long from_peer(long cmd, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    if (cmd == XENVER_commandline) {
        char buf[1024];

        return version(cmd, buf) ? -1 : strcmp(buf, "<denied>") != 0;
    }
    return version(cmd, NULL);
}

TEST(unprivileged)
{
    struct peer p;

    if (peer_connect(&p, 1))
        skip("no second domain");
    check_eq(peer_call(&p, from_peer, XENVER_version, 0, 0, 0), 4 << 16 | 17);
    check_eq(peer_call(&p, from_peer, XENVER_commandline, 0, 0, 0), 0);
    check_eq(peer_call(&p, from_peer, XENVER_build_id, 0, 0, 0), -EPERM);
    peer_end(&p);
}
