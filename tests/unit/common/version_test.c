/* SPDX-License-Identifier: MIT */
/* xen_version and vm_assist: what is copied out, and that none of it is left over from before (XSA-122). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake.h"
#include <hv/cmdline.h>
#include <hv/errno.h>
#include <hv/hypercall.h>
#include <xen/version.h>

static struct domain *d;
static char buf[2048];

static int setup(void **state)
{
    (void)state;
    fake_init(256, 1);
    d = fake_domain(0, true, 1);
    fake_run(d->vcpu[0]);
    memset(buf, 0xa5, sizeof(buf));
    return 0;
}

static long call(int cmd)
{
    return do_xen_version(cmd, guest_ptr((uintptr_t)buf));
}

/* All of @size bytes were written, what follows the text with zeroes. */
static void check_text(int cmd, size_t size)
{
    size_t len;

    memset(buf, 0xa5, sizeof(buf));
    assert_int_equal(call(cmd), 0);
    len = strlen(buf);
    assert_true(len < size);
    for (size_t i = len; i < size; i++)
        assert_int_equal(buf[i], 0);
    assert_int_equal((unsigned char)buf[size], 0xa5);
}

static void test_texts(void **state)
{
    (void)state;
    memset(boot_cmdline, 'x', sizeof(boot_cmdline)); /* not even terminated by whoever fills it */
    boot_cmdline[sizeof(boot_cmdline) - 1] = '\0';
    check_text(XENVER_extraversion, 16);
    check_text(XENVER_capabilities, 1024);
    assert_string_equal(buf, "xen-3.0-x86_64 ");
    check_text(XENVER_changeset, 64);
    check_text(XENVER_commandline, 1024);
    d->is_privileged = false;
    check_text(XENVER_commandline, 1024);
    assert_string_equal(buf, "<denied>");
}

static void test_compile_info(void **state)
{
    struct xen_compile_info *info = (void *)buf;

    (void)state;
    assert_int_equal(call(XENVER_compile_info), 0);
    for (size_t i = strlen(info->compiler); i < sizeof(info->compiler); i++)
        assert_int_equal(info->compiler[i], 0);
    for (size_t i = 0; i < sizeof(info->compile_date); i++)
        assert_int_equal(info->compile_date[i], 0);
    assert_int_equal((unsigned char)buf[sizeof(*info)], 0xa5);
}

static void test_numbers(void **state)
{
    struct xen_feature_info *f = (void *)buf;

    (void)state;
    assert_int_equal(do_xen_version(XENVER_version, guest_ptr(0)), 0x40011);
    assert_int_equal(do_xen_version(XENVER_pagesize, guest_ptr(0)), 4096);
    assert_int_equal(call(XENVER_pagesize), -EINVAL);
    assert_int_equal(call(XENVER_platform_parameters), 0);
    assert_int_equal(*(uint64_t *)buf, HV_VIRT_START);
    f->submap_idx = 0;
    assert_int_equal(call(XENVER_get_features), 0);
    assert_int_equal(f->submap, 0x208e0);
    d->is_privileged = false;
    assert_int_equal(call(XENVER_get_features), 0);
    assert_int_equal(f->submap, 0x200e0);
    f->submap_idx = 1;
    assert_int_equal(call(XENVER_get_features), -EINVAL);
    assert_int_equal(call(XENVER_build_id), -EPERM);
    d->is_privileged = true;
    assert_int_equal(call(XENVER_build_id), -ENODATA);
    assert_int_equal(call(XENVER_guest_handle), 0);
    assert_int_equal(call(11), -ENOSYS);
    for (int cmd = 1; cmd <= 9; cmd++)
        if (cmd != XENVER_pagesize)
            assert_int_equal(do_xen_version(cmd, guest_ptr(0)), -EFAULT);
}

static void test_assists(void **state)
{
    (void)state;
    for (unsigned int type = 0; type < 200; type++) {
        bool known = type <= 5 || type == 32;

        d->vm_assist = 0;
        assert_int_equal(do_vm_assist(VMASST_CMD_enable, type), known ? 0 : -EINVAL);
        assert_int_equal(d->vm_assist, known ? 1UL << type : 0);
        assert_int_equal(do_vm_assist(2, type), known ? -ENOSYS : -EINVAL);
        assert_int_equal(do_vm_assist(VMASST_CMD_disable, type), known ? 0 : -EINVAL);
        assert_int_equal(d->vm_assist, 0);
    }
    do_vm_assist(VMASST_CMD_enable, VMASST_TYPE_m2p_strict);
    assert_true(d->arch.strict_m2p);
    do_vm_assist(VMASST_CMD_disable, VMASST_TYPE_m2p_strict);
    assert_false(d->arch.strict_m2p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_texts, setup),
        cmocka_unit_test_setup(test_compile_info, setup),
        cmocka_unit_test_setup(test_numbers, setup),
        cmocka_unit_test_setup(test_assists, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
